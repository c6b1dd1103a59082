"""Reading what runs came to: each kind of result from its file, once, for all readers."""

import csv
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter

from faa_core import FaaError, Policy, SubPolicies
from faa_core.errors import NewerRecordError
from faa_core.reading import as_text, read_content
from faa_core.text import safe
from faa_search.runs.files import COMPARISON, MIRRORS, POLICY, RESULT
from faa_search.runs.records.comparison import Comparison
from faa_search.runs.records.figures import Row
from faa_search.runs.records.mirrors import MirrorTest, check_mirrors
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
from faa_search.runs.schemas import check_record, read_record, said_kind, write_record

FROM_RUNS = "again in seconds from the finished runs beside it, which are kept"
OF_TRIALS: TypeAdapter[TrialsFile] = TypeAdapter(Annotated[TrialsFile, AfterValidator(check_figures)])
OF_ANOTHER = TypeAdapter(FoundFile)
OF_MIRRORS: TypeAdapter[MirrorTest] = TypeAdapter(Annotated[MirrorTest, AfterValidator(check_mirrors)])
IN_FILES = {"none": "identity"}  # what a control has been called in results from the first version on


def read_training(directory: Path) -> TrainResult | None:
    """Return the result of a finished training, else None.

    Raises:
        FaaError: If its file cannot be read.
    """
    path = directory / RESULT
    if not path.is_file():
        return None
    remedy = "again from the weights, which are kept; that takes one pass over the test images"
    with _damaged(path, "result", remedy):
        return read_record(path, TypeAdapter(TrainResult), TrainResult.schema, finite=False)  # a loss may be endless


def write_search(directory: Path, result: Found) -> None:
    """Write a result beside its policy, which is there."""
    schema, document = _filed(result, _digest(directory))
    write_record(directory, RESULT, schema, document)


def check_search(result: Found) -> None:
    """Refuse a result that could not be read again once it is written.

    Raises:
        FaaError: If it could not; the message states what.
    """
    kind = OF_TRIALS if isinstance(result, SearchResult) else OF_ANOTHER
    check_record(kind, *_filed(result, digest=""))


def _filed(result: Found, digest: str) -> tuple[str, dict[str, Any]]:
    """Return the schema and the content of a result's file, but for what `write_record` adds."""
    filed = [replace(row, name=IN_FILES.get(row.name, row.name)) for row in result.controls]
    if isinstance(result, SearchResult):
        known = {name: getattr(result, name) for name in _names(TrialsFile)} | {"controls": [*map(asdict, filed)]}
        return TrialsFile.schema, known | {"verdict": in_words(filed)}
    known = {name: getattr(result, name) for name in _names(FoundFile)}
    known |= {"policy": digest, "controls": [*map(asdict, filed)], "notes": list(result.notes)}
    return FoundFile.schema, known | {"verdict": result.verdict}


def read_search(directory: Path) -> Found | None:
    """Return the result of a finished search, else None.

    Raises:
        FaaError: If its files cannot be read.
    """
    path = directory / RESULT
    if not path.is_file() or not (directory / POLICY).is_file():
        return None
    remedy = "again from the trials, which are kept; that takes as long as comparing with the controls did"
    with _damaged(path, "result", remedy):
        of_trials = said_kind(path) != FoundFile.schema.partition("/")[0]
    if not of_trials:
        remedy = "again from what is kept beside it"
    with _damaged(directory / POLICY, "policy", remedy):
        policy = Policy.load(directory / POLICY)
    with _damaged(path, "result", remedy):
        return _of_trials(path, policy) if of_trials else _found(directory, policy)


@contextmanager
def _damaged(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Say of a record that cannot be read what it costs to make it again; one of a newer version is good."""
    try:
        yield
    except NewerRecordError:
        raise
    except FaaError as error:
        raise FaaError(
            f"'{safe(path)}' holds no {what} ({error}). Delete it, and the same command makes it {remedy}."
        ) from error


def _of_trials(path: Path, policy: Policy) -> SearchResult:
    """Return the result of a search among trials."""
    filed = read_record(path, OF_TRIALS, TrialsFile.schema)
    if policy.provenance.get("trials") != filed.trials:
        raise FaaError(f"the policy beside it does not come from the {filed.trials} trials that it is about")
    if not isinstance(policy, SubPolicies):
        raise FaaError("the policy beside it is of another kind than a search among trials makes")
    known = {name: getattr(filed, name) for name in _names(TrialsFile)}
    return SearchResult(policy=policy, **known | {"controls": _named_here(filed.controls)})


def _found(directory: Path, policy: Policy) -> Found:
    """Return the result of another algorithm's search."""
    filed = read_record(directory / RESULT, OF_ANOTHER, FoundFile.schema)
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


def write_mirrors(directory: Path, test: MirrorTest) -> None:
    """Write what a search measured of mirrored images."""
    write_record(directory, MIRRORS, MirrorTest.schema, asdict(test))


def read_mirrors(directory: Path) -> MirrorTest | None:
    """Return what a search measured of mirrored images; None if it has measured nothing.

    Raises:
        FaaError: If its file cannot be read.
    """
    path = directory / MIRRORS
    if not path.is_file():
        return None
    with _damaged(path, "mirror test", "again if no trial was scored yet, and else goes on without"):
        return read_record(path, OF_MIRRORS, MirrorTest.schema)


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
    with _damaged(path, "comparison", FROM_RUNS):
        kind = TypeAdapter(Annotated[Comparison, AfterValidator(check)])
        return read_record(path, kind, Comparison.schema)


def check_compared(path: Path, comparison: Comparison, policies: Sequence[str], seeds: int) -> None:
    """Refuse a comparison of other policies or another number of seeds than its directory was made with.

    Raises:
        FaaError: If it is so.
    """
    with _damaged(path, "comparison", FROM_RUNS):
        if [row.name for row in comparison.policies] != [*policies] or len(comparison.policies[0].errors) != seeds:
            raise FaaError("its policies or seeds differ from those in the directory's settings")


def read_epochs(path: Path) -> tuple[Row, ...]:
    """Return the rows of a table of epochs; a figure that was not asked for is None.

    Raises:
        FaaError: If it cannot be read, or holds something else than numbers; the message does not name the file.
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
