"""What our samplers keep beyond the contract, that TPE is hyperopt's, and that Optuna stays quiet."""

import json
import logging
import os
import subprocess
import sys
import warnings
from functools import partial
from importlib.util import find_spec
from typing import Any

import hyperopt
import numpy as np
import pytest
from hyperopt import hp

from faa_core import SEARCH_LIST, FaaError, SubPolicies, plugins
from faa_core.randomness import seed_of
from faa_search.searching.samplers import Params, PolicySpace, Sampler, Scored
from faa_search.searching.samplers.uniform import suggest as uniform

OPS = tuple(row.name for row in SEARCH_LIST)
SPACE = PolicySpace(ops=OPS, sub_policies=2, num_ops=2)


def toy_reward(params: Params) -> float:
    """Return 0 at best: likes p near 0.2, λ near 0.7, and Rotate."""
    distance = sum(
        abs(float(params[f"p_{use}"]) - 0.2)
        + abs(float(params[f"magnitude_{use}"]) - 0.7)
        + (0.0 if params[f"op_{use}"] == "Rotate" else 1.0)
        for use in SPACE.uses()
    )
    return -distance


def run(sampler: Sampler, trials: int, *, history: list[Scored] | None = None, key: int = 0) -> list[Scored]:
    """Return a history continued to so many trials, each seeded by its number."""
    scored = list(history or [])
    while len(scored) < trials:
        params = sampler(SPACE, scored, seed_of("toy", key, len(scored)))
        scored.append(Scored(params, toy_reward(params)))
    return scored


needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra optuna is not installed")
OPTUNA = pytest.param("optuna", marks=needs_optuna)


@pytest.fixture(params=["tpe", "random", OPTUNA])
def sampler(request: pytest.FixtureRequest) -> Sampler:
    """Return each installed sampler of ours in turn."""
    loaded: Sampler = plugins.load("faa.samplers", request.param, kind="sampler")
    return loaded


@pytest.fixture(scope="module")
def known() -> list[Scored]:
    """Return 24 random trials: past what the estimator draws at random."""
    return run(uniform, 24)


def test_first_proposals_are_spread(sampler: Sampler) -> None:
    """Without a history every operation comes, and p and λ fill [0, 1]."""
    drawn = [sampler(SPACE, [], seed) for seed in range(60)]
    assert set(OPS) == {params[f"op_{use}"] for params in drawn for use in SPACE.uses()}
    for kind in ("p", "magnitude"):
        values = [float(params[f"{kind}_{use}"]) for params in drawn for use in SPACE.uses()]
        assert 0.4 < np.mean(values) < 0.6
        assert min(values) < 0.1
        assert max(values) > 0.9


def test_random_ignores_the_history(known: list[Scored]) -> None:
    """Each trial is drawn alone."""
    assert uniform(SPACE, [], 3) == uniform(SPACE, known, 3)


@pytest.mark.parametrize(
    ("name", "climbs"), [("tpe", True), ("random", False), pytest.param("optuna", True, marks=needs_optuna)]
)
def test_an_estimator_learns(name: str, climbs: bool) -> None:
    """It climbs towards what is rewarded, which random trials do not."""
    suggest = plugins.load("faa.samplers", name, kind="sampler")
    early, late = [], []
    for key in range(2):
        rewards = [scored.reward for scored in run(suggest, 70, key=key)]
        early += rewards[:20]
        late += rewards[-20:]
    assert climbs == (np.mean(late) > np.mean(early) + 0.8)


def test_a_trial_without_a_reward_counts_for_nothing(sampler: Sampler, known: list[Scored]) -> None:
    """A network that diverged says nothing about the policy, at random and past that."""
    lost = Scored(known[0].params, float("nan"))
    assert sampler(SPACE, [*known, lost], 3) == sampler(SPACE, known, 3)
    assert sampler(SPACE, [lost] * 24, 3) == sampler(SPACE, [], 3)


def test_spaces_do_not_mix(sampler: Sampler, known: list[Scored]) -> None:
    """What is kept of one space changes no proposal of another, nor of an equal one."""
    first = sampler(SPACE, known, 3)
    for ops in (OPS[:3], OPS[::-1]):
        other = PolicySpace(ops=ops, sub_policies=2, num_ops=2)
        history = [Scored(uniform(other, [], seed), float(seed)) for seed in range(24)]
        other.decode(sampler(other, history, 3))
        assert {sampler(other, history, 3)[f"op_{use}"] for use in other.uses()} <= set(ops)
    assert sampler(PolicySpace(ops=OPS, sub_policies=2, num_ops=2), known, 3) == first


@pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")
def test_the_estimator_is_hyperopts(known: list[Scored]) -> None:
    """Given the seeds that hyperopt's own loop draws, the trials are those of that loop."""
    tpe = plugins.load("faa.samplers", "tpe", kind="sampler")
    expression: dict[str, Any] = {}
    for use in SPACE.uses():
        expression[f"op_{use}"] = hp.choice(f"op_{use}", list(OPS))
        expression[f"p_{use}"] = hp.uniform(f"p_{use}", 0, 1)
        expression[f"magnitude_{use}"] = hp.uniform(f"magnitude_{use}", 0, 1)
    seen: list[Params] = []

    def loss(params: Params) -> float:
        seen.append(dict(params))
        return -toy_reward(params)

    hyperopt.fmin(
        loss,
        expression,
        algo=hyperopt.tpe.suggest,
        max_evals=30,
        rstate=np.random.default_rng(7),
        show_progressbar=False,
        verbose=False,
    )
    seeds = np.random.default_rng(7)
    ours: list[Scored] = []
    for _ in range(30):
        params = tpe(SPACE, ours, int(seeds.integers(2**31 - 1)))
        ours.append(Scored(params, toy_reward(params)))
    assert seen == [scored.params for scored in ours]


@needs_optuna
def test_optuna_stays_quiet(known: list[Scored], capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing printed, nothing warned, no level or filter changed; a study of the user's is announced as ever."""
    import optuna  # noqa: PLC0415 an optional package

    suggest = plugins.load("faa.samplers", "optuna", kind="sampler")
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("optuna").addHandler(handler)
    before = optuna.logging.get_verbosity(), list(warnings.filters)
    try:
        suggest(SPACE, known, 3)
        assert told == []
        optuna.create_study(study_name="mine")
    finally:
        logging.getLogger("optuna").removeHandler(handler)
    assert (optuna.logging.get_verbosity(), list(warnings.filters)) == before
    assert told == ["A new study created in memory with name: mine"]
    assert "faa" not in "".join(capfd.readouterr())


@needs_optuna
def test_optuna_says_the_same_in_another_process(known: list[Scored]) -> None:
    """Where Python hashes names in another order."""
    code = (
        "import json, sys; from faa_search.searching.samplers import PolicySpace, Scored;"
        "from faa_search.searching.samplers.optuna_tpe import suggest; ops, known = json.loads(sys.argv[1]);"
        "space = PolicySpace(ops=tuple(ops), sub_policies=2, num_ops=2);"
        "print(json.dumps(suggest(space, [Scored(*one) for one in known], 3)))"
    )
    ours = plugins.load("faa.samplers", "optuna", kind="sampler")(SPACE, known, 3)
    for number in ("1", "2"):
        theirs = subprocess.run(
            [sys.executable, "-c", code, json.dumps([OPS, known])],
            env=os.environ | {"PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(theirs.stdout) == ours
        assert not theirs.stderr


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin loads all the same; using it is what fails."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    suggest = plugins.load("faa.samplers", "optuna", kind="sampler")
    with pytest.raises(FaaError, match=r"pip install 'faa-search\[optuna\]'"):
        suggest(SPACE, [], 0)


def test_encoding_and_back(known: list[Scored]) -> None:
    """Sub-policies become the parameters they came from; others are refused."""
    for scored in known[:3]:
        assert SPACE.encode(SPACE.decode(scored.params)) == scored.params
    first, second = SPACE.decode(known[0].params)
    for wrong in ((first,), (first, second, second), (first, second[:1])):
        with pytest.raises(FaaError, match="has 2 sub-policies of 2 operations"):
            SPACE.encode(wrong)
    with pytest.raises(FaaError, match=f"{first[0].op} is not of the search space: Identity"):
        PolicySpace(ops=("Identity",), sub_policies=2, num_ops=2).encode((first, second))


def test_decoding_by_hand() -> None:
    """Sub-policies in order, operations in order."""
    space = PolicySpace(ops=OPS, sub_policies=1, num_ops=2)
    params = {
        "op_0_0": "Rotate",
        "p_0_0": 0.25,
        "magnitude_0_0": 1.0,
        "op_0_1": "Invert",
        "p_0_1": 0,
        "magnitude_0_1": 0,
    }
    ((first, second),) = space.decode(params)
    assert ("Rotate", 0.25, 1.0, "Invert") == (first.op, first.p, first.magnitude, second.op)
    assert ["0_0", "0_1"] == space.uses()


@pytest.mark.parametrize("change", [{"p_0_0": None}, {"p_0_0": 1.5}, {"p_0_0": "often"}, {"op_0_0": "Rotat"}])
def test_parameters_of_another_space(change: dict[str, Any]) -> None:
    """Missing, out of range, no number, no operation."""
    space = PolicySpace(ops=OPS, sub_policies=1, num_ops=1)
    params = {"op_0_0": "Rotate", "p_0_0": 0.5, "magnitude_0_0": 0.5} | change
    params = {key: value for key, value in params.items() if value is not None}
    with pytest.raises(FaaError, match=r"not of the search space|No operation is called 'Rotat'"):
        SubPolicies(sub_policies=space.decode(params))


def test_a_sampler_is_any_callable() -> None:
    """No base class is asked for."""
    fixed: Sampler = partial(lambda params, _space, _history, _seed: params, {"op_0_0": "Invert"})
    assert {"op_0_0": "Invert"} == fixed(SPACE, [], 0)
