"""What a policy does, in words and figures."""

from collections.abc import Iterator, Mapping
from typing import Any

from faa_core import Layers, Op, Parametric, Policy, SubPolicies
from faa_core.text import counted

LONG = 40  # characters of a fact from which it has a line for itself


def policy_kind(policy: Policy) -> str:
    """Return the kind as it is written in the document."""
    return str(getattr(policy, "kind", type(policy).__name__))


def policy_size(policy: Policy) -> str:
    """Return how large a policy is, in words."""
    if isinstance(policy, SubPolicies):
        return counted(len(policy.sub_policies), "sub-policy", "sub-policies")
    if isinstance(policy, Layers):
        return counted(len(policy.layers), "layer")
    if isinstance(policy, Parametric):
        return f"{counted(policy.num_ops, 'operation')} per image"
    return "–"


def policy_lines(policy: Policy) -> list[str]:
    """Return what a policy does, in sentences."""
    lines = [f"{policy.name}: {policy_kind(policy)}, {policy_size(policy)}"]
    if not policy.operation_names():
        lines.append("It leaves every image as it is.")
    elif isinstance(policy, SubPolicies):
        lines.append(
            "For each image, one sub-policy is drawn. Its operations apply in order, each with its own probability p "
            f"and magnitude λ.{_noise(policy.magnitude_std)}"
        )
    elif isinstance(policy, Layers):
        lines.append("Each layer in turn draws one operation, with its magnitude λ, and applies it.")
    elif isinstance(policy, Parametric):
        drawn = f"{counted(policy.num_ops, 'operation')} {'is' if policy.num_ops == 1 else 'are'} drawn"
        lines.append(
            f"For each image, {drawn} of {len(policy.operation_names())}. Each applies with probability p "
            f"{_interval(policy.p)} and magnitude λ {_interval(policy.magnitude)}.{_noise(policy.magnitude_std)}"
        )
    return lines


def use_rows(policy: Policy) -> Iterator[tuple[str, ...]]:
    """Return a row per operation: its axis, how often it is used, with which mean p and mean λ."""
    uses = _uses(policy)
    for name, row in policy.table.items():
        of_it = [use for use in uses if use.op == name]
        count, mean_p = len(of_it), _mean([use.p for use in of_it])
        if row.unit == "none":
            yield name, "no magnitude", str(count or "–"), mean_p, "–"
        else:
            axis = f"{row.low:g} … {row.high:g} {row.unit}{', mirrored' if row.mirrored else ''}"
            yield name, axis, str(count or "–"), mean_p, _mean([use.magnitude for use in of_it])


def provenance_lines(provenance: Mapping[str, Any]) -> list[str]:
    """Return where a policy comes from: short facts together, long ones and those of several parts a line each."""
    told = {key: _shown(value) for key, value in provenance.items() if value not in (None, "", [], {})}
    short = [f"{key} {text}" for key, text in told.items() if not _is_long(provenance[key], text)]
    long = [f"  {key}: {text}" for key, text in told.items() if _is_long(provenance[key], text)]
    return [f"From: {', '.join(short)}" if short else "From:", *long] if told else []


def _is_long(value: Any, text: str) -> bool:
    return isinstance(value, Mapping | list | tuple) or len(text) > LONG or " " in text or "," in text


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return str(value)


def _uses(policy: Policy) -> list[Op]:
    """Return every use of an operation at one magnitude; a choice's probability is its p."""
    if isinstance(policy, SubPolicies):
        return [use for sub_policy in policy.sub_policies for use in sub_policy]
    if isinstance(policy, Layers):
        choices = [choice for layer in policy.layers for choice in layer]
        return [Op(op=choice.op, p=choice.probability, magnitude=choice.magnitude) for choice in choices]
    return []


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.2f}" if values else "–"


def _interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{low:g}" if low == high else f"{low:g} … {high:g}"


def _noise(std: float) -> str:
    return f" Normal noise with standard deviation {std:g} is added to every λ." if std else ""
