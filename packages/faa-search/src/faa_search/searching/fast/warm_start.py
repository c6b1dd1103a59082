"""Beginning a search with a policy that is known: its sub-policies are the first trials of the rounds."""

from faa_core import FaaError, Policy, SubPolicies
from faa_search.searching.samplers import Params, PolicySpace


def first_trials(policy: Policy, space: PolicySpace, *, rounds: int, depth: int) -> tuple[tuple[Params, ...], ...]:
    """Return the parameters of the trials that each round begins with.

    The sub-policies are cut, in order, into trials; the last one is filled up from the start of the policy. Trials are
    dealt out to the rounds in turn, and dealt again from the first if some round would have none. A round takes half of
    its depth at most, so that it does propose something; the trials beyond that are left out.

    Args:
        policy: The known one.
        space: Of policies; `space.decode` gives the very sub-policies back.
        rounds: How many, at least 1.
        depth: Trials of a round, at least 1.

    Returns:
        For each round at least one trial, of `space.sub_policies` sub-policies.

    Raises:
        FaaError: If anything the policy does cannot be expressed in the space.
    """
    known = _of_the_space(policy, space).sub_policies
    size, most = space.sub_policies, max(1, depth // 2)
    trials = [
        tuple(known[at % len(known)] for at in range(start, start + size)) for start in range(0, len(known), size)
    ]
    dealt = (trials[number::rounds] or [trials[number % len(trials)]] for number in range(rounds))
    return tuple(tuple(space.encode(trial) for trial in own[:most]) for own in dealt)


def _of_the_space(policy: Policy, space: PolicySpace) -> SubPolicies:
    """Return the policy, whose sub-policies are of the space.

    Raises:
        FaaError: If it is of another kind, applies its operations in another way, or uses others.
    """
    if not isinstance(policy, SubPolicies):
        kind = getattr(policy, "kind", type(policy).__name__)
        raise FaaError(
            f"The policy '{policy.name}' is of the kind {kind}; only a list of sub-policies (kind sub-policies) can "
            "start a search."
        )
    for field in ("magnitude_std", "fill", "interpolation"):
        given, standard = getattr(policy, field), SubPolicies.model_fields[field].default
        if given != standard:
            raise FaaError(
                f"The policy '{policy.name}' has {field} {given}, and the policies of a search all have {standard}: "
                f"it cannot start one as it is. A copy of its file without {field} can."
            )
    _check_lengths(policy, space)
    others = [name for name in policy.operation_names() if name not in space.ops]
    if others:
        raise FaaError(
            f"The policy '{policy.name}' uses {', '.join(others)}, which is excluded or not in the search's list: "
            f"{', '.join(space.ops)}. Start from another policy, or from a copy without it."
        )
    return policy


def _check_lengths(policy: SubPolicies, space: PolicySpace) -> None:
    lengths = [len(sub_policy) for sub_policy in policy.sub_policies]
    wrong = [number for number, length in enumerate(lengths) if length != space.num_ops]
    if not wrong:
        return
    length = lengths[wrong[0]]
    if set(lengths) == {0}:
        advice = "there is nothing to start from."
    elif set(lengths) == {length}:
        advice = f"give --ops {length}."
    else:
        advice = "all of them must have as many; start from a copy without the others."
    raise FaaError(
        f"Sub-policy {wrong[0]} of the policy '{policy.name}' (counted from 0) has {length} operations, and the "
        f"search's have {space.num_ops}: {advice}"
    )
