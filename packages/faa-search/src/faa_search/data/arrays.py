"""Arrays on disk: one ``.npz`` with ``images`` and ``labels``, and perhaps ``test_images`` and ``test_labels``."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_search.data.source import ArraySource
from faa_search.data.splits import DatasetRequest, Splits

LAYOUT = (
    "It must hold images (uint8, [N, H, W], [N, H, W, 1] or [N, H, W, 3]) and labels (integers, [N]); "
    "test_images, test_labels and class_names are optional."
)


def open_npz(request: DatasetRequest) -> Splits:
    """Return the splits of an ``.npz`` file; nothing in it is unpickled.

    Raises:
        FaaError: If the file is missing, unreadable or laid out otherwise.
    """
    if request.train_split or request.test_split:
        raise FaaError(f"A .npz file names its arrays itself; it takes no --train-split or --test-split. {LAYOUT}")
    path = Path(request.data_dir or "", request.name)
    arrays = _read(path)
    has_test = "test_images" in arrays or "test_labels" in arrays
    needed = ["images", "labels", *(("test_images", "test_labels") if has_test else ())]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise FaaError(f"'{path}' has no array '{missing[0]}' (it has: {', '.join(arrays) or 'nothing'}). {LAYOUT}")
    labels = [arrays[name] for name in ("labels", "test_labels") if name in arrays]
    names = _class_names(arrays.get("class_names"), labels, path)
    train = _source(path, arrays, "images", "labels", names)
    if has_test:
        _check(path, arrays, "test_images", "test_labels")  # now, not after hours of training
    images = arrays["images"]
    return Splits(
        train=train,
        open_test=(lambda: _source(path, arrays, "test_images", "test_labels", names)) if has_test else None,
        native_size=min(images.shape[1:3]),
        notice="The images are grey; each is repeated into three channels." if _is_grey(images) else "",
    )


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise FaaError(f"There is no file '{path}'.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise FaaError(f"'{path}' cannot be read as .npz: {error}. {LAYOUT}") from error


def _class_names(given: NDArray[np.generic] | None, labels: list[NDArray[np.generic]], path: Path) -> tuple[str, ...]:
    if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in labels):
        raise FaaError(f"The labels of '{path}' must be one axis of integers. {LAYOUT}")
    count = max((int(array.max()) + 1 for array in labels if array.size), default=0)
    if given is None:
        return tuple(str(number) for number in range(count))
    if len(given) < count:
        raise FaaError(f"'{path}' has {len(given)} class_names for labels up to {count - 1}.")
    return tuple(str(name) for name in given)


def _check(path: Path, arrays: dict[str, NDArray[np.generic]], images_key: str, labels_key: str) -> None:
    images, labels = arrays[images_key], arrays[labels_key]
    if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in (1, 3))):
        raise FaaError(f"'{images_key}' of '{path}' is {images.dtype} {list(images.shape)}. {LAYOUT}")
    if len(images) != len(labels):
        raise FaaError(f"'{path}' has {len(images)} {images_key} but {len(labels)} {labels_key}.")
    if labels.size and int(labels.min()) < 0:
        raise FaaError(f"'{labels_key}' of '{path}' holds {int(labels.min())}: every image needs a label of 0 or more.")


def _source(
    path: Path, arrays: dict[str, NDArray[np.generic]], images_key: str, labels_key: str, names: tuple[str, ...]
) -> ArraySource:
    _check(path, arrays, images_key, labels_key)
    images, labels = arrays[images_key], arrays[labels_key]
    if _is_grey(images):
        images = np.repeat(images.reshape(*images.shape[:3], 1), 3, axis=-1)
    return ArraySource(np.asarray(images, dtype=np.uint8), labels.astype(np.int64), names)


def _is_grey(images: NDArray[np.generic]) -> bool:
    return images.ndim == 3 or images.shape[-1] == 1
