"""The reduced data sets of AutoAugment and Fast AutoAugment: fixed stratified subsets, used for searching."""

from dataclasses import replace

import numpy as np

from faa_core import FaaError
from faa_search.data.named import open_named
from faa_search.data.parts import draw_stratified
from faa_search.data.source import ImageSource
from faa_search.data.splits import DatasetRequest, Splits

# Reduced ImageNet: indices of the 1,000 sorted class folders (the later of the two published lists).
# fmt: off
IMAGENET_CLASSES = (
    16, 23, 52, 57, 76, 93, 95, 96, 99, 121, 122, 128, 148, 172, 181, 189, 202, 210, 232, 238, 257, 258, 259, 277,
    283, 289, 295, 304, 307, 318, 322, 331, 337, 338, 345, 350, 361, 375, 376, 381, 388, 399, 401, 408, 424, 431,
    432, 440, 447, 462, 464, 472, 483, 497, 506, 512, 530, 541, 553, 554, 557, 564, 570, 584, 612, 614, 619, 626,
    631, 632, 650, 657, 658, 660, 674, 675, 680, 682, 691, 695, 699, 711, 734, 736, 741, 754, 757, 764, 769, 770,
    780, 781, 787, 797, 799, 811, 822, 829, 830, 835, 837, 842, 843, 845, 873, 883, 897, 900, 902, 905, 913, 920,
    925, 937, 938, 940, 941, 944, 949, 959,
)
# fmt: on


def open_reduced_cifar10(request: DatasetRequest) -> Splits:
    """Return 4,000 of CIFAR-10's training images, 400 a class, and all of its test images."""
    return _reduced(open_named(replace(request, name="torch/cifar10")), 4000)


def open_reduced_svhn(request: DatasetRequest) -> Splits:
    """Return 1,000 of SVHN's training images and all of its test images."""
    return _reduced(open_named(replace(request, name="torch/svhn")), 1000)


def open_reduced_imagenet(request: DatasetRequest) -> Splits:
    """Return about 6,000 ImageNet training images of 120 classes, and the validation images of those classes.

    Raises:
        FaaError: If the folder does not hold the 1,000 classes.
    """
    full = open_named(replace(request, name=""))
    if len(full.train.class_names) != 1000:
        raise FaaError(
            f"reduced_imagenet needs ImageNet's 1,000 class folders; there are {len(full.train.class_names)}."
        )
    fifty = full.train.subset(draw_stratified(full.train.labels, 50_000, seed=0))
    open_test = full.open_test
    return replace(
        full,
        train=_keep_classes(fifty, IMAGENET_CLASSES),
        open_test=None if open_test is None else lambda: _keep_classes(open_test(), IMAGENET_CLASSES),
        test_images=None,
    )


def _reduced(full: Splits, size: int) -> Splits:
    train = full.train.subset(draw_stratified(full.train.labels, size, seed=0))
    return replace(full, train=train)


def _keep_classes(source: ImageSource, classes: tuple[int, ...]) -> ImageSource:
    """Return the images of some classes, renumbered by their position in `classes`."""
    number = {label: position for position, label in enumerate(classes)}
    kept = source.subset(np.flatnonzero(np.isin(source.labels, classes)))
    labels = np.array([number[int(label)] for label in kept.labels], dtype=np.int64)
    names = tuple(source.class_names[label] for label in classes)
    return replace(kept, labels=labels, class_names=names)  # type: ignore[type-var]  # every source is a dataclass
