"""What a search by the original Fast AutoAugment code leaves: lines of its log, and the parameters of Ray's trials.

The log is where that code writes the policy it has found: one line that is JSON, after a line for each of the best
trials. Ray keeps each trial's parameters in ``params.json``, and in every line of ``result.json``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError
from faa_core.formats.evaluating import evaluate, has_unknown
from faa_core.formats.literals import parsing
from faa_core.operations import SEARCH_LIST
from faa_core.reading import NotJsonError, parse_json
from faa_core.text import counted

BEGINNING = re.compile(r"(?:\[[^\[\]]*\] *)+")  # [time] [logger] [level]
SCORES = re.compile(r"loss=\S+ +top1_valid=\S+ +")
COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # and whatever else ECMA-48 tells a terminal so
PARAMETER = re.compile(r"(policy|prob|level)_([0-9]{1,3})_ ?([0-9]{1,3})")
AT_MOST_A_SCORE = 1_000  # trials in one log


class _Line(NamedTuple):
    """A list that begins in a line of a log: which line, from 1, and the rest of it."""

    number: int
    text: str

    def is_cut(self) -> bool:
        """Return whether the line ends before the list does."""
        return self.text.count("[") > self.text.count("]")


class SearchedTable(NamedTuple):
    """Sub-policies of ``[operation, p, level]``, and what must be known of them."""

    sub_policies: list[Any]
    note: str = ""


def without_colours(text: str) -> str:
    """Return a text without the codes that colour it on a terminal."""
    return COLOURS.sub("", text)


def found_in_log(text: str) -> SearchedTable | None:
    """Return the policy that a log holds, or the lines of one that were copied; None where it is no such log.

    A log of a stopped search holds no policy, only the best trials of each fold so far. Then all of these are taken,
    as that code would: of a trial's sub-policies with the same operations, the first.

    Args:
        text: Without colours.

    Raises:
        FaaError: If several policies are in it, or a line that is needed ends early.
    """
    whole, trials = _lines(text)
    complete = [line for line in whole if not line.is_cut()]
    if len(complete) > 1:
        raise FaaError("This log has several policies; copy the line of the one that is meant into a separate file.")
    if complete:
        return SearchedTable(_literal(complete[0]))
    for line in (*whole, *trials):
        if line.is_cut():
            raise FaaError(
                f"Line {line.number} of this log begins like a policy and ends early. Put the whole line there; or, if "
                "it is lost, remove it, and the lines that are whole are read."
            )
    if not trials or len(trials) > AT_MOST_A_SCORE:
        return None
    if len(trials) == 1:
        return SearchedTable(_literal(trials[0]))
    joined = [sub for line in trials for sub in _of_different_operations(_literal(line))]
    return SearchedTable(
        joined, f"the log has no line of the whole policy; joined from its {counted(len(trials), 'best trial')}"
    )


def found_in_parameters(text: str) -> SearchedTable | None:
    """Return the sub-policies that parameters of a trial stand for; None where the text holds none.

    Raises:
        FaaError: If several trials are in it, or a parameter is missing or not one of a policy.
    """
    trials = [own for document in _documents(text) if (own := _parameters(document))]
    if not trials:
        return None
    if any(other != trials[0] for other in trials):
        raise FaaError("The parameters of several trials are in it; give those of one.")
    return SearchedTable(_decoded(trials[0]))


def _lines(text: str) -> tuple[list[_Line], list[_Line]]:
    """Return the lists that begin in a log's lines, each once: of whole policies, and of trials."""
    whole: dict[str, _Line] = {}
    trials: dict[str, _Line] = {}
    for number, full in enumerate(text.split("\n"), 1):
        for line in full.split("\r"):  # a progress bar before it
            found = BEGINNING.match(line)
            rest = line[found.end() if found else 0 :].strip()
            scores = SCORES.match(rest)
            own = _Line(number, rest[scores.end() if scores else 0 :])
            if own.text.startswith("[[") and (own.text.endswith("]]") or own.is_cut()) and (scores or found):
                (trials if scores else whole).setdefault(own.text, own)
    return list(whole.values()), list(trials.values())


def _literal(line: _Line) -> list[Any]:
    odd = FaaError(f"Line {line.number} of this log looks like a policy, but is not a list of literals.")
    try:
        data = parse_json(line.text, finite=False)
    except NotJsonError:
        try:
            with parsing(line.text) as body:
                data = evaluate(body[0].value, {}).data if hasattr(body[0], "value") else None
        except FaaError as error:
            raise odd from error
    if not isinstance(data, list) or has_unknown(data, {}):
        raise odd
    return data


def _of_different_operations(sub_policies: Iterable[Any]) -> list[Any]:
    """Return sub-policies without those whose operations another one before them has."""
    kept: dict[Any, Any] = {}
    for sub in sub_policies:
        names = tuple(str(use[0]) for use in sub) if all(isinstance(use, list | tuple) and use for use in sub) else sub
        kept.setdefault(str(names), sub)
    return list(kept.values())


def _documents(text: str) -> list[Any]:
    """Return the JSON documents of a text: one, or one in each line."""
    if not PARAMETER.search(text):
        return []
    try:
        return [parse_json(text, finite=False)]
    except NotJsonError:
        pass
    try:
        return [parse_json(line, finite=False) for line in text.splitlines() if line.strip()]
    except NotJsonError:
        return []


def _parameters(document: Any) -> dict[str, Any]:
    """Return the parameters in a document of Ray's, itself or its "config", by name."""
    if not isinstance(document, dict):
        return {}
    inner = document.get("config")
    fields = inner if isinstance(inner, dict) else document
    matches = [(PARAMETER.fullmatch(str(name)), value) for name, value in fields.items()]
    return {f"{found[1]}_{int(found[2])}_{int(found[3])}": value for found, value in matches if found}


def _decoded(parameters: Mapping[str, Any]) -> list[Any]:
    places = sorted({tuple(map(int, name.split("_")[1:])) for name in parameters})
    subs: dict[int, list[Any]] = {}
    for i, j in places:
        missing = [name for kind in ("policy", "prob", "level") if (name := f"{kind}_{i}_{j}") not in parameters]
        if missing:
            raise FaaError(f"The parameter '{missing[0]}' is missing, so the policy is not whole.")
        which = parameters[f"policy_{i}_{j}"]
        if not isinstance(which, int) or isinstance(which, bool) or not 0 <= which < len(SEARCH_LIST):
            last = len(SEARCH_LIST) - 1
            raise FaaError(f"'policy_{i}_{j}' must be the number of an operation, 0 … {last}, not {which!r:.40}.")
        subs.setdefault(i, []).append(
            [SEARCH_LIST[which].name, parameters[f"prob_{i}_{j}"], parameters[f"level_{i}_{j}"]]
        )
    return list(subs.values())
