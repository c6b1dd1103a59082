"""What a search by the original code leaves: its log, and Ray's parameters. The numbers are ours."""

import json
from typing import Any

import pytest

from faa_core import FaaError, SubPolicies, formats

BEST = "[[('Invert', 0.1, 0.2), ('Color', 0.3, 0.4)], [('Invert', 0.5, 0.6), ('Color', 0.7, 0.8)]]"
NEXT = "[[('Rotate', 0.9, 0.4), ('Cutout', 0.2, 0.6)], [('Solarize', 0.1, 0.1), ('Invert', 1, 0)]]"
LINES = (f"loss=-0.31 top1_valid=0.9 {BEST}", f"loss=-0.35 top1_valid=0.8 {NEXT}")
HEAD = "[2019-07-01 10:00:00,123] [Fast AutoAugment] [INFO] "
LOG = "".join(f"{HEAD}{line}\n" for line in ("search augmentation policies, dataset=x", *LINES))
WHOLE = f'{HEAD}[[["Color", 0.25, 0.5], ["Invert", 0.75, 1]], [["Rotate", 1.0, 0.0], ["Cutout", 0.5, 0.5]]]\n'


def test_a_searchs_log_tells_its_policy() -> None:
    """The whole log, one line of it, and a log of a search that was stopped."""
    for text in (LOG + WHOLE + f"{HEAD}final_policy=2\n", WHOLE):
        assert "legacy" == formats.guess_format(text.encode()).name
        policy = formats.parse(text, "legacy")
        assert isinstance(policy, SubPolicies)
        assert [("Color", 0.25, 0.5), ("Rotate", 1.0, 0.0)] == [
            (sub[0].op, sub[0].p, sub[0].magnitude) for sub in policy.sub_policies
        ]
        assert "notes" not in policy.provenance
    for line in (LINES[0], HEAD + LINES[0]):
        one = formats.parse(line, "legacy")
        assert isinstance(one, SubPolicies)
        assert 2 == len(one.sub_policies)
    stopped = formats.parse(LOG, "legacy")
    assert isinstance(stopped, SubPolicies)
    assert [0.1, 0.9, 0.1] == [sub[0].p for sub in stopped.sub_policies]  # of a trial's alike, the first
    assert ("the log has no line of the whole policy; joined from its 2 best trials",) == stopped.provenance["notes"]
    with pytest.raises(FaaError, match="has several policies"):
        formats.parse(WHOLE + WHOLE.replace("0.25", "0.3"), "legacy")


def parameters(**changes: Any) -> dict[str, Any]:
    """Return a trial's parameters as Ray keeps them, of two sub-policies."""
    fields: dict[str, Any] = {"cv_fold": 1, "num_op": 2, "num_policy": 2, "save_path": "x.pth"}
    for at, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        fields |= {f"policy_{i}_{j}": (4, 14, 0, 11)[at], f"prob_{i}_{j}": at / 4, f"level_{i}_{j}": 1 - at / 5}
    return fields | changes


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(parameters()),
        json.dumps({"config": parameters(), "top1_valid": 0.9}),
        "\n".join(json.dumps({"config": parameters(), "training_iteration": n}) for n in (1, 2, 3)),
    ],
    ids=["params.json", "one result", "result.json"],
)
def test_rays_parameters_are_a_policy(text: str) -> None:
    """Operations by their number in the release's list, in order."""
    assert "legacy" == formats.guess_format(text.encode()).name
    policy = formats.parse(text, "legacy")
    assert isinstance(policy, SubPolicies)
    uses = [(use.op, use.p, pytest.approx(use.magnitude)) for sub in policy.sub_policies for use in sub]
    assert [("Rotate", 0.0, 1.0), ("Cutout", 0.25, 0.8), ("ShearX", 0.5, 0.6), ("Color", 0.75, 0.4)] == uses
    assert "unit" == policy.provenance["levels"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({key: value for key, value in parameters().items() if key != "prob_1_0"}), "'prob_1_0' is missing"),
        (json.dumps(parameters(policy_0_1=15)), "'policy_0_1' must be the number of an operation, 0 … 14, not 15"),
        (json.dumps(parameters(policy_0_1=1.0)), "not 1.0"),
        (json.dumps(parameters(level_0_1=1.5)), "level must lie in 0 … 1, not be 1.5"),
        ("\n".join(json.dumps(parameters(prob_0_0=p)) for p in (0.1, 0.2)), "parameters of several trials"),
    ],
)
def test_parameters_that_are_no_policy(text: str, words: str) -> None:
    """Missing ones, numbers beyond the list, and several trials."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "legacy")


def test_colours_of_a_terminal_are_removed() -> None:
    """Wherever a log has them, as its copies from a terminal do."""
    coloured = (
        (LOG + WHOLE).replace("[Fast", "[\x1b[1;32mFast").replace("] [INFO]", "\x1b[0m] \x1b[38;5;9m[INFO]\x1b[m")
    )
    assert "\x1b[m" in coloured
    coloured = coloured.replace("[[[", "\x1b[K[[\x1b[1m[")
    assert "legacy" == formats.guess_format(coloured.encode()).name
    assert formats.parse(LOG + WHOLE, "legacy") == formats.parse(coloured, "legacy")
    assert formats.parse(BEST, "legacy") == formats.parse(f"\x1b[33m{BEST}\x1b[0m", "legacy")
    bar = f"\n 50%|####  | 1/2\r{HEAD}{LINES[0]}\n"
    assert formats.parse(LINES[0], "legacy") == formats.parse(bar, "legacy")
    other = f"{HEAD}[[1 2]] took 3 s\n{LINES[0]}"
    assert formats.parse(LINES[0], "legacy") == formats.parse(other, "legacy")


EARLY = (
    r"^Line {} of this log begins like a policy and ends early\. Put the whole line there; or, if it is lost, remove it"
)


@pytest.mark.parametrize(
    "end", ["[[", "[[('Invert'", "[[('Invert', 0.1, 0.2)], [('Color', 0.", '[[("Invert', "[[('I', 1, 0)]"]
)
def test_a_line_that_is_cut_off_is_named(end: str) -> None:
    """Of trials; nothing is said in words of Python's."""
    with pytest.raises(FaaError, match=EARLY.format(4)):
        formats.parse(f"{LOG}{HEAD}loss=-0.3 top1_valid=0.7 {end}", "legacy")
    with pytest.raises(FaaError, match=EARLY.format(3)):
        formats.parse(f"\n\nloss=-0.3 top1_valid=0.7 {end}", "legacy")
    whole = formats.parse(f"{LOG}loss=-0.3 top1_valid=0.7 {end}\n{WHOLE}", "legacy")
    assert formats.parse(WHOLE, "legacy") == whole  # which needs no trial


@pytest.mark.parametrize("cut", [3, 4, 20, 31, 60, len(WHOLE) - len(HEAD) - 2])
def test_a_cut_line_of_the_whole_policy_is_not_made_up_for_by_trials(cut: int) -> None:
    """It stood there, and is not known; the place is that of the file."""
    with pytest.raises(FaaError, match=EARLY.format(4)):
        formats.parse(LOG + WHOLE[: len(HEAD) + cut], "legacy")


def test_a_line_that_only_looks_like_a_policy() -> None:
    """Its number, and no words of Python's; a list that ends early beside any log."""
    for odd in ("[[a b]]", "[[f(1)]]", "[[('Invert', 1, 0)], [0 1]]"):
        with pytest.raises(
            FaaError, match=r"^Line 1 of this log looks like a policy, but is not a list of literals\.$"
        ):
            formats.parse(HEAD + odd, "legacy")
    with pytest.raises(
        FaaError, match=r"Python: line 2 cannot be read\. A bracket in it is never closed, so it may end"
    ):
        formats.parse("\n" + BEST[:-1], "legacy")
    with pytest.raises(FaaError, match=r"^It is neither JSON nor Python: line 3 cannot be read\.$"):
        formats.parse("a = [1]\n\nb c = [2]\n", "legacy")
