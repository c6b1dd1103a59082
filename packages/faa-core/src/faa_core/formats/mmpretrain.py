"""Config files of mmpretrain (mmclassification before): ``dict(type="AutoAugment", policies=[[…]])`` and RandAugment.

A file is parsed, never executed, and what it takes from other files is not read. Its transforms draw a sign afresh
where they have one, turn and move images by OpenCV, and are else Pillow's but for a rounding. Colours are in the order
blue, green, red there. Where a file holds a table of sub-policies alone, the code that uses it
sets fill and filter; then mmpretrain's grey is taken, not black.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from faa_core.errors import FaaError, UnknownNameError
from faa_core.formats.assignments import Followed, assigned
from faa_core.formats.axes import build
from faa_core.formats.entries import Entry, autoaugment_imagenet, placed
from faa_core.formats.evaluating import Unknown, Value, evaluate
from faa_core.formats.leeway import UNSAID, Leeway
from faa_core.formats.literals import nameless, parsing
from faa_core.formats.mmpretrain_ops import GREY, Sampling, entry_of, kind_of, ranged
from faa_core.formats.mmpretrain_wrappers import has_one, refuse_wrapped
from faa_core.formats.sections import PolicySection, chosen
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.policy import Policy

AUTO, RAND = "AutoAugment", "RandAugment"
INCREASING: tuple[dict[str, Any], ...] = (
    {"type": "AutoContrast"},
    {"type": "Equalize"},
    {"type": "Rotate", "magnitude_range": (0, 30)},
    {"type": "Shear", "magnitude_range": (0, 0.3), "direction": "horizontal"},
    {"type": "Shear", "magnitude_range": (0, 0.3), "direction": "vertical"},
)
MORE: tuple[dict[str, Any], ...] = (
    {"type": "Invert"},
    {"type": "Posterize", "magnitude_range": (4, 0)},
    {"type": "Solarize", "magnitude_range": (256, 0)},
    {"type": "SolarizeAdd", "magnitude_range": (0, 110)},
    *(
        {"type": name, "magnitude_range": (0, 0.9)}
        for name in ("ColorTransform", "Contrast", "Brightness", "Sharpness")
    ),
    {"type": "Translate", "magnitude_range": (0, 0.45), "direction": "horizontal"},
    {"type": "Translate", "magnitude_range": (0, 0.45), "direction": "vertical"},
)
WHICH = "Name the variable: `faa policy convert FILE OUT --table NAME`, or `table` in Python; or keep one."
PRESETS = {"timm_increasing": (*INCREASING, *MORE), "simple_increasing": INCREASING}


def parse(text: str, *, table: str | None = None, leeway: Leeway | None = None) -> Policy:
    """Return the policy of a config file.

    Args:
        text: Of the file.
        table: Which variable to look in, where several hold policies that differ.
        leeway: How exact it must be; strict when None.

    Raises:
        UnknownNameError: If the file has no such variable, or names an unknown collection of policies.
        FaaError: If it holds no policy, several, or one that ours cannot express; what they cannot express is named.
    """
    allowed = leeway or Leeway()
    with parsing(text) as body:
        alone = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
        read = assigned(body, {}) if alone is None else Followed({"": evaluate(alone, {})}, {}, {})
        values = read.values
        for variable, was in read.lost.items():
            if variable == table or (table is None and _is_of_policies(was.data)):
                raise was.error(variable)
        if table is not None:
            if alone is not None:
                raise nameless(table)
            if table not in values:
                raise UnknownNameError("variable of data in this Python file", table, values)
            values = {table: values[table]}
        name, transform = _chosen(values, allowed)
    policy = _auto(transform, allowed) if kind_of(transform) == AUTO else _rand(transform, allowed)
    return policy.model_copy(update={"name": name}) if name else policy


def _chosen(values: Mapping[str, Value], leeway: Leeway) -> tuple[str, dict[str, Any]]:
    """Return the one transform of a file, or a table of sub-policies as one, and the table's name."""
    seen: set[int] = set()
    found = [one for name, value in values.items() for one in _transforms(value.data, name, seen)]
    if found:
        return "", chosen(found, WHICH, leeway).value
    tables: dict[int, PolicySection] = {}  # one may have several names
    for name, data in _named_parts(values):
        if _is_table(data):
            tables.setdefault(id(data), PolicySection(name, data))
    if tables:
        name, table = chosen([*tables.values()], WHICH, leeway)
        return name, {"type": AUTO, "policies": table, "hparams": None}
    if any(_is_list_of_operations(data) for _name, data in _named_parts(values)):
        raise FaaError(
            "It only lists the operations of a RandAugment. The config that uses the list sets how many of them are "
            "drawn, and at which level. Give that file, with the list in it."
        )
    raise FaaError("This config has no AutoAugment or RandAugment, and no table of sub-policies.")


def _transforms(data: Any, place: str, seen: set[int]) -> Iterator[PolicySection]:
    """Yield the transforms in a value, at any depth, each once, with their places."""
    if not isinstance(data, list | tuple | dict) or isinstance(data, Unknown) or id(data) in seen:
        return
    seen.add(id(data))
    if _is_transform(data):
        yield PolicySection(place, data)
        return
    refuse_wrapped(data, place, _is_transform)
    if isinstance(data, dict):
        parts = [(f"{place}.{key}", part) for key, part in data.items()]
    else:
        parts = [(f"{place}[{at}]", part) for at, part in enumerate(data)]
    for inner, part in parts:
        yield from _transforms(part, inner, seen)


def _is_transform(data: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(data, dict) and kind_of(data) in (AUTO, RAND)


def _is_of_policies(data: Any) -> bool:
    """Return whether a value has a policy in it."""
    parts = [data, *data.values()] if isinstance(data, dict) else [data]
    return has_one(data, _is_transform, set()) or any(_is_table(own) or _is_list_of_operations(own) for own in parts)


def _named_parts(values: Mapping[str, Value]) -> Iterator[tuple[str, Any]]:
    """Yield the values of variables, and those of the dicts among them, with their names."""
    for name, value in values.items():
        yield name, value.data
        if isinstance(value.data, dict):
            yield from ((str(key), part) for key, part in value.data.items())


def _is_table(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(_is_list_of_operations(sub) for sub in data)


def _is_list_of_operations(data: Any) -> bool:
    return isinstance(data, list | tuple) and bool(data) and all(isinstance(use, dict) and kind_of(use) for use in data)


def _auto(transform: Mapping[str, Any], leeway: Leeway) -> SubPolicies:
    policies: Any = transform.get("policies")
    sampling = _sampling(transform, leeway)
    if policies == "imagenet":
        subs = [list(sub) for sub in autoaugment_imagenet()]
        for kind in ("Rotate", "Shear"):
            sampling.of(kind, {})
    elif _is_table(policies):
        subs = [_known([entry_of(use, sampling, leeway) for use in sub]) for sub in policies]
    else:
        raise _no_policies(AUTO, policies, ("imagenet",), "a list of lists of dict(type=…)")
    uses, operations = placed("mm", subs)
    fields = {"sub_policies": uses, "operations": operations} | sampling.settled()
    leeway.settle(UNSAID)
    return build(SubPolicies, fields | {"provenance": {"format": "mmpretrain", "transform": AUTO}})


def _rand(transform: Mapping[str, Any], leeway: Leeway) -> Parametric:
    policies: Any = transform.get("policies")
    sampling = _sampling(transform, leeway)
    listed: Any = PRESETS.get(policies) if isinstance(policies, str) else policies
    if not _is_list_of_operations(listed):
        raise _no_policies(RAND, policies, PRESETS, "a list of dict(type=…)")
    number, level, total = (
        _number(transform, name, default)
        for name, default in (("num_policies", None), ("magnitude_level", None), ("total_level", 10))
    )
    if number != int(number) or not 1 <= number <= 100 or total <= 0 or level < 0:
        raise FaaError(f"RandAugment needs num_policies from 1 to 100, not {number:g}, and levels above 0.")
    std = transform.get("magnitude_std", 0.0)
    spread = 0.0 if std == "inf" else _number(transform, "magnitude_std", 0.0)
    if level > total and (std == "inf" or spread > 0):
        leeway.differ(
            f"magnitude_level {level:g} beyond total_level {total:g}, with noise", instead=f"{total:g} without"
        )
        level, std, spread = total, 0.0, 0.0
    highest = max(total, level)
    found = [own for use in listed if (own := ranged(use, highest / total, sampling, leeway)) is not None]
    chances = [p for _name, _row, p in found]
    p = sum(chances) / len(chances) if chances else 0.0
    if len(set(chances)) > 1:
        leeway.differ("operations of different prob", instead=f"{p:g} for all")
    operations: dict[str, OperationRow] = {}
    names = [_named(name, row, operations) for name, row, _p in found]
    fields = {
        "num_ops": int(number), "ops": tuple(names), "operations": operations, "p": (p, p),
        "magnitude": (0.0 if std == "inf" else level / highest, level / highest),
        "magnitude_std": max(0.0, spread) / highest,
    } | sampling.settled()  # fmt: skip
    leeway.settle(UNSAID)
    return build(Parametric, fields | {"provenance": {"format": "mmpretrain", "transform": RAND}})


def _sampling(transform: Mapping[str, Any], leeway: Leeway) -> Sampling:
    """Return how operations sample and fill that do not set it themselves."""
    hparams = transform.get("hparams", {})
    if hparams is None:
        leeway.note(f"the table leaves fill and filter to what uses it; mmpretrain's {GREY} and nearest are taken")
        return Sampling({"interpolation": "nearest"}, leeway)
    if not isinstance(hparams, dict):
        raise FaaError(f"hparams is not a dict that can be read without executing the file: {_shown(hparams)}.")
    return Sampling(hparams, leeway)


def _named(name: str, row: OperationRow | None, operations: dict[str, OperationRow]) -> str:
    """Return a name for an axis that no other axis has."""
    if row is None:
        return name
    free = name
    while operations.get(free, row) != row:
        free += "'"
    operations[free] = row
    return free


def _known(entries: list[Entry | None]) -> list[Entry]:
    return [entry for entry in entries if entry is not None]


def _number(transform: Mapping[str, Any], name: str, default: float | None) -> float:
    value = transform.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e6 < value < 1e6:
        raise FaaError(f"RandAugment's {name} must be a number, not {_shown(value)}.")
    return float(value)


def _no_policies(kind: str, given: Any, known: Any, shape: str) -> FaaError:
    if isinstance(given, str):
        return UnknownNameError(f"collection of {kind}'s policies", given, known)
    if isinstance(given, Unknown):
        return FaaError(
            f"{kind} takes its policies from elsewhere ({_shown(given)}), and no other file is read. Write them into "
            "this one, or give the file they are in."
        )
    return FaaError(f"{kind}'s policies must be {shape}, not {_shown(given)}.")


def _shown(value: Any) -> str:
    return value.text if isinstance(value, Unknown) else f"{value!r:.60}"
