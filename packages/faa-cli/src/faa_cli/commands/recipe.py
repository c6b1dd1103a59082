"""`faa recipe`: list, show, schema."""

import json
import re
from typing import Annotated

import typer

from faa_cli.showing import show_table
from faa_search.recipes import load_recipe, recipe_names, recipe_schema

app = typer.Typer(add_completion=False, help="Named complete settings.", no_args_is_help=True)
SMALL_FIRST = ("digits", "cifar10", "cifar100", "svhn", "imagenet")


@app.command("list")
def list_recipes() -> None:
    """List the recipes, by data set."""
    recipes = [load_recipe(name) for name in sorted(recipe_names(), key=_place)]
    rows = [(recipe.name, ", ".join(recipe.sections), recipe.about) for recipe in recipes]
    show_table(("recipe", "for", "what it is"), rows)


@app.command()
def show(name: Annotated[str, typer.Argument(help="See `faa recipe list`.")]) -> None:
    """Show a recipe: where its numbers come from, the commands, the errors to expect, and all settings."""
    typer.echo(load_recipe(name).text, nl=False)


@app.command()
def schema() -> None:
    """Show the JSON schema of a recipe's file."""
    typer.echo(json.dumps(recipe_schema(), indent=2))


def _place(name: str) -> tuple[int, str, list[tuple[int, str]]]:
    """Return where a recipe stands in the list: by data set, numbers in names by their size."""
    folder, _slash, file = name.partition("/")
    parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file)]
    known = SMALL_FIRST.index(folder) if folder in SMALL_FIRST else len(SMALL_FIRST)
    return known, folder, parts
