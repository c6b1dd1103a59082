"""`faa trials`: export."""

from pathlib import Path
from typing import Annotated

import typer

from faa_cli.help_pages import Command, Group
from faa_cli.outputs import check_outputs
from faa_cli.showing import say, say_starting
from faa_core.text import counted

EXAMPLES = """
Look at a search's trials in Optuna's dashboard (pip install optuna-dashboard):
faa trials export runs/search trials.db --to optuna
Go on with them in hyperopt:
faa trials export runs/search trials.json --to hyperopt
"""
EXPORT_EXAMPLES = """
A study in an SQLite file; then: optuna-dashboard sqlite:///trials.db
faa trials export runs/search trials.db --to optuna
Documents for hyperopt's Trials:
faa trials export runs/search trials.json --to hyperopt
"""
app = typer.Typer(add_completion=False, cls=Group, epilog=EXAMPLES)


@app.callback()
def group() -> None:
    """Give a search's trials to other tools.

    A trial is one candidate policy, with its reward on a fold. A search keeps them in trials.jsonl.
    """


@app.command(cls=Command, epilog=EXPORT_EXAMPLES)
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Directory of a search, finished or not.")],
    target: Annotated[
        str,
        typer.Argument(metavar="OUT", help="File to make: .db (SQLite) or .log (journal) for optuna, else .json."),
    ],
    *,
    to: Annotated[str, typer.Option(metavar="TOOL", help="Which tool it is for: optuna or hyperopt.")],
) -> None:
    """Write a search's trials as a study of Optuna's, or as documents of hyperopt's Trials.

    Optuna's study has all trials, and its direction is to maximise the reward. Each trial has its fold and round as
    attributes. hyperopt's documents have the negative reward as the loss; hyperopt.trials_from_docs takes the list in
    the file. An existing file is not replaced.
    """
    say_starting()
    from faa_search.searching.exporting import export_trials  # noqa: PLC0415 torch is slow to import

    check_outputs({"OUT": Path(target)})
    number = export_trials(Path(run), to, target)
    say(f"Wrote {target} ({counted(number, 'trial')} for {to})")
