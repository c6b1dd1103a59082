"""What every sampler keeps: it is a pure function of space, history and seed."""

import copy
import json
import os
import subprocess
import sys
from typing import ClassVar

from faa_core import plugins
from faa_core.randomness import seed_of
from faa_core.testing.expecting import expect
from faa_search.runs.records.trials import Params
from faa_search.searching.samplers.space import PolicySpace, Sampler, Scored
from faa_search.searching.samplers.uniform import suggest as uniform
from faa_search.testing.global_state import other_random_state, random_states

OPS = ("ShearX", "Rotate", "Invert", "Solarize", "Color", "Cutout")
SPACE = PolicySpace(ops=OPS, sub_policies=2, num_ops=2)
SPACES = (
    SPACE,
    PolicySpace(ops=OPS, sub_policies=1, num_ops=1),
    PolicySpace(ops=OPS[::-1], sub_policies=3, num_ops=1),
    PolicySpace(ops=("Rotate",), sub_policies=1, num_ops=3),
)
MANY = 24  # trials, past what estimators propose at random
SEEDS = range(12)
ELSEWHERE = """
import json, sys
from faa_core import plugins
from faa_search.searching.samplers.space import PolicySpace, Scored
name, ops, cases = json.loads(sys.argv[1])
sampler = plugins.load("faa.samplers", name, kind="sampler")
space = PolicySpace(ops=tuple(ops), sub_policies=2, num_ops=2)
print(json.dumps([sampler(space, [Scored(*one) for one in history], 3) for history in cases]))
"""


class SamplerContract:
    """What every sampler keeps; subclass it and set `name`."""

    name: ClassVar[str]

    def sampler(self) -> Sampler:
        """Return what is tested: the installed sampler of the name."""
        found: Sampler = plugins.load("faa.samplers", self.name, kind="sampler")
        return found

    def test_its_proposals_are_of_the_space(self) -> None:
        """All parameters of the space and no others, operations by name, p and λ in [0, 1]; with and without trials."""
        for space in SPACES:
            for count in (0, 1, MANY):
                params = self.sampler()(space, _history(space, count), 5)
                given = f"a proposal for {space.sub_policies} × {space.num_ops} operations after {count} trials"
                wanted = {f"{kind}_{use}" for kind in ("op", "p", "magnitude") for use in space.uses()}
                expect(set(params) == wanted, f"{given} has the parameters {sorted(wanted)}, not {sorted(params)}")
                for label, value in params.items():
                    expect(_is_of(space, label, value), f"{given} is of the space, but its {label} is {value!r}")
                space.decode(params)

    def test_its_proposals_can_be_written(self) -> None:
        """They are the same after a journal's JSON, and of Python's own types: none of numpy's."""
        params = dict(self.sampler()(SPACE, _history(SPACE, MANY), 3))
        for label, value in params.items():
            expect(type(value) in (str, float, int), f"{label} is of a type of Python's, not {type(value).__name__}")
        try:
            back = json.loads(json.dumps(params))
        except TypeError as error:
            raise AssertionError(f"Not kept: a proposal can be written as JSON ({error}).") from error
        expect(back == params, f"a proposal is the same after JSON: {params}, not {back}")

    def test_it_depends_on_its_arguments_alone(self) -> None:
        """Asked again, after other questions and with other global random state, it proposes the same."""
        sampler, history = self.sampler(), _history(SPACE, MANY)
        first = sampler(SPACE, history, 3)
        with other_random_state():
            for other in (history[::-1], history[:5], []):
                sampler(SPACE, other, 9)
            sampler(SPACES[2], _history(SPACES[2], MANY), 3)
            again = sampler(SPACE, history, 3)
        expect(again == first, f"the same space, history and seed give the same proposal: {first}, not {again}")
        read = tuple(Scored(*fields) for fields in json.loads(json.dumps(history)))
        expect(sampler(SPACE, read, 3) == first, "a history that was read from a file gives the same proposal")

    def test_another_process_proposes_the_same(self) -> None:
        """Where nothing was asked before and Python hashes names in another order; also for histories turned round."""
        history = _history(SPACE, MANY)
        cases = [history, history[::-1], history[:5], []]
        here = [self.sampler()(SPACE, case, 3) for case in cases]
        for number in ("1", "2"):
            done = subprocess.run(  # noqa: S603 this interpreter, with the code above
                [sys.executable, "-c", ELSEWHERE, json.dumps([self.name, OPS, cases])],
                env=os.environ | {"PYTHONHASHSEED": number},
                capture_output=True,
                text=True,
                check=False,
            )
            expect(done.returncode == 0, f"it proposes in another process; there it fails: {done.stderr[-500:]}")
            there = json.loads(done.stdout.splitlines()[-1])
            expect(there == here, f"another process proposes the same: {here}, not {there}")

    def test_it_changes_nothing(self) -> None:
        """The history, and the global random states of Python, numpy and torch, stay as they were."""
        history = _history(SPACE, MANY)
        before, states = copy.deepcopy(history), random_states()
        self.sampler()(SPACE, history, 3)
        expect(history == before, "the history that it is given stays as it was")
        for library, state in random_states().items():
            expect(state == states[library], f"the global random state of {library} stays as it was")

    def test_its_seed_counts(self) -> None:
        """Trials that are proposed side by side have the same history, and must not be the same trial."""
        for count in (0, MANY):
            history = _history(SPACE, count)
            drawn = {json.dumps(self.sampler()(SPACE, history, seed)) for seed in SEEDS}
            expect(len(drawn) > 1, f"{len(SEEDS)} seeds give more than one proposal after {count} trials")

    def test_resuming_is_as_going_on(self) -> None:
        """Twenty trials in one go, or eight and then twelve from what was written down."""
        straight = self._run([], 20)
        written = json.loads(json.dumps(self._run([], 8)))
        resumed = self._run([Scored(*fields) for fields in written], 20)
        expect(resumed == straight, "a search that goes on from its journal proposes what an unbroken one does")

    def test_it_gets_over_trials_without_a_reward(self) -> None:
        """A network that diverged leaves NaN in the history."""
        history = _history(SPACE, MANY)
        for lost in (history[:1], history):
            gaps = [Scored(one.params, float("nan")) for one in lost] + history[len(lost) :]
            SPACE.decode(self.sampler()(SPACE, gaps, 3))

    def _run(self, history: list[Scored], trials: int) -> list[Scored]:
        """Return a history continued to so many trials, each seeded by its number."""
        scored, sampler = list(history), self.sampler()
        while len(scored) < trials:
            params = sampler(SPACE, list(scored), seed_of("contract", len(scored)))  # it may change what it is given
            scored.append(Scored(params, _reward(SPACE, params)))
        return scored


def _history(space: PolicySpace, count: int) -> list[Scored]:
    """Return so many random trials with their rewards."""
    drawn = [uniform(space, [], seed_of("history", number)) for number in range(count)]
    return [Scored(params, _reward(space, params)) for params in drawn]


def _reward(space: PolicySpace, params: Params) -> float:
    """Return a reward that likes p near 0.2 and λ near 0.7."""
    terms = [
        abs(float(params[f"p_{use}"]) - 0.2) + abs(float(params[f"magnitude_{use}"]) - 0.7) for use in space.uses()
    ]
    return -sum(terms)


def _is_of(space: PolicySpace, label: str, value: object) -> bool:
    """Return whether a parameter has a value that the space has."""
    if label.startswith("op_"):
        return value in space.ops
    return isinstance(value, float) and 0.0 <= value <= 1.0
