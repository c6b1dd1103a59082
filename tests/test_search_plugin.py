"""A search algorithm of a plugin: settings, stages and a policy of its own, and everything else from here."""

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import faa_search
from faa_cli.commands.doctor import doctor
from faa_cli.commands.search import search as search_command
from faa_core import FaaError, Layers, Policy
from faa_search import SearchConfig
from faa_search.runs.opening import SearchRun, open_run
from faa_search.settings import Role, SharedSearchConfig
from faa_search.settings.algorithm_fields import TAKEN
from faa_search.settings.algorithms import resolve_search, settings_of_algorithm
from faa_search.settings.resolving import Layer
from faa_search.workers.stopping import Stopped

PLUGIN = '''
"""Grows layers: each is the operation that suits the images of one class best, by no sense at all."""
from dataclasses import dataclass
from typing import ClassVar
from pydantic import Field
from faa_core import Layers
from faa_search.runs.journal import Journal
from faa_search.searching.protocol import Found, Panel, Picture, Searcher, SharedSearchConfig, Trace
from faa_search.settings import Role
from faa_search.settings.base import Count, Text
from faa_search.workers.executors.gathering import gather

class GrowConfig(SharedSearchConfig):
    role: ClassVar[Role] = Role.RESULT
    algorithm: Text = Field(default="grow", description="This one.")
    height: Count = Field(default=4, description="Layers to grow.")

@dataclass(frozen=True, kw_only=True)
class Grown:
    schema: ClassVar[str] = "grow-layer/1"
    number: int
    magnitude: float
    key = property(lambda self: (self.number,))

@dataclass(frozen=True)
class Grow:
    number: int
    def __call__(self, bench):
        labels = bench.images.train.labels
        return float((labels == self.number).sum() / len(labels))

def run(search):
    journal = Journal(search.directory / "grown.jsonl", Grown)
    done = {one.number: one for one in journal.read()}
    with search.timed("plant"), search.reporter.track("Layers", search.config.height, done=len(done)) as advance:
        def finished(number, magnitude):
            done[number] = Grown(number=number, magnitude=magnitude)
            journal.append(done[number])
            advance()
        left = {number: Grow(number) for number in range(search.config.height) if number not in done}
        gather(left, search.executor, finished, search.request)
    if search.config.stage == "plant":
        return None
    layers = [[{"op": "Rotate", "magnitude": done[n].magnitude, "probability": 1.0}] for n in sorted(done)]
    policy = Layers(layers=layers, provenance={"soil": "clay", "algorithm": "by hand", "seed": 99})
    told = {"notes": ["It grew."], "details": {"last": len(layers)}}
    return Found(policy=policy, seconds=1.5, figures={"height": len(layers)}, **told)

def pictures(directory):
    grown = Journal(directory / "grown.jsonl", Grown).read()
    trace = Trace(x=[one.number for one in grown], y=[one.magnitude for one in grown], kind="area", label="λ")
    return [Picture(name="heights", title="Grown", panels=[Panel(traces=[trace, trace], x_label="layer")])]

GROW = Searcher(name="grow", settings=GrowConfig, stages=("plant", "harvest"), run=run, pictures=pictures)
'''
TINY = {"dataset": "digits", "train_subset": 60, "img_size": 8, "device": "cpu"}
FLAGS = "--dataset digits --train-subset 60 --img-size 8 --device cpu".split()


class Told:
    """A reporter that keeps what it is told, and can stop the search after a number of finished units."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.notes: list[str] = []
        self.units = 0
        self.stop_after = stop_after

    def note(self, message: str) -> None:
        self.notes.append(message)

    @contextmanager
    def track(self, _what: str, _total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
        yield self._advance

    def _advance(self, _detail: str = "") -> None:
        self.units += 1
        if self.units == self.stop_after:
            raise Stopped(15)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that installs a plugin with the algorithm `grow`, for this process and those it starts."""
    before = set(sys.modules)

    def install_plugin(source: str) -> None:
        info = tmp_path / "site" / "growing-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: growing\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[faa.searchers]\ngrow = growing_plugin:GROW\n")
        (tmp_path / "site" / "growing_plugin.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
        importlib.invalidate_caches()

    yield install_plugin
    for module in set(sys.modules) - before:
        if module.startswith("growing_"):
            del sys.modules[module]


@pytest.fixture
def make(install: Callable[[str], None]) -> Callable[..., SharedSearchConfig]:
    """Return what makes the settings of the installed algorithm."""
    install(PLUGIN)
    return lambda **given: settings_of_algorithm("grow")(**TINY | given)


def files_of(run: Path) -> list[bytes]:
    """Return what a search of the plugin leaves."""
    return [(run / name).read_bytes() for name in ("policy.json", "result.json")]


def test_it_searches_and_its_run_is_opened(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """The policy says where it comes from, the result is kept and read again, and the stages have their seconds."""
    found = faa_search.search(make(height=3), tmp_path / "run")
    assert isinstance(found.policy, Layers)
    assert ["digits-wrn16_1-grow", 3] == [found.policy.name, len(found.policy.layers)]
    provenance = found.policy.provenance
    assert provenance["seed"] == 0  # not what the policy said of itself before
    assert ("grow", 3, "clay", 60) == tuple(provenance[key] for key in ("algorithm", "height", "soil", "train_subset"))
    assert "content" in provenance["data"]
    run = open_run(tmp_path / "run")
    assert isinstance(run, SearchRun)
    assert run.result is not None
    assert run.result.policy.to_json() == found.policy.to_json()
    assert ({"height": 3}, {"last": 3}, ["It grew."]) == (run.result.figures, run.result.details, run.result.notes)
    assert run.result.complete
    assert run.result.verdict == ""
    assert ["plant"] == [stage.name for stage in run.stages]
    assert () == run.trials
    assert 3 == run.settings.model_dump()["height"]
    assert not isinstance(run.settings, SearchConfig)


def test_stopped_and_taken_up_it_comes_to_the_same(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """No layer is grown twice; a finished search is only read; other settings of its own are refused."""
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    faa_search.search(make(), straight)
    first, rest, again = Told(stop_after=3), Told(), Told()
    with pytest.raises(Stopped):
        faa_search.search(make(), stopped, reporter=first)
    assert not (stopped / "policy.json").exists()
    faa_search.search(make(), stopped, reporter=rest)
    assert [3, 1] == [first.units, rest.units]
    assert files_of(straight) == files_of(stopped)
    faa_search.search(make(), stopped, reporter=again)
    assert (0, [f"'{stopped}' is finished."]) == (again.units, again.notes)
    with pytest.raises(FaaError, match=r"holds a run with other settings \(height: 4 → 5\)"):
        faa_search.search(make(height=5), stopped)


def test_workers_change_nothing(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """Its settings and tasks reach other processes."""
    faa_search.search(make(), tmp_path / "one")
    faa_search.search(make(num_processes=2), tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_its_stages(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """One at a time; those before a policy return none, and others than its own are refused."""
    assert faa_search.search_stage(make(stage="plant"), tmp_path / "run") is None
    assert not (tmp_path / "run" / "policy.json").exists()
    with pytest.raises(FaaError, match=r"Stage 'plant' ends before there is a policy"):
        faa_search.search(make(stage="plant"), tmp_path / "other")
    told = Told()
    assert faa_search.search(make(stage="harvest"), tmp_path / "run", reporter=told).complete
    assert 0 == told.units
    with pytest.raises(FaaError, match=r"--stage explore: the search algorithm 'grow' has the stages plant, harvest"):
        faa_search.search(make(stage="explore"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_result_that_is_of_another_policy(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """Somebody has replaced the policy: the result does not count for it."""
    faa_search.search(make(), tmp_path / "run")
    Policy.load("trivialaugment").save(tmp_path / "run" / "policy.json")
    with pytest.raises(FaaError, match="the policy beside it is another one"):
        faa_search.search(make(), tmp_path / "run")


def test_roles_hold_for_its_settings(make: Callable[..., SharedSearchConfig]) -> None:
    """Its own decide the result; the shared ones what they always do."""
    kind = type(make())
    assert {"height", "algorithm", "lr"} <= kind.names(Role.RESULT)
    assert "budget" in kind.names(Role.PACE)
    assert "folds" not in kind.model_fields


def test_settings_of_another_algorithm(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """From Python they are refused by their class, and by name wherever layers are read."""
    with pytest.raises(FaaError, match="of class SearchConfig, and the search algorithm 'grow' takes GrowConfig"):
        faa_search.search(SearchConfig(**TINY, algorithm="grow"), tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(FaaError, match=r"f\.yaml: depth is a setting of the search algorithm 'fast' and 'random', and"):
        resolve_search([Layer("f.yaml", {"algorithm": "grow", "depth": 3})])
    with pytest.raises(FaaError, match=r"f\.yaml: height is a setting of the search algorithm 'grow', and this search"):
        resolve_search([Layer("f.yaml", {"height": 3})])
    assert make(height=9) == resolve_search([Layer("f.yaml", {**TINY, "height": 9}), Layer("g", {"algorithm": "grow"})])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    role: ClassVar[Role] = Role.RESULT\n", "", "have no role, which states what they decide"),
        (
            "height: Count = Field(default=4, ",
            "height: Count = Field(",
            "'height' .* 'grow' has no default",
        ),
        ("class GrowConfig(SharedSearchConfig):", "class GrowConfig:", "must be a .*Searcher"),
        ('name="grow"', 'name="grew"', "has the name 'grew'"),
        ('stages=("plant", "harvest")', "stages=()", "there must be a stage"),
        ("GROW = Searcher(", "GROW = dict(", "must be a .*Searcher"),
        ("return Found(policy=policy,", "return Found(policy=None,", "returned None as the policy"),
        ("return Found(", "return dict(", "returned .* no `Found`"),
        ("return Found(", "return None and Found(", "ended without a result"),
        ('"height": len(layers)', '"height": float("nan")', "nan as the figure 'height'"),
        ('"last": len(layers)', '"last": 1j', "JSON cannot hold"),
        ('stages=("plant", "harvest")', 'stages=("plant", 2)', "there must be a stage or more"),
        ('stages=("plant", "harvest")', 'stages="ab"', "there must be a stage or more"),
        ('stages=("plant", "harvest")', 'stages=("a", "a")', "there must be a stage or more"),
        ('stages=("plant", "harvest")', 'stages=("--help",)', "there must be a stage or more"),
        ('stages=("plant", "harvest")', 'stages=("plant",), policy_from="x"', "none of its stages plant"),
        ('Field(default="grow"', 'Field(default="grew"', "`algorithm` is 'grew' by default; it must be 'grow'"),
        ('Field(default="grow"', 'Field(default="fast"', "`algorithm` is 'fast' by default; it must be 'grow'"),
        ("    height: Count = Field(default=4", "    height: Count = Field(default=0", "height: it must be at least 1"),
        ("    height: Count", "    seed: str = Field(default='x')\n    height: Count", "'seed' .* a shared one"),
        ("    height: Count", "    help: str = Field(default='x')\n    height: Count", "called as --help, which"),
        ("    height: Count", "    no_height: bool = False\n    height: Count", "'no_height' .* turns 'height' off"),
        ("    height: Count", "    k: object = print\n    height: Count", "'k' .* cannot be written to config.yaml"),
        ("    height: Count", "    k: set[str] = set()\n    height: Count", r"config\.yaml: k: .* valid set"),
        ("    height: Count", "    k: float = float('nan')\n    height: Count", "'k' .* is nan, and"),
        ('figures={"height": len(layers)}', "figures={}", "the objective first"),
        ('figures={"height": len(layers)}', "figures=[1.0]", r"returned \[1\.0\] as the figures"),
        ('"height": len(layers)', "1: 1.0", "a figure with the name 1"),
        ('"height": len(layers)', '"a\\n": 1.0', "a figure with the name"),
        ('"height": len(layers)', '"height": 10**400', "as the figure 'height', no finite number"),
        ('"height": len(layers)', '"height": True', "as the figure 'height', no finite number"),
        ("seconds=1.5", "seconds=-1.5", "could not be read again .seconds: .*greater than or equal to 0"),
        ('"notes": ["It grew."]', '"notes": "It grew."', "as the notes, no list of texts"),
        ('"notes": ["It grew."]', '"notes": [None]', "as the notes, no list of texts"),
        ('"notes": ["It grew."]', '"controls": [None]', "as the controls, no list of `Control`"),
        ('"notes": ["It grew."]', '"complete": 1', "could not be read again .complete"),
        ('"soil": "clay"', '"soil": object()', "a policy that could not be read again"),
        ("GROW = Searcher(", "GROW = Searcher(settle=lambda c: None, ", "`settle` .* returned None, no GrowConfig"),
        ("GROW = Searcher(", "GROW = Searcher(settle=lambda c: 1 / 0, ", "`settle` .*ZeroDivisionError: .* .growing_"),
        ("GROW = Searcher(", "GROW = Searcher(settle=lambda c: c.model_copy(update={'lr': 'x'}), ", "lr: it must be"),
        ("    journal = Journal", "    raise ValueError('no luck')\n    journal = Journal", "`run` .*ValueError: no"),
        ("    journal = Journal", "    raise SystemExit(0)\n    journal = Journal", "`run` .*SystemExit: 0"),
    ],
)
def test_a_mistake_of_the_plugin_is_named(
    install: Callable[[str], None], tmp_path: Path, old: str, new: str, words: str
) -> None:
    """With what is wrong; never a traceback."""
    assert old in PLUGIN
    install(PLUGIN.replace(old, new))
    with pytest.raises(FaaError, match=words):
        faa_search.search(resolve_search([Layer("f.yaml", {**TINY, "algorithm": "grow"})]), tmp_path / "run")
    assert not (tmp_path / "run" / "result.json").exists()


def test_what_the_machine_refuses_is_not_the_plugins_mistake(install: Callable[[str], None], tmp_path: Path) -> None:
    """A full disk has its own words at the command line."""
    install(PLUGIN.replace("    journal = Journal", "    raise OSError(28, 'No space')\n    journal = Journal"))
    with pytest.raises(OSError, match="No space"):
        faa_search.search(settings_of_algorithm("grow")(**TINY), tmp_path / "run")


def test_a_policy_after_a_stage_that_ends_before_one(install: Callable[[str], None], tmp_path: Path) -> None:
    """It would be one that not all stages had a part in."""
    install(PLUGIN.replace('search.config.stage == "plant"', "False"))
    with pytest.raises(FaaError, match="returned a result after stage 'plant', though by its `policy_from`"):
        faa_search.search_stage(settings_of_algorithm("grow")(**TINY, stage="plant"), tmp_path / "run")
    assert not (tmp_path / "run" / "policy.json").exists()


def test_adds_that_fails(install: Callable[[str], None], tmp_path: Path) -> None:
    """It is asked once the search is finished."""
    install(PLUGIN.replace("GROW = Searcher(", "GROW = Searcher(adds=lambda config: 1 / 0, "))
    faa_search.search(settings_of_algorithm("grow")(**TINY), tmp_path / "run")
    with pytest.raises(FaaError, match="`adds` of the search algorithm 'grow' failed with ZeroDivisionError"):
        faa_search.search(settings_of_algorithm("grow")(**TINY), tmp_path / "run")


def test_settings_that_could_not_be_read_again(install: Callable[[str], None], tmp_path: Path) -> None:
    """Where the default can, and what is given cannot."""
    field = "from pathlib import Path\nclass GrowConfig(SharedSearchConfig):\n    place: Path | None = None"
    install(PLUGIN.replace("class GrowConfig(SharedSearchConfig):", field))
    with pytest.raises(FaaError, match=r"config\.yaml: place: .* instance of path"):
        faa_search.search(settings_of_algorithm("grow")(**TINY, place=tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_of_a_class_that_was_made_anew(make: Callable[..., SharedSearchConfig], tmp_path: Path) -> None:
    """Both are called the same: the message does not tell them apart by their names."""
    config = make()
    del sys.modules["growing_plugin"]
    with pytest.raises(FaaError, match="of another class than the one that the search algorithm 'grow' has now"):
        faa_search.search(config, tmp_path / "run")


@pytest.fixture
def said(
    install: Callable[[str], None], faa_here: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return what runs `faa ARGUMENTS` with the plugin and gives what it shows."""
    install(PLUGIN)

    def run(*arguments: str) -> str:
        faa_here(*arguments)
        return capsys.readouterr().out

    return run


def test_from_the_command_line(said: Callable[..., str], tmp_path: Path) -> None:
    """Searched, shown, found again, and read by what reads runs."""
    shown = said("search", "--algorithm", "grow", *FLAGS, "--height", "2", "--output", "run")
    assert "Found 2 layers in 2 s. height: 2." in shown
    assert "It grew." in shown
    assert "Only training decides:" in shown
    assert "faa train --dataset digits --train-subset 60" in shown
    assert "The policy, what it was made from and heights.png are in run" in shown
    assert (tmp_path / "run" / "heights.png").read_bytes().startswith(b"\x89PNG")
    assert "trials" not in shown
    assert not (tmp_path / "run" / "trials.png").exists()
    policy = said("policy", "show", "run/policy.json")
    assert "digits-wrn16_1-grow: layers, 2 layers" in policy
    assert "height 2" in policy
    assert "It is the same policy as 'digits-wrn16_1-grow'." in said(
        "search", "--like", "run/policy.json", *FLAGS, "--output", "again"
    )
    assert json.loads((tmp_path / "again" / "policy.json").read_text())["provenance"]["height"] == 2
    assert "'again' is finished" not in said("search", "--config", "again/config.yaml", "--output", "again")


def test_help_has_a_panel_of_its_name(said: Callable[..., str]) -> None:
    """With its own settings and its stages; Fast AutoAugment's are those of the usual page."""
    page = said("search", "--algorithm", "grow", "--help")
    own = page.partition("\ngrow:\n")[2].partition("\n\n")[0]
    assert "--height N" in own
    assert "Layers to grow. (default: 4)" in own
    assert "One of plant, harvest." in page
    assert "faa search --algorithm grow --dataset photos" in page
    assert "--depth" not in page
    assert "--epochs" in page
    usual = said("search", "--help")
    assert "--depth" in usual
    assert "--height" not in usual


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--algorithm", "grow", "--depth", "3"], "--depth is a setting of the search algorithm 'fast' and 'random'"),
        (["--height", "3"], "--height is a setting of the search algorithm 'grow', and this search is by 'fast'"),
        (["--algorithm=grow", "--no-common-draws"], "--no-common-draws is a setting of the search algorithm 'fast'"),
        (["--algorithm", "grow", "--heigt", "3"], "has no option --heigt; did you mean --height"),
        (["--algorithm", "grwo"], "No search algorithm is called 'grwo'; did you mean grow"),
    ],
)
def test_flags_of_others_are_refused(
    said: Callable[..., str], capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    """With the algorithm that has them, or the nearest name."""
    with pytest.raises(AssertionError) as raised:
        said("search", *words)
    capsys.readouterr()
    assert expected in str(raised.value)


def test_the_commands_own_names_are_taken() -> None:
    """So that no setting of an algorithm can be called like them."""
    own = set(inspect.signature(search_command).parameters) - {"flags"}
    assert own | {"help", "command"} == TAKEN


def test_a_refusal_without_words_names_its_kind(install: Callable[[str], None], faa_here: Callable[..., None]) -> None:
    """Else the line would end after "Error:"."""
    said_nothing = "    from faa_core import FaaError\n    raise FaaError('')\n    journal = Journal"
    install(PLUGIN.replace("    journal = Journal", said_nothing))
    with pytest.raises(AssertionError, match="Error: FaaError, without a message"):
        faa_here("search", "--algorithm", "grow", *FLAGS, "--output", "run")


@pytest.mark.parametrize("name", ["output", "help", "no_amp"])
def test_a_setting_that_is_called_as_the_commands_own(
    install: Callable[[str], None],
    faa_here: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """Only the algorithm that has it is refused; no other one is harmed."""
    install(PLUGIN.replace("    height: Count", f"    {name}: bool = False\n    height: Count"))
    flag = f"--{name.replace('_', '-')}"
    faa_here("search", "--algorithm", "random", *([flag] if name != "output" else [flag, "x"]), "--help")
    assert "--depth" in capsys.readouterr().out
    with pytest.raises(AssertionError, match=f"The setting '{name}' of the search algorithm 'grow'"):
        faa_here("search", "--algorithm", "grow", "--help")


def test_a_picture_that_fails_is_a_note(
    install: Callable[[str], None], faa_here: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The search is finished: what it found is shown."""
    install(PLUGIN.replace('Picture(name="heights"', 'exit() or Picture(name="heights"'))
    faa_here("search", "--algorithm", "grow", *FLAGS, "--output", "run")
    shown = capsys.readouterr().out
    assert "Not all pictures are drawn: `pictures` of the search algorithm 'grow' failed with SystemExit" in shown
    assert "Found 4 layers" in shown
    assert "are in run" in shown


def test_doctor_shows_what_a_search_would_be_refused_for(
    install: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An algorithm can load, and be no algorithm of its name."""
    install(PLUGIN.replace('name="grow"', 'name="grew"'))
    with pytest.raises(SystemExit):
        doctor()
    assert "has the name 'grew'" in " ".join(capsys.readouterr().out.split())


def test_the_commands_own_flags_load_no_other_algorithm(
    install: Callable[[str], None], faa_here: Callable[..., None]
) -> None:
    """What another plugin does when it is imported concerns only whoever uses it."""
    install(PLUGIN)
    faa_here("search", "--algorithm", "random", "--output", "run", "--epochs", "1", "--help")
    assert "growing_plugin" not in sys.modules
