"""The order in which the images of an epoch are shown; every order is keyed by seed and epoch alone.

Shapes: N images, M of one class.
"""

import numpy as np
from numpy.typing import NDArray

from faa_core import UnknownNameError
from faa_core.randomness import key_of, permutation, uniforms

JITTER = (0.8, 1.2)  # of an image's place among its class, in places


def epoch_order(sampling: str, labels_N: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return which images an epoch shows, in order.

    Args:
        sampling: ``shuffle``: each image once, at random. ``spread``: each image once, every class evenly over the
            epoch. ``balanced``: every class equally often; images of rare classes come again, of frequent ones some
            are left out.
        labels_N: Shape ``[N]``, the images' classes; N ≥ 1.
        seed: Of the run.
        epoch: From 0.

    Returns:
        Indices of images, shape ``[N]``.

    Raises:
        UnknownNameError: If there is no such order.
    """
    shuffled_N = permutation(key_of("order", seed, epoch), len(labels_N))
    match sampling:
        case "shuffle":
            return shuffled_N
        case "spread":
            return _spread(shuffled_N, labels_N, key=key_of("spread", seed, epoch))
        case "balanced":
            return _balanced(shuffled_N, labels_N, seed=seed, epoch=epoch)
        case _:
            raise UnknownNameError("sampling", sampling, ["shuffle", "spread", "balanced"])


def _spread(shuffled_N: NDArray[np.int64], labels_N: NDArray[np.int64], *, key: int) -> NDArray[np.int64]:
    """Return MicroNet's order: the j-th of a class's M images, j from 0, lies near (j + 1) / M of the epoch."""
    by_class_N = shuffled_N[np.argsort(labels_N[shuffled_N], kind="stable")]
    _classes, starts, counts = np.unique(labels_N[by_class_N], return_index=True, return_counts=True)
    rank_N = np.arange(len(by_class_N)) - np.repeat(starts, counts)
    jitter_N = np.interp(uniforms(key, by_class_N, 1)[:, 0], (0, 1), JITTER)
    place_N = (rank_N + jitter_N) / np.repeat(counts, counts)
    order_N: NDArray[np.int64] = by_class_N[np.argsort(place_N, kind="stable")]
    return order_N


def _balanced(
    shuffled_N: NDArray[np.int64], labels_N: NDArray[np.int64], *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Return N images, of each class N / classes; what does not divide goes to classes picked at random."""
    classes = np.unique(labels_N)
    quota = np.full(len(classes), len(labels_N) // len(classes))
    more = permutation(key_of("balanced classes", seed, epoch), len(classes))
    quota[more[: len(labels_N) - quota.sum()]] += 1
    drawn = [
        np.resize(shuffled_N[labels_N[shuffled_N] == label], count)  # all, and from the first again, until enough
        for label, count in zip(classes, quota, strict=True)
    ]
    return np.concatenate(drawn)[permutation(key_of("balanced order", seed, epoch), len(labels_N))]
