"""What a data set is to us, and how it is asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from faa_search.data.source import ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRequest:
    """What a data set's opener is told.

    Attributes:
        name: As the user gave it.
        data_dir: Folder with the data, or None.
        train_split: Name of the training split, or None for the usual one.
        test_split: Name of the test split, or None for the usual one.
        download: Whether missing data may be fetched.
        input_key: Name of the column of images, or None for the only one.
        target_key: Name of the column of labels, or None for the only one.
    """

    name: str
    data_dir: str | None = None
    train_split: str | None = None
    test_split: str | None = None
    download: bool = False
    input_key: str | None = None
    target_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """A data set's splits. The test split is opened by calling it, so that a search cannot read it by accident.

    Attributes:
        train: All training images.
        open_test: Opens the test images; None where the data set has none.
        native_size: Side in pixels that the images come in, or None if it varies or is the model's to choose.
        notice: Something the user should be told once, or "".
        test_images: How many test images there are, where that is known without opening them.
        test_shape: ``[N, H, W, C]`` of test images that will lie in memory as one array once they are opened, or None.
        remarks: What is reported beside the count of images: what is skipped of the data set and why, or "".
    """

    train: ImageSource
    open_test: Callable[[], ImageSource] | None
    native_size: int | None = None
    notice: str = ""
    test_images: int | None = None
    test_shape: tuple[int, int, int, int] | None = None
    remarks: str = ""
