"""Keyed random numbers: a draw depends on its key and index alone, never on what was drawn before.

Worker count, batch split, process count and restarts therefore change nothing. The generator is counter-based
(SplitMix64 over key, index and slot), so a whole batch is drawn in one vectorised call and the same integers can
be computed on any device.
"""

import hashlib
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faa_core.errors import FaaError

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


def check_keys(seed: Any, epoch: Any) -> None:
    """Refuse what cannot key a draw.

    Raises:
        FaaError: If one of them is not a whole number of 64 bits.
    """
    for name, number in (("seed", seed), ("epoch", epoch)):
        if not isinstance(number, int | np.integer):
            raise FaaError(f"`{name}` must be a whole number, not {number!r:.80}.")
    if not -(2**63) <= min(seed, epoch) <= max(seed, epoch) < 2**63:
        raise FaaError(f"seed and epoch must fit in 64 bits, not {seed} and {epoch}.")


def whole_numbers(indices: Any) -> NDArray[np.int64]:
    """Return the numbers of images, given as a list, a range or an array, as int64 of the shape given.

    Raises:
        FaaError: If they are not whole numbers of 64 bits.
    """
    try:
        numbers = np.asarray(indices)
        if numbers.size == 0:
            numbers = numbers.astype(np.int64)  # an empty list has no type
    except (TypeError, ValueError, OverflowError):  # a list of lists of several lengths
        numbers = np.asarray(None)
    if numbers.dtype.kind not in "iu" or (numbers.size and int(numbers.max()) >= 2**63):
        raise FaaError(
            f"`indices` must be whole numbers, the number of each image in its data set; not {indices!r:.80}."
        )
    return numbers.astype(np.int64, copy=False)


def uniforms(key: int, indices: NDArray[np.int64], slots: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1), one row per index.

    Args:
        key: From `key_of`.
        indices: Shape ``[B]``, non-negative; row b depends on ``indices[b]`` and the key only.
        slots: How many numbers each row holds; a longer row begins with the shorter one.

    Returns:
        Shape ``[B, slots]``, float64 with 53 random bits each.
    """
    start_B = mix(np.uint64(key) ^ mix(np.asarray(indices).astype(np.uint64) + GOLDEN))
    steps_S = np.arange(1, slots + 1, dtype=np.uint64) * GOLDEN
    bits_BS = mix(start_B[:, None] + steps_S)
    uniforms_BS: NDArray[np.float64] = (bits_BS >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniforms_BS


def normal(uniform: float) -> float:
    """Return the standard normal number at a uniform one in [0, 1), by its quantile; cut at ±6.6.

    Wichura's AS 241 (1988), right to 16 digits. Only arithmetic, a logarithm and a root, so that compiled code can
    have the same bits.
    """
    off = uniform - 0.5
    if abs(off) <= 0.425:
        r = 0.180625 - off * off
        top = 2.5090809287301226727e3
        for c in (3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4, 1.3731693765509461125e4):
            top = top * r + c
        for c in (1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0):
            top = top * r + c
        low = 5.2264952788528545610e3
        for c in (2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4, 5.3941960214247511077e3):
            low = low * r + c
        for c in (6.8718700749205790830e2, 4.2313330701600911252e1, 1.0):
            low = low * r + c
        return off * top / low
    r = math.sqrt(-math.log(max(min(uniform, 1.0 - uniform), 2e-11))) - 1.6
    top = 7.74545014278341407640e-4
    for c in (2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0, 3.64784832476320460504e0):
        top = top * r + c
    for c in (5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0):
        top = top * r + c
    low = 1.05075007164441684324e-9
    for c in (
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
    ):
        low = low * r + c
    for c in (1.67638483018380384940e0, 2.05319162663775882187e0, 1.0):
        low = low * r + c
    return math.copysign(top / low, off)


def permutation(key: int, count: int) -> NDArray[np.int64]:
    """Return a random order of ``range(count)``, shape ``[count]``."""
    order: NDArray[np.int64] = np.argsort(uniforms(key, np.arange(count), 1)[:, 0], kind="stable")
    return order


def mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the SplitMix64 finaliser of 64-bit integers (Steele, Lea, Flood 2014), which wraps on overflow."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
