"""What every data set keeps: labelled RGB images, the same each time, and a test split opened only by calling."""

from multiprocessing.reduction import ForkingPickler
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError, plugins
from faa_core.testing.expecting import expect
from faa_search.data.source import ImageSource
from faa_search.data.splits import DatasetRequest, Splits

LOOKED_AT = 48  # images of a split, spread over it


class DatasetContract:
    """What every data set keeps; subclass it and set `name`, and `data_dir` if it needs one.

    Attributes:
        name: Under which the package offers it.
        data_dir: Where the data lie, as the user would give it, or None.
    """

    name: ClassVar[str]
    data_dir: ClassVar[str | None] = None

    def request(self) -> DatasetRequest:
        """Return what the opener is told."""
        return DatasetRequest(name=self.name, data_dir=self.data_dir)

    def open(self, request: DatasetRequest | None = None) -> Splits:
        """Return what the installed opener of the name gives."""
        opened: Splits = plugins.load("faa.datasets", self.name, kind="data set")(request or self.request())
        return opened

    def test_its_labels_are_of_its_classes(self) -> None:
        """int64 in range, one for each image; class names are texts, one for each class, each with training images."""
        for split, source in self._splits().items():
            labels, classes = source.labels, len(source.class_names)
            expect(labels.dtype == np.int64, f"labels of {split} are int64, not {labels.dtype}")
            expect(labels.shape == (len(source),), f"{split} has one label for each image, not shape {labels.shape}")
            within = len(labels) > 0 and labels.min() >= 0 and labels.max() < classes
            expect(within, f"labels of {split} are 0 to {classes - 1}, as there are {classes} class names")
        train = self.open().train
        named = isinstance(train.class_names, tuple) and all(isinstance(name, str) for name in train.class_names)
        expect(named, f"class names are a tuple of texts, not {train.class_names!r:.200}")
        distinct = len({*train.class_names, ""}) == len(train.class_names) + 1
        expect(distinct, f"each class has its own name, not {train.class_names!r:.200}")
        missing = sorted({*range(len(train.class_names))} - {*train.labels.tolist()})
        expect(not missing, f"every class has training images; none have the labels {missing!r:.100}")

    def test_its_images_are_rgb(self) -> None:
        """Pillow images of mode RGB: uint8 [H, W, 3]; of the size that is promised, if one is."""
        native = self.open().native_size
        for split, source in self._splits().items():
            for index in _spread(source):
                image = source.image(index)
                expect(image.mode == "RGB", f"image {index} of {split} has mode RGB, not {image.mode}")
                fits = native is None or image.size == (native, native)
                expect(fits, f"image {index} of {split} has the native size {native} × {native}, not {image.size}")

    def test_it_gives_the_same_images_again(self) -> None:
        """In the same order, asked twice, opened twice, and after the journey to a loader's process."""
        once, again = self._splits(), self._splits()
        for split, source in once.items():
            pixels, other = _pixels(source), again[split]
            expect(_equal(pixels, _pixels(source)), f"{split} gives the same images when they are asked for again")
            expect(_equal(pixels, _pixels(other)), f"{split} has the same images when it is opened again")
            expect(bool((source.labels == other.labels).all()), f"{split} has the same labels when it is opened again")
            expect(source.class_names == other.class_names, f"{split} has the same classes when it is opened again")
            try:
                travelled = ForkingPickler.loads(ForkingPickler.dumps(source))
            except Exception as error:
                raise AssertionError(f"Not kept: {split} can be sent to a loader's process ({error}).") from error
            expect(_equal(pixels, _pixels(travelled)), f"{split} gives the same images in a loader's process")

    def test_its_subsets_keep_the_order(self) -> None:
        """A subset has the images and labels at the indices, in their order, also when it is taken of a subset."""
        source = self.open().train
        chosen = np.array(_spread(source)[::-1])
        part = source.subset(chosen)
        twice = part.subset(np.arange(len(chosen))[::-1])
        for given, indices in ((part, chosen), (twice, chosen[::-1])):
            expect(given.labels.tolist() == source.labels[indices].tolist(), "a subset has its images' labels in order")
            expect(given.class_names == source.class_names, "a subset has all classes of the whole")
            pixels = [np.asarray(source.image(int(index))) for index in indices]
            expect(_equal(_all_pixels(given), pixels), "a subset has its images in the order of the indices")

    def test_its_test_split_is_opened_by_calling(self) -> None:
        """A function, so that no search reads it by accident; its classes and number of images are as declared."""
        opened = self.open()
        if opened.open_test is None:
            return
        expect(not isinstance(opened.open_test, ImageSource), "open_test is a function that opens the test images")
        test = opened.open_test()
        expect(isinstance(test, ImageSource), f"open_test returns an ImageSource, not {type(test).__name__}")
        same = test.class_names == opened.train.class_names
        expect(same, f"test images have the classes of the training images, not {test.class_names!r:.200}")
        counted = opened.test_images in (None, len(test))
        expect(counted, f"there are as many test images as it declared, {opened.test_images}, not {len(test)}")

    def test_it_refuses_in_words(self) -> None:
        """What it cannot use of a request ends in a FaaError, which the command line shows; nothing else."""
        nowhere = "/no such folder"
        for request in (
            DatasetRequest(name=self.name, data_dir=nowhere),
            DatasetRequest(name=self.name, data_dir=self.data_dir, train_split="no such split"),
            DatasetRequest(name=self.name, data_dir=self.data_dir, input_key="no such column"),
        ):
            try:
                self.open(request)
            except FaaError:
                continue
            except Exception as error:
                words = f"{type(error).__name__}: {error}"
                raise AssertionError(f"Not kept: {request} is used or refused with a FaaError, not {words}.") from error

    def _splits(self) -> dict[str, ImageSource]:
        """Return what there is, by name."""
        opened = self.open()
        return {"train": opened.train} | ({"test": opened.open_test()} if opened.open_test is not None else {})


def _spread(source: ImageSource) -> list[int]:
    """Return which images are looked at: the first, the last and some between."""
    count = min(LOOKED_AT, len(source))
    return sorted({*np.linspace(0, len(source) - 1, count).astype(int).tolist()})


def _pixels(source: ImageSource) -> list[NDArray[Any]]:
    return [np.asarray(source.image(index)) for index in _spread(source)]


def _all_pixels(source: ImageSource) -> list[NDArray[Any]]:
    return [np.asarray(source.image(index)) for index in range(len(source))]


def _equal(some: list[NDArray[Any]], others: list[NDArray[Any]]) -> bool:
    return len(some) == len(others) and all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))
