"""Config files of PaddleClas: YAML whose ``transform_ops`` name an AutoAugment, a RandAugment or a TimmAutoAugment.

Its pixels are Pillow's. AutoAugment and RandAugment turn images counter-clockwise only, and sample shears bicubic but
turns and shifts at the nearest pixel, where a policy has one filter.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from faa_core.errors import FaaError
from faa_core.formats import timm
from faa_core.formats.axes import build, is_number
from faa_core.formats.entries import Entry, autoaugment_imagenet, placed
from faa_core.formats.leeway import UNSAID, Leeway
from faa_core.formats.sections import PolicySection, chosen
from faa_core.operations import operation
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.policy import Policy
from faa_core.yaml_files import parse_yaml

FACTORS = ("Color", "Contrast", "Sharpness", "Brightness")
GREY = (128, 128, 128)
SHIFT = 150 / 331  # of the side, at the last level
TRANSFORMS = ("AutoAugment", "RandAugment", "RandAugmentV2", "RandAugmentV3", "RandAugmentV4", "TimmAutoAugment")
MIXED = "shears sampled bicubic, turns and shifts at the nearest pixel, of which a policy has one"
Settings = Mapping[str, Any]


def parse(text: str, *, leeway: Leeway | None = None) -> Policy:
    """Return the policy of a config file.

    Args:
        text: YAML.
        leeway: How exact it must be; strict when None.

    Raises:
        FaaError: If it is no such file, has none of these transforms or several, or one that ours cannot express.
    """
    allowed, config = leeway or Leeway(), parse_yaml(text, source="It")
    found = list(_transforms(config))
    if not found:
        raise FaaError(f"This config has no transform that is a policy: {', '.join(TRANSFORMS)}.")
    name, settings = chosen(found, "Keep one of them.", allowed).value
    readers: dict[str, Callable[[Settings, Leeway], Policy]] = {
        "AutoAugment": _auto,
        "RandAugment": _rand,
        "RandAugmentV3": _rand_v3,
        "TimmAutoAugment": _timm,
    }
    if name not in readers:
        raise FaaError(f"PaddleClas's {name} has its own cutout, which is not one of our operations.")
    policy = readers[name](settings, allowed)
    allowed.settle(UNSAID)
    return policy


def _transforms(part: Any, place: str = "", *, listed: bool = False, within: str = "") -> Iterator[PolicySection]:
    """Yield name and settings of each transform in a part of a config, with its place.

    Args:
        part: Of the config.
        place: Names of the sections around it.
        listed: Whether it is in a list, where a key is the name of a transform.
        within: Transform that holds it.
    """
    if isinstance(part, dict):
        lists = [key for key in part if str(key).endswith("transform_ops") and _has_one(part[key])]
        if len(lists) > 1:
            raise FaaError(f"Both {lists[0]} and {lists[1]} have such a transform; keep one of them.")
        for key, value in part.items():
            inner = f"{place}.{key}" if place else str(key)
            if key in TRANSFORMS:
                if within:
                    raise FaaError(
                        f"{key} is inside {within} here, which may leave it out or do something else, and a policy "
                        "cannot express that. Give a config whose transform_ops has it without that."
                    )
                yield PolicySection(inner, (key, _settings(key, value)))
            elif str(key).endswith("transform_ops"):
                yield from _transforms(value, inner, listed=True)
            else:
                yield from _transforms(value, inner, within=within or (str(key) if listed else ""))
    elif isinstance(part, list):
        names = list(_names(part))
        if len(names) > 1 and not within:
            raise FaaError(
                f"The list {place} has several such transforms, which are done one after the other "
                f"({', '.join(names)}); keep one of them."
            )
        for at, one in enumerate(part):
            yield from _transforms(one, f"{place}[{at}]", listed=True, within=within)


def _names(part: list[Any]) -> Iterator[str]:
    """Yield the names of the transforms that a list does, those of lists in it too."""
    for one in part:
        if isinstance(one, dict):
            yield from (key for key in one if key in TRANSFORMS)
        elif isinstance(one, list):
            yield from _names(one)


def _has_one(part: Any) -> bool:
    """Return whether a part of a config has one of the transforms."""
    if isinstance(part, dict):
        return any(key in TRANSFORMS or _has_one(value) for key, value in part.items())
    return isinstance(part, list) and any(_has_one(one) for one in part)


def _settings(name: str, value: Any) -> Settings:
    if value is not None and not isinstance(value, dict):
        raise FaaError(f"The settings of {name} must be lines of 'key: value', not {value!r:.60}.")
    return value or {}


def _auto(settings: Settings, leeway: Leeway) -> SubPolicies:
    _only(settings, ("fillcolor",), "AutoAugment")
    leeway.differ("AutoAugment", why=MIXED, instead="all at the nearest pixel")
    subs = [[_turned(entry) for entry in sub] for sub in autoaugment_imagenet()]
    uses, operations = placed("Paddle", subs)
    return build(SubPolicies, {"sub_policies": uses, "operations": operations} | _about(settings, GREY, "AutoAugment"))


def _turned(entry: Entry) -> Entry:
    """Return an entry whose rotation has one direction."""
    return entry._replace(mirrored=False) if entry.base == "Rotate" else entry


def _rand(settings: Settings, leeway: Leeway) -> Parametric:
    _only(settings, ("num_layers", "magnitude", "fillcolor"), "RandAugment")
    leeway.differ("RandAugment", why=MIXED, instead="all at the nearest pixel")
    share = _number(settings, "magnitude", 5) / 10
    levels = {"Posterize": float(int(4 * share)), "Solarize": 256 * share}
    return _drawn(settings, _entries(share, levels, turns=False), _about(settings, GREY, "RandAugment"))


def _rand_v3(settings: Settings, leeway: Leeway) -> Parametric:
    _only(settings, ("num_layers", "magnitude", "fillcolor", "interpolation"), "RandAugmentV3")
    share = _number(settings, "magnitude", 3) / 10
    levels = {"Posterize": 8.0 - int(4 * share), "Solarize": 255 * (1 - share)}
    fields = _about(settings, (0, 0, 0), "RandAugmentV3") | {"interpolation": _filter(settings, leeway)}
    return _drawn(settings, _entries(share, levels, turns=True), fields)


def _entries(share: float, levels: Mapping[str, float], *, turns: bool) -> list[Entry]:
    """Return the operations of a RandAugment at its one level.

    Args:
        share: The level, as a part of the last.
        levels: Arguments of those that the versions do differently.
        turns: Whether rotations draw a sign.
    """
    return [
        *(Entry(f"Shear{axis}", argument=0.3 * share, mirrored=True) for axis in "XY"),
        *(Entry(f"Translate{axis}", argument=SHIFT * share, mirrored=True) for axis in "XY"),
        Entry("Rotate", argument=30 * share, mirrored=turns),
        *(Entry(name, argument=1 + 0.9 * share, mirrored=True) for name in FACTORS),
        *(Entry(name, argument=argument) for name, argument in levels.items()),
        *(Entry(name) for name in ("AutoContrast", "Equalize", "Invert")),
    ]


def _drawn(settings: Settings, entries: list[Entry], fields: dict[str, Any]) -> Parametric:
    """Return a RandAugment: each operation at its one argument, always applied."""
    number = _number(settings, "num_layers", 2)
    if number != int(number) or not 1 <= number <= 100:
        raise FaaError(f"num_layers must be a whole number from 1 to 100, not {number:g}.")
    units = {entry.base: operation(entry.base).unit for entry in entries}
    rows = {
        f"Paddle.{base}": OperationRow(kernel=base, low=at, high=at, unit=units[base], mirrored=mirrored)
        for base, _p, at, mirrored in entries
        if units[base] != "none"
    }
    names = tuple(base if units[base] == "none" else f"Paddle.{base}" for base in units)
    own = {"num_ops": int(number), "ops": names, "operations": rows, "magnitude": (0.0, 0.0)}
    return build(Parametric, own | fields)


def _timm(settings: Settings, leeway: Leeway) -> Policy:
    _only(settings, ("prob", "config_str", "interpolation", "img_size", "mean"), "TimmAutoAugment")
    text = settings.get("config_str", "rand-m9-mstd0.5-inc1")
    p = _number(settings, "prob", 1.0)
    if not isinstance(text, str):
        raise FaaError(f"TimmAutoAugment's config_str must be a text such as rand-m9-mstd0.5-inc1, not {text!r:.60}.")
    if p == 0:
        raise FaaError("TimmAutoAugment has prob 0 here, so it does nothing; use the policy 'none' instead.")
    if p != 1:
        leeway.differ(f"TimmAutoAugment.prob {p:g}, by which all is applied or nothing", instead="1")
    mean = settings.get("mean", [0.485, 0.456, 0.406])
    if not isinstance(mean, list) or len(mean) != 3 or not all(is_number(part) and 0 <= part <= 1 for part in mean):
        raise FaaError(f"TimmAutoAugment's mean must be three numbers in 0 … 1, not {mean!r:.60}.")
    red, green, blue = (min(255, round(255 * part)) for part in mean)
    policy = timm.parse(text, fill=(red, green, blue), interpolation=_filter(settings, leeway), leeway=leeway)
    return policy.model_copy(update={"provenance": {**policy.provenance, "format": "paddleclas"}})


def _filter(settings: Settings, leeway: Leeway) -> timm.Interpolation:
    name = settings.get("interpolation", "bicubic")
    if name in ("bicubic", "bilinear"):
        return "bicubic" if name == "bicubic" else "bilinear"
    if name == "nearest" or not isinstance(name, str):
        return "bilinear"  # which PaddleClas takes for what it does not know
    leeway.differ(f"interpolation {name!r}", why="drawn afresh" if name == "random" else "", instead="bicubic")
    return "bicubic"


def _about(settings: Settings, fill: tuple[int, int, int], transform: str) -> dict[str, Any]:
    given = settings.get("fillcolor", fill)
    whole = isinstance(given, list | tuple) and all(type(part) is int and 0 <= part <= 255 for part in given)
    if not whole or len(given) != 3:
        raise FaaError(f"fillcolor must be three numbers in 0 … 255, not {given!r:.60}.")
    return {"fill": tuple(given), "provenance": {"format": "paddleclas", "transform": transform}}


def _only(settings: Settings, known: tuple[str, ...], name: str) -> None:
    """Refuse settings that are not known to mean nothing else."""
    if odd := [key for key in settings if key not in known]:
        raise FaaError(f"{name} has no setting '{odd[0]}' that is known; known are {', '.join(known)}.")


def _number(settings: Settings, name: str, default: float) -> float:
    value = settings.get(name, default)
    if not is_number(value) or not 0 <= value <= 1_000:
        raise FaaError(f"{name} must be a number in 0 … 1,000, not {value!r:.60}.")
    return float(value)
