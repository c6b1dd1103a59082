"""torchvision's transforms as text: as they print themselves, are written in code, or are named by its scripts."""

import ast
from typing import Any

from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import AutoAugmentPolicy

from faa_core.errors import FaaError
from faa_core.formats.evaluating import Unknown, evaluate, keywords_of
from faa_core.formats.leeway import Leeway
from faa_core.formats.literals import parsing
from faa_core.formats.torchvision import from_torchvision, to_torchvision
from faa_core.policies.policy import Policy

KINDS = {kind.__name__: kind for kind in (v2.AutoAugment, v2.RandAugment, v2.TrivialAugmentWide)}
SCRIPTS = {"ra": "RandAugment", "ta_wide": "TrivialAugmentWide"}  # --auto-augment of its training script


def parse(text: str) -> Policy:
    """Return the policy of a transform, such as ``RandAugment(num_ops=2, magnitude=9)`` or ``v2.AutoAugment()``.

    Args:
        text: A call with literal arguments, or ``ra`` and ``ta_wide`` as torchvision's training script knows them,
            which samples bilinear.

    Raises:
        FaaError: If it is no such text, or an argument has no counterpart.
    """
    text = text.strip()
    if text in SCRIPTS:
        return from_torchvision(KINDS[SCRIPTS[text]](interpolation=InterpolationMode.BILINEAR))
    with parsing(text) as body:
        call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
        name = _last_name(call.func) if isinstance(call, ast.Call) else ""
        if not isinstance(call, ast.Call) or name not in KINDS:
            raise FaaError(f"It is not a call of torchvision's {', '.join(KINDS)}.")
        arguments = [_argument(part) for part in call.args]
        named = {given or "**": _argument(part) for given, part in keywords_of(call)}
    try:
        transform = KINDS[name](*arguments, **named)
    except (TypeError, ValueError) as error:
        raise FaaError(f"torchvision has no such {name}: {error}.") from error
    return from_torchvision(transform)


def write(policy: Policy, *, leeway: Leeway | None = None) -> str:
    """Return the text of the transform that a policy equals.

    Args:
        policy: AutoAugment, RandAugment or TrivialAugment as torchvision has them.
        leeway: Of no use here, since nothing is near to another policy.

    Raises:
        FaaError: If it equals none.
    """
    del leeway
    transform = to_torchvision(policy)
    fields = [
        f"{name}={_shown(getattr(transform, name))}"
        for name in ("policy", "num_ops", "magnitude", "num_magnitude_bins", "interpolation")
        if hasattr(transform, name)
    ]
    fill = list(policy.fill) if any(policy.fill) else None
    return f"{type(transform).__name__}({', '.join([*fields, f'fill={fill}'])})\n"


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, InterpolationMode | AutoAugmentPolicy) else repr(value)


def _argument(node: ast.expr) -> Any:
    """Return an argument: a literal, or a member of one of torchvision's two enumerations."""
    if isinstance(node, ast.Attribute):
        owner = _last_name(node.value)
        for kind in (InterpolationMode, AutoAugmentPolicy):
            if owner == kind.__name__ and node.attr in kind.__members__:
                return kind[node.attr]
    data = evaluate(node, {}).data
    if isinstance(data, Unknown):
        raise FaaError(f"'{data.text}' is not a value that can be read without executing it.")
    if isinstance(data, bool):
        raise FaaError(
            f"{data} is not an argument that torchvision's transforms take; give a number, a list or a text."
        )
    return data


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
