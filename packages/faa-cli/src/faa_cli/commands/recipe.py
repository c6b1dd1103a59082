"""`faa recipe`: list, show, schema."""

import json
import re
from typing import Annotated

import typer

from faa_cli.help_pages import Command, Group
from faa_cli.showing import say, show_table, write_data
from faa_search.settings.recipes import load_recipe, recipe_names, recipe_schema

EXAMPLES = """
See which there are, and everything about one:
faa recipe list
faa recipe show cifar10/wrn40_2
Train by one, with fewer epochs:
faa train --recipe digits/wrn16_1 --epochs 20
"""
LIST_EXAMPLES = """
faa recipe list
Only those of a data set:
faa recipe list | grep svhn
"""
SHOW_EXAMPLES = """
faa recipe show digits/wrn16_1
faa recipe show imagenet/resnet50
"""
SCHEMA_EXAMPLES = """
faa recipe schema
Keep it for an editor that checks YAML files:
faa recipe schema > recipe.schema.json
"""
app = typer.Typer(add_completion=False, cls=Group, epilog=EXAMPLES)
SMALL_FIRST = ("digits", "cifar10", "cifar100", "svhn", "imagenet")


@app.callback()
def group() -> None:
    """Show recipes: complete settings of a training or a search, by name, with the source of every number.

    `faa train`, `faa search` and `faa compare` take one by --recipe; other flags take precedence over it.
    """


@app.command("list", cls=Command, epilog=LIST_EXAMPLES)
def list_recipes() -> None:
    """List the recipes, by data set."""
    recipes = [load_recipe(name) for name in sorted(recipe_names(), key=_place)]
    rows = [(recipe.name, ", ".join(recipe.sections), recipe.about) for recipe in recipes]
    show_table(("recipe", "for", "what it is"), rows)


@app.command(cls=Command, epilog=SHOW_EXAMPLES)
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe's name; see `faa recipe list`.")]) -> None:
    """Show a recipe: where its numbers come from, the commands, the errors to expect, and all settings."""
    for line in load_recipe(name).text.splitlines():
        say(line)


@app.command(cls=Command, epilog=SCHEMA_EXAMPLES)
def schema() -> None:
    """Show the JSON schema of a recipe's file."""
    write_data(json.dumps(recipe_schema(), indent=2))


def _place(name: str) -> tuple[int, str, list[tuple[int, str]]]:
    """Return where a recipe stands in the list: by data set, numbers in names by their size."""
    folder, _slash, file = name.partition("/")
    parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file)]
    known = SMALL_FIRST.index(folder) if folder in SMALL_FIRST else len(SMALL_FIRST)
    return known, folder, parts
