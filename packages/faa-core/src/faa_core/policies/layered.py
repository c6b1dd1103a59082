"""Sub-policies of layers: one is drawn for an image, and each of its layers picks one operation.

AutoAlbument finds policies of this shape (it follows Faster AutoAugment, Hataya et al. 2020).
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from faa_core.operations import Step
from faa_core.policies.kinds import TOLERANCE, Choice, ends_of, step_of
from faa_core.policies.policy import Policy
from faa_core.policies.stages import NOTHING, Stages, stages_of

Layer = Annotated[tuple[Choice, ...], Field(min_length=1)]


class LayeredSubPolicies(Policy):
    """One sub-policy is drawn uniformly per image; its layers apply in order, each picking from a distribution."""

    kind: Literal["layered-sub-policies"] = "layered-sub-policies"
    sub_policies: Annotated[tuple[tuple[Layer, ...], ...], Field(min_length=1)]

    @field_validator("sub_policies")
    @classmethod
    def _add_up(cls, sub_policies: tuple[tuple[Layer, ...], ...]) -> tuple[tuple[Layer, ...], ...]:
        for number, layers in enumerate(sub_policies):
            for at, layer in enumerate(layers):
                total = sum(choice.probability for choice in layer)
                if abs(total - 1) > TOLERANCE:
                    raise ValueError(
                        f"the probabilities of layer {at} of sub-policy {number} must add up to 1, not {total:g}"
                    )
        return sub_policies

    def operation_names(self) -> tuple[str, ...]:
        """Return the names of the operations to choose from."""
        uses = (choice for layers in self.sub_policies for layer in layers for choice in layer)
        return tuple(dict.fromkeys(choice.op for choice in uses))

    @cached_property
    def depth(self) -> int:
        """Layers of the longest sub-policy."""
        return max(len(layers) for layers in self.sub_policies)

    @property
    def slots(self) -> int:
        """One for the sub-policy; choice, an unused gate, reflection and centre (x, y) for each layer; its shape."""
        return 1 + 7 * self.depth

    @cached_property
    def cumulative(self) -> tuple[tuple[tuple[float, ...], ...], ...]:
        """Upper end of each choice's part of [0, 1), by sub-policy and layer; the last is 1."""
        return tuple(tuple(ends_of(layer) for layer in layers) for layers in self.sub_policies)

    def steps(self, row: Sequence[float]) -> tuple[Step, ...]:
        """Return the steps of one image."""
        number, steps = int(row[0] * len(self.sub_policies)), []
        for at, (layer, ends) in enumerate(zip(self.sub_policies[number], self.cumulative[number], strict=True)):
            choice = layer[bisect_right(ends, row[1 + 5 * at])]
            shape = row[1 + 5 * self.depth + 2 * at :]
            steps.append(step_of(self.table[choice.op], choice.magnitude, row[2 + 5 * at :], shape))
        return tuple(steps)

    def stages(self) -> Stages:
        """Return one stage per layer; its uses are in a group for each sub-policy, filled up to equal sizes."""
        stage, groups = np.arange(self.depth), len(self.sub_policies)
        choices = max((len(layer) for layers in self.sub_policies for layer in layers), default=1)
        index = {name: at for at, name in enumerate(self.table)}
        operation_SGK = np.full((self.depth, groups, choices), NOTHING)
        magnitude_SGK, cumulative_SGK = np.zeros(operation_SGK.shape), np.ones(operation_SGK.shape)
        for g, layers in enumerate(self.sub_policies):
            for s, layer in enumerate(layers):
                operation_SGK[s, g, : len(layer)] = [index[choice.op] for choice in layer]
                magnitude_SGK[s, g, : len(layer)] = [choice.magnitude for choice in layer]
                cumulative_SGK[s, g, : len(layer)] = self.cumulative[g][s]
        operation_SK = operation_SGK.reshape(self.depth, -1)
        magnitude_SK = magnitude_SGK.reshape(self.depth, -1)
        return stages_of(
            slots=self.slots,
            groups=groups,
            choice_slot_S=1 + 5 * stage,
            count_S=np.full_like(stage, groups * choices),
            cumulative_SK=cumulative_SGK.reshape(self.depth, -1),
            operation_SK=operation_SK,
            p_SK2=np.ones((*operation_SK.shape, 2)),
            magnitude_SK2=np.stack([magnitude_SK, magnitude_SK], axis=-1),
            gate_slot_S=2 + 5 * stage,
            shape_slot_S=1 + 5 * self.depth + 2 * stage,
        )
