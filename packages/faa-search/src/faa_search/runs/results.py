"""Reading what runs came to: each kind of result from its file, once, for everybody."""

import csv
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, TypeAdapter

from faa_core import FaaError, Policy, SubPolicies
from faa_core.reading import as_text, read_content
from faa_core.text import safe
from faa_search.runs import schemas
from faa_search.runs.files import COMPARISON, POLICY, RESULT
from faa_search.runs.records.comparison import Comparison
from faa_search.runs.records.figures import Row
from faa_search.runs.records.search import (
    Control,
    Found,
    FoundFile,
    SearchResult,
    TrialsFile,
    check_figures,
    in_words,
)
from faa_search.runs.records.training import TrainResult
from faa_search.runs.schemas import NewerRecordError, read_record, said_kind, write_record

IN_FILES = {"none": "identity"}  # what a control has been called in results from the first version on


def read_training(directory: Path) -> TrainResult | None:
    """Return the result of a finished training, else None.

    Raises:
        FaaError: If its file cannot be read.
    """
    path = directory / RESULT
    if not path.is_file():
        return None
    try:
        return read_record(path, TypeAdapter(TrainResult), schemas.TRAINING, finite=False)  # a loss may be endless
    except NewerRecordError:
        raise
    except FaaError as error:
        raise FaaError(
            f"'{safe(path)}' holds no result ({error}). Delete it, and the same command makes it again from the "
            "weights, which are kept; that takes one pass over the test images."
        ) from error


def write_search(directory: Path, result: Found) -> None:
    """Write a result beside its policy, which is there."""
    filed = [replace(row, name=IN_FILES.get(row.name, row.name)) for row in result.controls]
    if isinstance(result, SearchResult):
        known = {name: getattr(result, name) for name in _names(TrialsFile)} | {"controls": [*map(asdict, filed)]}
        write_record(directory, RESULT, TrialsFile.schema, known | {"verdict": in_words(filed)})
        return
    known = {name: getattr(result, name) for name in _names(FoundFile)}
    known |= {"policy": _digest(directory), "controls": [*map(asdict, filed)], "notes": list(result.notes)}
    write_record(directory, RESULT, FoundFile.schema, known | {"verdict": result.verdict})


def read_search(directory: Path) -> Found | None:
    """Return the result of a finished search, else None.

    Raises:
        FaaError: If its files cannot be read.
    """
    path = directory / RESULT
    if not path.is_file() or not (directory / POLICY).is_file():
        return None
    of_trials = True
    try:
        policy = Policy.load(directory / POLICY)
        of_trials = said_kind(path) != FoundFile.schema.partition("/")[0]
        return _of_trials(path, policy) if of_trials else _found(directory, policy)
    except NewerRecordError:
        raise
    except FaaError as error:
        remake = "from the trials, which are kept; that takes as long as comparing with the controls did."
        raise FaaError(
            f"'{safe(path)}' holds no result ({error}). Delete it, and the same command makes it again "
            f"{remake if of_trials else 'from what is kept beside it.'}"
        ) from error


def _of_trials(path: Path, policy: Policy) -> SearchResult:
    """Return the result of a search among trials."""
    kind = TypeAdapter(Annotated[TrialsFile, AfterValidator(check_figures)])
    filed = read_record(path, kind, TrialsFile.schema)
    if policy.provenance.get("trials") != filed.trials:
        raise FaaError(f"the policy beside it does not come from the {filed.trials} trials that it is about")
    if not isinstance(policy, SubPolicies):
        raise FaaError("the policy beside it is of another kind than a search among trials makes")
    known = {name: getattr(filed, name) for name in _names(TrialsFile)}
    return SearchResult(policy=policy, **known | {"controls": _named_here(filed.controls)})


def _found(directory: Path, policy: Policy) -> Found:
    """Return the result of another algorithm's search."""
    filed = read_record(directory / RESULT, TypeAdapter(FoundFile), FoundFile.schema)
    if filed.policy != _digest(directory):
        raise FaaError("the policy beside it is another one than it is about")
    known = {name: getattr(filed, name) for name in _names(FoundFile)}
    return Found(**known | {"policy": policy, "controls": _named_here(filed.controls)})


def _named_here(controls: Sequence[Control]) -> list[Control]:
    here = {there: name for name, there in IN_FILES.items()}
    return [replace(row, name=here.get(row.name, row.name)) for row in controls]


def _names(kind: type[TrialsFile] | type[FoundFile]) -> list[str]:
    return [field.name for field in fields(kind)]


def _digest(directory: Path) -> str:
    return hashlib.blake2b(read_content(directory / POLICY), digest_size=16).hexdigest()


def read_comparison(
    directory: Path, *, check: Callable[[Comparison], Comparison] = lambda comparison: comparison
) -> Comparison | None:
    """Return the result of a finished comparison, else None.

    Args:
        directory: The comparison's.
        check: Raises a ValueError where its figures do not follow from its errors.

    Raises:
        FaaError: If its file cannot be read.
    """
    path = directory / COMPARISON
    if not path.is_file():
        return None
    try:
        return read_record(path, TypeAdapter(Annotated[Comparison, AfterValidator(check)]), schemas.COMPARISON)
    except NewerRecordError:
        raise
    except FaaError as error:
        raise no_comparison(path, str(error)) from error


def no_comparison(path: Path, reason: str) -> FaaError:
    """Return the error of a file that does not hold the comparison it should."""
    return FaaError(
        f"'{safe(path)}' holds no comparison ({reason}). Delete it, and the same command makes it again in seconds "
        "from the finished runs beside it, which are kept."
    )


def read_epochs(path: Path) -> tuple[Row, ...]:
    """Return the rows of a table of epochs; a figure that was not asked for is None.

    Raises:
        FaaError: If it cannot be read, or holds something else than numbers; the message says what, not in which file.
    """
    try:
        rows = list(csv.DictReader(as_text(read_content(path)).splitlines(), strict=True))
        return tuple({str(name): _figure(name, text) for name, text in row.items()} for row in rows)
    except (ValueError, TypeError, csv.Error) as error:
        raise FaaError(safe(error)) from error


def _figure(name: str, text: str) -> int | float | None:
    """Return a figure of the table; a loss may be endless, a number of epochs is whole."""
    if text == "":
        return None
    number = float(text)
    if not name.endswith("_loss") and not math.isfinite(number):
        raise ValueError(f"'{name}' must be a number, not {text!r:.40}")
    return int(number) if name == "epoch" else number
