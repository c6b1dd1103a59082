"""From keyed uniform numbers to instructions, for a whole batch: the reference for `faa_core.drawing.compiled`.

Shapes: B images, S stages of the policy, K uses in a stage, U uniform numbers per image.
"""

from collections.abc import Sequence

import numpy as np

from faa_core.drawing.tables import Around
from faa_core.operations import Drawn
from faa_core.operations.instructions import WIDTH, Code, instruction
from faa_core.operations.operation import NumbersOf
from faa_core.policies.stages import NOTHING, Real, Stages, Whole
from faa_core.randomness import normal, uniforms

BASELINE_SLOTS = 5  # crop (y, x), flip, cutout (y, x)


def draw(
    stages: Stages,
    around: Around,
    numbers_O: Sequence[NumbersOf],
    keys: tuple[int, int],
    indices_B: Whole,
    size: tuple[int, int],
    instructions_BS8: Real,
) -> None:
    """Write the instructions of a batch into zeros of shape ``[B, S', 8]``: the policy's stages, then the baseline's.

    Args:
        stages: Of the policy.
        around: What draws need beside them.
        numbers_O: Of each operation: its `Batched.numbers`.
        keys: Of the policy's draws, and of the baseline's.
        indices_B: Of the images in their data set.
        size: Height and width of the images.
        instructions_BS8: Written.
    """
    (policy_key, baseline_key), (height, width) = keys, size
    rows_BU = uniforms(policy_key, indices_B, int(stages.whole_3[0]))
    nearest, partners, pad, cutout, baseline_fill = around.whole_5.tolist()
    at = 0
    for at, (_choice, _p, _magnitude, gate, shape) in enumerate(stages.slots_S5.tolist(), start=1):
        operation_B, magnitude_B = drawn_uses(stages, at - 1, rows_BU)
        for b in np.flatnonzero(operation_B != NOTHING).tolist():
            row, number = rows_BU[b].tolist(), int(operation_B[b])
            code, mirrored, fill = around.whole_O3[number].tolist()
            low, high, neutral = around.axis_O3[number].tolist()
            argument = low + float(magnitude_B[b]) * (high - low)
            if mirrored and row[gate + 1] < 0.5:
                argument = 2 * neutral - argument
            drawn = Drawn((row[gate + 2], row[gate + 3]), (row[shape], row[shape + 1]))
            numbers = numbers_O[number](argument, width, height, drawn)
            code, parameters = instruction(code, numbers, nearest == 1, partners)
            instructions_BS8[b, at - 1] = (code, *parameters, fill)
    hflip = float(around.real_1[0])
    if not (pad or hflip or cutout):
        return
    rows_B5 = uniforms(baseline_key, indices_B, BASELINE_SLOTS)
    if pad or hflip:
        instructions_BS8[:, at] = _crop_and_flip(rows_B5, pad, hflip, width)
        at += 1
    if cutout:
        instructions_BS8[:, at] = _cutout(rows_B5, cutout, baseline_fill, height, width)


def drawn_uses(stages: Stages, stage: int, rows_BU: Real) -> tuple[Whole, Real]:
    """Return each image's operation of a stage, or −1, and its λ; both of shape ``[B]``."""
    choice, p, magnitude, gate, _shape = stages.slots_S5[stage].tolist()
    _slots, bins, groups = stages.whole_3.tolist()
    cumulative_K = stages.cumulative_SK[stage]
    if len(cumulative_K):
        use_B = _picked(cumulative_K.reshape(groups, -1), rows_BU[:, 0], rows_BU[:, choice])
    else:
        use_B = (rows_BU[:, choice] * stages.count_S[stage]).astype(np.int64)
    p_B = _within(stages.p_SK2[stage][use_B], rows_BU, p, 0)
    if std := float(stages.real_1[0]):
        noise_B = np.array([normal(number) for number in rows_BU[:, magnitude].tolist()])
        magnitude_B = np.clip(stages.magnitude_SK2[stage][use_B, 0] + std * noise_B, 0.0, 1.0)
    else:
        magnitude_B = _within(stages.magnitude_SK2[stage][use_B], rows_BU, magnitude, bins)
    return np.where(rows_BU[:, gate] < p_B, stages.operation_SK[stage][use_B], NOTHING), magnitude_B


def _picked(cumulative_GK: Real, group_B: Real, choice_B: Real) -> Whole:
    """Return the use that each image's numbers pick: its group, and its place in that."""
    groups, uses = cumulative_GK.shape
    which_B = (group_B * groups).astype(np.int64)
    if groups == 1:
        return np.searchsorted(cumulative_GK[0], choice_B, side="right")
    use_B: Whole = which_B * uses + (cumulative_GK[which_B] <= choice_B[:, None]).sum(axis=1)
    return use_B


def _within(range_B2: Real, rows_BU: Real, slot: int, bins: int) -> Real:
    """Return where in its range each image's number lies; the range's lower end where no slot picks it."""
    if slot == NOTHING:
        return range_B2[:, 0]
    position_B = rows_BU[:, slot]
    if bins:
        position_B = np.floor(position_B * bins) / (bins - 1)
    return range_B2[:, 0] + position_B * (range_B2[:, 1] - range_B2[:, 0])


def _crop_and_flip(rows_B5: Real, pad: int, hflip: float, width: int) -> Real:
    """Return the padded crop and the flip as one map, shape ``[B, 8]``."""
    shift_B2 = np.floor(rows_B5[:, :2] * (2 * pad + 1)) - pad
    flipped_B = rows_B5[:, 2] < hflip
    stage_B8 = np.zeros((len(rows_B5), WIDTH))
    stage_B8[:, 0] = np.where(flipped_B | shift_B2.any(axis=1), Code.AFFINE, Code.NOTHING)
    stage_B8[:, 1] = np.where(flipped_B, -1, 1)
    stage_B8[:, 3] = shift_B2[:, 1] + np.where(flipped_B, width, 0)
    stage_B8[:, 5] = 1
    stage_B8[:, 6] = shift_B2[:, 0]
    return stage_B8


def _cutout(rows_B5: Real, side: int, fill: int, height: int, width: int) -> Real:
    """Return the baseline's cutout, shape ``[B, 8]``."""
    size_2 = np.array([height, width], dtype=np.float64)
    low_B2 = np.floor(rows_B5[:, 3:5] * size_2) - side // 2
    stage_B8 = np.zeros((len(rows_B5), WIDTH))
    stage_B8[:, 0] = Code.FILL
    stage_B8[:, 2:0:-1] = np.maximum(low_B2, 0)
    stage_B8[:, 4:2:-1] = np.minimum(low_B2 + side, size_2)
    stage_B8[:, 7] = fill
    return stage_B8
