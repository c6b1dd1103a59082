"""What the controller chooses from: operations at ten levels, by name; and the strength of each choice.

Shapes: O operations, L levels.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from faa_core import Op, Operation, SubPolicies, UnknownNameError
from faa_core.operations import SEARCH_LIST
from faa_core.operations import table as ops
from faa_core.policies.document import OperationRow, operation_of

LEVELS = 10
SUB_POLICIES, OPERATIONS = 5, 2  # of a policy, and of each of its sub-policies
ONE_SIDED = (ops.SHEAR_X, ops.SHEAR_Y, ops.TRANSLATE_X, ops.TRANSLATE_Y, ops.ROTATE)

Actions = NDArray[np.int64]  # [..., SUB_POLICIES, OPERATIONS, 2]: the operation's number, and the level


@dataclass(frozen=True, slots=True)
class Space:
    """A space of policies.

    Attributes:
        name: Its own.
        operations: In the order of their numbers; level l stands for λ = l / 9.
        rows: Axes of those that the standard table does not have, by name.
    """

    name: str
    operations: tuple[Operation, ...]
    rows: MappingProxyType[str, OperationRow]

    @property
    def names(self) -> tuple[str, ...]:
        """The standard operations that these are, whatever their axes are called."""
        return tuple(operation.base for operation in self.operations)

    @property
    def strengths(self) -> NDArray[np.float64]:
        """How far each choice is from changing nothing, in [0, 1], ``[O, L]``; NaN where an operation has no level."""
        return np.array([_strengths(operation) for operation in self.operations])


def make_space(name: str, *, sample_pairing: bool = False) -> Space:
    """Return a space.

    Args:
        name: ``advaa``: shears, translations and rotations from nothing to their most, in either direction, as in the
            code it comes from (a5c4552 of adversarial-autoaugment-pytorch). ``advaa-symmetric``: from one direction
            over nothing to the other, as in Fast AutoAugment and in that code before; levels 0 and 9 are both strong.
        sample_pairing: Whether the paper's sixteenth operation is in it, which mixes in another image.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in SPACES:
        raise UnknownNameError("space of policies", name, list(SPACES))
    rows = {}
    if name == "advaa":
        rows = {
            f"AdvAA.{row.name}": OperationRow(kernel=row.name, low=0.0, high=row.high, unit=row.unit, mirrored=True)
            for row in ONE_SIDED
        }
    own = {row.kernel: operation_of(name, row) for name, row in rows.items()}
    listed = (*SEARCH_LIST, ops.SAMPLE_PAIRING) if sample_pairing else SEARCH_LIST
    return Space(name, tuple(own.get(row.name, row) for row in listed), MappingProxyType(rows))


SPACES = ("advaa", "advaa-symmetric")


def policy_of(space: Space, actions: Actions, *, name: str = "adversarial") -> SubPolicies:
    """Return the policy of some sub-policies, each as likely as any other.

    Args:
        space: That they are of.
        actions: Shape ``[..., OPERATIONS, 2]``: one policy's, or those of several together.
        name: Of the policy.
    """
    sub_policies = actions.reshape(-1, *actions.shape[-2:]).tolist()
    used = {space.operations[number].name for steps in sub_policies for number, _level in steps}
    return SubPolicies(
        name=name,
        operations={row: axis for row, axis in space.rows.items() if row in used},
        sub_policies=tuple(
            tuple(
                Op(op=space.operations[number].name, p=1.0, magnitude=level / (LEVELS - 1)) for number, level in steps
            )
            for steps in sub_policies
        ),
        provenance={"algorithm": "adversarial-autoaugment", "space": space.name},
    )


def allowed_choices(space: Space, max_strength: float) -> NDArray[np.bool_]:
    """Return which choices are not stronger than a share of the strongest, ``[O, L]``; of each operation one at least.

    Args:
        space: Whose choices.
        max_strength: In [0, 1]; operations without levels are always allowed.
    """
    strengths_OL = np.nan_to_num(space.strengths, nan=0.0)
    weakest_O1 = strengths_OL.min(axis=1, keepdims=True)
    allowed: NDArray[np.bool_] = strengths_OL <= np.maximum(max_strength, weakest_O1) + 1e-12
    return allowed


def _strengths(operation: Operation) -> list[float]:
    neutral = operation_of(operation.base, None).identity
    if neutral is None:
        return [float("nan")] * LEVELS
    if operation.name != operation.base:  # one-sided: nothing is where its axis begins
        neutral = 0.0
    most = max(neutral, 1 - neutral)
    return [abs(level / (LEVELS - 1) - neutral) / most for level in range(LEVELS)]
