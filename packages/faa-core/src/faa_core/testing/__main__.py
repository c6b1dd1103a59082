"""`python -m faa_core.testing`: which implementations have the golden pixels.

Prints a table of operations and policies by implementation, and what differs; ends with 1 if anything differs by more
than allowed, and with 2 if the question was wrong.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from faa_core.errors import FaaError
from faa_core.files import write_text
from faa_core.testing.conformance import Row, check, reasons
from faa_core.testing.golden import read_golden
from faa_core.testing.implementations import Implementation, engine, engines_here, subject
from faa_core.testing.writing import write_golden

PACKAGES = ("faa-core", "pillow", "numpy", "torch", "torchvision", "numba", "triton")
REPORT = "faa-conformance/1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if something differs by more than allowed, 2 for a mistake.

    Args:
        arguments: Of the command line; the process's own when None.
    """
    given = _parser().parse_args(arguments)
    try:
        if given.write is not None:
            if given.engine or given.operation or given.subject or given.tolerance or given.json:
                raise FaaError("--write tests nothing: give it alone.")
            write_golden(given.write)
            return 0
        chosen = _implementations(given.engine, given.subject, given.tolerance)
        rows = check(chosen, read_golden(), operations=given.operation)
        if given.json is not None:
            write_text(given.json, _report(rows))
    except FaaError as error:
        return _mistake(str(error))
    names = tuple(dict.fromkeys(tested.name for tested in chosen))
    sys.stdout.write("\n".join([*_table(rows, names), "", *_summary(rows, names), ""]))
    return int(not all(row.passed for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m faa_core.testing",
        description="Compare the pixels of each operation, and of whole policies, with the golden set.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--engine",
        action="append",
        default=[],
        help="engine to test, or torch@DEVICE; repeatable; all that run here by default",
    )
    add("--operation", action="append", default=[], help="operation to confine the test to; repeatable")
    add("--subject", metavar="MODULE:FUNCTION", help="test an implementation of yours (instead of the engines, unless "
        "--engine is given too): a function of (image, operation, argument, place, shape, fill, interpolation) that "
        "takes and returns uint8 [H, W, C]; NotImplementedError says that it does not offer something")  # fmt: skip
    add("--tolerance", type=int, default=0, help="largest difference of a value that the subject is allowed (0…255)")
    add("--json", type=Path, metavar="FILE", help="write everything that is not equal, in full")
    add("--write", type=Path, metavar="DIR", help="write the golden set from Pillow's kernels instead of testing")
    return parser


def _implementations(engines: list[str], function: str | None, tolerance: int) -> list[Implementation]:
    if not 0 <= tolerance <= 255:
        raise FaaError(f"--tolerance is a difference of 0 to 255, not {tolerance}.")
    if tolerance and function is None:
        raise FaaError("--tolerance is what a --subject is allowed; the engines are allowed nothing. Give both.")
    names = engines or (() if function else engines_here())
    mine = [subject(function, tolerance=tolerance)] if function else []
    return [*(engine(name) for name in dict.fromkeys(names)), *mine]


def _table(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return a line for each operation and policy, a column for each implementation."""
    cells = {(row.name, row.implementation): row.verdict for row in rows}
    lines = [["", *names]]
    lines += [[row, *(cells[row, name] for name in names)] for row in dict.fromkeys(row.name for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _summary(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return how many results were compared by each implementation, and the worst of each row that is not equal."""
    lines = []
    for name in names:
        own = [row for row in rows if row.implementation == name]
        compared, offered = sum(row.compared for row in own), sum(len(row.findings) for row in own)
        line = f"{name}: {compared} results compared"
        if compared < offered:
            line += f", {offered - compared} not offered ({'; '.join(reasons(own))})"
        lines.append(line)
    return lines + [_worst(row) for row in rows if row.worst.badness > (False, 0)]


def _worst(row: Row) -> str:
    """Return what is wrong with a row, in words."""
    beyond = "" if row.passed else f", beyond its tolerance of {row.tolerance}"
    who = f"{row.name} by {row.implementation}{beyond}"
    wrong = sum(finding.badness > (False, 0) for finding in row.findings)
    worst = row.worst
    if worst.error:
        return f"{who}: failed: {worst.error} ({worst.case}; {wrong} of {row.compared} results are not equal)"
    if worst.largest is None:
        return f"{who}: {wrong} of {row.compared} results differ, and Pillow here too, so it is not known by how much"
    return (
        f"{who}: {wrong} of {row.compared} results differ; the worst in {worst.differing:,} pixels by up to "
        f"{worst.largest}, {worst.where} ({worst.case})"
    )


def _report(rows: Sequence[Row]) -> str:
    """Return the whole report as JSON; of the findings only those that are not equal."""
    versions = {name: _version(name) for name in PACKAGES}
    listed = [
        {
            "name": row.name,
            "implementation": row.implementation,
            "tolerance": row.tolerance,
            "verdict": row.verdict,
            "passed": row.passed,
            "compared": row.compared,
            "findings": [asdict(found) for found in row.findings if found.skipped or found.badness > (False, 0)],
        }
        for row in rows
    ]
    whole = {"schema": REPORT, "versions": versions, "passed": all(row.passed for row in rows), "rows": listed}
    return json.dumps(whole, indent=1) + "\n"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _mistake(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
