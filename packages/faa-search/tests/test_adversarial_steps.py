"""Adversarial AutoAugment as a component: policies drawn, answered and drawn anew; and the journal of its steps."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faa_core import FaaError, Policy
from faa_core.randomness import key_of, uniforms
from faa_search.adversarial import Adversary, ControllerConfig, ControllerStep, policy_of_epoch, read_steps
from faa_search.adversarial.learning import shares, standardise, weight_for
from faa_search.adversarial.space import Actions, make_space, policy_of
from faa_search.adversarial.steps import as_drawn, joined_policy
from faa_search.runs.journal import Journal
from faa_search.training.packing import pack, unpack

FASTER = {"controller_lr": 0.01, "controller_entropy_weight": 0.05}  # so that a few steps tell


def losses_of(actions: Actions, step: int) -> list[float]:
    """Return what a network that never learns would lose: more at high levels and for early operations, and noise."""
    noise = uniforms(key_of("losses", step), np.arange(len(actions)), 1)[:, 0]
    costs = actions[..., 1].mean(axis=(1, 2)) - actions[..., 0].mean(axis=(1, 2)) / 3
    return [*(costs + noise).tolist()]


def answered(adversary: Adversary, count: int, *, start: int = 0) -> list[ControllerStep]:
    """Return some steps, one for each epoch."""
    return [adversary.answer(losses_of(adversary.actions, at), epoch=at) for at in range(start, start + count)]


def weights_of(adversary: Adversary) -> dict[str, torch.Tensor]:
    """Return a copy of the controller's weights."""
    return {name: each.clone() for name, each in adversary.controller.state_dict().items()}


def moved(adversary: Adversary, before: dict[str, torch.Tensor]) -> bool:
    """Return whether the weights are others than before: all of them, or none."""
    (whether,) = {not torch.equal(each, before[name]) for name, each in weights_of(adversary).items()}
    return whether


def stored(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as it comes back from a file."""
    tensors: dict[str, torch.Tensor] = {}
    packed = json.dumps(pack(state, "adversary", tensors))
    copies = {name: torch.from_numpy(each.numpy().copy()) for name, each in tensors.items()}
    return dict(unpack(json.loads(packed), copies))


# The component.


@pytest.mark.parametrize("carry_state", [False, True])
def test_a_seed_decides_all_policies(carry_state: bool) -> None:
    """Two of one seed are alike for all steps, whatever torch drew before; another seed's are others throughout."""
    config = ControllerConfig(**FASTER, controller_carry_state=carry_state)
    runs = []
    for seed, before in ((5, 1), (5, 2), (6, 1)):
        torch.manual_seed(before)
        expected = torch.rand(3)
        torch.manual_seed(before)
        adversary = Adversary(config, copies=5, seed=seed)
        steps = answered(adversary, 8)
        assert torch.equal(torch.rand(3), expected)  # it leaves torch's generator alone
        runs.append((steps, weights_of(adversary), adversary.policies))
    assert runs[0][0] == runs[1][0]
    assert runs[0][2] == runs[1][2]
    first = [weights_of(Adversary(config, seed=seed)) for seed in (5, 6)]
    assert not any(torch.equal(first[0][name], first[1][name]) for name in first[0] if not name.endswith("head.bias"))
    assert all(torch.equal(each, runs[1][1][name]) for name, each in runs[0][1].items())
    assert all(a.policies != b.policies for a, b in zip(runs[0][0], runs[2][0], strict=True))
    assert len({step.policies for step in runs[0][0]}) == 8
    assert all(len({*step.policies}) == 5 for step in runs[0][0])


@pytest.mark.parametrize(
    ("mode", "settings"),
    [
        ("learned", {}),
        ("learned", {"controller_carry_state": True, "controller_space": "advaa-symmetric"}),
        ("learned", {"controller_target_entropy": 0.6, "controller_max_strength": 0.7}),
        ("frozen", {"controller_freeze_epoch": 3}),
        ("frozen", {"controller_freeze_epoch": 7, "controller_sample_pairing": True}),
        ("uniform", {}),
    ],
)
def test_it_goes_on_from_a_stored_state(mode: Any, settings: dict[str, Any]) -> None:
    """As if it had not been interrupted, to the bit: policies, weights, and what is said of each step."""
    config = ControllerConfig.model_validate(FASTER | settings)
    whole = Adversary(config, copies=4, seed=3, mode=mode)
    first = answered(whole, 5)
    state = stored(whole.state())
    rest = answered(whole, 5, start=5)
    again = Adversary(config, copies=4, seed=3, mode=mode)
    again.restore(state)
    assert as_drawn(again.space, again.actions) == rest[0].policies
    assert again.entropy_weight == rest[0].entropy_weight
    assert answered(again, 5, start=5) == rest
    assert not moved(again, weights_of(whole))
    assert (again.actions == whole.actions).all()
    assert [step.number for step in (*first, *rest)] == [*range(1, 11)]
    assert (again.steps, again.learns) == (whole.steps, whole.learns) == (10, mode == "learned")


def test_a_stopped_controller_stays_stopped() -> None:
    """Where a collapse ended its learning, a state says so."""
    adversary = Adversary(ControllerConfig(**FASTER), copies=3)
    answered(adversary, 2)
    adversary.learns = False
    again = Adversary(ControllerConfig(**FASTER), copies=3)
    again.restore(stored(adversary.state()))
    before = weights_of(again)
    assert not any(step.learned for step in answered(again, 2, start=2))
    assert not moved(again, before)


@pytest.mark.parametrize("sample_pairing", [False, True])
def test_uniform_policies(sample_pairing: bool) -> None:
    """No weight ever changes; all operations and levels come equally often, in every place, whatever they cost."""
    config = ControllerConfig(**FASTER, controller_sample_pairing=sample_pairing)
    adversary = Adversary(config, copies=100, mode="uniform")
    before, drawn, operations = weights_of(adversary), [], 16 if sample_pairing else 15
    for at in range(10):
        drawn.append(adversary.actions)
        step = adversary.answer(losses_of(adversary.actions, at), epoch=at)
        assert not step.learned
        assert step.entropy == pytest.approx(10 * math.log(10 * operations), abs=1e-4)
    assert not moved(adversary, before)
    choices = np.concatenate(drawn).reshape(-1, 2, 2)  # 5000 sub-policies
    for what, kinds in ((0, operations), (1, 10)):
        for place in range(2):
            counts = np.bincount(choices[:, place, what], minlength=kinds)
            expected = 5000 / kinds
            assert ((counts - expected) ** 2).sum() / expected < kinds + 4.5 * math.sqrt(2 * kinds)
    pairs = np.zeros((operations, 10))
    np.add.at(pairs, (choices[..., 0].ravel(), choices[..., 1].ravel()), 1)
    assert ((pairs - pairs.mean()) ** 2).sum() / pairs.mean() < pairs.size + 4.5 * math.sqrt(2 * pairs.size)


@pytest.mark.parametrize("freeze", [1, 3])
def test_a_frozen_controller_learns_before_its_epoch(freeze: int) -> None:
    """In its first epochs, as many as are given, and not after them; it goes on to draw, by what it has learnt."""
    config = ControllerConfig(**FASTER, controller_freeze_epoch=freeze)
    adversary = Adversary(config, copies=4, mode="frozen")
    for epoch in range(5):
        for _part in range(2):
            before, policies = weights_of(adversary), adversary.policies
            step = adversary.answer(losses_of(adversary.actions, adversary.steps), epoch=epoch)
            assert step.learned == moved(adversary, before) == (step.epoch <= freeze)
            assert adversary.policies != policies
    assert adversary.learns is False


def test_a_learned_controller_never_stops() -> None:
    """The epoch of freezing is for frozen ones."""
    adversary = Adversary(ControllerConfig(**FASTER, controller_freeze_epoch=1), copies=3)
    assert all(step.learned for step in answered(adversary, 3))


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_loss_for_each_policy(count: int) -> None:
    """Neither fewer nor more; and nothing has happened where it was refused."""
    adversary = Adversary(copies=4)
    before, drawn = weights_of(adversary), adversary.actions
    with pytest.raises(FaaError, match=f"drew 4 policies and was told {count} losses"):
        adversary.answer([0.5, 1.0, 0.2, 0.7, 0.9][:count], epoch=0)
    for mode in ("learned", "uniform"):
        with pytest.raises(FaaError, match="two finite losses"):
            Adversary(copies=4, mode=mode).answer([0.5, math.nan, 0.2, 0.7], epoch=0)  # type: ignore[arg-type]
    assert not moved(adversary, before)
    assert (adversary.steps, adversary.actions is drawn) == (0, True)


@pytest.mark.parametrize("copies", [1, 0, -2])
def test_one_policy_cannot_be_compared(copies: int) -> None:
    """It needs two or more."""
    with pytest.raises(FaaError, match=f"compares policies, so it needs 2 copies or more, not {copies}"):
        Adversary(copies=copies)


def test_its_policies_are_what_it_drew() -> None:
    """One for each copy, in order, of its space."""
    for space in ("advaa", "advaa-symmetric"):
        adversary = Adversary(ControllerConfig(controller_space=space), copies=6)
        assert adversary.actions.shape == (6, 5, 2, 2)
        assert adversary.actions.dtype == np.int64
        assert adversary.policies == tuple(policy_of(make_space(space), each) for each in adversary.actions)
        assert len({*adversary.policies}) == 6
        used = {name for policy in adversary.policies for name in policy.operations}
        assert used <= {f"AdvAA.{name}" for name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")}
        assert bool(used) == (space == "advaa")


@pytest.mark.parametrize("best", range(4))
def test_the_costliest_of_its_policies_becomes_likelier(best: int) -> None:
    """The loss at a place is that of the policy there."""
    adversary = Adversary(ControllerConfig(controller_entropy_weight=0), copies=4, seed=best)
    drawn, losses = adversary.actions, [1.0, 1.1, 0.9, 1.0]
    losses[best], losses[best - 1] = 2.5, 0.0
    before = adversary.controller.score(drawn).log_probability_M.detach()
    adversary.answer(losses, epoch=0)
    change = adversary.controller.score(drawn).log_probability_M.detach() - before
    assert change[best] > 0 > change[best - 1]


def test_all_processes_use_what_is_shared() -> None:
    """What `share` returns replaces what was drawn: in the policies, in what is learnt from, and in the journal."""
    asked: list[Actions] = []
    fixed = [Adversary(copies=3, seed=seed).actions for seed in (71, 72, 73)]

    def from_elsewhere(drawn: Actions) -> Actions:
        asked.append(drawn)
        return fixed[len(asked) - 1]

    own = Adversary(copies=3, seed=1)
    adversary = Adversary(copies=3, seed=1, share=from_elsewhere)
    for at in range(2):
        assert len(asked) == at + 1
        assert asked[at].shape == (3, 5, 2, 2)
        assert (asked[at] == own.actions).all() or at > 0
        assert (adversary.actions == fixed[at]).all()
        assert adversary.policies == tuple(policy_of(adversary.space, each) for each in fixed[at])
        assert adversary.policies != own.policies
        scores, losses = adversary.controller.score(fixed[at]), [0.3, 2.0, 0.8]
        step = adversary.answer(losses, epoch=at)
        score_loss = -float((scores.log_probability_M.detach() * standardise(losses)).mean())
        assert step.score_loss == pytest.approx(score_loss, rel=1e-5)
        assert step.policies == as_drawn(adversary.space, fixed[at])
        assert (step.actions == fixed[at]).all()
        own.answer(losses, epoch=at)


def test_what_a_step_says() -> None:
    """Of the policies that were answered, not of the next: entropy, strength, largest share; and the weight in use."""
    adversary = Adversary(ControllerConfig(**FASTER, controller_target_entropy=0.99), copies=4, seed=2)
    weight = 0.05
    for at in range(4):
        drawn, losses = adversary.actions, losses_of(adversary.actions, at)
        entropy = float(adversary.controller.score(drawn).entropy_M.detach().mean())
        step = adversary.answer(losses, epoch=at)
        assert (step.epoch, step.number, step.space, step.losses) == (at + 1, at + 1, "advaa", tuple(losses))
        assert (step.actions == drawn).all()
        assert step.entropy == pytest.approx(entropy, rel=1e-6)
        assert step.entropy_weight == weight
        assert step.loss == pytest.approx(step.score_loss - weight * entropy, rel=1e-4, abs=1e-5)
        assert step.largest_share == shares(drawn, 15)[2]
        strengths = []
        for operation, level in drawn.reshape(-1, 2).tolist():
            if operation in (5, 6, 7):
                continue
            rising = level / 9
            strengths.append(
                1 - rising if operation in (8, 9) else abs(2 * rising - 1) if 10 <= operation <= 13 else rising
            )
        assert step.strength == pytest.approx(np.mean(strengths))
        weight = weight_for(step.entropy, weight=0.05, target=9.9 * math.log(150), choices=20)
        assert adversary.entropy_weight == pytest.approx(weight, rel=1e-9)
        assert (weight < 0.05) == (step.entropy > 9.9 * math.log(150))  # above its target, less is asked of it
        weight = adversary.entropy_weight
    fixed = Adversary(ControllerConfig(**FASTER), copies=4, seed=2)
    assert {step.entropy_weight for step in answered(fixed, 3)} == {0.05}


def test_no_strength_where_nothing_has_a_level() -> None:
    """Nor a warning of numpy's."""
    plain = np.stack([np.array([[(5 + (m + q + k) % 3, q) for k in range(2)] for q in range(5)]) for m in range(3)])
    adversary = Adversary(copies=3, share=lambda _drawn: plain)
    assert adversary.answer([0.1, 0.5, 0.2], epoch=0).strength is None


def test_a_cap_reaches_all_policies() -> None:
    """No level that is stronger is ever drawn, whatever is learnt."""
    adversary = Adversary(ControllerConfig(**FASTER, controller_max_strength=0.4), copies=20)
    for at in range(8):
        strengths = adversary.space.strengths[adversary.actions[..., 0], adversary.actions[..., 1]]
        assert np.nanmax(strengths) <= 0.4
        adversary.answer(losses_of(adversary.actions, at), epoch=at)


def test_what_counts_as_a_collapse() -> None:
    """Less than half of the most entropy, or more than half of all that was drawn; at the half it is none."""
    adversary = Adversary(copies=4)
    step, half = adversary.answer([0.1, 0.4, 0.3, 0.7], epoch=0), adversary.controller.most_entropy / 2
    for entropy, share, said in (
        (half, 0.5, None),
        (half - 0.1, 0.1, "the entropy is 25.0 of at most 50.1 nats"),
        (50.0, 0.51, "one operation at one level is 51% of all that was drawn"),
    ):
        assert adversary.has_collapsed(replace(step, entropy=entropy, largest_share=share)) == said


@pytest.mark.parametrize(
    ("settings", "weight"),
    [
        ({}, 0.2),
        ({"controller_preset": "paper"}, 1e-5),
        ({"controller_preset": "paper", "controller_entropy_weight": 0.0}, 0.0),
        ({"controller_entropy_weight": 0.7}, 0.7),
    ],
)
def test_the_weight_of_the_first_step(settings: dict[str, Any], weight: float) -> None:
    """Of its preset, or as given, though that be nothing."""
    adversary = Adversary(ControllerConfig.model_validate(settings), copies=2)
    assert adversary.answer([0.1, 0.4], epoch=0).entropy_weight == weight
    assert adversary.optimizer.param_groups[0]["lr"] == 3.5e-4


# The journal.


@cache
def steps_of(**settings: Any) -> tuple[ControllerStep, ...]:
    """Return the steps of a run of 4 epochs, 3 in each."""
    adversary = Adversary(ControllerConfig.model_validate(FASTER | settings), copies=4, seed=9)
    return tuple(adversary.answer(losses_of(adversary.actions, at), epoch=at // 3) for at in range(12))


def run_of(folder: Path, **settings: Any) -> list[ControllerStep]:
    """Write the journal of a run; return its steps."""
    journal = Journal(folder / "policies.jsonl", ControllerStep)
    for step in steps_of(**settings):
        journal.append(step)
    return [*steps_of(**settings)]


@pytest.mark.parametrize(
    "settings",
    [{}, {"controller_space": "advaa-symmetric"}, {"controller_sample_pairing": True, "controller_max_strength": 0.5}],
)
def test_steps_come_back_to_the_bit(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A line for each, with the names of operations and not their numbers."""
    steps = run_of(tmp_path, **settings)
    assert read_steps(tmp_path) == steps
    lines = [json.loads(line) for line in (tmp_path / "policies.jsonl").read_text().splitlines()]
    assert [line["number"] for line in lines] == [*range(1, 13)]
    assert [line["epoch"] for line in lines] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    names = {op for line in lines for policy in line["policies"] for ops in policy for op, _level in ops}
    assert names == {*make_space("advaa", sample_pairing="controller_sample_pairing" in settings).names}


@pytest.mark.parametrize("space", ["advaa", "advaa-symmetric"])
@pytest.mark.parametrize("sample_pairing", [False, True])
def test_choices_become_names_and_choices_again(space: Any, sample_pairing: bool) -> None:
    """Each operation at each level, in each place, whether the space has SamplePairing or not."""
    own = make_space(space, sample_pairing=sample_pairing)
    every = [(operation, level) for operation in range(len(own.names)) for level in range(10)]
    turned = every[7:] + every[:7]
    pairs = np.array([*zip(every, turned, strict=True)])  # 150 or 160 sub-policies
    actions = pairs.reshape(-1, 5, 2, 2)
    drawn = as_drawn(own, actions)
    assert drawn[0][0] == (("ShearX", 0), ("ShearX", 7))
    assert drawn[2][1] == (("ShearY", 1), ("ShearY", 8))
    step = replace(steps_of()[0], space=space, policies=drawn, losses=(1.0,) * len(drawn))
    assert step.actions.dtype == np.int64
    assert (step.actions == actions).all()
    assert step.full_space.name == space
    assert step.key == (1,)


def without_check(step: ControllerStep, **fields: Any) -> dict[str, Any]:
    """Return a line as another program could have written it, without a checksum."""
    return json.loads(json.dumps(asdict(step) | fields))


def drawn_with(step: ControllerStep, change: Callable[[Any], None]) -> Any:
    """Return the policies of a step after a change to the second of them."""
    policies = json.loads(json.dumps(step.policies))
    change(policies[1])
    return policies


DAMAGES: dict[str, Callable[[ControllerStep], dict[str, Any]]] = {
    "epoch": lambda _: {"epoch": 0},
    "number": lambda _: {"number": 0},
    "space": lambda _: {"space": "adva"},
    "losses.2": lambda _: {"losses": [0.5, 1.0, "2.0", 3.0]},
    "entropy": lambda _: {"entropy": -0.5},
    "entropy_weight": lambda _: {"entropy_weight": -0.1},
    "strength": lambda _: {"strength": 1.5},
    "largest_share": lambda _: {"largest_share": None},
    "learned": lambda _: {"learned": 1},
    "policies": lambda _: {"policies": []},
    "policies.1": lambda step: {"policies": drawn_with(step, list.pop)},
    "policies.1.2": lambda step: {"policies": drawn_with(step, lambda own: own[2].append(["Rotate", 3]))},
    "policies.1.4.1.1": lambda step: {"policies": drawn_with(step, lambda own: own[4].__setitem__(1, ["A", 10]))},
    "policies.1.0.0.1": lambda step: {"policies": drawn_with(step, lambda own: own[0].__setitem__(0, ["A", -1]))},
    "policies.1.3.0.1": lambda step: {"policies": drawn_with(step, lambda own: own[3].__setitem__(0, ["A", 1.5]))},
}  # fmt: skip


@pytest.mark.parametrize("place", DAMAGES)
def test_damaged_lines_are_refused(tmp_path: Path, place: str) -> None:
    """The line is named, and the field in it; no other line is lost."""
    steps, path = run_of(tmp_path), tmp_path / "policies.jsonl"
    lines = path.read_text().splitlines()
    lines[4] = json.dumps(without_check(steps[4]))
    path.write_text("\n".join(lines) + "\n")
    assert read_steps(tmp_path) == steps
    lines[4] = json.dumps(without_check(steps[4], **DAMAGES[place](steps[4])))
    path.write_text("\n".join(lines) + "\n")
    for read in (lambda: read_steps(tmp_path), lambda: policy_of_epoch(tmp_path, 1)):
        with pytest.raises(
            FaaError, match=r"Line 5 of '.*policies.jsonl' is not a valid step of the controller: "
        ) as raised:
            read()
        assert f": {place}: " in str(raised.value)
        assert "what it holds is lost" in str(raised.value)


def test_a_figure_that_flipped_is_not_believed(tmp_path: Path) -> None:
    """The checksum of its line says so; a last line that is not finished does not count."""
    steps, path = run_of(tmp_path), tmp_path / "policies.jsonl"
    content = path.read_text()
    path.write_text(content[:-30])
    assert read_steps(tmp_path) == steps[:-1]
    level = f'["{steps[7].policies[2][3][1][0]}", {steps[7].policies[2][3][1][1]}]'
    lines = content.splitlines(keepends=True)
    lines[7] = lines[7].replace(level, level.replace(level[-2:], f"{(int(level[-2]) + 1) % 10}]"))
    assert "".join(lines) != content
    path.write_text("".join(lines))
    with pytest.raises(FaaError, match=r"Line 8 of .* its checksum is wrong"):
        read_steps(tmp_path)


def test_an_operation_that_no_space_has(tmp_path: Path) -> None:
    """The step is named, and the operation."""
    step = run_of(tmp_path)[6]
    policies = drawn_with(step, lambda own: own[4].__setitem__(1, ["AdvAA.Rotate", 3]))
    strange = replace(step, policies=tuple(tuple(map(tuple, policy)) for policy in policies))
    with pytest.raises(FaaError, match=r"Step 7 has an operation 'AdvAA\.Rotate', which no space has"):
        _ = strange.actions
    Journal(tmp_path / "policies.jsonl", ControllerStep).append(strange)
    with pytest.raises(FaaError, match="Step 7 has an operation"):
        policy_of_epoch(tmp_path, 3)


def test_only_what_is_not_wanted_is_removed(tmp_path: Path) -> None:
    """As where a run goes on from an older state: the file can be read and appended to, and nothing lies beside it."""
    steps, path = run_of(tmp_path), tmp_path / "policies.jsonl"
    whole = path.read_bytes()
    journal = Journal(path, ControllerStep)
    journal.keep(lambda step: step.number <= 7)
    assert read_steps(tmp_path) == steps[:7]
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:7])
    for step in steps[7:]:
        journal.append(step)
    assert path.read_bytes() == whole
    journal.keep(lambda step: step.number not in (1, 5))
    assert [step.number for step in read_steps(tmp_path)] == [2, 3, 4, *range(6, 13)]
    journal.keep(lambda _step: False)
    assert read_steps(tmp_path) == []
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]


@pytest.mark.parametrize("torn", [b"", b'{"schema": "faa-contr'])
def test_a_file_of_which_all_is_wanted_is_not_touched(tmp_path: Path, torn: bytes) -> None:
    """Neither its bytes nor its time; a last line that is not finished is the next one's to replace."""
    run_of(tmp_path)
    path = tmp_path / "policies.jsonl"
    path.write_bytes(path.read_bytes() + torn)
    os.utime(path, ns=(10**18, 10**18))
    before = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    Journal(path, ControllerStep).keep(lambda step: step.number <= 12)
    assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before
    missing = Journal(tmp_path / "none.jsonl", ControllerStep)
    missing.keep(lambda _step: False)
    assert not missing.path.exists()


@pytest.mark.parametrize("space", ["advaa", "advaa-symmetric"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_policies_of_an_epoch_as_one(tmp_path: Path, space: str, shuffled: bool) -> None:
    """Of all its steps and all their copies, in the order of the steps; it says where it is from, and can be stored."""
    steps, path = run_of(tmp_path, controller_space=space), tmp_path / "policies.jsonl"
    if shuffled:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[at] for at in (11, 5, 3, 0, 8, 4, 2, 9, 1, 10, 7, 6)))
    for epoch in (1, 2, 4):
        policy = policy_of_epoch(tmp_path, epoch)
        own = [step for step in steps if step.epoch == epoch]
        assert len(policy.sub_policies) == 3 * 4 * 5
        joined = [[(use.op.removeprefix("AdvAA."), use.p, use.magnitude) for use in ops] for ops in policy.sub_policies]
        drawn = [ops for step in own for each in step.policies for ops in each]
        assert joined == [[(op, 1.0, level / 9) for op, level in ops] for ops in drawn]
        assert policy.name == f"adversarial-epoch-{epoch}"
        assert policy.provenance == {"algorithm": "adversarial-autoaugment", "space": space, "epoch": epoch}
        assert bool(policy.operations) == (space == "advaa")
        assert policy == joined_policy(own)
        policy.save(tmp_path / "policy.json")
        assert Policy.load(tmp_path / "policy.json").table == policy.table
        assert policy.table["AdvAA.Rotate" if space == "advaa" else "Rotate"].low == (0 if space == "advaa" else -30)


def test_an_epoch_that_is_not_there(tmp_path: Path) -> None:
    """It is said which there are; or that the folder is no such run."""
    run_of(tmp_path)
    for epoch in (0, 5, -1):
        with pytest.raises(FaaError, match=rf"has no policies of epoch {epoch}; it has those of epochs 1 to 4\."):
            policy_of_epoch(tmp_path, epoch)
    Journal(tmp_path / "policies.jsonl", ControllerStep).keep(lambda step: step.epoch in (2, 3))
    with pytest.raises(FaaError, match=r"has no policies of epoch 1; it has those of epochs 2 to 3\."):
        policy_of_epoch(tmp_path, 1)
    (tmp_path / "policies.jsonl").write_text("")
    with pytest.raises(FaaError, match=r"has no policies of epoch 1; it has none yet\."):
        policy_of_epoch(tmp_path, 1)
    for read in (read_steps, lambda folder: policy_of_epoch(folder, 1)):
        with pytest.raises(
            FaaError, match=r"has no file policies\.jsonl, which a training with --adversarial has once"
        ):
            read(tmp_path / "elsewhere")


def test_a_state_stays_as_it_was() -> None:
    """Neither what its controller does next, nor who goes on from it, changes a state; two go on alike."""
    first = Adversary(copies=4, seed=1)
    for epoch in range(3):
        first.answer([1.0, 2.0, 4.0, 3.0], epoch=epoch)
    state = first.state()
    ended = []
    for _run in range(2):
        other = Adversary(copies=4, seed=1)
        other.restore(state)
        ended.append([other.answer([3.0, 1.0, 2.0, 4.0], epoch=3 + step) for step in range(3)])
    assert ended[0] == ended[1] == [first.answer([3.0, 1.0, 2.0, 4.0], epoch=3 + step) for step in range(3)]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"copies": 3}, "copies: 4 → 3"),
        ({"seed": 1}, "seed: 0 → 1"),
        ({"mode": "uniform"}, "mode: 'learned' → 'uniform'"),
        ({"config": ControllerConfig(controller_space="advaa-symmetric")}, "controller_space: 'advaa' → 'advaa-sym"),
        ({"config": ControllerConfig(controller_lr=0.1)}, "controller_lr: 0.00035 → 0.1"),
    ],
)
def test_a_state_of_another_controller(other: dict[str, Any], message: str) -> None:
    state = Adversary(copies=4).state()
    with pytest.raises(FaaError, match=message):
        Adversary(**{"copies": 4, **other}).restore(state)


def test_losses_of_any_number_type(tmp_path: Path) -> None:
    """Arrays and tensors are taken, and written down; what overflows is refused."""
    journal = Journal(tmp_path / "policies.jsonl", ControllerStep)
    adversary = Adversary(copies=3)
    for losses in (np.array([1, 2, 4], dtype=np.float32), torch.tensor([1.0, 2.0, 4.0]), [1, 2, 4]):
        journal.append(adversary.answer(losses, epoch=0))
    assert [step.losses for step in journal.read()] == [(1.0, 2.0, 4.0)] * 3
    with pytest.raises(FaaError, match="two finite losses or more"):
        adversary.answer([1e308, 1.7e308, 1.0], epoch=0)


def test_lines_keep_what_only_a_newer_version_knows(tmp_path: Path) -> None:
    """Where others are removed, too."""
    path = tmp_path / "policies.jsonl"
    journal = Journal(path, ControllerStep)
    for step in steps_of():
        journal.append(step)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    newer = json.dumps({**{key: value for key, value in lines[0].items() if key != "check"}, "colour": "blue"})
    path.write_text("\n".join([newer, *map(json.dumps, lines[1:])]) + "\n")
    journal.keep(lambda step: step.number <= 2)
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [1, 2]
    assert json.loads(path.read_text().splitlines()[0])["colour"] == "blue"


def test_as_many_losses_as_policies() -> None:
    with pytest.raises(ValueError, match="policies and 1 losses"):
        replace(steps_of()[0], losses=(1.0,))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Adversary(copies=2.5), "2 copies or more, not 2.5"),  # type: ignore[arg-type]
        (lambda: Adversary(mode="nope"), "`mode` must be one of learned, uniform, frozen, not 'nope'"),  # type: ignore[arg-type]
        (lambda: Adversary(mode="frozen"), "needs a `controller_freeze_epoch` of 1 or more"),
        (lambda: Adversary(copies=2).answer(["a", "b"], epoch=0), "must be numbers"),  # type: ignore[list-item]
        (lambda: Adversary(copies=2).answer([1.0, 2.0], epoch=-1), "`epoch` must be a whole number from 0 on"),
        (lambda: Adversary(copies=2).answer([1.0, 2.0], epoch=1.5), "`epoch` must be a whole number"),  # type: ignore[arg-type]
        (lambda: Adversary(copies=2).restore({}), "not the state of a controller"),
    ],
)
def test_calls_that_cannot_be(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(FaaError, match=message):
        wrong()


def test_a_refused_answer_changes_nothing() -> None:
    adversary = Adversary(copies=2, seed=3)
    before = repr(adversary.state())
    with pytest.raises(FaaError):
        adversary.answer([1.0, 2.0], epoch=-1)
    assert repr(adversary.state()) == before
