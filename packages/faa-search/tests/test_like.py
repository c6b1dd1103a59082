"""A found policy says how it was found: with its settings it is found again."""

import json
from pathlib import Path

import pytest

import faa_search
from faa_core import FaaError, Policy
from faa_search import SearchConfig
from faa_search.settings.like import compared, settings_of
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
    wanted = settings.model_dump() | {"sampler": "tpe"}  # as it was resolved
    assert like == wanted


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
    with pytest.raises(FaaError, match=r"does not say how it was found\. \d+ settings of \d+ are missing") as raised:
        settings_of(Policy.load(name), name)
    assert "config.yaml of its run" in str(raised.value)
