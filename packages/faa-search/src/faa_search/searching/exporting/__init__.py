"""A search's trials as other tools keep them: a study of Optuna's, or the documents of hyperopt's Trials."""

from collections.abc import Callable, Mapping
from pathlib import Path

from faa_core import FaaError, UnknownNameError
from faa_core.files import creating
from faa_core.text import safe
from faa_search.searching.exporting.hyperopt_documents import write_documents
from faa_search.searching.exporting.optuna_study import write_study
from faa_search.searching.exporting.trials import Trials, read_run
from faa_search.settings import SearchConfig
from faa_search.settings.calls import directory_of

TOOLS: Mapping[str, Callable[[Trials, Path], None]] = {"hyperopt": write_documents, "optuna": write_study}
JOURNALS, DATABASES = (".journal", ".log"), (".db", ".sqlite", ".sqlite3")
SUFFIXES = {"hyperopt": (".json",), "optuna": (*DATABASES, *JOURNALS)}

__all__ = ["SUFFIXES", "TOOLS", "SearchConfig", "export_trials"]


def export_trials(directory: str | Path, tool: str, path: str | Path) -> int:
    """Write the trials of a search for another tool; return how many there are.

    Args:
        directory: Of the search, finished or not.
        tool: "optuna" writes a study into an SQLite file (``.db``, ``.sqlite``, ``.sqlite3``) or into a journal of
            Optuna's (``.log``, ``.journal``), "hyperopt" a JSON list of documents (``.json``) for
            ``hyperopt.trials_from_docs``.
        path: A new file; what is there already is never replaced.

    Raises:
        UnknownNameError: If there is no such tool.
        FaaError: If the directory holds no search, or no trials; if the file is there, has another suffix or cannot be
            written; or if Optuna is asked for and not installed.
    """
    if tool not in TOOLS:
        raise UnknownNameError("tool to export trials to", tool, TOOLS)
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES[tool]:
        raise FaaError(
            f"'{safe(target)}' must end in {' or '.join(SUFFIXES[tool])} for {tool}, which tells how it is written."
        )
    trials = read_run(directory_of(directory, written=False))
    with creating(target) as temporary:
        TOOLS[tool](trials, temporary)
    return len(trials.entries)
