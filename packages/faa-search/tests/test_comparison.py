"""Statistics of a comparison against scipy and by hand, and a small one end to end."""

from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
import yaml
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from faa_core import FaaError, Policy
from faa_search.measuring.comparison import (
    Pair,
    compare,
    compare_policies,
    conclusion,
    holm,
    read_comparison,
    summarise,
)
from faa_search.measuring.comparison.statistics import detectable
from faa_search.settings import CompareConfig, TrainConfig

ERRORS = {
    "one": [5.0, 5.4, 4.9, 5.2, 5.1],
    "two": [6.1, 6.2, 6.0, 6.4, 6.1],
    "three": [5.1, 5.3, 5.0, 5.1, 5.2],
}


def pair(first: list[float], second: list[float]) -> Pair:
    """Return the comparison of two policies."""
    (only,) = summarise({"first": first, "second": second}).pairs
    return only


def test_means_and_their_intervals() -> None:
    """Student's t over the seeds, as scipy has it."""
    for shown in summarise(ERRORS).policies:
        values = ERRORS[shown.name]
        low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
        assert tuple(values) == shown.errors
        assert (np.mean(values), low, high) == pytest.approx((shown.mean, shown.low, shown.high))


def test_pairs_are_paired_by_seed() -> None:
    """Unadjusted p and interval are those of scipy's paired test; every pair once, the first minus the second."""
    pairs = summarise(ERRORS).pairs
    assert [("one", "two"), ("one", "three"), ("two", "three")] == [(row.first, row.second) for row in pairs]
    tests = [stats.ttest_rel(ERRORS[row.first], ERRORS[row.second]) for row in pairs]
    assert holm([test.pvalue for test in tests]) == pytest.approx([row.p for row in pairs])
    for row, test in zip(pairs, tests, strict=True):
        interval = test.confidence_interval(0.95)
        assert np.mean(ERRORS[row.first]) - np.mean(ERRORS[row.second]) == pytest.approx(row.difference)
        assert (interval.low, interval.high) == pytest.approx((row.low, row.high))


def test_verdicts() -> None:
    """Fewer errors are better; what could be luck is not a difference."""
    verdicts = {(row.first, row.second): row.verdict for row in summarise(ERRORS).pairs}
    assert {
        ("one", "two"): "better",
        ("one", "three"): "no significant difference",
        ("two", "three"): "worse",
    } == verdicts


def test_pairing_finds_what_seeds_would_hide() -> None:
    """Seeds differ by points, the policies always by half a point: paired it shows, unpaired it would not."""
    first = [3.0, 5.0, 9.0, 7.0]
    second = [3.5, 5.6, 9.4, 7.5]
    assert 0.05 < stats.ttest_ind(first, second).pvalue
    assert "better" == pair(first, second).verdict
    assert "worse" == pair(second, first).verdict


def test_holm_by_hand() -> None:
    """The smallest times n, the next times n − 1 …, never falling, never above 1; in the order given."""
    assert [0.03, 0.04, 0.04] == pytest.approx(holm([0.01, 0.04, 0.02]))
    assert [0.04, 0.06, 0.06, 0.06] == pytest.approx(holm([0.01, 0.04, 0.03, 0.02]))
    assert [1.0, 1.0] == holm([0.9, 0.6])
    assert [0.2] == holm([0.2])
    assert [] == holm([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_between_none_and_bonferroni(p_values: list[float]) -> None:
    """No p gets smaller, none more than n times larger, and their order stays."""
    adjusted = holm(p_values)
    for p, new in zip(p_values, adjusted, strict=True):
        assert p <= new <= min(1.0, len(p_values) * p) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert sorted(adjusted) == [adjusted[position] for position in order]


def test_many_policies_need_more_evidence() -> None:
    """What is significant alone need not be among ten policies."""
    first, second = [5.0, 5.1, 5.2, 4.9], [5.2, 5.25, 5.3, 5.22]
    assert "better" == pair(first, second).verdict
    rng = np.random.default_rng(0)
    others = {f"other {number}": (5 + rng.normal(size=4)).tolist() for number in range(8)}
    rows = summarise({"first": first, "second": second} | others).pairs
    assert "no significant difference" == rows[0].verdict


def test_equal_errors() -> None:
    """The same networks, the same errors: no difference, p = 1."""
    row = pair([5.0, 6.0, 7.0], [5.0, 6.0, 7.0])
    assert (0.0, 0.0, 0.0, 1.0, "no significant difference") == (row.difference, row.low, row.high, row.p, row.verdict)


def test_equal_gaps() -> None:
    """A gap that is the same for every seed, but for rounding, is as sure as its sign's probability: 2 · ½ⁿ."""
    first = [100 * (1 - share) for share in (0.95, 0.94, 0.871)]
    second = [100 * (1 - share) for share in (0.949, 0.939, 0.87)]
    row = pair(first, second)
    assert (0.25, "no significant difference") == (row.p, row.verdict)
    assert -0.1 == pytest.approx(row.difference)
    assert "better" == pair(first * 3, second * 3).verdict
    assert "worse" == pair(second * 3, first * 3).verdict


@pytest.mark.parametrize(
    ("seeds", "tests", "delta"),
    [(2, 1, 16.334), (3, 1, 5.6535), (5, 1, 3.7611), (2, 3, 48.9573), (3, 3, 9.8164), (5, 3, 5.1243)],
)
def test_what_is_detectable_is_found_four_times_in_five(seeds: int, tests: int, delta: float) -> None:
    """The power of the paired t-test, from the noncentral t distribution, and from drawn normal gaps."""
    gap = np.arange(float(seeds))
    error = gap.std(ddof=1) / seeds**0.5
    noncentrality = detectable(gap, tests=tests) / error
    assert delta == pytest.approx(noncentrality, abs=2e-3)
    critical = stats.t.ppf(1 - 0.025 / tests, seeds - 1)
    assert 0.8 == pytest.approx(stats.nct.sf(critical, seeds - 1, noncentrality), abs=1e-3)
    gaps = np.random.default_rng(seeds).normal(noncentrality / seeds**0.5, size=(20_000, seeds))
    found = stats.ttest_1samp(gaps, 0.0, axis=1).pvalue < 0.05 / tests
    assert 0.8 == pytest.approx(found.mean(), abs=0.012)


def test_detectable_in_a_pair() -> None:
    """In points, for as many tests as there are pairs; without spread there is none."""
    gap = [0.0, 1.0, 2.0, 1.0, 1.0]  # s² = ½
    assert 3.7611 * 0.5**0.5 / 5**0.5 == pytest.approx(pair(gap, [0.0] * 5).detectable, rel=1e-4)
    three = summarise({"one": gap, "two": [0.0] * 5, "three": [1.0] * 5}).pairs[0]
    assert (5.1243 * 0.1**0.5, True) == (pytest.approx(three.detectable, rel=1e-4), three.has_spread)
    assert 0.0 == detectable(np.array([0.1, 0.1, 0.1]), tests=1)
    assert not pair([1.1, 2.1, 3.1], [1.0, 2.0, 3.0]).has_spread


def test_conclusions() -> None:
    """The best is named with what the tests allow to say; the limit is that of it and the next best."""
    clear = conclusion(summarise({"one": ERRORS["one"], "two": ERRORS["two"]}))
    assert "'one' has the lowest mean test error, 5.12 % (n = 5 seeds)." in clear
    assert "significantly lower than 'two', so it is the best" in clear
    turned = conclusion(summarise({"two": ERRORS["two"], "one": ERRORS["one"]}))
    assert clear.splitlines()[0] == turned.splitlines()[0]
    between = summarise(ERRORS)
    text = conclusion(between)
    assert "lower than 'two', but not than 'three': these runs do not show which of 'one' and 'three' is best." in text
    assert f"finds a difference of {between.pairs[1].detectable:.2f} points between 'one' and 'three'" in text
    unclear = conclusion(summarise({"none": ERRORS["one"], "three": ERRORS["three"]}))
    assert "'none' has the lowest" in unclear  # unquoted it would say the opposite
    assert "but not significantly lower than 'three': these runs do not show which is best." in unclear
    assert "do not show" not in clear


def test_ties_are_said() -> None:
    """Equal means share the lowest place, also where the errors differ; a third may still be worse than both."""
    two = {"one": [1.0, 1.3, 1.1, 1.0], "two": [1.3, 1.0, 1.0, 1.1]}
    tied = conclusion(summarise(two))
    lowest = "'one' and 'two' share the lowest mean test error, 1.10 % (n = 4 seeds)"
    assert tied.startswith(f"{lowest}: these runs do not show which is best.\nWith n = 4")
    third = conclusion(summarise(two | {"far": [5.0, 5.1, 5.0, 5.2]}))
    assert third.startswith(
        f"{lowest}. That is significantly lower than 'far': these runs do not show which of 'one' and"
    )
    near = conclusion(summarise(two | {"near": [1.1, 1.2, 1.3, 1.0]}))
    assert near.startswith(f"{lowest}, but not significantly lower than 'near': these runs do not show which is best.")


def test_without_spread_the_limit_is_not_known() -> None:
    """Said differently for the same errors and for a gap that is always the same."""
    same = conclusion(summarise({"a": [1.0, 2.0], "b": [1.0, 2.0]}))
    assert "'a' and 'b' share the lowest mean" in same
    assert "'a' and 'b' have the same error with every seed" in same
    assert "'a' and 'b' differ by the same with every seed" in conclusion(summarise({"a": [1.0, 2.0], "b": [2.0, 3.0]}))


def test_best_of_many_names_them_all() -> None:
    worse = {name: [9.0 + number, 9.1 + number, 9.3 + number, 9.2 + number] for number, name in enumerate("abc")}
    text = conclusion(summarise({"best": [1.0, 1.2, 1.1, 1.3]} | worse))
    assert "significantly lower than 'a', 'b' and 'c', so it is the best" in text


@pytest.fixture
def tiny() -> TrainConfig:
    """Return a training run of a fraction of a second."""
    settings: dict[str, Any] = {"train_subset": 40, "img_size": 8, "batch_size": 20, "epochs": 1, "device": "cpu"}
    return TrainConfig(**settings)


def test_a_comparison_end_to_end(tmp_path: Path, tiny: TrainConfig, accelerator: Accelerator, listener: Any) -> None:
    """Every policy with every seed; the same call again only reads."""
    policies = {"none": Policy.load("none"), "ta": Policy.load("trivialaugment")}
    told = listener()
    result = compare_policies(tiny, policies, tmp_path, seeds=[0, 3], reporter=told, accelerator=accelerator)
    assert ["none-0", "none-3", "ta-0", "ta-3"] == sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert result == read_comparison(tmp_path)
    assert (["none", "ta"], 4) == ([row.name for row in result.policies], told.units)
    assert all(0 < error < 100 for row in result.policies for error in row.errors)
    assert len(set(result.policies[0].errors)) == 2
    before = {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix != ".lock" and path.is_file()
    }
    assert result == compare_policies(tiny, policies, tmp_path, seeds=[0, 3], accelerator=accelerator)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_directory_is_one_processs_and_one_comparisons(tmp_path: Path, tiny: TrainConfig) -> None:
    """Another process is waited for, and other settings, policies or seeds go elsewhere, before anything is trained."""
    policies = {"none": Policy.load("none"), "ta": Policy.load("trivialaugment")}
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(FaaError, match="Another process is using"):
        compare_policies(tiny, policies, tmp_path, seeds=[0, 1])
    assert not (tmp_path / "none-0").exists()
    made = tiny.model_dump(exclude={"policy", "seed"}) | {"seeds": [0, 1], "policies": ["none", "ta"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(made | {"command": "compare_policies"}))
    with pytest.raises(FaaError, match=r"seeds: .* → "):
        compare_policies(tiny, policies, tmp_path, seeds=[0, 2])
    assert not (tmp_path / "none-0").exists()


def test_a_schedule_that_cannot_be_is_refused_first(tmp_path: Path, tiny: TrainConfig) -> None:
    config = tiny.model_copy(update={"warmup_epochs": 5})
    policies = {"none": Policy.load("none"), "ta": Policy.load("trivialaugment")}
    with pytest.raises(FaaError, match="--warmup-epochs 5 is longer"):
        compare_policies(config, policies, tmp_path / "out", seeds=[0, 1])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seeds", [[], [1], [1, 1]])
def test_too_few_seeds(tmp_path: Path, tiny: TrainConfig, seeds: list[int]) -> None:
    """One run says nothing about another; said before anything is trained."""
    with pytest.raises(FaaError, match="at least two seeds"):
        compare_policies(tiny, {"none": Policy.load("none")}, tmp_path, seeds=seeds)
    assert [] == list(tmp_path.iterdir())


def test_no_test_split(tmp_path: Path, tiny: TrainConfig, write_images: Any) -> None:
    """Without test images there is nothing to compare."""
    root = write_images({"a": 20, "b": 20})
    config = tiny.model_copy(update={"dataset": str(root), "train_subset": None})
    with pytest.raises(FaaError, match="needs a test split; --test-fraction"):
        compare_policies(config, {"none": Policy.load("none")}, tmp_path / "out", seeds=[0, 1])
    assert not (tmp_path / "out").exists()  # said before anything is trained


def test_a_comparison_of_named_policies(tmp_path: Path, tiny: TrainConfig, accelerator: Accelerator) -> None:
    """Settings name everything; the file holds what is returned, and seeds follow each other."""
    settings = tiny.model_dump(exclude={"policy", "adversarial", "controller", "seed"})
    config = CompareConfig(**settings, policies=("none", "randaugment"), seeds=2, seed=4)
    result = compare(config, tmp_path / "out", accelerator=accelerator)
    assert {"none-4", "none-5", "randaugment-4", "randaugment-5"} < {path.name for path in (tmp_path / "out").iterdir()}
    assert result == read_comparison(tmp_path / "out")
    alone = compare_policies(
        tiny,
        {"none": Policy.load("none"), "randaugment": Policy.load("randaugment")},
        tmp_path / "alone",
        seeds=[4, 5],
        accelerator=accelerator,
    )
    assert alone == result


@pytest.mark.parametrize("names", [("a/b", "a-b"), ("Same", "same")])
def test_policies_must_have_directories_of_their_own(tmp_path: Path, tiny: TrainConfig, names: tuple[str, str]) -> None:
    policies = dict(zip(names, (Policy.load("none"), Policy.load("randaugment")), strict=True))
    with pytest.raises(FaaError, match="would share a directory"):
        compare_policies(tiny, policies, tmp_path / "out", seeds=[0, 1])
