"""The training that a search suggests: on the same images, with the same network, fitted in the same way."""

import shlex
from collections.abc import Container, Mapping
from typing import Any

from faa_cli.options import takes_a_pair
from faa_search.settings import DataConfig, SharedSearchConfig, TrainConfig, as_pairs
from faa_search.settings.recipes import load_recipe


def training_command(
    recipe: str | None, given: Mapping[str, Any], policy: str, *, leaving_out: Container[str] = ()
) -> str:
    """Return the command, as a shell takes it, with every given setting that both commands have.

    Args:
        recipe: Named in the search's command.
        given: Settings of its file and flags.
        policy: The found policy's file.
        leaving_out: Settings that are for the networks of the search only.
    """
    words = ["faa", "train"]
    sections = load_recipe(recipe).sections if recipe is not None else {}
    if recipe is not None and "train" in sections:
        words += ["--recipe", recipe]
    else:
        given = {**sections.get("search", {}), **given}
    shared = [name for name in SharedSearchConfig.model_fields if name in TrainConfig.model_fields]
    for name in sorted(shared, key=lambda name: name not in DataConfig.model_fields):
        if given.get(name) not in (None, {}) and name not in leaving_out:
            words += _typed(name, given[name])
    return shlex.join([*words, "--policy", policy])


def _typed(name: str, value: Any) -> list[str]:
    """Return a setting as the words of its flag."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if takes_a_pair(SharedSearchConfig.model_fields[name]) and not isinstance(value, str):
        return [flag, *map(str, value)]
    if isinstance(value, Mapping):
        return [flag, as_pairs(value)]
    return [flag, ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]
