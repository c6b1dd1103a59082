"""Named complete configurations, as YAML beside this file; `schema` defines what they hold.

A recipe states what it is, where its numbers come from, the commands, the hardware and the expected error, and what it
deviates in and why; its sections ``train`` and ``search`` are settings of those commands.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from faa_core import FaaError, UnknownNameError
from faa_core.hub import fetch, is_hub_name, parse_name
from faa_core.reading import as_text, read_content
from faa_core.text import safe
from faa_core.yaml_files import parse_yaml
from faa_search.settings import TrainConfig
from faa_search.settings.algorithms import resolve_search
from faa_search.settings.recipes.schema import RecipeFile, recipe_schema
from faa_search.settings.resolving import Layer, resolve

__all__ = ["Recipe", "RecipeFile", "load_recipe", "parse_recipe", "recipe_names", "recipe_schema"]

COMMANDS = ("train", "search")
FILE, MOST_BYTES = "recipe.yaml", 1 << 16  # in a repository of the Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe.

    Attributes:
        name: Folder and file, such as ``cifar10/wrn40_2``.
        text: The file as it is.
        facts: What it states for its reader.
        sections: Settings by command, only those that it sets.
    """

    name: str
    text: str
    facts: RecipeFile
    sections: Mapping[str, Mapping[str, Any]]

    @property
    def about(self) -> str:
        """Return what it is, in a line."""
        return self.facts.about

    def layer(self, command: str) -> Layer:
        """Return the settings for a command.

        Raises:
            FaaError: If the recipe has none for it.
        """
        if command not in self.sections:
            raise FaaError(f"The recipe '{self.name}' is not for faa {command}; it has: {', '.join(self.sections)}.")
        return Layer(f"recipe {self.name}", self.sections[command])


def recipe_names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(
        f"{folder.name}/{file.name.removesuffix('.yaml')}"
        for folder in files("faa_search.settings.recipes").iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    )


def load_recipe(name: str) -> Recipe:
    """Return a recipe.

    Args:
        name: Folder and file; or hf://OWNER/NAME of a repository with a ``recipe.yaml``.

    Raises:
        UnknownNameError: If there is none of that name.
        FaaError: If its file lacks what a recipe has to state, or has a setting that there is not.
    """
    if is_hub_name(name):
        wanted = parse_name(name)
        path = fetch(wanted, wanted.file or FILE, most=MOST_BYTES).path
        return parse_recipe(safe(name), as_text(read_content(path, most=MOST_BYTES)))
    if name not in (names := recipe_names()):
        raise UnknownNameError("recipe", name, _nearest(name, names), hint="`faa recipe list` shows them.")
    resource: Traversable = files("faa_search.settings.recipes").joinpath(f"{name}.yaml")
    return parse_recipe(name, resource.read_text(encoding="utf-8"))


def _nearest(name: str, names: list[str]) -> list[str]:
    """Return the names to suggest: all if one is near, else those of the same data set, else the data sets."""
    folder = name.partition("/")[0]
    of_folder = [known for known in names if known.startswith(f"{folder}/")]
    if difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        return names
    return of_folder or sorted({f"{known.partition('/')[0]}/…" for known in names})


def parse_recipe(name: str, text: str) -> Recipe:
    """Return the recipe that a text is, all of it checked.

    Args:
        name: What to call it.
        text: YAML.

    Raises:
        FaaError: If it is not YAML, lacks something or has too much; the message names the key.
    """
    source = f"recipe {name}"
    content = parse_yaml(text, source=f"The {source}")
    if not content:
        raise FaaError(f"The {source} must hold 'key: value' lines, such as about, command and train.")
    sections = {command: content[command] or {} for command in COMMANDS if command in content}
    for command, settings in sections.items():
        if not isinstance(settings, dict):
            raise FaaError(f"The {source} must hold 'key: value' lines under {command}.")
        layer = Layer(f"{source}, {command}", settings)
        content[command] = resolve_search([layer]) if command == "search" else resolve(TrainConfig, [layer])
    facts = resolve(RecipeFile, [Layer(source, content)])
    return Recipe(name=name, text=text, facts=facts, sections=sections)
