"""The Python calls and the command end as they should: promptly, with what happened, and with nobody left behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

# A script as people write it, without `if __name__ == "__main__"`. It imports once, and does each case in a fork, which
# ends as an interpreter does.
SCRIPT = '''
import json, multiprocessing, os, signal, sys, threading, time

import psutil
from faa_search import SearchConfig, TrainConfig, search
from faa_search.measuring.comparison import compare
from faa_search.settings import CompareConfig
from faa_search.training import train

TINY = dict(dataset="digits", train_subset=120, img_size=8, model="wrn10_1", batch_size=8, device="cpu")
LONG = dict(epochs=9000)
FAILING = dict(epochs=3, lr=1e30, clip_grad=0)
SHORT = dict(folds=2, width=1, depth=2, top=1, epochs=1)
CASES = {
    "train fails": lambda w: train(TrainConfig(**TINY, **FAILING, workers=w), "out"),
    "train is stopped": lambda w: stopped() or train(TrainConfig(**TINY, **LONG, workers=w), "out"),
    "train ends": lambda w: train(TrainConfig(**TINY, epochs=1, workers=w), "out"),
    "search fails": lambda w: search(SearchConfig(**TINY, **SHORT | FAILING, workers=w), "out"),
    "search is stopped": lambda w: stopped() or search(SearchConfig(**TINY, **SHORT | LONG, workers=w), "out"),
    "search ends": lambda w: search(SearchConfig(**TINY, **SHORT, workers=w), "out"),
    "compare fails": lambda w: compare(CompareConfig(**TINY, **FAILING, seeds=2, policies=("none", "trivialaugment"),
                                                     workers=w), "out"),
}

def stopped():
    """Let a signal come in the middle of the work."""
    def ask():
        while not [name for _at, _folders, names in os.walk("out") for name in names if name == "summary.csv"]:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=ask, daemon=True).start()

def ended(child):
    """Return its exit code, or None if it had to be killed, and who was left of its group."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            soon = time.monotonic() + 5  # a busy machine runs those that are ending a little later
            while (left := of_group(child)) and time.monotonic() < soon:
                time.sleep(0.05)
            return os.waitstatus_to_exitcode(status), left
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, []

def of_group(child):
    return [p.pid for p in psutil.process_iter() if p.status() != "zombie" and group(p.pid) == child]

def group(process):
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0

base, found = os.getcwd(), {}
method, cases = sys.argv[1], [case.split("/") for case in sys.argv[2].split(",")]
multiprocessing.set_start_method(method)
for case, workers in cases:
    folder = f"{base}/{case} {workers}"
    os.makedirs(folder)
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.chdir(folder)
        os.dup2(os.open("err", os.O_CREAT | os.O_WRONLY), 2)
        break
    code, left = ended(child)
    found[os.path.basename(folder)] = [code, left, open(f"{folder}/err").read()]
else:
    print(json.dumps(found))
    sys.exit()
CASES[case](int(workers))
'''
NOISE = ("Exception ignored", "leaked", "Warning", "BrokenPipe", "atexit", "resource_tracker")
ENDS = {"fails": "The training loss of ", "is stopped": "Stopped: stopped by SIGTERM", "ends": ""}


def check(found: dict[str, tuple[int | None, list[int], str]]) -> None:
    for case, (code, left, err) in found.items():
        kind = case.split(" ", 1)[1].rsplit(" ", 1)[0]
        assert code == (0 if kind == "ends" else 1), (case, code, err)
        assert not left, (case, left)
        assert ENDS[kind] in err.splitlines()[-1] if err else kind == "ends", (case, err)
        assert not [word for word in NOISE if word in err], (case, err)


FORKED = (
    "train fails/0,train fails/2,train is stopped/2,train ends/2,search fails/2,search is stopped/2,search ends/0,"
    "compare fails/2"
)
SPAWNED = "train fails/1"


@pytest.mark.parametrize(("method", "cases", "guarded"), [("fork", FORKED, False), ("spawn", SPAWNED, True)])
def test_python_calls_end(tmp_path, environment, method, cases, guarded):
    """After an error, a signal and normally; what failed is the last line of the trace."""
    start = SCRIPT.index("base, found")
    script = SCRIPT[:start] + ('if __name__ == "__main__":\n' if guarded else "")
    script += "".join(f"{'    ' if guarded else ''}{line}\n" for line in SCRIPT[start:].splitlines())
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "script.py", method, cases]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout))


TRAIN = "train --dataset digits --train-subset 60 --img-size 8 --epochs 9000 --device cpu --output".split()
EARLY = [  # command, seconds after the first line of ours, signal
    ([*TRAIN, "a"], 0.0, signal.SIGTERM),
    ([*TRAIN, "b"], 0.3, signal.SIGINT),
    ([*TRAIN, "c"], 1.0, signal.SIGTERM),
    ([*TRAIN, "d"], 2.5, signal.SIGTERM),
    ([*TRAIN, "e", "--num-processes", "2"], 1.5, signal.SIGINT),
    ([*TRAIN, "f", "--num-processes", "2"], 6.0, signal.SIGTERM),
    (["search", *TRAIN[1:], "g"], 0.6, signal.SIGTERM),
    (["doctor"], 0.2, signal.SIGTERM),
]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells by /proc when a signal is answered")
def test_early_signals_are_answered(tmp_path, environment):
    """While modules are imported and before there is a run; and in the processes that were started by then."""
    for command, seconds, number in EARLY:
        process = subprocess.Popen(
            [sys.executable, "-m", "faa_cli", *command], cwd=tmp_path, env=environment, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        while not answers(process.pid):
            time.sleep(0.001)
        time.sleep(seconds)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number, (command, seconds, err)
        assert "Stopped." in err, (command, seconds, err)
        assert "Traceback" not in err, (command, seconds, err)
        assert not psutil.wait_procs(below, timeout=5)[1], (command, seconds)


def answers(process: int) -> bool:
    """Return whether a process has a handler of SIGTERM."""
    caught = next(
        line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("SigCgt")
    )
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_the_second_signal_acts_at_once(tmp_path, environment):
    """Though what was asked to stop has not: a batch that takes forever."""
    code = (
        "import os, signal, sys, time\n"
        "from faa_cli import start\n"
        "import faa_cli.main\n"
        "from faa_search.workers.stopping import stop_requests\n"
        "def slow():\n"
        "    with start.answer_stop('Stopped. So it is.'), stop_requests():\n"
        "        for time_of in (1, 2):\n"
        "            print('asked', flush=True)\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "faa_cli.main.main = slow\n"
        "start.main()\n"
    )
    command = [sys.executable, "-c", code]
    started = time.monotonic()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert time.monotonic() - started < 40
    assert (128 + signal.SIGTERM, "asked\nasked\n") == (done.returncode, done.stdout)
    assert done.stderr == "Stopped. So it is.\n"
