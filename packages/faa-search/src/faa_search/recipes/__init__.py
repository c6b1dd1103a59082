"""Named complete configurations, as YAML beside this file.

A recipe's header says what it is, where its numbers come from, the command, the hardware and the expected error, and
what it deviates in and why; its sections ``train`` and ``search`` are settings of those commands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from faa_core import FaaError, UnknownNameError
from faa_search.resolving import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe.

    Attributes:
        name: Folder and file, such as ``cifar10/wrn40_2``.
        about: What it is, in a line.
        text: The file, with its header.
        sections: Settings by command.
    """

    name: str
    about: str
    text: str
    sections: Mapping[str, Mapping[str, Any]]

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
        for folder in files("faa_search.recipes").iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    )


def load_recipe(name: str) -> Recipe:
    """Return a recipe.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in recipe_names():
        raise UnknownNameError("recipe", name, recipe_names(), hint="`faa recipe list` shows them.")
    resource: Traversable = files("faa_search.recipes").joinpath(f"{name}.yaml")
    text = resource.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    sections = {key: value or {} for key, value in content.items() if key != "about"}
    return Recipe(name=name, about=content["about"], text=text, sections=sections)
