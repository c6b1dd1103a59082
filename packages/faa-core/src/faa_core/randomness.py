"""Keyed random numbers: a draw depends on its key and index alone, never on what was drawn before.

Worker count, batch split, process count and restarts therefore change nothing. The generator is counter-based
(SplitMix64 over key, index and slot), so a whole batch is drawn in one vectorised call and the same integers can
be computed on any device.
"""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key_of(*parts: int | str) -> int:
    """Return a 64-bit key for a tuple of integers and words, such as ``("policy", seed, epoch)``."""
    digest = hashlib.blake2b(
        json.dumps([part if isinstance(part, str) else int(part) for part in parts]).encode(), digest_size=8
    ).digest()
    return int.from_bytes(digest, "little")


def seed_of(*parts: int | str) -> int:
    """Return a seed of 31 bits for libraries that take one (torch, numpy, hyperopt)."""
    return key_of(*parts) & 0x7FFFFFFF


def uniforms(key: int, indices: NDArray[np.int64], slots: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1), one row per index.

    Args:
        key: From `key_of`.
        indices: Shape ``[B]``, non-negative; row b depends on ``indices[b]`` and the key only.
        slots: How many numbers each row holds; a longer row begins with the shorter one.

    Returns:
        Shape ``[B, slots]``, float64 with 53 random bits each.
    """
    start_B = _mix(np.uint64(key) ^ _mix(np.asarray(indices).astype(np.uint64) + GOLDEN))
    steps_S = np.arange(1, slots + 1, dtype=np.uint64) * GOLDEN
    bits_BS = _mix(start_B[:, None] + steps_S)
    uniforms_BS: NDArray[np.float64] = (bits_BS >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniforms_BS


def permutation(key: int, count: int) -> NDArray[np.int64]:
    """Return a random order of ``range(count)``, shape ``[count]``."""
    order: NDArray[np.int64] = np.argsort(uniforms(key, np.arange(count), 1)[:, 0], kind="stable")
    return order


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the SplitMix64 finaliser of 64-bit integers (Steele, Lea, Flood 2014), which wraps on overflow."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
