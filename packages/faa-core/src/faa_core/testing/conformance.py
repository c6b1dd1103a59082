"""Comparing implementations with the golden set: what is equal, what is not, by how much and where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from faa_core.errors import FaaError, UnknownNameError
from faa_core.testing.golden import Call, DrawnPolicy, Golden, standard_operations
from faa_core.testing.images import Pixels, images, sha256
from faa_core.testing.implementations import Implementation, pillow_pixels, pillow_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result against its golden one.

    Attributes:
        case: What was done to which image, in words.
        differing: How many pixels differ; None if some do and neither a picture nor the Pillow here tells how many.
        largest: Largest difference of a value, 0…255; None like `differing`.
        where: The first pixel that differs, in words.
        error: What was raised instead, with its type; empty for a result.
        skipped: Why it was not offered; empty where it was.
    """

    case: str
    differing: int | None = 0
    largest: int | None = 0
    where: str = ""
    error: str = ""
    skipped: str = ""

    @property
    def badness(self) -> tuple[bool, int]:
        """What findings are ordered by, the worse the greater: whether it failed, and the largest difference."""
        return bool(self.error), 256 if self.largest is None else self.largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All results of one operation, or of one policy, by one implementation.

    Attributes:
        name: Of the operation, or "policy …".
        implementation: Its name.
        tolerance: Largest difference that it is allowed.
        findings: One for each result, at least one.
    """

    name: str
    implementation: str
    tolerance: int
    findings: tuple[Finding, ...]

    @property
    def compared(self) -> int:
        """How many results there were to compare, failures among them."""
        return sum(not finding.skipped for finding in self.findings)

    @property
    def worst(self) -> Finding:
        """The finding that says most against it."""
        return max(self.findings, key=lambda finding: finding.badness)

    @property
    def passed(self) -> bool:
        """Whether nothing failed and no value is further off than allowed."""
        return self.worst.badness <= (False, self.tolerance)

    @property
    def verdict(self) -> str:
        """In a word or two: equal, within 1, differs by 200, differs, failed, or not offered."""
        if not self.compared:
            return "not offered"
        worst = self.worst
        if worst.error:
            return "failed"
        if worst.largest is None:
            return "differs"
        if worst.largest == 0:
            return "equal"
        return f"{'within' if worst.largest <= max(1, self.tolerance) else 'differs by'} {worst.largest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One thing to ask of an implementation.

    Attributes:
        row: It belongs to.
        asked: A call, for one image, or the draws of a policy.
        image: Name of the test image.
        cases: Each result in words.
        expected: SHA-256 of each result.
    """

    row: str
    asked: Call | DrawnPolicy
    image: str
    cases: tuple[str, ...]
    expected: tuple[str, ...]


def check(
    implementations: Sequence[Implementation], golden: Golden, *, operations: Sequence[str] = ()
) -> tuple[Row, ...]:
    """Return a row for each operation and policy of the golden set and each implementation.

    Args:
        implementations: What to test.
        golden: What to test against.
        operations: Names to confine the test to, without policies; everything when empty.

    Raises:
        FaaError: If the test images made here are not those of the golden set, or nothing could be compared.
        UnknownNameError: If an operation is not in the golden set.
    """
    pictures = images()
    if {name: sha256(pixels) for name, pixels in pictures.items()} != golden.images:
        raise FaaError("The test images made here are not those of the golden set; the two are of different versions.")
    known = {call.operation for call in golden.calls}
    for name in operations:
        if name not in known:
            raise UnknownNameError("operation in the golden set", name, known)
    tests: dict[str, list[_Test]] = {}
    for test in _tests(golden):
        if not operations or test.row in operations:
            tests.setdefault(test.row, []).append(test)
    rows = tuple(
        Row(
            name=name,
            implementation=tested.name,
            tolerance=tested.tolerance,
            findings=tuple(finding for test in own for finding in _findings(tested, test, golden, pictures)),
        )
        for name, own in tests.items()
        for tested in implementations
    )
    if not any(row.compared for row in rows):
        raise FaaError(f"Nothing could be compared: {'; '.join(reasons(rows))}.")
    return rows


def reasons(rows: Sequence[Row]) -> list[str]:
    """Return why results were not offered, each reason once."""
    return sorted({finding.skipped for row in rows for finding in row.findings if finding.skipped})


def _tests(golden: Golden) -> Iterator[_Test]:
    table = standard_operations()
    for call in golden.calls:
        unit = table[call.operation].unit
        argument = f"{call.argument:g}" if unit == "none" else f"{call.argument:g} {unit}"
        case = f"{argument}, {call.interpolation}, place {call.place}, shape {call.shape}, fill {call.fill}"
        for image, expected in call.sha256.items():
            yield _Test(row=call.operation, asked=call, image=image, cases=(f"{image}, {case}",), expected=(expected,))
    for drawn in golden.drawn:
        case = f"{drawn.image}, seed {drawn.seed}, epoch {drawn.epoch}"
        cases = tuple(f"{case}, index {index}" for index in drawn.indices)
        row = f"policy {drawn.policy.name}"
        yield _Test(row=row, asked=drawn, image=drawn.image, cases=cases, expected=drawn.sha256)


def _findings(tested: Implementation, test: _Test, golden: Golden, pictures: dict[str, Pixels]) -> list[Finding]:
    """Return what comes of one test; whatever the implementation raises is part of the report."""
    image, asked = pictures[test.image], test.asked
    try:
        done = [tested.call(image, asked)] if isinstance(asked, Call) else tested.policy(image, asked)
    except NotImplementedError as reason:
        return [Finding(case=case, skipped=_line(reason) or "not implemented") for case in test.cases]
    except Exception as error:  # noqa: BLE001 somebody's code can fail in any way
        words = f"{type(error).__name__}: {_line(error)}"
        return [Finding(case=case, differing=None, largest=None, error=words) for case in test.cases]
    if [sha256(pixels) for pixels in done] == list(test.expected):
        return [Finding(case=case) for case in test.cases]
    references = _references(test, golden, image)
    return [
        _compared(case, pixels, expected, reference)
        for case, pixels, expected, reference in zip(test.cases, done, test.expected, references, strict=True)
    ]


def _references(test: _Test, golden: Golden, image_HWC: Pixels) -> list[Pixels | None]:
    """Return the golden pixels of a test: stored ones, or Pillow's where they have the golden SHA-256; else None."""
    if isinstance(test.asked, Call):
        stored = golden.pixels(test.asked, test.image)
        made = [pillow_pixels(image_HWC, test.asked) if stored is None else stored]
    else:
        made = pillow_steps(image_HWC, test.asked)
    return [
        pixels if sha256(pixels) == expected else None for pixels, expected in zip(made, test.expected, strict=True)
    ]


def _compared(case: str, given_HWC: Pixels, expected: str, golden_HWC: Pixels | None) -> Finding:
    if sha256(given_HWC) == expected:
        return Finding(case=case)
    if golden_HWC is None:
        return Finding(case=case, differing=None, largest=None)
    difference_HWC = np.abs(given_HWC.astype(np.int64) - golden_HWC)
    differs_HW = difference_HWC.any(axis=-1)
    y, x = np.argwhere(differs_HW)[0].tolist()
    given, golden = given_HWC[y, x].tolist(), golden_HWC[y, x].tolist()
    where = f"first at x {x}, y {y}: {given} instead of {golden}"
    return Finding(case=case, differing=int(differs_HW.sum()), largest=int(difference_HWC.max()), where=where)


def _line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return next(iter(str(error).strip().splitlines()), "")
