"""Proposals made in other processes are those made here, whatever happens to the processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from faa_core import SEARCH_LIST, FaaError
from faa_search.searching.fast.proposing import Proposer, proposing_aside, proposing_here, worth_aside
from faa_search.searching.samplers import Params, PolicySpace, Scored
from faa_search.searching.samplers.tpe import suggest as tpe
from faa_search.searching.samplers.uniform import suggest as uniform

SPACE = PolicySpace(ops=tuple(row.name for row in SEARCH_LIST), sub_policies=1, num_ops=2)
SECONDS = 60  # within which anything here happens, on a busy machine

SCRIPT = """
import json, os, signal, sys
from faa_search.searching.fast.proposing import proposing_aside
from faa_search.searching.samplers import PolicySpace

def about(space, history, seed):
    return {"pid": os.getpid(), "torch": "torch" in sys.modules, "threads": os.environ["OMP_NUM_THREADS"], "seed": seed}

signal.signal(signal.SIGINT, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: None)
with proposing_aside(PolicySpace(ops=("Invert",)), about, processes=1, note=print) as proposer:
    for seed, _line in enumerate(sys.stdin):
        print(json.dumps(proposer.submit([], seed).result()), flush=True)
"""


@pytest.fixture(scope="module")
def known() -> list[Scored]:
    """Return 24 trials, past those at random."""
    return [Scored(uniform(SPACE, [], seed), float(seed * 7 % 11)) for seed in range(24)]


@pytest.fixture(scope="module")
def notes() -> list[str]:
    """Return what the module's proposer said."""
    return []


@pytest.fixture(scope="module")
def aside(notes: list[str]) -> Iterator[Proposer]:
    """Give a proposer with one other process."""
    with proposing_aside(SPACE, tpe, processes=1, note=notes.append) as proposer:
        yield proposer


def values(proposals: Sequence["Future[Params]"]) -> list[Params]:
    """Wait for proposals."""
    return [dict(proposal.result(timeout=SECONDS)) for proposal in proposals]


def pool_processes() -> list[psutil.Process]:
    """Return the other processes that propose."""
    children = psutil.Process().children()
    return [child for child in children if any("LokyProcess" in word for word in child.cmdline())]


def test_proposals_are_the_same_aside(aside: Proposer, known: list[Scored]) -> None:
    """To the bit, at random and past that, from several rounds at once; the caller does not wait when it asks."""
    asked = [(known[:length], seed) for length in (0, 5, 20, 24) for seed in (1, 2)]
    with proposing_here(SPACE, tpe) as here:
        there, done = [aside.submit(*one) for one in asked], [here.submit(*one) for one in asked]
    assert all(proposal.done() for proposal in done)
    assert values(there) == values(done)
    assert values(done) == [dict(tpe(SPACE, *one)) for one in asked]
    assert len(pool_processes()) == 1


def test_later_trials_do_not_change_what_was_asked(aside: Proposer, known: list[Scored]) -> None:
    """The caller's list may grow while the proposal is made."""
    history = known[:22]
    proposals = [aside.submit(history, 4) for _ in range(8)]
    history += known[22:]
    assert values(proposals) == [dict(tpe(SPACE, known[:22], 4))] * 8


def test_proposals_nobody_waits_for_end_with_the_block(known: list[Scored]) -> None:
    """Leaving does not wait for them, and nothing is left running."""
    before = pool_processes()
    with proposing_aside(SPACE, tpe, processes=1, note=print) as proposer:
        proposal = proposer.submit(known, 1)
    assert proposal.cancelled()
    assert pool_processes() == before


@pytest.mark.parametrize("maker", ["here", "aside"])
def test_an_error_of_the_sampler_is_the_proposals(maker: str, aside: Proposer) -> None:
    """It reaches whoever waits, and not whoever asks; other proposals go on."""
    strange = [Scored({"op_0_0": "Invert"}, 0.0)] * 20
    with proposing_here(SPACE, tpe) as here:
        proposer = {"here": here, "aside": aside}[maker]
        failed, good = proposer.submit(strange, 1), proposer.submit([], 1)
    assert isinstance(failed.exception(timeout=SECONDS), KeyError)
    assert values([good]) == [dict(tpe(SPACE, [], 1))]


def test_a_lost_process_changes_nothing(aside: Proposer, known: list[Scored], notes: list[str]) -> None:
    """What it was asked for is made here, and so are later ones, which is said once. The module's last use of it."""
    values([aside.submit(known, 0)])
    assert notes == []
    (process,) = pool_processes()
    process.suspend()
    asked = [aside.submit(known, seed) for seed in range(3)]
    process.kill()
    assert values(asked) == [dict(tpe(SPACE, known, seed)) for seed in range(3)]
    assert values([aside.submit(known, seed) for seed in range(3)]) == values(asked)
    assert len(notes) == 1
    assert "made in this one" in notes[0]


def test_a_script_without_a_guard(tmp_path: Path) -> None:
    """Its own function can be the sampler; the process has no torch and one thread, ignores signals, ends with it."""
    (tmp_path / "script.py").write_text(SCRIPT)
    script = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    )
    with script:
        first = ask(script)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.killpg(script.pid, number)
        second = ask(script)
        assert first == second | {"seed": 0}
        assert {"torch": False, "threads": "1", "seed": 1, "pid": first["pid"]} == second
        assert first["pid"] != script.pid
        process = psutil.Process(first["pid"])
        script.kill()
    process.wait(timeout=SECONDS)


def ask(script: "subprocess.Popen[str]") -> dict[str, object]:
    """Have the script make a proposal."""
    assert script.stdin is not None
    assert script.stdout is not None
    script.stdin.write("\n")
    answer: dict[str, object] = json.loads(script.stdout.readline())
    return answer


def test_whether_a_process_is_worth_starting() -> None:
    """Two hundred proposals of 14 ms are; a handful are not, nor two hundred at random."""
    assert worth_aside(proposals=200, seconds_each=0.014)
    assert not worth_aside(proposals=20, seconds_each=0.014)
    assert not worth_aside(proposals=200, seconds_each=0.0001)


def test_a_sampler_that_cannot_be_sent() -> None:
    """It is asked here."""

    class Unsendable:
        def __reduce__(self) -> str:
            raise FaaError("not sent")

        def __call__(self, space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
            return {"op_0_0": space.ops[len(history)], "seed": seed}

    with proposing_aside(SPACE, Unsendable(), processes=1, note=print) as proposer:
        assert values([proposer.submit([], 3)]) == [{"op_0_0": "ShearX", "seed": 3}]
