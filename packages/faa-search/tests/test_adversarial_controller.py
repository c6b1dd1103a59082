"""The space of Adversarial AutoAugment, the network that chooses from it, and how that learns and collapses."""

import math
from bisect import bisect_right
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from faa_core import FaaError, Policy, UnknownNameError
from faa_core.randomness import key_of, uniforms
from faa_search.adversarial import Adversary, ControllerConfig
from faa_search.adversarial.controller import Controller, Scores
from faa_search.adversarial.learning import learn, look, objective, shares, standardise, weight_for
from faa_search.adversarial.space import Actions, Space, allowed_choices, make_space, policy_of
from faa_search.keyed_torch import torch_seeded

ADVAA, SYMMETRIC, PAIRING = (
    make_space("advaa"), make_space("advaa-symmetric"), make_space("advaa", sample_pairing=True)
)  # fmt: skip
SPACES = (ADVAA, SYMMETRIC, PAIRING, make_space("advaa-symmetric", sample_pairing=True))
FULL = 10 * (math.log(15) + math.log(10))  # 50.106 nats: the most that a policy of the fifteen can have
GEOMETRIC = {"ShearX": 0.3, "ShearY": 0.3, "TranslateX": 0.45, "TranslateY": 0.45, "Rotate": 30.0}
OTHERS = {  # arguments at levels 0 and 9
    "AutoContrast": None, "Invert": None, "Equalize": None, "Solarize": (0.0, 256.0), "Posterize": (4.0, 8.0),
    "Contrast": (0.1, 1.9), "Color": (0.1, 1.9), "Brightness": (0.1, 1.9), "Sharpness": (0.1, 1.9),
    "Cutout": (0.0, 0.2),
}  # fmt: skip
ORDER = (*GEOMETRIC, *OTHERS)
ENGINES = (
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
HARDNESS = np.array([0.6, 0.6, 0.8, 1.0, 0.7, 0.3, 0.6, 0.4, 0.5, 0.3, 0.4, 0.3, 0.4, 0.2, 0.3])


def controller_of(
    seed: int = 0, *, cap: float = 1.0, carry_state: bool = False, sharp: bool = False, space: int = 0
) -> Controller:
    """Return a new controller; a sharp one prefers some choices by far, so that each index and each order matters."""
    with torch_seeded(seed):
        made = Controller(allowed_choices(SPACES[space], cap), carry_state=carry_state)
        if sharp:
            with torch.no_grad():
                for weights in made.parameters():
                    weights.mul_(8)
                for head in (made.operation_head, made.level_head):
                    head.bias.uniform_(-0.5, 0.5)
    return made


def numbers(key: str, policies: int) -> NDArray[np.float64]:
    """Return uniform numbers for the choices of some policies."""
    return uniforms(key_of(key), np.arange(policies), 20).reshape(policies, 5, 2, 2)


class Plain:
    """The same network once more, in numpy, one choice after the other."""

    def __init__(self, controller: Controller) -> None:
        self.weights = {name: tensor.double().numpy() for name, tensor in controller.state_dict().items()}
        self.carry_state, self.allowed = controller.carry_state, controller.allowed_OL.numpy()
        self.operations = len(self.allowed)

    def follow(self, policy: Actions, given: NDArray[np.float64] | None = None) -> tuple[float, float, list[int]]:
        """Return the log-probability of a policy, its entropy, and its choices; these by the numbers given, if any."""
        log_probability, entropy, all_chosen = 0.0, 0.0, []
        state, shown = self._begin()
        for q in range(5):
            if not self.carry_state:
                state, shown = self._begin()
            for k in range(2):
                operation = -1
                for what in range(2):
                    state = self._cell(shown, state)
                    p = self._probabilities(state[0], operation)
                    ends = np.cumsum(p).tolist()
                    chosen = int(policy[q, k, what]) if given is None else bisect_right(ends, given[q, k, what])
                    log_probability += math.log(p[chosen])
                    entropy -= sum(each * math.log(each) for each in p if each > 0)
                    shown = self.weights["embedding.weight"][chosen + what * self.operations]
                    operation = chosen
                    all_chosen.append(chosen)
        return log_probability, entropy, all_chosen

    @staticmethod
    def _begin() -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]:
        return (np.zeros(100), np.zeros(100)), np.zeros(32)

    def _cell(
        self, shown: NDArray[np.float64], state: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        w = self.weights
        gates = w["cell.weight_ih"] @ shown + w["cell.bias_ih"] + w["cell.weight_hh"] @ state[0] + w["cell.bias_hh"]
        enter, forget, new, leave = gates.reshape(4, 100)
        cell = _sigmoid(forget) * state[1] + _sigmoid(enter) * np.tanh(new)
        return _sigmoid(leave) * np.tanh(cell), cell

    def _probabilities(self, hidden: NDArray[np.float64], operation: int) -> NDArray[np.float64]:
        """Return those of the operations; or, where one is given, those of its levels."""
        name = "operation_head" if operation < 0 else "level_head"
        odds = np.exp(self.weights[f"{name}.weight"] @ hidden + self.weights[f"{name}.bias"])
        if operation >= 0:
            odds *= self.allowed[operation]
        return np.asarray(odds / odds.sum())


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


# The space.


def test_the_operations_and_their_order() -> None:
    """Fifteen as in the code it comes from; with SamplePairing the paper's sixteen, that last."""
    for space in SPACES[:2]:
        assert space.names == ORDER
    for space in SPACES[2:]:
        assert space.names == (*ORDER, "SamplePairing")
    assert [space.name for space in SPACES] == ["advaa", "advaa-symmetric"] * 2
    assert [one.name for one in ADVAA.operations[:6]] == [*(f"AdvAA.{name}" for name in GEOMETRIC), "AutoContrast"]
    assert tuple(one.name for one in SYMMETRIC.operations) == ORDER
    with pytest.raises(UnknownNameError, match="No space of policies is called 'adva'"):
        make_space("adva")


@pytest.mark.parametrize("name", ORDER)
def test_arguments_at_the_first_and_the_last_level(name: str) -> None:
    """Against the table of the specification; mirrored are those that move pixels, and they alone."""
    at = ORDER.index(name)
    one_sided, symmetric = ADVAA.operations[at], SYMMETRIC.operations[at]
    if name in GEOMETRIC:
        most = GEOMETRIC[name]
        assert [one_sided.argument(level / 9) for level in (0, 3, 9)] == pytest.approx([0.0, most / 3, most])
        assert [symmetric.argument(level / 9) for level in (0, 3, 9)] == pytest.approx([-most, -most / 3, most])
        assert one_sided.mirrored
        assert symmetric.mirrored
        assert one_sided.argument(1.0, reflected=True) == pytest.approx(-most)
        assert one_sided.kernel == symmetric.kernel
    else:
        assert one_sided == symmetric
        assert not one_sided.mirrored
        if (ends := OTHERS[name]) is not None:
            assert (one_sided.argument(0.0), one_sided.argument(1.0)) == pytest.approx(ends)


def test_sample_pairing_mixes_in_up_to_two_fifths() -> None:
    """In both spaces."""
    for space in SPACES[2:]:
        assert (space.operations[15].argument(0.0), space.operations[15].argument(1.0)) == pytest.approx((0.0, 0.4))


@pytest.mark.parametrize(("space", "prefix"), [(ADVAA, "AdvAA."), (SYMMETRIC, "")])
def test_a_policy_of_choices(space: Space, prefix: str) -> None:
    """Order kept, always applied, λ is a ninth of the level; repeated sub-policies stay as often as they were drawn."""
    drawn = np.array([[(3, 9), (0, 0)], [(14, 4), (5, 7)], [(8, 2), (8, 2)], [(3, 9), (0, 0)], [(10, 1), (4, 8)]])
    policy = policy_of(space, drawn, name="of five")
    assert [[(use.op, use.p, use.magnitude) for use in each] for each in policy.sub_policies] == [
        [(f"{prefix}TranslateY", 1.0, 1.0), (f"{prefix}ShearX", 1.0, 0.0)],
        [("Cutout", 1.0, 4 / 9), ("AutoContrast", 1.0, 7 / 9)],
        [("Solarize", 1.0, 2 / 9), ("Solarize", 1.0, 2 / 9)],
        [(f"{prefix}TranslateY", 1.0, 1.0), (f"{prefix}ShearX", 1.0, 0.0)],
        [("Contrast", 1.0, 1 / 9), (f"{prefix}Rotate", 1.0, 8 / 9)],
    ]
    assert policy.name == "of five"
    assert policy.provenance == {"algorithm": "adversarial-autoaugment", "space": space.name}
    expected = {"AdvAA.TranslateY", "AdvAA.ShearX", "AdvAA.Rotate"} if prefix else set()
    assert set(policy.operations) == expected  # axes of what is used, and no others
    rotate = policy.table[f"{prefix}Rotate"]
    assert rotate.argument(8 / 9) == pytest.approx(30 * 8 / 9 if prefix else 60 * 8 / 9 - 30)


def test_policies_of_several_together() -> None:
    """All sub-policies of all of them, in order: those of the first policy first."""
    drawn = controller_of(3).draw(numbers("several", 4))
    together = policy_of(ADVAA, drawn)
    assert len(together.sub_policies) == 20
    assert together.sub_policies == tuple(each for one in drawn for each in policy_of(ADVAA, one).sub_policies)


def test_strengths() -> None:
    """How far a level is from changing nothing: 0 at nothing, 1 at the strongest, NaN for what has no level."""
    rising = np.arange(10) / 9
    both_ends = np.abs(rising - 0.5) / 0.5
    for space in SPACES:
        strengths = dict(zip(space.names, space.strengths, strict=True))
        for name in GEOMETRIC:
            assert strengths[name] == pytest.approx(rising if space.name == "advaa" else both_ends)
        for name in ("AutoContrast", "Invert", "Equalize"):
            assert np.isnan(strengths[name]).all()
        for name in ("Solarize", "Posterize"):
            assert strengths[name] == pytest.approx(1 - rising)
        for name in ("Contrast", "Color", "Brightness", "Sharpness"):
            assert strengths[name] == pytest.approx(both_ends)
            assert strengths[name].argmin() in (4, 5)
        for name in strengths.keys() & {"Cutout", "SamplePairing"}:
            assert strengths[name] == pytest.approx(rising)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"{space.name}-{len(space.names)}")
@pytest.mark.parametrize("cap", [0.0, 0.1, 0.3, 0.5, 0.99, 1.0])
def test_no_operation_is_left_without_a_level(space: Space, cap: float) -> None:
    """A cap leaves what is not stronger; of an operation that is always stronger, its weakest levels."""
    strengths = space.strengths
    allowed = allowed_choices(space, cap)
    assert allowed.any(axis=1).all()
    assert allowed[np.isnan(strengths)].all()
    assert allowed[strengths <= cap].all()
    for own, of_it in zip(strengths, allowed, strict=True):
        if not np.isnan(own).any():
            assert of_it.tolist() == [value <= max(cap, own.min()) + 1e-9 for value in own]
    assert allowed.all() == (cap == 1.0)


def test_levels_under_a_cap_of_a_half() -> None:
    """By hand: the lower half of what grows, the upper of what fades, the middle of what is strong at both ends."""
    levels = {
        space.name: {
            name: np.flatnonzero(row).tolist()
            for name, row in zip(space.names, allowed_choices(space, 0.5), strict=True)
        }
        for space in (ADVAA, SYMMETRIC)
    }
    for own in levels.values():
        assert own["Cutout"] == [0, 1, 2, 3, 4]
        assert own["Solarize"] == own["Posterize"] == [5, 6, 7, 8, 9]
        assert own["Contrast"] == own["Sharpness"] == [3, 4, 5, 6]
        assert own["Invert"] == list(range(10))
    assert levels["advaa"]["Rotate"] == [0, 1, 2, 3, 4]
    assert levels["advaa-symmetric"]["Rotate"] == [3, 4, 5, 6]


# Its pixels.


def pictures(count: int) -> torch.Tensor:
    """Return images of noise, uint8 ``[B, 3, 12, 17]``."""
    return torch.from_numpy(np.random.default_rng(5).integers(0, 256, (count, 3, 12, 17), dtype=np.uint8))


def by_pillow(policy: Policy, images: torch.Tensor, *, seed: int) -> torch.Tensor:
    """Return a batch, augmented image by image."""
    shown = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    done = [np.asarray(policy.apply(one, seed=seed, epoch=2, index=index)) for index, one in enumerate(shown)]
    return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("space", [ADVAA, SYMMETRIC], ids=["advaa", "advaa-symmetric"])
def test_batches_are_as_pillow_makes_them(space: Space, engine: Any) -> None:
    """Under drawn policies, to the bit."""
    images = pictures(60)
    policies = [policy_of(space, drawn) for drawn in controller_of(1).draw(numbers("pixels", 3))]
    results = []
    for seed, policy in enumerate(policies):
        batch = policy.to_batch(engine=engine)(images, seed=seed, epoch=2, indices=range(60))
        assert torch.equal(batch, by_pillow(policy, images, seed=seed))
        results.append(batch)
    assert not torch.equal(results[0], results[1])


@pytest.mark.parametrize("engine", ["pillow", *ENGINES])
def test_levels_that_change_no_pixel(engine: Any) -> None:
    """Level 0 of what moves pixels, and of Cutout; level 9 of what takes values away. The other ends change many."""
    images = pictures(40)

    def changed(space: Space, name: str, level: int) -> int:
        number = ORDER.index(name)
        policy = policy_of(space, np.array([[(number, level)]]))
        done = policy.to_batch(engine=engine)(images, seed=7, epoch=0, indices=range(40))
        return int((done != images).flatten(1).any(dim=1).sum())

    for name in GEOMETRIC:
        assert changed(ADVAA, name, 0) == 0
        assert changed(ADVAA, name, 9) >= 15
        assert changed(SYMMETRIC, name, 0) >= 15
    for name, level in (("Solarize", 9), ("Posterize", 9), ("Cutout", 0)):
        assert changed(ADVAA, name, level) == 0
        assert changed(ADVAA, name, 9 - level) == 40


@pytest.mark.parametrize("space", [ADVAA, SYMMETRIC], ids=["advaa", "advaa-symmetric"])
def test_both_directions_are_as_likely(space: Space) -> None:
    """A translation at the last level goes to either side half the time."""
    policy = policy_of(space, np.array([[(2, 9), (2, 9)]]))
    drawn = policy.draw(seed=0, epoch=0, indices=range(1000))
    arguments = np.array([[step.argument for step in steps] for steps in drawn])
    assert np.abs(arguments) == pytest.approx(0.45)
    assert (arguments > 0).mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.06)


# The network.


@pytest.mark.parametrize(("space", "count"), [(0, 56_925), (1, 56_925), (2, 56_925 + 32 + 101)])
def test_its_weights(space: int, count: int) -> None:
    """As many as published, uniform in ±0.1, but for the heads' biases, which are 0."""
    controller = controller_of(space=space)
    weights = {name: each.detach() for name, each in controller.named_parameters()}
    assert sum(each.numel() for each in weights.values()) == count
    assert weights["embedding.weight"].shape == (len(SPACES[space].names) + 10, 32)
    for name, each in weights.items():
        if name in ("operation_head.bias", "level_head.bias"):
            assert not each.any()
            continue
        assert float(each.abs().max()) <= 0.1
        assert float(each.max()) > 0.097
        assert float(each.min()) < -0.097
        assert float(each.std()) == pytest.approx(0.2 / math.sqrt(12), rel=0.1)
    assert set(controller.state_dict()) == set(weights)  # what is allowed is a setting, and is not stored


@pytest.mark.parametrize("carry_state", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_it_begins_almost_uniform(seed: int, carry_state: bool) -> None:
    """Within 0.05 nats of the most that there is."""
    controller = controller_of(seed, carry_state=carry_state)
    scores = controller.score(controller.draw(numbers("begin", 30)))
    assert controller.most_entropy == pytest.approx(FULL, abs=1e-9)
    assert pytest.approx(50.106, abs=5e-4) == FULL
    assert (scores.entropy_M.detach() - FULL).abs().max() < 0.05
    assert scores.log_probability_M.detach().numpy() == pytest.approx(np.full(30, -FULL), abs=2.5)
    assert scores.log_probability_M.shape == scores.entropy_M.shape == (30,)


@pytest.mark.parametrize(("space", "cap"), [(0, 1.0), (0, 0.5), (1, 0.5), (2, 0.0)])
def test_the_most_entropy_is_of_what_is_allowed(space: int, cap: float) -> None:
    """Of pairs of an operation and a level, ten times."""
    allowed = int(allowed_choices(SPACES[space], cap).sum())
    assert controller_of(space=space, cap=cap).most_entropy == pytest.approx(10 * math.log(allowed))
    by_hand = {(0, 1.0): 150, (0, 0.5): 5 * 5 + 30 + 2 * 5 + 4 * 4 + 5, (1, 0.5): 5 * 4 + 30 + 2 * 5 + 4 * 4 + 5,
               (2, 0.0): 5 + 30 + 2 + 4 * 2 + 1 + 1}  # fmt: skip
    assert allowed == by_hand[space, cap]


@pytest.mark.parametrize("carry_state", [False, True])
@pytest.mark.parametrize(("space", "cap"), [(0, 1.0), (2, 1.0), (0, 0.4)])
def test_it_is_the_network_that_is_described(carry_state: bool, space: int, cap: float) -> None:
    """Computed once more by a plain loop: log-probabilities and entropies; and the choices that numbers lead to."""
    controller = controller_of(4, carry_state=carry_state, space=space, cap=cap, sharp=True)
    plain, given = Plain(controller), numbers("described", 12)
    actions = controller.draw(given)
    assert actions.dtype == np.int64
    scores = controller.score(actions)
    for policy, own, log_probability, entropy in zip(
        actions, given, scores.log_probability_M.tolist(), scores.entropy_M.tolist(), strict=True
    ):
        assert (log_probability, entropy) == pytest.approx(plain.follow(policy)[:2], rel=1e-4)
        assert plain.follow(policy, own)[2] == policy.ravel().tolist()
    assert scores.entropy_M.detach().max() < 0.9 * FULL  # it does prefer some
    assert len({policy.tobytes() for policy in actions}) == 12


@pytest.mark.parametrize("carry_state", [False, True])
def test_whether_sub_policies_follow_from_each_other(carry_state: bool) -> None:
    """Begun anew, their order does not matter to a policy's log-probability; remembered, it does."""
    controller = controller_of(2, carry_state=carry_state, sharp=True)
    actions = controller.draw(numbers("order", 20))
    straight, turned = (controller.score(each) for each in (actions, np.ascontiguousarray(actions[:, [3, 0, 4, 1, 2]])))
    for before, after in zip(straight, turned, strict=True):
        off = (before - after).abs().detach()
        assert bool((off > 0.01).all()) if carry_state else float(off.max()) < 1e-3
    within = controller.score(np.ascontiguousarray(actions[:, :, ::-1]))  # within a sub-policy it always does
    changed = (straight.log_probability_M - within.log_probability_M).abs().detach()
    assert int((changed > 0.01).sum()) >= 19


@pytest.mark.parametrize("carry_state", [False, True])
def test_policies_are_scored_one_by_one(carry_state: bool) -> None:
    """Together or alone, in whatever order, each has its own score; what is drawn depends on its own numbers."""
    controller, given = controller_of(5, carry_state=carry_state, sharp=True), numbers("alone", 6)
    actions = controller.draw(given)
    together = torch.stack(controller.score(actions)).detach().numpy()
    for m in range(6):
        assert (controller.draw(given[m : m + 1]) == actions[m]).all()
        alone = torch.stack(controller.score(actions[m : m + 1])).detach().numpy()[:, 0]
        assert alone == pytest.approx(together[:, m], rel=1e-5)
    assert (controller.draw(given) == actions).all()
    assert (controller.draw(given[::-1].copy()) == actions[::-1]).all()


def test_choices_are_as_frequent_as_they_are_likely() -> None:
    """Of 8000 sub-policies: the first operation, and the level after the likeliest of them."""
    controller = controller_of(6, sharp=True)
    plain = Plain(controller)
    drawn = controller.draw(numbers("often", 1600)).reshape(-1, 2, 2)
    (hidden, cell), shown = plain._begin()
    state = plain._cell(shown, (hidden, cell))
    p = plain._probabilities(state[0], -1)
    counts = np.bincount(drawn[:, 0, 0], minlength=15)
    assert (np.abs(counts - 8000 * p) < 4.5 * np.sqrt(8000 * p * (1 - p)) + 1).all()
    most = int(p.argmax())
    state = plain._cell(plain.weights["embedding.weight"][most], state)
    p = plain._probabilities(state[0], most)
    counts = np.bincount(drawn[drawn[:, 0, 0] == most, 0, 1], minlength=10)
    assert (np.abs(counts - counts.sum() * p) < 4.5 * np.sqrt(counts.sum() * p * (1 - p)) + 1).all()
    assert p.max() > 2 * p.min()


@pytest.mark.parametrize("carry_state", [False, True])
@pytest.mark.parametrize(("space", "cap"), [(0, 0.0), (0, 0.5), (1, 0.5), (2, 0.3)])
def test_what_is_not_allowed_never_comes(carry_state: bool, space: int, cap: float) -> None:
    """Whatever the numbers, the least and the largest too; entropies and gradients are finite, and it goes on so."""
    controller = controller_of(7, carry_state=carry_state, space=space, cap=cap, sharp=True)
    allowed = allowed_choices(SPACES[space], cap)
    given = np.concatenate([numbers("capped", 200), np.zeros((1, 5, 2, 2)), np.full((1, 5, 2, 2), 1 - 2.0**-53)])
    given[200, :, :, 0] = np.linspace(0, 0.99, 10).reshape(5, 2)  # the least number for the levels of many operations
    actions = controller.draw(given)
    assert allowed[actions[..., 0], actions[..., 1]].all()
    optimizer = torch.optim.Adam(controller.parameters(), lr=3.5e-4)
    for _ in range(2):
        step = learn(controller, optimizer, actions[-8:], [0.1, 0.9, 0.4, 0.3, 0.2, 0.5, 0.7, 0.8], entropy_weight=0.2)
        assert all(map(math.isfinite, (step.loss, step.score_loss, step.entropy)))
        assert 0 < step.entropy < controller.most_entropy
        for weights in controller.parameters():
            assert weights.grad is not None
            assert bool(weights.grad.isfinite().all() and weights.isfinite().all())
    assert allowed[tuple(np.moveaxis(controller.draw(given), -1, 0))].all()


@pytest.mark.parametrize("cap", [1.0, 0.3])
def test_a_uniform_controller(cap: float) -> None:
    """Every operation is as likely as any other, and so is every allowed level of it."""
    controller = controller_of(8, cap=cap)
    controller.be_uniform()
    allowed = allowed_choices(ADVAA, cap)
    actions = controller.draw(numbers("uniform", 500))
    scores = controller.score(actions)
    levels = np.log(allowed.sum(axis=1))[actions[..., 0]].sum(axis=(1, 2))
    assert scores.entropy_M.detach().numpy() == pytest.approx(10 * math.log(15) + levels, rel=1e-5)
    assert (-scores.log_probability_M).detach().numpy() == pytest.approx(10 * math.log(15) + levels, rel=1e-5)
    counts = np.zeros((15, 10))
    np.add.at(counts, (actions[..., 0].ravel(), actions[..., 1].ravel()), 1)
    expected = 5000 / 15 * allowed / allowed.sum(axis=1, keepdims=True)
    assert ((counts - expected)[allowed] ** 2 / expected[allowed]).sum() < allowed.sum() + 4.5 * math.sqrt(
        2 * allowed.sum()
    )
    assert not counts[~allowed].any()


# How it learns.


def test_rewards_are_standardised_losses() -> None:
    """By hand: less the mean, over the unbiased deviation and 1e-5; a higher loss has a higher reward."""
    assert standardise([1.0, 2.0, 6.0]).tolist() == pytest.approx(
        [each / (math.sqrt(7) + 1e-5) for each in (-2, -1, 3)], rel=1e-6
    )
    assert standardise([5.0, 5.00002, 5.00004]).tolist() == pytest.approx([-2 / 3, 0, 2 / 3], abs=1e-5)
    assert standardise([0.5] * 8).tolist() == [0.0] * 8
    assert standardise([3.0, 1.0]).tolist() == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)], rel=2e-5)
    assert standardise([1.0, 2.0, 6.0]).dtype == torch.float32


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, math.nan, 2.0], [math.inf, 1.0], [1.0, -math.inf, 3.0]])
def test_losses_that_nothing_is_learnt_from(losses: list[float]) -> None:
    """Fewer than two, or not finite; the weights stay as they are."""
    controller = controller_of()
    before = [each.clone() for each in controller.parameters()]
    with pytest.raises(FaaError, match="two finite losses or more"):
        standardise(losses)
    optimizer = torch.optim.Adam(controller.parameters())
    with pytest.raises(FaaError, match="two finite losses or more"):
        learn(controller, optimizer, controller.draw(numbers("bad", max(1, len(losses)))), losses, entropy_weight=0.2)
    assert all(map(torch.equal, before, controller.parameters()))


def test_the_objective_by_hand() -> None:
    """Means over the policies, of log p · z and of the entropy; what is minimised is less of both."""
    scores = Scores(torch.tensor([-3.0, -5.0, -10.0]), torch.tensor([4.0, 2.0, 9.0]))
    loss, score_loss = objective(scores, torch.tensor([1.0, 0.5, -2.0]), 0.1)
    assert float(score_loss) == pytest.approx(-14.5 / 3)
    assert float(loss) == pytest.approx(-14.5 / 3 - 0.5)
    loss, score_loss = objective(scores, torch.tensor([1.0, 0.5, -2.0]), 0.0)
    assert float(loss) == float(score_loss)


@pytest.mark.parametrize("carry_state", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_what_costs_most_becomes_likelier(seed: int, carry_state: bool) -> None:
    """Whichever of the policies it is; and what costs least becomes less likely."""
    for best, worst in ((0, 5), (3, 1), (5, 2)):
        controller = controller_of(seed, carry_state=carry_state)
        actions = controller.draw(numbers(f"likelier {seed}", 6))
        losses = [0.9, 1.0, 1.1, 1.0, 0.95, 1.05]
        losses[best], losses[worst] = 2.0, 0.1
        before = controller.score(actions).log_probability_M.detach()
        optimizer = torch.optim.Adam(controller.parameters(), lr=3.5e-4)
        step = learn(controller, optimizer, actions, losses, entropy_weight=1e-5)
        change = controller.score(actions).log_probability_M.detach() - before
        assert change[best] > 0 > change[worst]
        assert step.score_loss == pytest.approx(-float((before * standardise(losses)).mean()), rel=1e-4)


def test_a_step_is_down_the_gradient_of_the_objective() -> None:
    """With plain descent, to the bit: −mean(z · ∇ log p) − weight · mean(∇ entropy)."""
    controller, losses = controller_of(9, sharp=True), [0.4, 1.3, 0.8, 2.0, 0.1]
    actions = controller.draw(numbers("gradient", 5))
    deviation = np.std(losses, ddof=1) + 1e-5
    total = torch.zeros(())
    for m in range(5):
        scores = controller.score(actions[m : m + 1])
        total = total - scores.log_probability_M[0] * (losses[m] - 0.92) / deviation / 5 - 0.3 * scores.entropy_M[0] / 5
    weights = list(controller.parameters())
    expected = [
        each.detach() - 0.01 * gradient
        for each, gradient in zip(weights, torch.autograd.grad(total, weights), strict=True)
    ]
    step = learn(controller, torch.optim.SGD(weights, lr=0.01), actions, losses, entropy_weight=0.3)
    assert step.loss == pytest.approx(float(total.detach()), rel=1e-4)
    assert all(torch.allclose(each, wanted, atol=1e-5) for each, wanted in zip(weights, expected, strict=True))
    assert step.loss == pytest.approx(step.score_loss - 0.3 * step.entropy, rel=1e-5)


@pytest.mark.parametrize("carry_state", [False, True])
def test_equal_losses_teach_nothing_but_entropy(carry_state: bool) -> None:
    """Without its weight no weight of the network moves; with it the entropy rises."""
    controller = controller_of(10, carry_state=carry_state, sharp=True)
    actions = controller.draw(numbers("equal", 8))
    optimizer = torch.optim.Adam(controller.parameters(), lr=3.5e-4)
    before = [each.detach().clone() for each in controller.parameters()]
    step = learn(controller, optimizer, actions, [0.5] * 8, entropy_weight=0.0)
    assert (step.loss, step.score_loss) == (0, 0)
    assert all(map(torch.equal, before, controller.parameters()))
    entropies = [learn(controller, optimizer, actions, [0.5] * 8, entropy_weight=0.2).entropy for _ in range(6)]
    assert step.entropy == entropies[0]  # before the step
    assert all(a < b for a, b in pairwise(entropies))


def test_a_larger_weight_pulls_the_entropy_up() -> None:
    """From one beginning, with the same losses."""
    entropies = []
    for weight in (0.0, 0.2, 2.0):
        controller = controller_of(11, sharp=True)
        actions = controller.draw(numbers("pulled", 8))
        optimizer = torch.optim.Adam(controller.parameters(), lr=1e-3)
        losses = np.linspace(0.3, 0.9, 8).tolist()
        steps = [learn(controller, optimizer, actions, losses, entropy_weight=weight) for _ in range(5)]
        entropies.append(steps[-1].entropy)
        assert {step.entropy_weight for step in steps} == {weight}
    assert entropies[0] < entropies[1] < entropies[2]


def test_looking_changes_nothing() -> None:
    """It says what a step would have come to."""
    controller, losses = controller_of(12), [0.2, 0.9, 0.5, 0.4]
    actions = controller.draw(numbers("looking", 4))
    before = [each.detach().clone() for each in controller.parameters()]
    seen = look(controller, actions, losses, entropy_weight=0.1)
    assert all(map(torch.equal, before, controller.parameters()))
    assert all(each.grad is None for each in controller.parameters())
    optimizer = torch.optim.Adam(controller.parameters(), lr=3.5e-4)
    assert seen == learn(controller, optimizer, actions, losses, entropy_weight=0.1)


def test_the_weight_towards_a_target() -> None:
    """The given one at the target, e times as much one nat below it, an e-th one above; never beyond five powers."""
    at = {entropy: weight_for(entropy, weight=0.2, target=40.0, choices=20) for entropy in (0, 30, 39, 40, 41, 50)}
    assert at[40] == 0.2
    assert at[39] == pytest.approx(0.2 * math.e)
    assert at[41] == pytest.approx(0.2 / math.e)
    assert at[0] == at[30] == pytest.approx(0.2 * math.exp(5))
    assert at[50] == pytest.approx(0.2 * math.exp(-5))
    assert weight_for(39.0, weight=0.2, target=40.0, choices=10) == pytest.approx(0.2 * math.exp(2))


def test_shares_of_what_was_drawn() -> None:
    """By hand: of each operation, of each level, and the largest of a pair of both."""
    pairs = [(0, 9)] * 5 + [(0, 1)] * 2 + [(2, 9)] * 4 + [(3, 0)] * 1
    drawn = np.array([pairs[at] for at in (7, 0, 11, 3, 5, 1, 9, 2, 6, 4, 10, 8)]).reshape(2, 3, 2, 2)
    of_operations, of_levels, largest = shares(drawn, 4)
    assert of_operations == pytest.approx([7 / 12, 0, 4 / 12, 1 / 12])
    assert of_levels == pytest.approx([1 / 12, 2 / 12, 0, 0, 0, 0, 0, 0, 0, 9 / 12])
    assert largest == pytest.approx(5 / 12)


# Its collapse: a network is played by a table of how hard each operation is, times its level, and noise.


def played(steps: int, **settings: object) -> tuple[list[float], list[str | None], float]:
    """Return entropies and what was said of them, of a game of some steps; and the last share of the last level."""
    adversary = Adversary(ControllerConfig.model_validate(settings), copies=8, seed=0)
    entropies, said, share = [], [], 0.0
    for step in range(steps):
        drawn = adversary.actions
        rewards = (HARDNESS[drawn[..., 0]] * drawn[..., 1] / 9).mean(axis=(1, 2))
        noise = 0.07 * (uniforms(key_of("noise", step), np.arange(8), 1)[:, 0] - 0.5)
        answered = adversary.answer((rewards + noise).tolist(), epoch=step)
        entropies.append(answered.entropy)
        said.append(adversary.has_collapsed(answered))
        share = shares(drawn, 15)[1][9]
    return entropies, said, share


def test_with_the_published_weight_it_collapses() -> None:
    """Almost uniform for its first hundred steps; then the last level of few operations; and that is said."""
    entropies, said, share = played(250, controller_preset="paper")
    assert min(entropies[:60]) > 49.9
    assert entropies[-1] < FULL / 2
    assert share > 0.4
    for entropy, words in zip(entropies, said, strict=True):
        if entropy < FULL / 2:
            assert words == f"the entropy is {entropy:.1f} of at most 50.1 nats"
        elif words is not None:
            assert words.startswith("one operation at one level is ")
    assert said[:150] == [None] * 150
    assert said[-1] is not None


def test_with_the_stable_weight_it_does_not_collapse() -> None:
    """The entropy stays above 40 over as many steps, and yet it learns."""
    entropies, said, share = played(240, controller_preset="stable")
    assert min(entropies) > 40
    assert entropies[-1] < 48
    assert share > 0.15
    assert not any(said)


def test_a_target_entropy_is_held() -> None:
    """0.8 of the most, 40.1: within 2 nats."""
    entropies, said, _share = played(240, controller_target_entropy=0.8)
    assert entropies[-30:] == pytest.approx([0.8 * FULL] * 30, abs=2)
    assert not any(said)
