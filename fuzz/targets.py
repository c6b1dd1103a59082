"""What is fuzzed: samples to begin with, pieces to put in, how a case is read, and what must hold of it then."""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
import yaml
from PIL import Image

from faa_cli.help_pages import Command
from faa_cli.options import with_settings
from faa_core import FaaError, Policy
from faa_core.formats import read_policy
from faa_search.data import ImageSource, open_data
from faa_search.measuring.comparison import read_comparison
from faa_search.measuring.evaluation.weights import find_weights
from faa_search.runs.directory import read_config
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.runs.results import read_search
from faa_search.searching.audit import Training
from faa_search.settings import Budget, CompareConfig, DataConfig, EvalConfig, SearchConfig, Settings, TrainConfig
from faa_search.settings.recipes import load_recipe, parse_recipe, recipe_names
from faa_search.settings.resolving import Layer, read_layer, resolve
from fuzz import samples

CORPUS = Path(__file__).parent / "corpus"
COMMANDS: tuple[type[Settings], ...] = (TrainConfig, SearchConfig, CompareConfig, EvalConfig)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that reads what anybody wrote.

    Attributes:
        name: Also of its folder in the corpus.
        pieces: Kinds of pieces, as ``pieces.json`` has them, that are put into samples.
        read: Reads a case in an empty folder; raises FaaError where it refuses it, AssertionError where it accepts
            what is wrong.
        made: Samples beside the corpus.
        mend: Applied to every other case.
    """

    name: str
    pieces: tuple[str, ...]
    read: Callable[[bytes, Path], None]
    made: Callable[[], Iterator[bytes]] = lambda: iter(())
    mend: Callable[[bytes], bytes] = bytes

    def kept(self) -> list[Path]:
        """Return the inputs in the corpus: samples, and whatever failed once."""
        return sorted((CORPUS / self.name).iterdir())


def _default_settings() -> Iterator[bytes]:
    for config in COMMANDS:
        yield yaml.safe_dump({"command": "train", **config().model_dump(mode="json")}, sort_keys=False).encode()


def _single_flags() -> Iterator[bytes]:
    for command, config in zip(("train", "search", "compare", "eval"), COMMANDS, strict=True):
        for name, value in config().model_dump().items():
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            yield f"{command}\n--{name.replace('_', '-')}\n{shown}".encode()


def _recipes() -> Iterator[bytes]:
    return (load_recipe(name).text.encode() for name in recipe_names())


def _settings(content: bytes, folder: Path) -> None:
    path = folder / "settings.yaml"
    path.write_bytes(content)
    layer = read_layer(path)
    config = _of_some_command(layer)
    root = yaml.compose(content.decode("utf-8-sig"))  # the same as another reader sees it
    keys = (
        [key.value.replace("-", "_") for key, _value in root.value if key.value != "<<"]
        if isinstance(root, yaml.MappingNode)
        else []
    )
    assert len(keys) == len(set(keys)), "a key is there twice"
    for key, value in layer.settings.items():
        taken = getattr(config, key.replace("-", "_"))
        if isinstance(taken, bool) or isinstance(value, bool):
            assert taken is value, f"{key}: {value!r} was read as {taken!r}"
        elif isinstance(taken, int | float):
            assert float(value) == float(taken), f"{key}: {value!r} was read as {taken!r}"
            assert not isinstance(value, str) or {"e", "."} & set(value.lower()), f"{key}: {value!r} is a text"
    _same_again(config, folder)


def _of_some_command(layer: Layer) -> Settings:
    refused: list[FaaError] = []
    for config in COMMANDS:
        try:
            return resolve(config, [layer])
        except FaaError as error:
            refused.append(error)
    raise refused[0]


def _same_again(config: Settings, folder: Path) -> None:
    """Check that a run's config.yaml gives the same settings, and that their numbers have an end."""
    (folder / "config.yaml").write_text(yaml.safe_dump({"command": "x", **config.model_dump(mode="json")}))
    assert resolve(type(config), [read_layer(folder / "config.yaml")]) == config, "not the same when read again"
    assert read_config(folder)["command"] == "x"
    for name, value in config.model_dump().items():
        assert not isinstance(value, int | float) or abs(value) < 2**63, f"{name}: {value}"
    budget = getattr(config, "budget", None)
    assert budget is None or 0 < Budget.parse(budget).seconds < 1e10


def _recipe(content: bytes, folder: Path) -> None:
    (folder / "config.yaml").write_bytes(content)
    with suppress(FaaError):
        assert all(isinstance(key, str) for key in read_config(folder))
    recipe = parse_recipe("a/b", content.decode("utf-8", "replace").removeprefix("\ufeff"))
    for command in recipe.sections:
        resolve(TrainConfig if command == "train" else SearchConfig, [recipe.layer(command)])


def _flags(content: bytes, folder: Path) -> None:
    """Read a case's lines as the arguments of a command, its first line."""
    command, *arguments = content.replace(b"\0", b"").decode("utf-8", "surrogateescape").split("\n")
    kind = {"search": SearchConfig, "compare": CompareConfig, "eval": EvalConfig}.get(command, TrainConfig)
    found: list[Settings] = []

    def take(*, flags: dict[str, Any]) -> None:
        found.append(resolve(kind, [Layer("flags", flags)]))

    app, said, code = typer.Typer(add_completion=False), io.StringIO(), None
    app.command(cls=Command)(with_settings(kind, "Settings")(take))
    try:
        with redirect_stderr(said), redirect_stdout(said):
            app(arguments, prog_name="faa")
    except SystemExit as end:
        code = end.code
    assert code == (0 if found or "--help" in arguments else 2), code
    if not found:
        raise FaaError(said.getvalue())
    _same_again(found[0], folder)


def _archive(content: bytes, folder: Path) -> None:
    (folder / "data.npz").write_bytes(content)
    _check_source(_opened(folder / "data.npz"))


def _opened(path: Path) -> ImageSource:
    data = open_data(DataConfig(dataset=str(path)), model_size=8, note=lambda _said: None)
    if data.open_test is not None:
        _check_source(data.open_test())
    return data.train


def _check_source(source: ImageSource) -> None:
    labels, names = source.labels, source.class_names
    assert len(set(names)) == len(names) <= 100_000, "class names"
    assert labels.dtype == np.int64
    assert ((labels >= 0) & (labels < len(names))).all()
    for index in range(min(len(source), 3)):
        image = source.image(index)
        assert (image.mode, min(image.size) > 0) == ("RGB", True)
        image.load()


def _image(content: bytes, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        Image.new("RGB", (10, 12)).save(folder / name / "0.png")
    (folder / "b/1.png").write_bytes(content)  # its content says what it is
    source = _opened(folder)
    _check_source(source)
    header = getattr(source, "header", None)
    for index in range(len(source) if header else 0):
        assert header(index)[1] == source.image(index).size, "another size than declared"


def _journal(content: bytes, folder: Path) -> None:
    (folder / "read.jsonl").write_bytes(content)
    kind: type[Any] = Training if b'"accuracy"' in content else Trial
    entries = Journal(folder / "read.jsonl", kind).read()
    for entry in entries:
        figures = [value for value in asdict(entry).values() if value is not None]  # a trial may lack its origin
        figures += [value for group in figures if isinstance(group, dict) for value in group.values()]
        assert all(math.isfinite(figure) for figure in figures if isinstance(figure, int | float)), entry
        assert not any(isinstance(figure, bool) for figure in figures), entry
        assert all(isinstance(number, int) for number in entry.key), entry
        Journal(folder / "written.jsonl", kind).append(entry)
    assert Journal(folder / "written.jsonl", kind).read() == entries
    assert len({entry.key for entry in entries}) == len(entries)


def _policy(content: bytes, folder: Path) -> None:
    path = folder / "policy.txt"
    path.write_bytes(content)
    policy = read_policy(path)
    (folder / "policy.json").write_text(policy.to_json(), encoding="utf-8")
    assert Policy.load(folder / "policy.json").to_json() == policy.to_json(), "not the same when read again"
    assert policy.apply(Image.new("RGB", (9, 7)), seed=1, epoch=2, index=3).size == (9, 7)


def _results(content: bytes, folder: Path) -> None:
    """Read a case as each of the JSON files that runs and weights have."""
    for name in ("result.json", "comparison.json", "config.json"):
        (folder / name).write_bytes(content)
    (folder / "model.safetensors").touch()
    (folder / "policy.json").write_text('{"kind": "sub-policies", "sub_policies": [[]]}')
    reads: tuple[Callable[[], object], ...] = (
        lambda: read_search(folder),
        lambda: read_comparison(folder),
        lambda: find_weights(checkpoint=str(folder)),
    )
    refused = []
    for read in reads:
        try:
            read()
        except FaaError as error:
            refused.append(error)
    if len(refused) == len(reads):
        raise refused[0]


TEXT = ("numbers", "words")
TARGETS = (
    Target(name="settings", pieces=(*TEXT, "yaml"), read=_settings, made=_default_settings),
    Target(name="recipes", pieces=(*TEXT, "yaml"), read=_recipe, made=_recipes),
    Target(name="flags", pieces=(*TEXT, "flags"), read=_flags, made=_single_flags),
    Target(name="archives", pieces=(*TEXT, "npy"), read=_archive, made=samples.archives, mend=samples.with_checksums),
    Target(name="images", pieces=TEXT, read=_image, made=samples.images, mend=samples.with_checksums),
    Target(name="journals", pieces=(*TEXT, "json"), read=_journal, mend=samples.with_checksums),
    Target(name="policies", pieces=(*TEXT, "json"), read=_policy),
    Target(name="results", pieces=(*TEXT, "json"), read=_results),
)
