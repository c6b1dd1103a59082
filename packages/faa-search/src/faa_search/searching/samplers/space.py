"""The search space: policies of a fixed shape, as flat parameters, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from faa_core import FaaError, Op
from faa_search.runs.records.trials import Params

SubPolicy = tuple[Op, ...]


class Scored(NamedTuple):
    """A finished trial as a sampler sees it; a higher reward is better."""

    params: Params
    reward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpace:
    """All policies of `sub_policies` × `num_ops` operations: for each, which one, its p and its magnitude λ.

    The operations of a sub-policy are independent; the same one may come twice, as in the original.

    Attributes:
        ops: Names of the operations to choose from.
        sub_policies: Per trial (5 in the paper).
        num_ops: Per sub-policy (2 in the paper).
    """

    ops: tuple[str, ...]
    sub_policies: int = 5
    num_ops: int = 2

    def uses(self) -> list[str]:
        """Return the suffix of each operation's parameters: ``0_0`` is the first of the first sub-policy."""
        return [f"{i}_{j}" for i in range(self.sub_policies) for j in range(self.num_ops)]

    def decode(self, params: Params) -> tuple[SubPolicy, ...]:
        """Return the sub-policies that parameters stand for.

        Raises:
            FaaError: If a parameter is missing or not of this space.
        """
        try:
            ops = [
                Op(
                    op=str(params[f"op_{use}"]),
                    p=float(params[f"p_{use}"]),
                    magnitude=float(params[f"magnitude_{use}"]),
                )
                for use in self.uses()
            ]
        except (KeyError, ValueError) as error:
            raise FaaError(f"These parameters are not of the search space: {error}.") from error
        return tuple(tuple(ops[start : start + self.num_ops]) for start in range(0, len(ops), self.num_ops))

    def encode(self, sub_policies: Sequence[SubPolicy]) -> Params:
        """Return the parameters that `decode` turns into these sub-policies.

        Raises:
            FaaError: If there are more or fewer of them, or of their operations, or one is not to choose from.
        """
        if [len(sub_policy) for sub_policy in sub_policies] != [self.num_ops] * self.sub_policies:
            raise FaaError(f"The search space has {self.sub_policies} sub-policies of {self.num_ops} operations.")
        params: dict[str, str | float] = {}
        for use, op in zip(self.uses(), (op for sub_policy in sub_policies for op in sub_policy), strict=True):
            if op.op not in self.ops:
                raise FaaError(f"The operation {op.op} is not of the search space: {', '.join(self.ops)}.")
            params |= {f"op_{use}": op.op, f"p_{use}": op.p, f"magnitude_{use}": op.magnitude}
        return params


class Sampler(Protocol):
    """Proposes the next trial's parameters."""

    def __call__(self, space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
        """Return parameters; depends on the arguments alone."""
