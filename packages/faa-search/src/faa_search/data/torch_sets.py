"""torchvision's data sets, ``torch/NAME``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage
from timm.data import create_dataset
from torch.utils.data import ConcatDataset
from torchvision.datasets import SVHN

from faa_core import FaaError
from faa_search.data.classes import Labelling, class_names, labelling
from faa_search.data.source import DecodedSource, check_labels
from faa_search.data.splits import DatasetRequest, Splits

TRAIN_SPLITS = ("train", "training")
TEST_SPLITS = ("test", "val", "validation", "valid", "eval")
TRAIN_AND_EXTRA = "train+extra"  # of SVHN: what its published errors are trained on


@dataclass(frozen=True)
class TorchImages:
    """Images of one of torchvision's data sets, which decode by themselves."""

    dataset: Any
    what: str

    @contextmanager
    def open(self, number: int) -> Iterator[PILImage]:
        """Give an image."""
        image = self.dataset[number][0]
        yield image if isinstance(image, PILImage) else Image.fromarray(np.asarray(image))

    def name(self, number: int) -> str:
        """Return its row."""
        return f"{self.what} {number}"


def open_torch(request: DatasetRequest) -> Splits:
    """Return the splits of one of torchvision's data sets.

    Raises:
        FaaError: If the data is missing, or a split is asked for that is not known to be the training or test split.
    """
    if request.name.split("/", 2)[-1].lower() in ("image_folder", "folder"):  # as timm reads the name
        raise FaaError(f"'{request.name}' would have the same images in both splits; give the folder as --dataset.")
    if request.data_dir is None:
        raise FaaError(f"'{request.name}' needs --data-dir: the folder that holds it, or into which to download it.")
    train_name, test_name = request.train_split or "train", request.test_split or "validation"
    train_names = (*TRAIN_SPLITS, *(("extra", TRAIN_AND_EXTRA) if request.name == "torch/svhn" else ()))
    # Any other name would count as the test split, and the test images be trained on.
    if train_name not in train_names or test_name not in TEST_SPLITS:
        raise FaaError(
            f"'{request.name}' has the splits {' = '.join(train_names)} to train and {' = '.join(TEST_SPLITS)} to "
            f"test, not --train-split {train_name} --test-split {test_name}."
        )
    parts = {"extra": ("extra",), TRAIN_AND_EXTRA: ("train", "extra")}.get(train_name, ("train",))
    datasets = [_create(request, part) for part in parts]
    labels = np.concatenate([_labels(dataset) for dataset in datasets])
    given = getattr(datasets[0], "classes", None)
    classes = labelling(labels) if given is None else Labelling(tuple(range(len(given))))
    names = class_names(classes.values if given is None else given, where=f"'{request.name}'")

    def source(dataset: Any, labels: NDArray[Any], split: str) -> DecodedSource:
        images = TorchImages(dataset, f"{request.name} {split}")
        check_labels(labels, len(names) if given is not None else None, images)
        numbers = classes.numbers(labels, where=images.what)
        return DecodedSource(images, np.arange(len(numbers)), numbers, names)

    def open_test() -> DecodedSource:
        dataset = _create(request, "validation")
        return source(dataset, _labels(dataset), test_name)

    train = datasets[0] if len(datasets) == 1 else ConcatDataset(datasets)
    return Splits(train=source(train, labels, train_name), open_test=open_test, notice=classes.notice)


def _labels(dataset: Any) -> NDArray[Any]:
    """Return the labels of one of torchvision's data sets, which lie in either of two attributes or in its rows."""
    labels = getattr(dataset, "targets", getattr(dataset, "labels", None))
    if labels is None:
        labels = [dataset[index][1] for index in range(len(dataset))]
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise FaaError(
            f"'{type(dataset).__name__}' of torchvision has labels of {array.dtype} {list(array.shape)}, which are no "
            "classes."
        )
    return array


def _create(request: DatasetRequest, split: str) -> Any:
    try:
        if request.name == "torch/svhn":  # torchvision's, which timm does not offer
            return SVHN(request.data_dir, split if split in ("train", "extra") else "test", download=request.download)
        return create_dataset(
            request.name, root=request.data_dir, split=split, download=request.download, search_split=False
        )
    except Exception as error:  # whatever a parser of old files raises
        raise FaaError(
            f"The data set '{request.name}' (split {split}) cannot be opened: {error} "
            "Check --data-dir, or add --dataset-download."
        ) from error
