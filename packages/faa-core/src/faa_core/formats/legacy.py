"""The lists of the Fast AutoAugment release and its relatives: sub-policies of ``[operation, p, level]``.

A level is a position in [0, 1] on the release's axis, which is ours under the same name. The AutoAugment tables of the
release have whole levels 0…10 instead, which a decorator turns into arguments by AutoAugment's rules.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from faa_core.errors import FaaError, UnknownNameError
from faa_core.formats.axes import build, differ_in_noise, is_number, nearest_axis, on_axis, parts, position
from faa_core.formats.leeway import Leeway
from faa_core.formats.literals import Table, read_table
from faa_core.formats.original_search import found_in_log, found_in_parameters, without_colours
from faa_core.operations import SEARCH_LIST, Operation, operation
from faa_core.policies.kinds import SubPolicies
from faa_core.policies.policy import Op, Policy

Levels = Literal["unit", "autoaugment"]

NAMES = (
    *(row.name for row in SEARCH_LIST),
    "CutoutAbs",
    "Posterize2",
    "TranslateXAbs",
    "TranslateYAbs",
    "SamplePairing",
)
DECORATOR = "autoaug2arsaug"  # of the release's functions whose tables have AutoAugment's levels
SPACES: dict[str, Levels] = {"faa": "unit", "autoaugment-table-11-levels": "autoaugment"}

# AutoAugment's arguments of a level 0…10, in the operation's unit.
RULES: dict[str, Callable[[int], float]] = {
    **dict.fromkeys(("ShearX", "ShearY"), lambda level: level * 0.3 / 10),
    **dict.fromkeys(("TranslateXAbs", "TranslateYAbs"), float),
    **dict.fromkeys(("Contrast", "Color", "Brightness", "Sharpness"), lambda level: level * 1.8 / 10 + 0.1),
    "Rotate": lambda level: int(level * 30 / 10),
    "Solarize": lambda level: 256 - int(level * 256 / 10),
    "Posterize2": lambda level: 4 - int(level * 4 / 10),
    "CutoutAbs": lambda level: int(level * 20 / 10),
}


class _Entry(NamedTuple):
    op: str
    p: float
    level: float
    where: str


def parse(text: str, *, table: str | None = None, levels: Levels | None = None) -> SubPolicies:
    """Return the policy of a list in JSON, as a Python literal, or in a Python file, which is not executed.

    Args:
        text: A list of sub-policies of ``[op, p, level]`` or ``{"op", "p", "level"}``; an object that holds it under
            "sub_policies"; an object of ``{op: [p, level]}`` by number, as junkwhinger's search writes; or what a
            search by the release leaves, see `original_search`.
        table: Which variable or function of a Python file; needed where it holds several.
        levels: "unit" for positions in [0, 1], "autoaugment" for whole levels 0…10; None takes the latter where the
            text says so or a level is above 1.

    Raises:
        FaaError: If the text is no such list; the entry at fault is named.
    """
    text = without_colours(text)
    searched = (found_in_log(text) or found_in_parameters(text)) if table is None else None
    found = Table(searched.sub_policies) if searched else read_table(text, table=table)
    value, name = found.value, found.name
    said: Levels | None = "autoaugment" if found.decorators else None
    if found.decorators not in ((), (DECORATOR,)):
        raise FaaError(
            f"'{name}' is decorated by {found.decorators[-1]}, which is not executed; only {DECORATOR} is known."
        )
    if isinstance(value, dict) and "sub_policies" in value:
        name, said = value.get("name", name), SPACES.get(str(value.get("space")))
        value = value["sub_policies"]
    entries = [list(_entries(sub, number)) for number, sub in enumerate(_sub_policies(value))]
    said = "unit" if searched else said
    meant: Levels = levels or said or _guess([entry for sub in entries for entry in sub])
    return build(
        SubPolicies,
        {
            "name": name if isinstance(name, str) and name else "unnamed",
            "sub_policies": tuple(tuple(_use(entry, meant) for entry in sub) for sub in entries),
            "provenance": {"format": "fast-autoaugment", "levels": meant}
            | ({"notes": [searched.note]} if searched and searched.note else {}),
        },
    )


def write(policy: Policy, *, leeway: Leeway | None = None) -> str:
    """Return a policy as a list that is JSON and Python alike, one sub-policy a line, with levels in [0, 1].

    Args:
        policy: Of sub-policies.
        leeway: How exact it must be; strict when None. Lists have no room for its notes.

    Raises:
        FaaError: If the release has no such policy: another kind, fill or filter, or an operation that none of its
            axes holds; the operation is named.
    """
    if not isinstance(policy, SubPolicies):
        raise FaaError(
            f"'{policy.name}' is not a table of sub-policies, which is all that Fast AutoAugment's lists can hold."
        )
    allowed = leeway or Leeway()
    differ_in_noise(policy, allowed)
    if (policy.fill, policy.interpolation) != ((0, 0, 0), "nearest"):
        allowed.differ(
            f"the policy fills with {policy.fill} and samples {policy.interpolation}",
            instead="black and nearest, as its lists mean",
        )
    lines = []
    for sub_policy in policy.sub_policies:
        entries = [_written(policy.table[use.op], use, allowed) for use in sub_policy]
        lines.append(json.dumps([entry for entry in entries if entry is not None]))
    allowed.settle("Fast AutoAugment's lists cannot express this")
    return "[\n " + ",\n ".join(lines) + "\n]\n"


def _written(row: Operation, use: Op, leeway: Leeway) -> list[Any] | None:
    """Return one entry: under its own name where that is the release's, else on the axis that holds it, or nearest."""
    for name in (row.name, *NAMES):
        if name in NAMES:
            level = on_axis(row, use.magnitude, operation(name))
            if level is not None:
                return [name, use.p, level]
    near = nearest_axis(row, use.magnitude, map(operation, NAMES))
    name, at = parts(row, use.magnitude)
    leeway.differ(name, at=at, instead="left out" if near is None else f"the nearest of '{near[0].name}'")
    return None if near is None else [near[0].name, use.p, near[1]]


def _sub_policies(value: Any) -> list[Any]:
    """Return the sub-policies of any of the shapes, each a list of entries."""
    if isinstance(value, dict) and value and all(isinstance(sub, dict) for sub in value.values()):
        return [[[op, *uses] for op, uses in sub.items() if isinstance(uses, list)] for sub in value.values()]
    if isinstance(value, list | tuple) and value:
        return list(value)
    raise FaaError("It is not a list of sub-policies, each a list of [operation, p, level].")


def _entries(sub_policy: Any, number: int) -> Iterator[_Entry]:
    if not isinstance(sub_policy, list | tuple):
        raise FaaError(f"Sub-policy {number} must be a list of [operation, p, level], not {sub_policy!r:.60}.")
    for at, entry in enumerate(sub_policy):
        where = f"Sub-policy {number}, entry {at}"
        if isinstance(entry, dict) and entry.keys() == {"op", "p", "level"}:
            entry = [entry["op"], entry["p"], entry["level"]]  # noqa: PLW2901
        if not (isinstance(entry, list | tuple) and len(entry) == 3 and isinstance(entry[0], str)):
            raise FaaError(f"{where} must be [operation, p, level], not {entry!r:.60}.")
        name, p, level = entry
        if name not in NAMES:
            raise UnknownNameError(f"operation of Fast AutoAugment ({where.lower()})", name, NAMES)
        level = 0.0 if level in ("None", None) and operation(name).unit == "none" else level
        for what, given in (("p", p), ("level", level)):
            if not is_number(given):
                raise FaaError(f"{where} ('{name}'): its {what} must be a number, not {given!r:.60}.")
        if not 0 <= p <= 1:
            raise FaaError(f"{where} ('{name}'): p must lie in 0 … 1, not be {p}.")
        yield _Entry(name, p, level, f"{where} ('{name}')")


def _guess(entries: list[_Entry]) -> Levels:
    """Return what the levels are: AutoAugment's where one that counts is above 1."""
    above = any(entry.level > 1 and operation(entry.op).unit != "none" for entry in entries)
    return "autoaugment" if above else "unit"


def _use(entry: _Entry, levels: Levels) -> Op:
    """Return an entry as we write it."""
    row = operation(entry.op)
    if row.unit == "none":
        return Op(op=entry.op, p=entry.p, magnitude=entry.level if 0 <= entry.level <= 1 else 0.0)
    if levels == "unit":
        if not 0 <= entry.level <= 1:
            raise FaaError(f"{entry.where}: its level must lie in 0 … 1, not be {entry.level}.")
        return Op(op=entry.op, p=entry.p, magnitude=entry.level)
    if entry.level != int(entry.level) or not 0 <= entry.level <= 10:
        raise FaaError(f"{entry.where}: an AutoAugment level must be a whole number in 0 … 10, not {entry.level}.")
    if entry.op not in RULES:
        raise FaaError(f"{entry.where}: AutoAugment has no levels for it; only positions in 0 … 1 are known.")
    magnitude = position(row, RULES[entry.op](int(entry.level)))
    if magnitude is None:
        raise FaaError(f"{entry.where}: AutoAugment's level {entry.level} lies outside the axis of '{entry.op}'.")
    return Op(op=entry.op, p=entry.p, magnitude=magnitude)
