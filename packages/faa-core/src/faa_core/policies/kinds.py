"""The three kinds of policy: what is drawn from a row of uniform numbers."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationInfo, field_validator, model_validator

from faa_core.operations import Operation, Step
from faa_core.policies.document import Fraction
from faa_core.policies.policy import Op, Policy
from faa_core.policies.stages import NOTHING, Stages, stages_of
from faa_core.randomness import normal

Interval = tuple[Fraction, Fraction]
Spread = Annotated[FiniteFloat, Field(ge=0)]
TOLERANCE = 1e-4  # of a layer's sum of probabilities: published ones are float32


class SubPolicies(Policy):
    """One sub-policy is drawn uniformly per image; its operations apply in order, each with its own probability."""

    kind: Literal["sub-policies"] = "sub-policies"
    sub_policies: Annotated[tuple[tuple[Op, ...], ...], Field(min_length=1)]
    magnitude_std: Spread = Field(
        default=0.0, description="Standard deviation of normal noise on every λ, cut to [0, 1]; 0 for none."
    )

    def operation_names(self) -> tuple[str, ...]:
        """Return the names of the operations used."""
        return tuple(dict.fromkeys(use.op for sub_policy in self.sub_policies for use in sub_policy))

    @cached_property
    def depth(self) -> int:
        """Operations in the longest sub-policy."""
        return max(len(sub_policy) for sub_policy in self.sub_policies)

    @property
    def slots(self) -> int:
        """One number for the sub-policy; gate, reflection and centre (x, y) for each operation; its shape; noise."""
        return 1 + (7 if self.magnitude_std else 6) * self.depth

    def steps(self, row: Sequence[float]) -> tuple[Step, ...]:
        """Return the steps of one image."""
        sub_policy = self.sub_policies[int(row[0] * len(self.sub_policies))]
        return tuple(
            step_of(
                self.table[use.op], self._magnitude(use, row, at), row[1 + 4 * at :], row[1 + 4 * self.depth + 2 * at :]
            )
            for at, use in enumerate(sub_policy)
            if row[1 + 4 * at] < use.p
        )

    def _magnitude(self, use: Op, row: Sequence[float], at: int) -> float:
        return (
            noisy(use.magnitude, self.magnitude_std, row[1 + 6 * self.depth + at])
            if self.magnitude_std
            else use.magnitude
        )

    def stages(self) -> Stages:
        """Return one stage per position in a sub-policy; all stages pick the same sub-policy."""
        number, stage = len(self.sub_policies), np.arange(self.depth)
        index = {name: at for at, name in enumerate(self.table)}
        operation_SK = np.full((self.depth, number), NOTHING)
        p_SK, magnitude_SK = np.zeros((2, self.depth, number))
        for k, sub_policy in enumerate(self.sub_policies):
            for s, use in enumerate(sub_policy):
                operation_SK[s, k], p_SK[s, k], magnitude_SK[s, k] = index[use.op], use.p, use.magnitude
        return stages_of(
            slots=self.slots,
            choice_slot_S=np.zeros_like(stage),
            count_S=np.full_like(stage, number),
            cumulative_SK=np.zeros((self.depth, 0)),
            operation_SK=operation_SK,
            p_SK2=np.stack([p_SK, p_SK], axis=-1),
            magnitude_SK2=np.stack([magnitude_SK, magnitude_SK], axis=-1),
            magnitude_slot_S=1 + 6 * self.depth + stage if self.magnitude_std else None,
            std=self.magnitude_std,
            gate_slot_S=1 + 4 * stage,
            shape_slot_S=1 + 4 * self.depth + 2 * stage,
        )


class Parametric(Policy):
    """`num_ops` operations are drawn per image, uniformly and with replacement, with p and magnitude from a range."""

    kind: Literal["parametric"] = "parametric"
    num_ops: int = Field(ge=1, le=100, description="Operations per image.")
    ops: Annotated[tuple[str, ...], Field(min_length=1)] = Field(description="Operations to choose from.")
    p: Interval = Field(default=(1.0, 1.0), description="Range of the probability, uniform.")
    magnitude: Interval = Field(default=(0.0, 1.0), description="Range of λ, uniform.")
    bins: int | None = Field(default=None, ge=2, description="Values of λ, evenly spaced over its range; None: all.")
    magnitude_std: Spread = Field(
        default=0.0, description="Standard deviation of normal noise on a fixed λ, cut to [0, 1]; 0 for none."
    )

    @field_validator("p", "magnitude")
    @classmethod
    def _ordered(cls, interval: Interval, info: ValidationInfo) -> Interval:
        if interval[0] > interval[1]:
            raise ValueError(f"the range of {info.field_name} must not fall: {interval[0]} > {interval[1]}")
        return interval

    @model_validator(mode="after")
    def _one_way_to_draw(self) -> "Parametric":
        if self.magnitude_std and (self.magnitude[0] != self.magnitude[1] or self.bins is not None):
            raise ValueError("magnitude_std is noise about one magnitude: it goes with no range and no bins")
        return self

    def operation_names(self) -> tuple[str, ...]:
        """Return the names of the operations to choose from."""
        return tuple(dict.fromkeys(self.ops))

    @property
    def slots(self) -> int:
        """Choice, probability, magnitude, gate, reflection and centre (x, y) for each operation; then its shape."""
        return 9 * self.num_ops

    def steps(self, row: Sequence[float]) -> tuple[Step, ...]:
        """Return the steps of one image."""
        steps = []
        for at in range(self.num_ops):
            choice, probability, position, gate = row[7 * at : 7 * at + 4]
            if gate < _within(self.p, probability):
                operation = self.table[self.ops[int(choice * len(self.ops))]]
                shape = row[7 * self.num_ops + 2 * at :]
                steps.append(step_of(operation, self._magnitude(position), row[7 * at + 3 :], shape))
        return tuple(steps)

    def stages(self) -> Stages:
        """Return one stage per operation that is drawn, all from the same uses."""
        stage, choices = np.arange(self.num_ops), (self.num_ops, len(self.ops))
        index = {name: at for at, name in enumerate(self.table)}
        return stages_of(
            slots=self.slots,
            choice_slot_S=7 * stage,
            count_S=np.full_like(stage, len(self.ops)),
            cumulative_SK=np.zeros((self.num_ops, 0)),
            operation_SK=np.broadcast_to(np.array([index[name] for name in self.ops]), choices).copy(),
            p_SK2=np.broadcast_to(self.p, (*choices, 2)).copy(),
            magnitude_SK2=np.broadcast_to(self.magnitude, (*choices, 2)).copy(),
            p_slot_S=7 * stage + 1,
            magnitude_slot_S=7 * stage + 2,
            bins=self.bins or 0,
            std=self.magnitude_std,
            gate_slot_S=7 * stage + 3,
            shape_slot_S=7 * self.num_ops + 2 * stage,
        )

    def _magnitude(self, position: float) -> float:
        if self.magnitude_std:
            return noisy(self.magnitude[0], self.magnitude_std, position)
        if self.bins is not None:
            position = int(position * self.bins) / (self.bins - 1)
        return _within(self.magnitude, position)


class Choice(BaseModel):
    """One operation at one magnitude, and how likely a layer picks it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: str = Field(description="Name of the operation.")
    magnitude: Fraction = Field(description="λ: position on the operation's axis, from low (0) to high (1).")
    probability: Fraction = Field(description="Of this choice in its layer; a layer's add up to 1.")


class Layers(Policy):
    """Layers apply in order; each picks one operation at one magnitude from a distribution (Zheng et al. 2022)."""

    kind: Literal["layers"] = "layers"
    layers: Annotated[tuple[Annotated[tuple[Choice, ...], Field(min_length=1)], ...], Field(min_length=1)]

    @field_validator("layers")
    @classmethod
    def _add_up(cls, layers: tuple[tuple[Choice, ...], ...]) -> tuple[tuple[Choice, ...], ...]:
        for at, layer in enumerate(layers):
            total = sum(choice.probability for choice in layer)
            if abs(total - 1) > TOLERANCE:
                raise ValueError(f"the probabilities of layer {at} must add up to 1, not {total:g}")
        return layers

    def operation_names(self) -> tuple[str, ...]:
        """Return the names of the operations to choose from."""
        return tuple(dict.fromkeys(choice.op for layer in self.layers for choice in layer))

    @property
    def slots(self) -> int:
        """Choice, an unused gate, reflection and centre (x, y) for each layer; then its shape."""
        return 7 * len(self.layers)

    @cached_property
    def cumulative(self) -> tuple[tuple[float, ...], ...]:
        """Upper end of each choice's part of [0, 1), by layer; the last is 1."""
        return tuple(ends_of(layer) for layer in self.layers)

    def steps(self, row: Sequence[float]) -> tuple[Step, ...]:
        """Return the steps of one image."""
        steps = []
        for at, (layer, ends) in enumerate(zip(self.layers, self.cumulative, strict=True)):
            choice = layer[bisect_right(ends, row[5 * at])]
            shape = row[5 * len(self.layers) + 2 * at :]
            steps.append(step_of(self.table[choice.op], choice.magnitude, row[5 * at + 1 :], shape))
        return tuple(steps)

    def stages(self) -> Stages:
        """Return one stage per layer; shorter layers are filled up with choices that are never picked."""
        stage, choices = np.arange(len(self.layers)), max(len(layer) for layer in self.layers)
        index = {name: at for at, name in enumerate(self.table)}
        operation_SK = np.full((len(stage), choices), NOTHING)
        magnitude_SK, cumulative_SK = np.zeros((len(stage), choices)), np.ones((len(stage), choices))
        for s, (layer, ends) in enumerate(zip(self.layers, self.cumulative, strict=True)):
            operation_SK[s, : len(layer)] = [index[choice.op] for choice in layer]
            magnitude_SK[s, : len(layer)] = [choice.magnitude for choice in layer]
            cumulative_SK[s, : len(layer)] = ends
        return stages_of(
            slots=self.slots,
            choice_slot_S=5 * stage,
            count_S=np.array([len(layer) for layer in self.layers]),
            cumulative_SK=cumulative_SK,
            operation_SK=operation_SK,
            p_SK2=np.ones((*operation_SK.shape, 2)),
            magnitude_SK2=np.stack([magnitude_SK, magnitude_SK], axis=-1),
            gate_slot_S=5 * stage + 1,
            shape_slot_S=5 * len(stage) + 2 * stage,
        )


def ends_of(layer: Sequence[Choice]) -> tuple[float, ...]:
    """Return the upper end of each choice's part of [0, 1); the last is 1."""
    sums = list(accumulate(choice.probability for choice in layer))
    return tuple(part / sums[-1] for part in sums)


def noisy(magnitude: float, std: float, uniform: float) -> float:
    """Return λ with normal noise from a uniform number, cut to [0, 1]."""
    return min(1.0, max(0.0, magnitude + std * normal(uniform)))


def _within(interval: Interval, position: float) -> float:
    return interval[0] + position * (interval[1] - interval[0])


def step_of(operation: Operation, magnitude: float, draws: Sequence[float], shape: Sequence[float]) -> Step:
    """Return the step of an operation, from its draws: gate, reflection, centre (x, y); area, aspect."""
    reflected = operation.mirrored and draws[1] < 0.5
    argument = operation.argument(magnitude, reflected=reflected)
    return Step(operation, argument, (draws[2], draws[3]), (shape[0], shape[1]))
