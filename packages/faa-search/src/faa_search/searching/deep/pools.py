"""The images of a triple: a class, some of its images as they are, and one to augment. Every draw is keyed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.randomness import key_of, permutation, uniforms
from faa_search.settings.deep import VAL_IMAGES

Positions = NDArray[np.int64]  # in the training images


class TripleImages(NamedTuple):
    """The images of a triple.

    Attributes:
        label: Their class.
        validation: Shape ``[V]``: positions of the images as they are.
        augmented: Position of the image to augment.
        repeated: How many of the V are there a second time, as their class has too few.
    """

    label: int
    validation: Positions
    augmented: int
    repeated: int


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    """Positions of the images that gradients are matched on, by class; classes without any are left out.

    Attributes:
        labels: Of the classes.
        validation: Of each class, the images to match.
        augmented: Of each class, the images to augment.
    """

    labels: tuple[int, ...]
    validation: tuple[Positions, ...]
    augmented: tuple[Positions, ...]

    def draw(self, key: int, count: int) -> TripleImages:
        """Return the images of a triple; classes are equally likely, however many images they have.

        Args:
            key: Of the draw.
            count: How many images to match.
        """
        of_class, of_image = uniforms(key, np.zeros(1, dtype=np.int64), 2)[0]
        at = int(of_class * len(self.labels))
        own, others = self.augmented[at], self.validation[at]
        rounds = -(-count // len(others))
        drawn = np.concatenate([others[permutation(key_of(key, turn), len(others))] for turn in range(rounds)])
        return TripleImages(
            label=self.labels[at],
            validation=drawn[:count],
            augmented=int(own[int(of_image * len(own))]),
            repeated=max(0, count - len(others)),
        )


def make_pools(labels: NDArray[np.int64], held_out: Positions, *, val_size: int | None, seed: int) -> Pools:
    """Return the images that the network is not fitted on, divided into those to match and those to augment.

    Each class is divided alike, with an image or more on either side; a class with a single image is left out.

    Args:
        labels: Shape ``[N]``, of all training images.
        held_out: Positions of the images that the network is not fitted on.
        val_size: About how many to match; by default the authors' number, at most half.
        seed: Keys the division.

    Raises:
        FaaError: If that is more than there are, or no class has two images.
    """
    size = val_size or min(VAL_IMAGES, len(held_out) // 2)
    if size >= len(held_out):
        raise FaaError(
            f"--val-size {size:,}: the network is not fitted on {len(held_out):,} images, and some of these must be "
            "left to be augmented. Give fewer, or a smaller --pretrain-size."
        )
    by_class: dict[int, tuple[Positions, Positions]] = {}
    for label in np.unique(labels[held_out]).tolist():
        own = held_out[labels[held_out] == label]
        if len(own) > 1:
            order = permutation(key_of("deep pools", seed, label), len(own))
            cut = min(max(round(len(own) * size / len(held_out)), 1), len(own) - 1)
            by_class[label] = np.sort(own[order[:cut]]), np.sort(own[order[cut:]])
    if not by_class:
        raise FaaError(
            "No class has two images that the network is not fitted on, so nothing can be matched. Give a smaller "
            "--pretrain-size, or more images."
        )
    return Pools(
        labels=tuple(by_class),
        validation=tuple(matched for matched, _augmented in by_class.values()),
        augmented=tuple(augmented for _matched, augmented in by_class.values()),
    )
