"""scikit-learn's digits: 1,797 real scans of handwritten digits, 8×8 pixels, embedded in the library."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from faa_core import FaaError
from faa_search.data.source import ArraySource
from faa_search.data.splits import DatasetRequest, Splits

TEST_IMAGES = 1000


def open_digits(request: DatasetRequest) -> Splits:
    """Return 797 training and 1,000 test images: a fixed stratified split, as the data set has none.

    Raises:
        FaaError: If it is told where to look: it is embedded, and another data set must be meant.
    """
    told = (request.data_dir, request.train_split, request.test_split, request.input_key, request.target_key)
    if any(told):
        raise FaaError(
            "digits is embedded and takes no --data-dir, --train-split, --test-split, --input-key or --target-key. "
            "Name your data with --dataset: a folder of class folders, a .npz file, torch/NAME or hfds/OWNER/NAME."
        )
    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    source = ArraySource(
        np.repeat(grey[..., None], 3, axis=-1), digits.target.astype(np.int64), tuple(str(n) for n in range(10))
    )
    train, test = train_test_split(
        np.arange(len(source)), test_size=TEST_IMAGES, stratify=source.labels, random_state=0
    )
    return Splits(
        train=source.subset(np.sort(train)),
        open_test=lambda: source.subset(np.sort(test)),
        native_size=8,
        test_images=len(test),
    )
