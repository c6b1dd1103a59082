"""Keyed random numbers: frozen values, uniformity, independence, and what they depend on."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faa_core.randomness import key_of, normal, permutation, seed_of, uniforms

WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15
MANY = 20_000


def mix(bits: int) -> int:
    """Return SplitMix64's finaliser, written again in Python integers."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) % WORD
    return bits ^ (bits >> 31)


def reference(key: int, index: int, slot: int) -> float:
    """Return the uniform number of one (key, index, slot), by the definition."""
    start = mix(key ^ mix((index + GOLDEN) % WORD))
    return (mix((start + (slot + 1) * GOLDEN) % WORD) >> 11) / 2**53


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Pearson's correlation in units of its standard deviation under independence."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1] * np.sqrt(first.size))


def samples() -> dict[str, NDArray[np.float64]]:
    """Return long runs along each axis: over indices, over slots and over keys."""
    first = np.array([0])
    return {
        "indices": uniforms(key_of("test", 0), np.arange(MANY), 1)[:, 0],
        "slots": uniforms(key_of("test", 0), first, MANY)[0],
        "keys": np.array([uniforms(key_of("test", seed), first, 1)[0, 0] for seed in range(MANY)]),
        "bare keys": np.array([uniforms(seed, first, 1)[0, 0] for seed in range(MANY)]),
    }


@pytest.fixture(scope="module")
def runs() -> dict[str, NDArray[np.float64]]:
    return samples()


def test_keys_are_frozen() -> None:
    """A key never changes: saved runs and policies depend on it."""
    assert key_of("policy", 0, 0) == 658217517930420501
    assert key_of("policy", 1, 2) == 15266571167655125284
    assert key_of() == 14368017890445460849
    assert seed_of("torch", 7) == 190270710


def test_keys_tell_words_numbers_and_order_apart() -> None:
    """Different tuples have different keys, also where they print alike."""
    tuples = [("a", 1), ("a", "1"), (1, "a"), ("a1",), ("a", 1, 0), ("a", -1), ("a,1",), ("a", 12), ("a1", 2)]
    assert len(tuples) == len({key_of(*parts) for parts in tuples})


@given(st.lists(st.integers(-(2**70), 2**70) | st.text(max_size=8), max_size=4))
def test_keys_and_seeds_fit_their_width(parts: list[int | str]) -> None:
    """Keys have 64 bits, seeds 31 and are the low bits of the key."""
    assert 0 <= key_of(*parts) < WORD
    assert key_of(*parts) % 2**31 == seed_of(*parts)


def test_uniforms_are_frozen() -> None:
    """Known answers, written out."""
    expected = [
        [0.5004127639116339, 0.48164101772244916, 0.020701023308857258],
        [0.8398997993527392, 0.06608156639709428, 0.49039910274511544],
        [0.6078756759464675, 0.9984745328263486, 0.574858478877997],
    ]
    assert expected == uniforms(key_of("policy", 0, 0), np.array([0, 1, 2**40]), 3).tolist()


def test_the_reference_is_splitmix64() -> None:
    """The Python finaliser gives the published outputs of SplitMix64 for seed 1234567."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert published == [mix((1234567 + step * GOLDEN) % WORD) for step in range(1, 5)]


@given(st.integers(0, WORD - 1), st.integers(0, 2**63 - 1))
def test_uniforms_follow_the_definition(key: int, index: int) -> None:
    """Any key and index give what arithmetic in unbounded integers gives; nothing overflows."""
    assert [reference(key, index, slot) for slot in range(4)] == uniforms(key, np.array([index]), 4)[0].tolist()


@pytest.mark.parametrize("axis", ["indices", "slots", "keys", "bare keys"])
def test_uniform_on_the_unit_interval(axis: str, runs: dict[str, NDArray[np.float64]]) -> None:
    """Kolmogorov–Smirnov at 0.1 % and χ² over 256 cells within 4 standard deviations, for fixed keys."""
    values = np.sort(runs[axis])
    assert values[0] >= 0
    assert values[-1] < 1
    ranks = np.arange(MANY)
    distance = max((values - ranks / MANY).max(), ((ranks + 1) / MANY - values).max())
    assert distance * np.sqrt(MANY) < 1.95
    counts = np.histogram(values, bins=256, range=(0, 1))[0]
    chi2 = ((counts - MANY / 256) ** 2 / (MANY / 256)).sum()
    assert abs(chi2 - 255) < 4 * np.sqrt(2 * 255)


@pytest.mark.parametrize("axis", ["indices", "slots", "keys", "bare keys"])
@pytest.mark.parametrize("lag", [1, 2, 3, 64])
def test_neighbours_are_uncorrelated(axis: str, lag: int, runs: dict[str, NDArray[np.float64]]) -> None:
    """A number tells nothing about the one `lag` further along any axis, nor do their high and low halves."""
    values = runs[axis]
    assert abs(correlation(values[:-lag], values[lag:])) < 4
    fine = values * 2**20 % 1
    assert abs(correlation(fine[:-lag], fine[lag:])) < 4
    assert abs(correlation(values[:-lag], fine[lag:])) < 4


def test_axes_are_uncorrelated_with_each_other() -> None:
    """Slots of one image, and the same image in neighbouring epochs and seeds, are independent."""
    indices = np.arange(5_000)
    first = uniforms(key_of("policy", 0, 0), indices, 4)
    for other in (key_of("policy", 0, 1), key_of("policy", 1, 0), key_of("policy", 0, 0) ^ 1):
        assert abs(correlation(first, uniforms(other, indices, 4))) < 4
    for slot in range(1, 4):
        assert abs(correlation(first[:, 0], first[:, slot])) < 4
    assert abs(correlation(first[:-1, 1:], first[1:, :-1])) < 4


def test_pairs_fill_the_square() -> None:
    """Two slots of one image fall evenly on a 16 × 16 grid."""
    pairs = uniforms(key_of("test", 1), np.arange(MANY), 2)
    counts = np.histogram2d(pairs[:, 0], pairs[:, 1], bins=16, range=((0, 1), (0, 1)))[0]
    chi2 = ((counts - MANY / 256) ** 2 / (MANY / 256)).sum()
    assert abs(chi2 - 255) < 4 * np.sqrt(2 * 255)


@given(st.integers(0, WORD - 1), st.integers(0, 12), st.integers(0, 12))
def test_a_longer_row_begins_with_the_shorter(key: int, short: int, more: int) -> None:
    """Asking for more slots changes none of the first."""
    indices = np.array([3, 0, 99])
    assert uniforms(key, indices, short).tolist() == uniforms(key, indices, short + more)[:, :short].tolist()


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.data())
def test_rows_do_not_depend_on_the_batch(indices: list[int], data: st.DataObject) -> None:
    """Any split and any order of a batch gives each index the same row."""
    whole = uniforms(5, np.array(indices), 3)
    cut = data.draw(st.integers(0, len(indices)))
    parts = [uniforms(5, np.array(part, dtype=np.int64), 3) for part in (indices[:cut], indices[cut:])]
    assert whole.tolist() == np.concatenate(parts).tolist()
    assert whole[::-1].tolist() == uniforms(5, np.array(indices[::-1]), 3).tolist()


def test_the_shape_and_type_of_a_draw() -> None:
    """Shape is [B, slots] and the type float64, also for an empty batch."""
    assert uniforms(0, np.arange(4), 3).shape == (4, 3)
    assert uniforms(0, np.arange(0), 3).shape == (0, 3)
    assert uniforms(0, np.arange(4), 3).dtype == np.float64


def test_the_indices_given_are_not_changed() -> None:
    """The caller's array stays as it was."""
    indices = np.arange(4)
    uniforms(1, indices, 2)
    assert indices.tolist() == [0, 1, 2, 3]


def test_a_permutation_is_frozen() -> None:
    """A known answer, written out."""
    assert permutation(key_of("order", 0), 10).tolist() == [7, 2, 4, 1, 0, 8, 6, 9, 5, 3]


@given(st.integers(0, WORD - 1), st.integers(0, 300))
def test_a_permutation_holds_each_number_once(key: int, count: int) -> None:
    """Sorted, it is the range again."""
    assert list(range(count)) == sorted(permutation(key, count).tolist())


def test_every_place_is_as_likely_for_every_number() -> None:
    """Over many keys each number stands at each place equally often (χ² over 5 × 5)."""
    orders = np.array([permutation(key_of("order", seed), 5) for seed in range(4_000)])
    counts = np.array([np.bincount(column, minlength=5) for column in orders.T])
    chi2 = ((counts - 800) ** 2 / 800).sum()
    assert chi2 < 16 + 4 * np.sqrt(2 * 16)


@given(st.floats(0, 1, exclude_max=True))
def test_normal_numbers(uniform: float) -> None:
    """The quantiles of the standard normal distribution, cut at ±6.6."""
    expected = NormalDist().inv_cdf(min(max(uniform, 2e-11), 1 - 2e-11))
    assert expected == pytest.approx(normal(uniform), abs=1e-5 if abs(expected) > 6 else 1e-12)
