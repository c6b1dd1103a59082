"""Settings in layers, their messages, and the recipes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from faa_core import FaaError, UnknownNameError
from faa_search.settings import EvalConfig, SearchConfig, Settings, TrainConfig, as_pairs, differences
from faa_search.settings.algorithms import resolve_search
from faa_search.settings.recipes import load_recipe, recipe_names
from faa_search.settings.resolving import Layer, read_layer, resolve
from faa_search.training.models import model_input

COMMANDS: dict[str, type[Settings]] = {"train": TrainConfig, "search": SearchConfig}


def fault(config: type[Settings], *layers: Layer) -> str:
    """Return what resolving bad settings says."""
    with pytest.raises(FaaError) as raised:
        resolve(config, list(layers))
    return str(raised.value)


def test_later_layers_win() -> None:
    """Default < recipe < file < flag, key by key."""
    layers = [
        Layer("recipe r", {"lr": 1, "epochs": 10, "seed": 10}),
        Layer("c.yaml", {"lr": 2, "epochs": 20}),
        Layer("flags", {"lr": 3}),
    ]
    config = resolve(TrainConfig, layers)
    assert (3.0, 20, 10, TrainConfig().batch_size) == (config.lr, config.epochs, config.seed, config.batch_size)
    assert 1.0 == resolve(TrainConfig, layers[::-1]).lr


def test_dashes_are_underscores() -> None:
    """As on the command line; both spellings are one key, the later winning."""
    config = resolve(TrainConfig, [Layer("f", {"batch-size": 7, "weight_decay": 1}), Layer("g", {"weight-decay": 0.5})])
    assert (7, 0.5) == (config.batch_size, config.weight_decay)


def test_unknown_keys_are_named_with_a_suggestion() -> None:
    """The layer, the key as it was written, and what is close."""
    assert "c.yaml: unknown setting 'batchsize'; did you mean batch_size?" == fault(
        TrainConfig, Layer("c.yaml", {"batchsize": 3})
    )
    assert "c.yaml: unknown setting 'qqqq' of a training; see the command's --help." == fault(
        TrainConfig, Layer("c.yaml", {"qqqq": 3})
    )
    assert "c.yaml: unknown setting 'foo' of a search; the nearest name is folds." == fault(
        SearchConfig, Layer("c.yaml", {"foo": 3})
    )
    assert "unknown setting 'folds'" in fault(TrainConfig, Layer("c.yaml", {"folds": 3}))
    assert "unknown setting '1'" in fault(TrainConfig, Layer("c.yaml", {1: 3}))  # type: ignore[dict-item]


def test_values_that_are_not_allowed() -> None:
    """What was given, where, and what is allowed; all faults at once, flags as they are typed."""
    message = fault(
        TrainConfig,
        Layer("recipe r", {"lr": -1}),
        Layer("flags", {"batch_size": 0, "sched": "linear", "epochs": "many"}),
    )
    assert "recipe r: lr: it must be more than 0 (given -1)" in message
    assert "--batch-size: it must be at least 1 (given 0)" in message
    assert (
        "--sched: input should be 'cosine', 'step', 'multistep', 'micronet' or 'constant' (given 'linear')" in message
    )
    assert "--epochs: " in message


def test_what_our_own_checks_say() -> None:
    """In their words, without pydantic's before them."""
    said = fault(TrainConfig, Layer("flags", {"scale": (1.0, 0.5), "model_kwargs": "depth"}))
    assert "--scale: the first number must not be larger than the second (given (1.0, 0.5))" in said
    assert "--model-kwargs: give name=value pairs" in said
    assert "error" not in said.lower()


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"held_out": 0},
        {"held_out": 1},
        {"test_fraction": 1},
        {"hflip": 1.5},
        {"reward": "loss"},
        {"views": 0},
        {"img_size": 3},
        {"seed": -1},
        {"scale": [0.5]},
    ],
)
def test_ranges(settings: dict[str, Any]) -> None:
    """Nothing outside its range comes through."""
    (key,) = settings
    assert f"f: {key}: " in fault(SearchConfig, Layer("f", settings))


def test_arguments_of_a_model() -> None:
    """Literals, true and false in any case, and words; whatever they are, the written form reads back the same."""
    config = TrainConfig(model_kwargs="a=1, b=-0.5,c=true,d=False,e=word,f='1',g=1e-5")  # type: ignore[arg-type]
    read = {"a": 1, "b": -0.5, "c": True, "d": False, "e": "word", "f": "1", "g": 1e-5}
    assert read == config.model_kwargs
    assert [type(value) for value in read.values()] == [type(value) for value in config.model_kwargs.values()]
    assert "a=1,b=-0.5,c=True,d=False,e=word,f='1',g=1e-05" == as_pairs(read)
    odd = read | {"h": "true", "i": "", "j": " x ", "k": "it's", "l": "'q'", "m": "a=b", "n": "None", "o": "b'a'"}
    assert odd == TrainConfig(model_kwargs=as_pairs(odd)).model_kwargs  # type: ignore[arg-type]
    assert TrainConfig(model_kwargs=odd).model_kwargs == odd


def test_a_file_of_settings(tmp_path: Path) -> None:
    """YAML reads 1e-3 as a word; it is a number all the same. Lists are ranges, empty files are empty."""
    path = tmp_path / "c.yaml"
    path.write_text("lr: 1e-3\nscale: [0.2, 1]\namp: true\nimg-size:\n")
    config = resolve(TrainConfig, [read_layer(path)])
    assert (0.001, (0.2, 1.0), True, None) == (config.lr, config.scale, config.amp, config.img_size)
    path.write_text("# nothing\n")
    assert Layer(str(path), {}) == read_layer(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"- lr\n", "must hold 'key: value' lines"), (b"lr: [", "is not YAML"), (b"\xff\xfe\xfd", "cannot be read")],
)
def test_files_that_are_no_settings(tmp_path: Path, content: bytes, words: str) -> None:
    """The file is named."""
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(FaaError, match=words) as raised:
        read_layer(path)
    assert str(path) in str(raised.value)
    with pytest.raises(FaaError, match="cannot be read"):
        read_layer(tmp_path / "no.yaml")


def test_settings_are_frozen_and_closed() -> None:
    """Nobody changes them on the way, or invents one."""
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().lr = 0.2  # type: ignore[misc]
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        TrainConfig(learning_rate=0.1)  # type: ignore[call-arg]


@pytest.mark.parametrize("config", [TrainConfig, SearchConfig, EvalConfig])
def test_every_setting_has_help(config: type[Settings]) -> None:
    """A sentence each, for the command line."""
    for name, field in config.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert field.default == config().model_dump()[name], name


def test_differences_of_settings() -> None:
    """Old → new, sorted; what is only on one side counts; what is ignored does not."""

    class Some(Settings):
        a: int = 5
        b: int = 1
        d: int = 4
        e: int = Field(default=9, json_schema_extra={"formerly": 8})
        w: int = 2

    old = {"command": "train", "b": 1, "a": 2, "c": 3, "w": 1}
    found = differences(old, Some(), ignoring=frozenset({"w"}))
    assert ["a: 2 → 5", "c: 3 → None", "d: None → 4", "e: 8 → 9"] == found


def test_the_package_opens_without_torch() -> None:
    """A command's help should not wait for it; `search` is there when asked for."""
    light = "faa_search, faa_search.settings.resolving, faa_search.settings.recipes"
    code = f"import sys, {light}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    import faa_search  # noqa: PLC0415 as a user does

    assert {"SearchConfig", "TrainConfig", "search"} <= set(faa_search.__all__)
    assert callable(faa_search.search)
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        faa_search.serach  # noqa: B018 type: ignore[attr-defined]


@pytest.mark.parametrize("name", recipe_names())
def test_recipes(name: str) -> None:
    """Each resolves for each of its commands and names an existing model."""
    recipe = load_recipe(name)
    assert name == recipe.name
    assert recipe.about
    assert set(recipe.sections)
    assert set(COMMANDS) >= set(recipe.sections)
    for command in recipe.sections:
        layers = [recipe.layer(command)]
        config: Any = resolve_search(layers) if command == "search" else resolve(COMMANDS[command], layers)
        assert model_input(config.model).size > 0


def test_the_recipes_there_are() -> None:
    """Sorted names; an unknown one gets a suggestion, a command it is not for is said."""
    names = recipe_names()
    assert names == sorted(names)
    assert {"digits/wrn16_1", "cifar10/wrn40_2", "cifar10/wrn28_10"} <= set(names)
    with pytest.raises(UnknownNameError, match="did you mean cifar10/wrn40_2"):
        load_recipe("cifar10/wrn40-2")
    with pytest.raises(FaaError, match="'cifar10/wrn28_10' is not for faa search; it has: train"):
        load_recipe("cifar10/wrn28_10").layer("search")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("zzz", "known: cifar10/…, cifar100/…, digits/…, imagenet/…, svhn/…. `faa recipe list` shows them."),
        ("svhn/" + 30 * "z", "known: svhn/wrn28_10."),
        ("wrn40_2", "did you mean cifar10/wrn40_2 or cifar100/wrn40_2"),
    ],
)
def test_recipes_to_suggest(given: str, said: str) -> None:
    """What is near; else those of the data set; else the data sets, not all names in a line."""
    with pytest.raises(UnknownNameError) as raised:
        load_recipe(given)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 200


def test_the_papers_recipe() -> None:
    """The released settings of the original for the search and the training of its CIFAR table."""
    recipe = load_recipe("cifar10/wrn40_2")
    train = resolve(TrainConfig, [recipe.layer("train")])
    search = resolve(SearchConfig, [recipe.layer("search")])
    assert ("torch/cifar10", 200, 128, 0.1, 5, 2e-4, 5.0, 16, "cosine") == (
        train.dataset,
        train.epochs,
        train.batch_size,
        train.lr,
        train.warmup_epochs,
        train.weight_decay,
        train.clip_grad,
        train.cutout,
        train.sched,
    )
    assert ("reduced_cifar10", 5, 0.4, 2, 200, 10, 5, 2, 5) == (
        search.dataset,
        search.folds,
        search.held_out,
        search.width,
        search.depth,
        search.top,
        search.sub_policies,
        search.ops,
        search.views,
    )
    assert search.model == train.model == "wrn40_2"
