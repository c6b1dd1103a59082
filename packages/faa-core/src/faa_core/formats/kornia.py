"""Lists of ``kornia.augmentation.auto``: ``[[(name, probability, bin), …], …]`` and ``[[(name, low, high)], …]``.

The first are AutoAugment's. A bin is an interval of magnitudes, of which kornia draws one for each image, while an
entry of a sub-policy has one magnitude; so of these lists only entries whose effect is fixed convert: operations
without a magnitude, and the bins of ``posterize`` that give one number of bits. The second are TrivialAugment's: one
operation for each image, at any magnitude of its range, which is our kind "parametric".

kornia picks one entry of the list for a batch, a policy one for each image.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError, UnknownNameError
from faa_core.formats.axes import ALIKE, build, differ_in_noise, is_number, parts, place
from faa_core.formats.leeway import UNSAID, Leeway
from faa_core.formats.literals import read_table
from faa_core.operations import Operation, operation
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.policy import Op, Policy
from faa_core.text import safe

PLAIN = {"auto_contrast": "AutoContrast", "equalize": "Equalize", "invert": "Invert"}
RANGED = {"contrast": "Brightness", "sharpness": "Sharpness", "solarize": "Solarize", "posterize": "Posterize"}
SIGNED = {"rotate": "Rotate", "translate_x": "TranslateX", "translate_y": "TranslateY"}
OTHERWISE = {
    "brightness": "adds to every value where ours multiplies",
    "color": "scales the saturation of HSV where ours blends with the luma",
    "solarize_add": "adds before it inverts",
    "shear_x": "shears about the centre, by 180 times the number in degrees, where ours keeps the first row",
    "shear_y": "shears about the centre, by 180 times the number in degrees, where ours keeps the first column",
}
BINS = 10
INTERVALS = {  # of AutoAugment's operations: ours, and the ends of its ten bins in our unit
    "rotate": ("Rotate", -30.0, 30.0),
    "translate_x": ("TranslateX", -0.5, 0.5),
    "translate_y": ("TranslateY", -0.5, 0.5),
    "contrast": ("Brightness", 0.1, 1.9),
    "sharpness": ("Sharpness", 0.1, 1.9),
    "solarize": ("Solarize", 0.0, 255.0),
    "posterize": ("Posterize", 4.0, 8.0),
}
BITS_OF_BIN = {0: 4, 2: 5, 4: 6, 5: 6, 7: 7, 9: 8}  # bins, of 4 … 8 in ten, that round to one number of bits
BIN_OF_BITS = {4: 0, 5: 2, 6: 5, 7: 7, 8: 9}


class _Entry(NamedTuple):
    name: str
    first: float
    second: float | None
    where: str


def parse(text: str, *, table: str | None = None, leeway: Leeway | None = None) -> Policy:
    """Return the policy of a list as JSON, as a Python literal, or in a Python file, which is not executed.

    Args:
        text: A list for kornia's AutoAugment or TrivialAugment. Where all entries would do for either, it is read as
            AutoAugment's.
        table: Which variable or function of a Python file; needed where it holds several.
        leeway: How exact it must be; strict when None. The nearest of a bin is its middle.

    Raises:
        FaaError: If the text is no such list, or an entry does what no operation of ours does; each is named.
    """
    found = read_table(text, table=table)
    if not isinstance(found.value, list | tuple) or not found.value:
        raise FaaError("It is not a list of sub-policies, each a list of (name, probability, magnitude).")
    entries = [_entries(sub, number) for number, sub in enumerate(found.value)]
    trivial = all(len(sub) == 1 for sub in entries) and any(_is_range(entry) for sub in entries for entry in sub)
    policy = _ranges([sub[0] for sub in entries]) if trivial else _sub_policies(entries, leeway or Leeway())
    return policy if found.name is None else policy.model_copy(update={"name": found.name})


def write(policy: Policy, *, leeway: Leeway | None = None) -> str:
    """Return a policy as a Python list for kornia's AutoAugment (sub-policies) or TrivialAugment (parametric).

    Args:
        policy: Of one of these kinds.
        leeway: How exact it must be; strict when None. Its notes become comments above the list.

    Raises:
        FaaError: If kornia has no such policy; every operation it has not is named.
    """
    allowed = leeway or Leeway()
    if isinstance(policy, Parametric):
        lines = _written_ranges(policy, allowed)
    elif isinstance(policy, SubPolicies):
        differ_in_noise(policy, allowed)
        lines = [_written(policy, sub_policy, number, allowed) for number, sub_policy in enumerate(policy.sub_policies)]
        allowed.settle("kornia's lists, whose bins are intervals of magnitudes, cannot express this")
    else:
        raise FaaError(f"'{policy.name}' has layers, which kornia's lists cannot express.")
    comments = "".join(f"# {safe(note)}\n" for note in allowed.notes)
    return f"{comments}[\n{''.join(lines)}]\n"


def _written(policy: SubPolicies, sub_policy: tuple[Op, ...], number: int, leeway: Leeway) -> str:
    """Return the line of a sub-policy."""
    entries = []
    for use in sub_policy:
        row = policy.table[use.op]
        entry = _fixed(row, use)
        if entry is None and row.base != "Identity":
            entry, instead = _bin(row, use)
            name, at = parts(row, use.magnitude)
            leeway.differ(name if leeway.nearest else f"sub-policy {number}: {name}", at=at, instead=instead)
        if entry is not None:
            entries.append(entry)
    return f" [{', '.join(entries)}],\n"


def _bin(row: Operation, use: Op) -> tuple[str | None, str]:
    """Return the entry whose interval is nearest to a use of an operation, or None, and what it is in words."""
    for name, (own, low, high) in INTERVALS.items():
        if operation(ALIKE.get(row.base, row.base)).kernel == operation(own).kernel:
            share = (row.argument(use.magnitude) - low) / (high - low)
            at = min(BINS - 1, max(0, int(share * BINS)))
            width = (high - low) / BINS
            sign = ", of one sign" if row.mirrored else ""
            return f"({json.dumps(name)}, {use.p!r}, {at})", f"a bin of {name}, {width:g} wide{sign}"
    return None, "left out"


def _entries(sub_policy: Any, number: int) -> list[_Entry]:
    if not isinstance(sub_policy, list | tuple):
        raise FaaError(f"Sub-policy {number} must be a list of (name, probability, magnitude), not {sub_policy!r:.60}.")
    known, entries = {**PLAIN, **RANGED, **SIGNED, **OTHERWISE}, []
    for at, entry in enumerate(sub_policy):
        where = f"sub-policy {number}, entry {at}"
        if not (isinstance(entry, list | tuple) and len(entry) == 3 and isinstance(entry[0], str)):
            raise FaaError(f"{where.capitalize()} must be (name, probability, magnitude), not {entry!r:.60}.")
        name, first, second = entry
        if name not in known:
            raise UnknownNameError(f"operation of kornia ({where})", name, known)
        if not is_number(first) or not (second is None or is_number(second)):
            raise FaaError(f"{where.capitalize()} ('{name}') must hold numbers, not {first!r:.40}, {second!r:.40}.")
        entries.append(_Entry(name, first, second, where))
    return entries


def _is_range(entry: _Entry) -> bool:
    """Return whether an entry can only be (name, low, high)."""
    return not 0 <= entry.first <= 1 or (entry.second is not None and entry.second != int(entry.second))


def _sub_policies(entries: list[list[_Entry]], leeway: Leeway) -> SubPolicies:
    converted = []
    rows: dict[str, OperationRow] = {}
    for sub in entries:
        uses = []
        for name, p, at, where in sub:
            if not 0 <= p <= 1:
                raise FaaError(f"'{name}' of {where}: its probability must lie in 0 … 1, not be {p}.")
            if name in PLAIN:
                uses.append(Op(op=PLAIN[name], p=p, magnitude=0.0))
            elif name == "posterize" and at in BITS_OF_BIN:
                own, _row, magnitude = place("kornia", "Posterize", BITS_OF_BIN[int(at)])
                uses.append(Op(op=own, p=p, magnitude=magnitude))
            else:
                why = OTHERWISE.get(name, f"draws from an interval of magnitudes, bin {at}")
                middle = _middle(name, at)
                told = f"'{name}'" if leeway.nearest else f"'{name}' of {where}"
                leeway.differ(f"{told} {why}", instead="left out" if middle is None else f"its middle, {middle[1]:g}")
                if middle is not None:
                    own, row, magnitude = place("kornia", *middle)
                    rows |= {} if row is None else {own: row}
                    uses.append(Op(op=own, p=p, magnitude=magnitude))
        converted.append(tuple(uses))
    leeway.settle(UNSAID)
    fields = {"sub_policies": tuple(converted), "operations": rows, "interpolation": "bilinear" if rows else "nearest"}
    return build(SubPolicies, fields | {"provenance": {"format": "kornia"}})


def _middle(name: str, at: float | None) -> tuple[str, float] | None:
    """Return our operation and the middle of a bin of kornia's, or None where nothing is like it."""
    if name not in INTERVALS or at is None or at not in range(BINS):
        return None
    base, low, high = INTERVALS[name]
    return base, low + (at + 0.5) * (high - low) / BINS


def _ranges(entries: list[_Entry]) -> Parametric:
    ops, rows, problems = [], {}, []
    for name, low, high, where in entries:
        if name in OTHERWISE or high is None:
            problems.append(f"'{name}' of {where} {OTHERWISE.get(name, 'has no range')}")
            continue
        if name in SIGNED and low != -high:
            raise FaaError(f"'{name}' of {where} takes a range about 0, as kornia does, not {low} … {high}.")
        own = PLAIN.get(name) or f"kornia.{name}({low:g}, {high:g})"
        ops.append(own)
        if name not in PLAIN:
            rows[own] = _row(name, float(low), float(high))
    if problems:
        raise _refusal(UNSAID, problems)
    fields = {"num_ops": 1, "ops": tuple(ops), "operations": rows, "interpolation": "bilinear"}
    return build(Parametric, fields | {"provenance": {"format": "kornia"}})


def _row(name: str, low: float, high: float) -> OperationRow:
    """Return the axis of a range of kornia's, in our unit."""
    match name:
        case "rotate":
            return OperationRow(kernel="Rotate", low=0.0, high=high, unit="degrees", mirrored=True)
        case "translate_x" | "translate_y":
            return OperationRow(kernel=SIGNED[name], low=0.0, high=high, unit="fraction", mirrored=True)
        case "solarize":
            return OperationRow(kernel="Solarize", low=255 * low, high=255 * high, unit="threshold")
        case "posterize":  # kornia rounds, our kernel cuts
            return OperationRow(kernel="Posterize", low=low + 0.5, high=high + 0.5, unit="bits")
    return OperationRow(kernel=RANGED[name], low=low, high=high, unit="factor")


def _written_ranges(policy: Parametric, leeway: Leeway) -> list[str]:
    if (policy.num_ops, policy.p, policy.magnitude, policy.bins) != (1, (1.0, 1.0), (0.0, 1.0), None):
        leeway.differ(
            "the policy draws otherwise than kornia's TrivialAugment, which applies one operation, always, at any "
            "magnitude of its range",
            instead="drawn as there",
        )
        leeway.settle("kornia's lists cannot express this")
    lines = []
    black = (policy.interpolation, policy.fill) == ("bilinear", (0, 0, 0))
    for name in policy.ops:
        row = policy.table[name]
        moves = row.base in SIGNED.values()
        entry, why = _range(row), " (kornia samples bilinear and fills with black)" if moves else ""
        if entry is None or (moves and not black):
            what = f"'{name}' ({row.base} {row.low:g} … {row.high:g} {row.unit}){why}"
            leeway.differ(what, instead="left out" if entry is None else "done as there")
        if entry is not None:
            lines.append(f" [{entry}],\n")
    leeway.settle("kornia has no counterpart of")
    return lines


def _range(row: Operation) -> str | None:
    """Return an operation's axis as an entry for kornia's TrivialAugment, or None if it has none."""
    plain, kernels = _names(PLAIN), _names(RANGED) | _names(SIGNED)
    if row.base in plain:
        return f'("{plain[row.base]}", 0, 1)'
    name = kernels.get(row.base)
    if name is None or row.mirrored != (name in SIGNED):
        return None
    low, high = row.low, row.high
    if row.base == "Solarize":
        low, high = low / 255, high / 255
    if row.base == "Posterize":  # as in _row
        low, high = low - 0.5, high - 0.5
    if name in SIGNED:
        if row.low not in (0.0, -row.high):
            return None
        low = -high
    if row.base == "Posterize" and not 0 <= low <= high <= 8:
        return None
    return f"({json.dumps(name)}, {low!r}, {high!r})" if low <= high else None


def _fixed(row: Operation, use: Op) -> str | None:
    """Return a use of an operation as an entry for kornia's AutoAugment, or None if it has none."""
    plain = _names(PLAIN)
    if row.base in plain:
        return f'("{plain[row.base]}", {use.p!r}, None)'
    bits = BIN_OF_BITS.get(int(row.argument(use.magnitude)))
    return f'("posterize", {use.p!r}, {bits})' if row.base == "Posterize" and bits is not None else None


def _names(ours: Mapping[str, str]) -> dict[str, str]:
    return {own: name for name, own in ours.items()}


def _refusal(what: str, problems: list[str]) -> FaaError:
    shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" if len(problems) > 8 else "")
    return FaaError(f"{what}: {shown}.")
