"""`faa axes`."""

from typing import Annotated

import typer

from faa_cli.help_pages import Command
from faa_cli.showing import show_table
from faa_core import Policy

EXAMPLES = """
faa axes zoom-and-light
Of a policy that you found:
faa axes runs/search/policy.json
"""
app = typer.Typer(add_completion=False)


@app.command(cls=Command, epilog=EXAMPLES)
def axes(policy: Annotated[str, typer.Argument(metavar="POLICY", help="A name or a file.")]) -> None:
    """Show the axis of each operation of a policy: its argument at both ends, and the unit."""
    rows = Policy.load(policy).table.values()  # a FaaError becomes a message and exit code 2
    show_table(
        ("operation", "at 0", "at 1", "unit", "moves pixels"),
        [(row.name, f"{row.low:g}", f"{row.high:g}", row.unit, "yes" if row.matrix else "no") for row in rows],
    )
