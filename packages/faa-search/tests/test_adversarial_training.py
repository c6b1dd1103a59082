"""Trainings whose policies a controller chooses: whole, stopped, killed, in several processes, and compared."""

import csv
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from safetensors.torch import load_file

from faa_core import FaaError, Policy
from faa_search.adversarial.steps import policy_of_epoch, read_steps
from faa_search.measuring.comparison import compare
from faa_search.runs.opening import TrainingRun, open_run
from faa_search.settings import CompareConfig, TrainConfig
from faa_search.training import train
from faa_search.training.checkpoint import read_state
from faa_search.workers.launching import environment_of, run_ranks
from faa_search.workers.stopping import stop_requests

SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "train_subset": 40,
    "model": "wrn10_1",
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.02,
    "hflip": 0.0,
    "adversarial": True,
    "batch_aug": 4,
    "controller_steps": 2,
    "controller_lr": 0.01,  # so that it learns something in six steps
    "device": "cpu",
}
RANKS = Path(__file__).with_name("adversary_ranks.py")
Trained = Callable[..., Path]


@pytest.fixture
def trained(tmp_path: Path, accelerator: Accelerator) -> Trained:
    """Return a function that trains in a folder of a name, and returns the folder."""

    def run(name: str, reporter: Any = None, **settings: Any) -> Path:
        config = TrainConfig(**SETTINGS | settings)
        train(config, tmp_path / name, reporter=reporter, accelerator=accelerator)
        return tmp_path / name

    return run


def contents(run: Path) -> dict[str, Any]:
    """Return what a training has written, but for times."""
    rows = list(csv.DictReader((run / "summary.csv").read_text().splitlines()))
    state = read_state(run / "last/state.safetensors")
    return {
        "weights": (run / "last/model.safetensors").read_bytes(),
        "controller": repr(state.companions),
        "steps": (run / "policies.jsonl").read_bytes(),
        "policy": (run / "policy.json").read_text(),
        "rows": [{key: value for key, value in row.items() if key not in ("seconds", "waiting")} for row in rows],
    }


def test_a_training_leaves_its_policies(trained: Trained) -> None:
    """Two steps an epoch, with other policies each; the table has the means of an epoch, policy.json the last one's."""
    run = trained("run")
    steps = read_steps(run)
    assert [(step.epoch, step.number) for step in steps] == [(1, 1), (1, 2), (2, 3), (2, 4), (3, 5), (3, 6)]
    assert len({json.dumps(step.policies) for step in steps}) == 6
    assert len({json.dumps(policy) for step in steps for policy in step.policies}) == 24
    assert all(len(set(step.losses)) == 4 and step.learned for step in steps)
    rows = list(csv.DictReader((run / "summary.csv").read_text().splitlines()))
    for row, first, second in zip(rows, steps[::2], steps[1::2], strict=True):
        for column, field in (("controller_loss", "loss"), ("controller_entropy", "entropy"),
                              ("controller_strength", "strength")):  # fmt: skip
            mean = (getattr(first, field) + getattr(second, field)) / 2
            assert float(row[column]) == pytest.approx(mean)
        shares = [float(value) for name, value in row.items() if name.startswith("share_level")]
        assert sum(shares) == pytest.approx(1)
        # five updates in parts of two and three
        costs = (2 * np.array(first.losses) + 3 * np.array(second.losses)) / 5
        assert [float(row[f"train_loss_copy{copy}"]) for copy in (1, 2, 3, 4)] == pytest.approx(costs.tolist())
    last = policy_of_epoch(run, 3)
    assert len(last.sub_policies) == 2 * 4 * 5
    assert Policy.load(run / "policy.json").to_json() == last.to_json()
    opened = open_run(run)
    assert isinstance(opened, TrainingRun)
    assert opened.result is not None
    assert opened.policy is not None
    assert (opened.result.policy, opened.policy.name) == ("adversarial", "adversarial-epoch-3")


@pytest.mark.parametrize("settings", [{"workers": 2}, {"resident": True}])
def test_whoever_makes_the_batches(trained: Trained, settings: dict[str, Any]) -> None:
    """The same to the bit."""
    assert contents(trained("here")) == contents(trained("there", **settings))


@pytest.mark.parametrize(("stop_after", "save_every"), [(1, 1), (2, 1), (2, 3)])
def test_a_killed_training_goes_on(
    trained: Trained, listener: Any, interruption: Any, stop_after: int, save_every: int
) -> None:
    """To the bit; also where the journal is further than the last state, or there is no state yet."""
    whole = contents(trained("whole"))
    with pytest.raises(interruption):
        trained("killed", listener(stop_after=stop_after), save_every=save_every)
    assert contents(trained("killed", save_every=save_every)) == whole


def test_processes_use_the_first_ones_policies(tmp_path: Path) -> None:
    """Two processes whose controllers would draw differently have the same policies, step after step."""
    with tempfile.TemporaryDirectory() as folder, stop_requests() as request:
        environments = [{**environment_of(rank, 2, folder), "OMP_NUM_THREADS": "1"} for rank in range(2)]
        assert {} == run_ranks([sys.executable, str(RANKS), str(tmp_path)], environments, request)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first["policies"] == second["policies"]
    assert first["own"] != second["own"]
    assert len({json.dumps(step) for step in first["policies"]}) == 4


def test_two_processes_equal_one(tmp_path: Path, trained: Trained) -> None:
    """On a network without batch norm: the same policies, and the same weights up to rounding."""
    settings = {"model": "test_nfnet", "epochs": 2, "lr": 0.01}
    one = trained("one", **settings)
    given = json.dumps(SETTINGS | settings)
    with tempfile.TemporaryDirectory() as folder, stop_requests() as request:
        environments = [{**environment_of(rank, 2, folder), "OMP_NUM_THREADS": "1"} for rank in range(2)]
        assert {} == run_ranks([sys.executable, str(RANKS), str(tmp_path / "two"), given], environments, request)
    steps, others = read_steps(one), read_steps(tmp_path / "two")
    assert [step.policies for step in steps] == [step.policies for step in others]
    assert np.allclose([step.losses for step in steps], [step.losses for step in others], rtol=1e-4)
    weights, twice = (load_file(run / "last/model.safetensors") for run in (one, tmp_path / "two"))
    start = load_file(trained("start", **settings | {"lr": 1e-30}) / "last/model.safetensors")
    for key, weight in weights.items():
        assert torch.allclose(weight, twice[key], atol=2e-5)
    assert any(not torch.allclose(weight, start[key], atol=1e-3) for key, weight in weights.items())


def test_the_network_is_shown_all_copies_at_once(trained: Trained) -> None:
    """Without batch norm, that changes nothing but rounding."""
    settings = {"model": "test_nfnet", "epochs": 2, "lr": 0.01}
    alone, at_once = trained("alone", **settings), trained("at-once", copies_per_pass=4, **settings)
    steps, others = read_steps(alone), read_steps(at_once)
    assert [step.policies for step in steps] == [step.policies for step in others]
    assert np.allclose([step.losses for step in steps], [step.losses for step in others], rtol=1e-4)


def learned(run: Path) -> list[bool]:
    """Return in which steps the controller learned."""
    return [step.learned for step in read_steps(run)]


def test_controllers_that_do_not_learn(trained: Trained) -> None:
    """A uniform one never does, a frozen one no more after its epoch; both go on drawing other policies."""
    uniform = trained("uniform", controller="uniform")
    frozen = trained("frozen", controller="frozen", controller_freeze_epoch=1)
    assert learned(uniform) == [False] * 6
    assert learned(frozen) == [True, True, False, False, False, False]
    for run in (uniform, frozen):
        assert len({json.dumps(step.policies) for step in read_steps(run)}) == 6
    most = 10 * (np.log(15) + np.log(10))
    assert [step.entropy for step in read_steps(uniform)] == pytest.approx([most] * 6, abs=1e-3)


@pytest.mark.parametrize("on_collapse", ["warn", "freeze"])
def test_a_collapse_is_told_once(trained: Trained, listener: Any, on_collapse: str) -> None:
    """And ends the learning where that is wanted; a resumed training does not tell it again."""
    shown = listener()
    wild = {"controller_lr": 0.3, "controller_preset": "paper", "epochs": 6, "controller_on_collapse": on_collapse}
    run = trained("run", shown, **wild)
    told = [note for note in shown.notes if "has collapsed in epoch" in note]
    assert len(told) == 1
    assert ("learns no more" in told[0]) == (on_collapse == "freeze")
    assert "give --controller-preset stable or --controller-target-entropy 0.8 or --controller-lr 0.00035" in told[0]
    assert (False in learned(run)) == (on_collapse == "freeze")


def test_half_precision_and_pairing(trained: Trained) -> None:
    """A network in bfloat16, and the sixteenth operation, which is drawn and mixes in other images."""
    run = trained("run", amp=True, controller_sample_pairing=True, controller_space="advaa-symmetric", epochs=2)
    used = {name for step in read_steps(run) for policy in step.policies for ops in policy for name, _level in ops}
    assert "SamplePairing" in used
    assert "share_SamplePairing" in (run / "summary.csv").read_text()
    assert Policy.load(run / "policy.json").mixes_images


def test_the_strength_has_a_cap(trained: Trained) -> None:
    """No level beyond it is drawn, and the column shows it."""
    run = trained("run", controller_max_strength=0.5, controller="uniform")
    for step in read_steps(run):
        drawn = step.full_space.strengths[step.actions[..., 0], step.actions[..., 1]]
        assert np.nanmax(drawn) <= 0.5
        assert step.strength == pytest.approx(np.nanmean(drawn))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"policy": "trivialaugment"}, "--policy trivialaugment and --adversarial both decide"),
        ({"policy_warmup": 1}, "--policy-warmup is for a policy that stays the same"),
        ({"batch_aug": 1}, r"needs --batch-aug 2 or more \(given 1\)"),
        ({"controller": "frozen"}, r"needs --controller-freeze-epoch N, from 1 to 2 \(given 0\)"),
        ({"controller": "frozen", "controller_freeze_epoch": 3}, r"from 1 to 2 \(given 3\)"),
        ({"controller": "frozen", "controller_freeze_epoch": 2, "controller_steps": 1}, r"from 1 to 1 \(given 2\)"),
        ({"policy": "adversarial-uniform"}, "give --adversarial --controller uniform instead"),
        ({"controller_target_entropy": 0.4}, "greater than or equal to 0.5"),
        ({"controller_freeze_epoch": 1}, "is for --controller frozen"),
        ({"controller_preset": "paper", "controller_target_entropy": 0.8}, "1e-05 is too small for that"),
        ({"adversarial": False, "controller_lr": 0.1}, "--controller-lr is for --adversarial"),
        ({"adversarial": False, "controller_lr": 3.5e-4, "controller_steps": 1, "controller": "uniform"},
         "--controller is for --adversarial"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**SETTINGS | settings)


def test_copies_are_eight_unless_given() -> None:
    """As published; without a controller one, as ever."""
    without = {key: value for key, value in SETTINGS.items() if key != "batch_aug"}
    assert TrainConfig(**without).batch_aug == 8
    assert TrainConfig(dataset="digits").batch_aug == 1


def test_more_steps_than_updates(trained: Trained) -> None:
    with pytest.raises(FaaError, match="--controller-steps 6 is more than the 5 updates of an epoch; give 5 or fewer"):
        trained("run", controller_steps=6)


def test_a_policy_beside_a_controller(tmp_path: Path) -> None:
    with pytest.raises(FaaError, match="`policy` and `adversarial` both decide"):
        train(TrainConfig(**SETTINGS), tmp_path / "run", policy=Policy.load("trivialaugment"))


def test_controllers_and_policies_are_compared(tmp_path: Path, accelerator: Accelerator) -> None:
    """Each arm's errors are those of the training by itself, with the same copies; all settings reach it."""
    shared = {
        key: value for key, value in SETTINGS.items() if key not in ("adversarial", "controller_steps", "controller_lr")
    }
    controller = {"controller_steps": 5, "controller_lr": 0.01, "controller_freeze_epoch": 2}
    names = ("none", "adversarial", "adversarial-uniform", "adversarial-frozen")
    config = CompareConfig(**shared, **controller, policies=names, seeds=2, seed=7)
    result = compare(config, tmp_path / "all", accelerator=accelerator)
    errors = {row.name: row.errors for row in result.policies}
    assert tuple(errors) == names
    own = {
        "none": {},
        "adversarial": {"adversarial": True, "controller_steps": 5, "controller_lr": 0.01},
        "adversarial-frozen": {"adversarial": True, "controller": "frozen", **controller},
    }
    for name, settings in own.items():
        alone = train(TrainConfig(**{**shared, **settings, "seed": 8}), tmp_path / name, accelerator=accelerator)
        assert alone.test is not None
        assert 100 * (1 - alone.test.top1) == pytest.approx(errors[name][1], abs=1e-9)
        weights = [load_file(run / "last/model.safetensors") for run in (tmp_path / name, tmp_path / f"all/{name}-8")]
        assert all(torch.equal(weight, weights[1][key]) for key, weight in weights[0].items())
    assert learned(tmp_path / "all/adversarial-frozen-7") == [True] * 10 + [False] * 5
    assert compare(config, tmp_path / "all", accelerator=accelerator) == result


def test_a_comparison_that_lacks_what_a_controller_needs(tmp_path: Path) -> None:
    """Before anything is trained or written, with the name of the arm's flag."""
    plain = {"dataset": "digits", "train_subset": 40, "epochs": 2, "seeds": 2}
    with pytest.raises(ValidationError, match="--controller-lr is for controllers, and --policies has none of them"):
        CompareConfig(**plain, controller_lr=0.1)
    for settings, message in (
        ({}, "'adversarial' of --policies: .* needs --batch-aug 2 or more"),
        (
            {"batch_aug": 2, "epochs": 3, "policies": ("none", "adversarial-frozen")},
            "'adversarial-frozen' of --policies: .* needs --controller-freeze-epoch N, from 1 to 1",
        ),
        ({"batch_aug": 2, "controller_steps": 2}, "--controller-steps 2 is more than the 1 update of an epoch"),
        ({"batch_aug": 2, "policies": ("none", "adversarial-cold")}, "Controllers are called adversarial, "),
    ):
        config = CompareConfig(**{"policies": ("none", "adversarial"), **plain, **settings})  # type: ignore[arg-type]
        with pytest.raises(FaaError, match=message):
            compare(config, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_a_damaged_journal_is_told(tmp_path: Path, trained: Trained, listener: Any, interruption: Any) -> None:
    """With the line, and what is lost where it is removed."""
    with pytest.raises(interruption):
        trained("run", listener(stop_after=1))
    path = tmp_path / "run/policies.jsonl"
    path.write_text(path.read_text().replace('"number": 1,', '"number": 2,'))
    with pytest.raises(FaaError, match=r"Line 1 of .* its checksum is wrong.* what it holds is lost"):
        trained("run")


def stopped_journal(tmp_path: Path, trained: Trained, listener: Any, interruption: Any) -> Path:
    """Return the journal of a training that was killed after its first epoch."""
    with pytest.raises(interruption):
        trained("run", listener(stop_after=1))
    return tmp_path / "run/policies.jsonl"


def test_a_journal_that_lacks_steps(tmp_path: Path, trained: Trained, listener: Any, interruption: Any) -> None:
    """The training goes on and says so; an epoch of which steps are lost is not converted."""
    path = stopped_journal(tmp_path, trained, listener, interruption)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:]))
    with pytest.raises(FaaError, match="has 1 of the 2 steps of epoch 1"):
        policy_of_epoch(tmp_path / "run", 1)
    shown = listener()
    trained("run", shown)
    assert any("lacks 1 step of the 2 until now" in note for note in shown.notes)
    assert len(policy_of_epoch(tmp_path / "run", 3).sub_policies) == 40


def test_a_journal_of_another_training(tmp_path: Path, trained: Trained, listener: Any, interruption: Any) -> None:
    path = stopped_journal(tmp_path, trained, listener, interruption)
    path.write_bytes((trained("other", controller_space="advaa-symmetric") / "policies.jsonl").read_bytes())
    with pytest.raises(FaaError, match=r"has steps of another training\. Put back a copy of it; or remove it"):
        trained("run")
    path.unlink()
    assert trained("run") == path.parent


def test_an_epoch_that_is_not_finished(tmp_path: Path, trained: Trained) -> None:
    """Its policies are not converted, as they are not all."""
    run = trained("run")
    path = run / "policies.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(FaaError, match=r"has 1 of the 2 steps of epoch 3\. Let the training finish it"):
        policy_of_epoch(run, 3)


def test_a_refused_command_leaves_nothing(tmp_path: Path, trained: Trained) -> None:
    """So that the corrected one is not in its way, whatever trackers would have written."""
    with pytest.raises(FaaError, match="is more than the 5 updates"):
        trained("run", controller_steps=6, log_with=("tensorboard",))
    assert not (tmp_path / "run").exists()


def test_policies_of_the_last_epoch_are_written_again(trained: Trained) -> None:
    """Where somebody has removed them from a finished run."""
    run = trained("run")
    text = (run / "policy.json").read_text()
    (run / "policy.json").unlink()
    trained("run")
    assert (run / "policy.json").read_text() == text


@pytest.mark.parametrize(
    ("settings", "told", "not_told"),
    [
        ({}, ["2 times in an epoch of 5 updates: 6 steps in all."], ["almost uniform"]),
        ({"controller_lr": 3.5e-4}, ["uniform for its first 200 steps. More --controller-steps"], []),
        ({"controller_lr": 3.5e-4, "controller_steps": 5}, ["uniform for its first 200 steps."], ["More --controller"]),
        ({"controller": "frozen", "controller_freeze_epoch": 2}, ["of which it learns in 4."], []),
    ],
)
def test_a_start_tells_how_policies_are_chosen(
    trained: Trained, listener: Any, settings: dict[str, Any], told: list[str], not_told: list[str]
) -> None:
    shown = listener()
    trained("run", shown, **settings)
    note = next(note for note in shown.notes if "of every image" in note)
    assert all(words in note for words in told)
    assert not any(words in note for words in not_told)
