"""What a policy does, in words and figures."""

from faa_core.operations import Operation
from faa_core.policies.kinds import Layers, Parametric, SubPolicies
from faa_core.policies.layered import LayeredSubPolicies
from faa_core.policies.policy import Op, Policy
from faa_core.text import counted

MAGNITUDE = "λ is the position on an operation's axis, from 0 to 1."


def policy_kind(policy: Policy) -> str:
    """Return the kind as it is written in the document."""
    return str(getattr(policy, "kind", type(policy).__name__))


def policy_size(policy: Policy) -> str:
    """Return how large a policy is, in words."""
    if isinstance(policy, SubPolicies | LayeredSubPolicies):
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
            f"and magnitude λ.{_noise(policy.magnitude_std)} {MAGNITUDE}"
        )
    elif isinstance(policy, Layers):
        lines.append(f"Each layer in turn draws one operation, with its magnitude λ, and applies it. {MAGNITUDE}")
    elif isinstance(policy, LayeredSubPolicies):
        lines.append(
            "For each image, one sub-policy is drawn. Each of its layers in turn draws one operation, with its "
            f"magnitude λ, and applies it. {MAGNITUDE}"
        )
    elif isinstance(policy, Parametric):
        are = "is" if policy.num_ops == 1 else "are"
        lines.append(
            f"For each image, {policy.num_ops} of {counted(len(policy.operation_names()), 'operation')} {are} drawn. "
            f"Each applies with probability {_interval(policy.p)} and magnitude λ {_interval(policy.magnitude)}."
            f"{_noise(policy.magnitude_std)} {MAGNITUDE}"
        )
    return lines


def operation_table(policy: Policy) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headers and a row per operation: its axis and, where the policy tells, how often and how it is used."""
    uses = _uses(policy)
    headers: tuple[str, ...] = ("operation", "axis", "times", "mean p", "mean λ") if uses else ("operation", "axis")
    rows = []
    for name, operation in policy.table.items():
        of_it = [use for use in uses if use.op == name]
        magnitude = "–" if operation.unit == "none" else _mean([use.magnitude for use in of_it])
        figures = (str(len(of_it)), _mean([use.p for use in of_it]), magnitude) if uses else ()
        rows.append((name, _axis(operation), *figures))
    return headers, rows


def _uses(policy: Policy) -> list[Op]:
    """Return every use of an operation at one magnitude; a choice's probability is its p."""
    if isinstance(policy, SubPolicies):
        return [use for sub_policy in policy.sub_policies for use in sub_policy]
    if isinstance(policy, Layers | LayeredSubPolicies):
        sub_policies = policy.sub_policies if isinstance(policy, LayeredSubPolicies) else (policy.layers,)
        choices = [choice for layers in sub_policies for layer in layers for choice in layer]
        return [Op(op=choice.op, p=choice.probability, magnitude=choice.magnitude) for choice in choices]
    return []


def _axis(operation: Operation) -> str:
    if operation.unit == "none":
        return "no magnitude"
    mirrored = ", mirrored" if operation.mirrored else ""
    return f"{operation.low:g} … {operation.high:g} {operation.unit}{mirrored}"


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.2f}" if values else "–"


def _interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{low:g}" if low == high else f"{low:g} … {high:g}"


def _noise(std: float) -> str:
    return f" Normal noise with standard deviation {std:g} is added to every λ." if std else ""
