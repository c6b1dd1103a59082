"""`faa recipe`: list, show."""

from typing import Annotated

import typer

from faa_cli.showing import show_table
from faa_search.recipes import load_recipe, recipe_names

app = typer.Typer(add_completion=False, help="Named complete settings.", no_args_is_help=True)


@app.command("list")
def list_recipes() -> None:
    """List the recipes."""
    recipes = [load_recipe(name) for name in recipe_names()]
    rows = [(recipe.name, ", ".join(recipe.sections), recipe.about) for recipe in recipes]
    show_table(("recipe", "for", "what it is"), rows)


@app.command()
def show(name: Annotated[str, typer.Argument(help="See `faa recipe list`.")]) -> None:
    """Show a recipe: where its numbers come from, and all settings."""
    typer.echo(load_recipe(name).text, nl=False)
