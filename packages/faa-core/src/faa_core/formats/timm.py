"""timm's auto-augment strings, such as ``rand-m9-n3-inc1`` or ``original``, as policies and back.

A string becomes what timm 1.0.31 draws for it, in its levels and pixels: whole levels of 10, each operation applied
with probability ½ unless ``p`` says otherwise, signs drawn afresh, ``n`` operations drawn with replacement. Left out or
different:

- Fill and filter are not part of a string: timm takes the mean of its normalisation and its option `interpolation`.
  Here they are arguments of `parse`, with the values that `timm.data.create_transform` has by default. Where timm is
  told "random", as by its training script, it draws bilinear or bicubic at every use; a policy has one filter.
- ``tweights`` is read with ``n1`` only, each operation repeated in proportion to its weight: timm draws several
  weighted operations without replacement, a policy with.
- ``mstd`` becomes `magnitude_std`, in tenths. Beyond 100, rand strings mean a uniform magnitude from 0 to ``m``.
- ``mmax`` is refused where magnitudes can pass 10, for there timm's operations bend and one of them fails, and where it
  cuts noise off below 10. ``m15-mstd0.5`` is cut at 10 by timm and means 10 always; ``m11-mstd0.5`` is refused, since
  the cut is part of what it draws.
- ``3a`` and the sets ``t3a`` and ``t3aw`` blur, and ``augmix`` mixes images: both are refused.
- What timm passes over in silence is an error here: an unknown part or set, a part given twice or without a number.
  ``inc0`` means no; timm took it for yes before it read the number.
- Posterize to 0 bits is black, where Pillow 13 makes timm fail.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

import numpy as np

from faa_core.errors import FaaError, UnknownNameError
from faa_core.formats.leeway import UNSAID, Leeway
from faa_core.formats.timm_tables import (
    INCREASING,
    PLAIN,
    TABLES,
    WEIGHTED,
    has_axis,
    our_name,
    rows_of,
    table,
    their_name,
)
from faa_core.operations import Colour
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.policy import Op, Policy

Interpolation = Literal["nearest", "bilinear", "bicubic"]

IMAGENET_MEAN = (124, 116, 104)
LEVELS = 10
LONGEST = 500
MOST_OPS = 100
UNIFORM = 100.0  # an mstd beyond this means uniform
CERTAIN = 8.3  # standard deviations that no normal number of 53 random bits is away from its mean
WAY_OUT = (
    "To train with it in timm, give its file: `python -m faa_search.timm train.py --aa faa:FILE`, or in Python "
    "faa_search.create_transform(…, policy=…)."
)
LISTS = {"": PLAIN, "-inc1": INCREASING, "-tweights": WEIGHTED}


def parse(
    text: str,
    *,
    fill: Colour = IMAGENET_MEAN,
    interpolation: Interpolation = "bilinear",
    leeway: Leeway | None = None,
) -> Policy:
    """Return the policy of one of timm's auto-augment strings.

    Args:
        text: Such as ``rand-m9-inc1``, ``original``, ``originalr``, ``v0`` or ``v0r``.
        fill: RGB of pixels from outside the image; timm's is the mean of its normalisation.
        interpolation: Filter of the geometric operations.
        leeway: How exact it must be; strict when None.

    Raises:
        UnknownNameError: If it begins with no name of timm's, or names an unknown set of operations.
        FaaError: If it is not a string of timm's, or means what a policy cannot express; the message names the part.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise FaaError(f"A timm auto-augment string is short; this one has {len(text)} characters.")
    name, *sections = text.split("-")
    if name == "augmix":
        raise FaaError(f"timm's '{text}' mixes several augmented copies of an image, which a policy cannot express.")
    if name == "3a":
        raise _blurs(text)
    if name == "rand":
        return _rand(text, sections, fill, interpolation, leeway or Leeway())
    if name in TABLES:
        return _fixed(text, name, sections, fill, interpolation)
    raise UnknownNameError("timm auto-augment string", name, ("rand", *TABLES), hint="For example: rand-m9-inc1.")


def write(policy: Policy, *, leeway: Leeway | None = None) -> str:
    """Return the timm string that means a policy; its fill and filter are left to timm's options.

    Args:
        policy: Parametric, or one of timm's tables.
        leeway: How exact it must be; strict when None.

    Raises:
        FaaError: If timm has no string for it; the message names what timm cannot express.
    """
    allowed = leeway or Leeway()
    if isinstance(policy, SubPolicies):
        return _table_name(policy, allowed)
    if isinstance(policy, Parametric):
        return _rand_string(policy, allowed)
    raise FaaError(f"timm has no string for a policy of kind '{getattr(policy, 'kind', '?')}'. {WAY_OUT}")


def _fixed(text: str, name: str, sections: list[str], fill: Colour, interpolation: Interpolation) -> SubPolicies:
    given = _settings(text, sections, ("mstd",))
    entries = table(name)
    return SubPolicies(
        name=text,
        fill=fill,
        interpolation=interpolation,
        operations=rows_of(op for uses in entries for op, _p, _level in uses),
        sub_policies=tuple(
            tuple(Op(op=our_name(op), p=p, magnitude=level / LEVELS if has_axis(op) else 0.0) for op, p, level in uses)
            for uses in entries
        ),
        magnitude_std=_number(given, "mstd", 0.0) / LEVELS,
        provenance={"algorithm": "autoaugment", "source": "timm", "string": text},
    )


def _rand(text: str, sections: list[str], fill: Colour, interpolation: Interpolation, leeway: Leeway) -> Parametric:
    given = _settings(text, sections, ("m", "n", "p", "mstd", "mmax", "inc", "t"))
    layers = _whole(text, given, "n", 2)
    p = _number(given, "p", 0.5)
    if not 1 <= layers <= MOST_OPS or p > 1:
        raise FaaError(f"'{text}' needs n from 1 to {MOST_OPS} and p from 0 to 1.")
    known = ("weights", "3a", "3aw")
    listed = LISTS["-inc1" if _whole(text, given, "inc", 0) else ""]
    if "t" in given:
        if given["t"] not in known:
            raise UnknownNameError("set of operations in timm", given["t"], known)
        if given["t"] != "weights":
            raise _blurs(text)
        if layers > 1:
            what = f"'{text}' draws {layers} weighted operations without replacement, a policy with; '-n1' is exact"
            leeway.differ(what, instead="with replacement")
        listed = WEIGHTED
    magnitude, spread = _magnitudes(text, given, leeway)
    leeway.settle(UNSAID)
    return Parametric(
        name=text,
        fill=fill,
        interpolation=interpolation,
        operations=rows_of(listed),
        num_ops=layers,
        ops=tuple(our_name(op) for op in listed),
        p=(p, p),
        magnitude=magnitude,
        magnitude_std=spread,
        provenance={"algorithm": "randaugment", "source": "timm", "string": text},
    )


def _magnitudes(text: str, given: dict[str, str], leeway: Leeway) -> tuple[tuple[float, float], float]:
    """Return the range of λ of a rand string, and the noise on it.

    timm cuts magnitudes at a limit after it has drawn them. Noise about a magnitude far beyond the limit never comes
    below it, so that all are the limit itself; else the cut is part of what the string means.
    """
    level, limit = _whole(text, given, "m", LEVELS), _whole(text, given, "mmax", LEVELS) or LEVELS
    spread = _number(given, "mstd", 0.0)
    uniform = spread > UNIFORM
    if spread and level > limit and (uniform or level - limit < CERTAIN * spread):
        drawn = f"up to {level}" if uniform else f"about {level}, with noise of {spread:g},"
        what = f"'{text}' draws magnitudes {drawn} and cuts them at {limit}, where a policy draws none beyond {limit}"
        leeway.differ(what, instead=f"as rand-m{min(limit, LEVELS)}{'-mstd101' if uniform else ''} has it")
    if 0 < spread <= UNIFORM and level <= limit != LEVELS:
        what = (
            f"'{text}' cuts its noise (mstd) at mmax {limit}, a policy at {LEVELS}; without '-mmax{limit}' it is exact"
        )
        leeway.differ(what, instead=f"cut at {LEVELS}")
    if level > LEVELS < limit:
        what = f"'{text}' has a magnitude beyond {LEVELS}, where timm's operations bend; a policy has m{LEVELS} at most"
        leeway.differ(what, instead=f"m{LEVELS}")
    highest = min(level, limit, LEVELS) / LEVELS
    noise = 0.0 if uniform or level > limit else spread / LEVELS
    return (0.0 if uniform else highest, highest), noise


def _settings(text: str, sections: Iterable[str], keys: tuple[str, ...]) -> dict[str, str]:
    """Return the parts of a string behind its name, by key."""
    given: dict[str, str] = {}
    for section in sections:
        found = re.fullmatch(r"(t)(.+)|([a-z]+)([0-9]+(?:\.[0-9]+)?)", section)
        key, value = ((found[1], found[2]) if found[1] else (found[3], found[4])) if found else (section, "")
        if key not in keys or not value:
            raise FaaError(
                f"'{section}' in '{text}' is not a part that timm knows; allowed are {', '.join(keys)} with a value."
            )
        if key in given:
            raise FaaError(f"'{text}' gives {key} twice.")
        given[key] = value
    return given


def _number(given: dict[str, str], key: str, default: float) -> float:
    return float(given.get(key, default))


def _whole(text: str, given: dict[str, str], key: str, default: int) -> int:
    value = given.get(key, str(default))
    if "." in value:
        raise FaaError(f"{key} in '{text}' must be a whole number for timm, not {value}.")
    return int(value)


def _blurs(text: str) -> FaaError:
    return FaaError(f"timm's '{text}' uses GaussianBlur, which is not one of our operations.")


def _table_name(policy: SubPolicies, leeway: Leeway) -> str:
    if name := next((name for name in TABLES if _meaning(policy) == _entries(name)), None):
        return f"{name}-mstd{_plain(policy.magnitude_std * LEVELS)}" if policy.magnitude_std else name
    known = f"timm's strings know four tables of sub-policies, {', '.join(TABLES)}"
    if leeway.nearest:
        raise FaaError(f"{known}; no other table is near to one of them, so --nearest finds none. {WAY_OUT}")
    lacking = [f"'{name}'" for name, row in policy.table.items() if their_name(row) is None]
    own = f", and timm has no operation with the pixels and the axis of {', '.join(lacking)}" if lacking else ""
    raise FaaError(f"{known}, not this one{own}. {WAY_OUT}")


def _meaning(policy: SubPolicies) -> list[list[tuple[str, float, float | None]]]:
    """Return a policy's uses by timm's names; where timm has none, by none that is a name of timm's."""
    names = {name: their_name(row) or "" for name, row in policy.table.items()}
    return [
        [(names[use.op], use.p, use.magnitude if names[use.op] and has_axis(names[use.op]) else None) for use in sub]
        for sub in policy.sub_policies
    ]


def _entries(name: str) -> list[list[tuple[str, float, float | None]]]:
    """Return a table of timm's as `_meaning` does."""
    return [[(op, p, level / LEVELS if has_axis(op) else None) for op, p, level in uses] for uses in table(name)]


def _rand_string(policy: Parametric, leeway: Leeway) -> str:
    suffix = _suffix(policy, leeway)
    if suffix == "-tweights" and policy.num_ops > 1:
        leeway.differ("timm draws weighted operations without replacement, this policy with", instead="without")
    (p_low, p), (low, high) = policy.p, policy.magnitude
    if p_low != p:
        middle = round((p_low + p) / 2, 4)
        what = f"timm has one probability, this policy a range from {p_low:g} to {p:g}"
        leeway.differ(what, instead=f"{middle:g}")
        p = middle
    level, uniform = round(high * LEVELS), low != high
    if level / LEVELS != high or (uniform and (low != 0 or policy.bins is not None)):
        leeway.differ(
            f"timm has one whole magnitude from 0 to {LEVELS}, or all up to one; λ of this policy is "
            f"{low:g} … {high:g}{f' in {policy.bins} steps' if policy.bins else ''}",
            instead=f"{'all up to ' if uniform else ''}{level} of {LEVELS}",
        )
    noise = policy.magnitude_std * LEVELS
    if noise > UNIFORM:
        leeway.differ(
            f"timm takes noise of more than {UNIFORM:g} levels for uniform magnitudes", instead=f"{UNIFORM:g}"
        )
        noise = UNIFORM
    leeway.settle("timm's strings cannot express this policy", remedy=WAY_OUT)
    parts = [f"rand-m{level}"]
    parts += [f"n{policy.num_ops}"] if policy.num_ops != 2 else []
    parts += [f"p{np.format_float_positional(p, trim='-')}"] if p != 0.5 else []
    parts += ["mstd101"] if uniform else []
    parts += [f"mstd{_plain(noise)}"] if noise else []
    return "-".join(parts) + suffix


def _suffix(policy: Parametric, leeway: Leeway) -> str:
    """Return what chooses the list of operations in a string: that which a policy has, or is nearest to."""
    theirs = {name: their_name(row) for name, row in policy.table.items()}
    ops = Counter(theirs[op] or f"'{op}'" for op in policy.ops)
    suffix = next((suffix for suffix, listed in LISTS.items() if Counter(listed) == ops), None)
    if suffix is not None:
        return suffix
    lacking = [f"'{name}'" for name, found in theirs.items() if found is None]
    if lacking:
        odd, what = lacking, "timm has no operation with the pixels and the axis of"
    else:
        listed = INCREASING if any(name.endswith("Increasing") for name in ops) else PLAIN
        odd = sorted(set(listed) ^ set(ops)) or sorted(name for name, count in ops.items() if count > 1)
        what = "timm's lists of operations differ in"
    near = max(("", "-inc1"), key=lambda own: (Counter(LISTS[own]) & ops).total())
    leeway.differ(f"{what} {', '.join(odd)}", instead=f"timm's list {near.removeprefix('-') or 'without inc'}")
    return near


def _plain(value: float) -> str:
    """Return a number without an exponent, as short as it can be told from others at 12 digits."""
    return np.format_float_positional(float(f"{value:.12g}"), trim="-")
