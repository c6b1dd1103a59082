"""A found policy says how it was found: with its settings it is found again."""

import json
from pathlib import Path

import pytest

import faa_search
from faa_core import FaaError, Policy
from faa_search import SearchConfig
from faa_search.settings.like import compared, naming_policy, settings_of
from faa_search.settings.resolving import Layer, resolve


@pytest.fixture(scope="module")
def settings(small_search: SearchConfig) -> SearchConfig:
    """Return settings of which every role has one that is not the default."""
    return small_search.model_copy(update={"lr": 0.07, "views": 3, "top": 1, "exclude_ops": ("Invert", "Rotate")})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, settings: SearchConfig) -> Policy:
    """Return what a search found."""
    return faa_search.search(settings, tmp_path_factory.mktemp("like") / "run").policy


def again(policy: Policy, **flags: object) -> SearchConfig:
    """Return the settings of `--like` with some flags."""
    return resolve(SearchConfig, [settings_of(policy, "policy.json"), Layer("flags", flags)])


def test_every_setting_but_the_place_and_the_pace_comes_back(
    found: Policy, settings: SearchConfig, tmp_path: Path
) -> None:
    """Through the file, so as JSON has them."""
    found.save(tmp_path / "policy.json")
    like = again(Policy.load(tmp_path / "policy.json"), device="cpu").model_dump()
    assert found.provenance["sampler"] == "tpe"  # as it was resolved
    assert like == settings.model_dump()


def test_it_finds_the_same_policy(found: Policy, tmp_path: Path) -> None:
    """On the same images; and says so."""
    policy = faa_search.search(again(found, device="cpu"), tmp_path / "again").policy
    assert found.provenance["data"] == json.loads((tmp_path / "again/data.json").read_text())
    assert policy.sub_policies == found.sub_policies
    found.save(tmp_path / "policy.json")
    assert compared(Policy.load(tmp_path / "policy.json"), policy) == f"It is the same policy as '{found.name}'."


def test_what_differs_is_named(found: Policy, tmp_path: Path) -> None:
    """Settings, images and trials."""
    policy = faa_search.search(again(found, device="cpu", lr=0.3, depth=2, train_subset=50), tmp_path / "other").policy
    said = compared(found, policy)
    assert said.startswith(f"It is another policy than '{found.name}': the images are others; ")
    assert "lr was 0.07, now 0.3" in said
    assert "train_subset was 60, now 50" in said
    assert "it was made of fewer or more trials" in said
    assert "versions" not in said


@pytest.mark.parametrize("name", ["trivialaugment", "fa-reduced-cifar10"])
def test_a_policy_from_elsewhere_is_refused(name: str) -> None:
    """With what it lacks and what to give instead."""
    with pytest.raises(FaaError, match=r"does not record how it was found\. \d+ settings of \d+ are missing") as raised:
        settings_of(Policy.load(name), name)
    assert "config.yaml of its run" in str(raised.value)


def changed(policy: Policy, **said: object) -> Policy:
    """Return a policy whose provenance says some things differently; an ellipsis leaves one out."""
    provenance = {name: value for name, value in {**policy.provenance, **said}.items() if value is not ...}
    return policy.model_copy(update={"provenance": provenance})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"dataset": ...}, r"1 setting of \d+ is missing in its provenance \(dataset\)"),
        ({"algorithm": None}, r"algorithm: it must be a text \(given None\)"),
        ({"algorithm": "nope"}, "No search algorithm is called 'nope'.+ The policy was found by that one: install"),
    ],
)
def test_what_a_policy_says_wrongly(found: Policy, said: dict[str, object], message: str) -> None:
    """Its file is named."""
    with pytest.raises(FaaError, match=f"^--like 'mine.json': .*{message}"):
        settings_of(changed(found, **said), "mine.json")


@pytest.mark.parametrize(
    ("algorithm", "sampler", "asked"),
    [("fast", "tpe", None), ("random", "random", None), ("fast", "random", "random"), ("random", "tpe", "tpe")],
)
def test_the_sampler_of_an_algorithm_is_not_asked_for(
    found: Policy, algorithm: str, sampler: str, asked: str | None
) -> None:
    """So another algorithm brings its own."""
    like = settings_of(changed(found, algorithm=algorithm, sampler=sampler), "policy.json")
    assert like.settings["sampler"] == asked


@pytest.mark.parametrize(
    ("error", "given", "named"),
    [
        ("'sub.json' cannot be read: there is no such file or folder. Check the path.", {}, "--warm-start"),
        ("No operation of the search is called 'Invert'; known: Cutout.", {}, "--exclude-ops"),
        ("--opt sgd is not possible", {}, "--opt"),
        ("'sub.json' cannot be read", {"warm_start"}, None),
        ("Another process is using 'run'", {}, None),
    ],
)
def test_a_mistake_that_comes_from_the_policy(found: Policy, error: str, given: set[str], named: str | None) -> None:
    """It is said, with the flag that replaces it; what was given beside the policy does not come from it."""
    layer = settings_of(changed(found, warm_start="sub.json"), "mine.json")
    said = naming_policy(FaaError(error), [layer], given)
    if named is None:
        assert said is None
    else:
        assert "This is from the policy: --like 'mine.json' has " in str(said)
        assert f"Give another {named}, which takes precedence." in str(said)


def test_a_reason_that_is_not_known(found: Policy) -> None:
    """It is not made up: files that settings name may have changed, too."""
    other = found.model_copy(update={"sub_policies": found.sub_policies[:1]})
    assert "the reason is not known; it may be that the processors or threads differ, or the file" in compared(
        found, other
    )
    first, second = (changed(one, warm_start="sub.json") for one in (found, other))
    assert "it may be that what warm_start names ('sub.json') has changed, the processors" in compared(first, second)
