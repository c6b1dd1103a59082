"""From keyed uniform numbers to instructions, for a whole batch at once in numpy.

Shapes: B images, S stages of the policy, K choices in a stage, U uniform numbers per image.
"""

import numpy as np

from faa_core.batch.instructions import WIDTH, Base, Code, Numbers, instructions_of
from faa_core.batch.tables import Tables, Whole
from faa_core.policies.plan import NOTHING
from faa_core.randomness import normal, uniforms

BASELINE_SLOTS = 5  # crop (y, x), flip, cutout (y, x)


def draw_instructions(
    tables: Tables, policy_key: int, baseline_key: int, indices_B: Whole, height: int, width: int
) -> Numbers:
    """Return the instructions of a batch, shape ``[B, S', 8]``: the policy's stages, then the baseline's.

    Args:
        tables: Of the policy and its baseline.
        policy_key: Key of the policy's draws.
        baseline_key: Key of the baseline's draws.
        indices_B: Of the images in their data set.
        height: Of the images.
        width: Of the images.
    """
    rows_BU = uniforms(policy_key, indices_B, int(tables.whole_8[0]))
    stages = list(_policy(tables, rows_BU, height, width))
    pad, cutout, hflip = int(tables.whole_8[4]), int(tables.whole_8[5]), float(tables.real_2[0])
    if pad or hflip or cutout:
        rows_B5 = uniforms(baseline_key, indices_B, BASELINE_SLOTS)
        if pad or hflip:
            stages.append(_crop_and_flip(rows_B5, pad, hflip, width))
        if cutout:
            stages.append(_cutout(rows_B5, cutout, int(tables.whole_8[6]), height, width))
    return np.stack(stages, axis=1) if stages else np.zeros((len(indices_B), 0, WIDTH))


def _policy(tables: Tables, rows_BU: Numbers, height: int, width: int) -> Numbers:
    """Return the instructions of the policy's stages, shape ``[S, B, 8]``."""
    stages = len(tables.count_S)
    instructions_SB8 = np.zeros((stages, len(rows_BU), WIDTH))
    if stages == 0:
        return instructions_SB8
    drawn = [drawn_uses(tables, stage, rows_BU) for stage in range(stages)]
    operation_SB, magnitude_SB = (np.stack(column) for column in zip(*drawn, strict=True))
    gate_S, shape_S = tables.slots_S5[:, 3].tolist(), tables.slots_S5[:, 4].tolist()
    reflection_SB = np.stack([rows_BU[:, gate + 1] for gate in gate_S])
    place_SB2 = np.stack([rows_BU[:, gate + 2 : gate + 4] for gate in gate_S])
    shape_SB2 = np.stack([rows_BU[:, shape : shape + 2] for shape in shape_S])
    _slots, _bins, nearest, partners, *_baseline = tables.whole_8.tolist()
    for number, (base, mirrored, fill) in enumerate(tables.whole_O3.tolist()):
        which_N = np.nonzero(operation_SB == number)
        if len(which_N[0]) == 0:
            continue
        low, high, neutral = tables.axis_O3[number].tolist()
        argument_N = low + magnitude_SB[which_N] * (high - low)
        if mirrored:
            argument_N = np.where(reflection_SB[which_N] < 0.5, 2 * neutral - argument_N, argument_N)
        rows_N7 = instructions_of(
            Base(base),
            argument_N,
            place_SB2[which_N],
            shape_SB2[which_N],
            height=height,
            width=width,
            nearest=bool(nearest),
            partners=partners,
        )
        instructions_SB8[which_N] = np.column_stack([rows_N7, np.full(len(rows_N7), float(fill))])
    return instructions_SB8


def drawn_uses(tables: Tables, stage: int, rows_BU: Numbers) -> tuple[Whole, Numbers]:
    """Return each image's operation of a stage, or −1, and its λ; both of shape ``[B]``."""
    choice, p, magnitude, gate, _shape = tables.slots_S5[stage].tolist()
    cumulative_K = tables.cumulative_SK[stage]
    if len(cumulative_K):
        use_B = _picked(cumulative_K.reshape(int(tables.whole_8[7]), -1), rows_BU[:, 0], rows_BU[:, choice])
    else:
        use_B = (rows_BU[:, choice] * tables.count_S[stage]).astype(np.int64)
    p_B = _within(tables.p_SK2[stage][use_B], rows_BU, p, 0)
    if std := float(tables.real_2[1]):
        noise_B = np.array([normal(number) for number in rows_BU[:, magnitude].tolist()])
        magnitude_B = np.clip(tables.magnitude_SK2[stage][use_B, 0] + std * noise_B, 0.0, 1.0)
    else:
        magnitude_B = _within(tables.magnitude_SK2[stage][use_B], rows_BU, magnitude, int(tables.whole_8[1]))
    return np.where(rows_BU[:, gate] < p_B, tables.operation_SK[stage][use_B], NOTHING), magnitude_B


def _picked(cumulative_GK: Numbers, group_B: Numbers, choice_B: Numbers) -> Whole:
    """Return the use that each image's numbers pick: its group, and its place in that."""
    groups, uses = cumulative_GK.shape
    which_B = (group_B * groups).astype(np.int64)
    if groups == 1:
        return np.searchsorted(cumulative_GK[0], choice_B, side="right")
    use_B: Whole = which_B * uses + (cumulative_GK[which_B] <= choice_B[:, None]).sum(axis=1)
    return use_B


def _within(range_B2: Numbers, rows_BU: Numbers, slot: int, bins: int) -> Numbers:
    """Return where in its range each image's number lies; the range's lower end where no slot picks it."""
    if slot == NOTHING:
        return range_B2[:, 0]
    position_B = rows_BU[:, slot]
    if bins:
        position_B = np.floor(position_B * bins) / (bins - 1)
    return range_B2[:, 0] + position_B * (range_B2[:, 1] - range_B2[:, 0])


def _crop_and_flip(rows_B5: Numbers, pad: int, hflip: float, width: int) -> Numbers:
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


def _cutout(rows_B5: Numbers, side: int, fill: int, height: int, width: int) -> Numbers:
    """Return the baseline's cutout, shape ``[B, 8]``."""
    size_2 = np.array([height, width], dtype=np.float64)
    low_B2 = np.floor(rows_B5[:, 3:5] * size_2) - side // 2
    stage_B8 = np.zeros((len(rows_B5), WIDTH))
    stage_B8[:, 0] = Code.FILL
    stage_B8[:, 2:0:-1] = np.maximum(low_B2, 0)
    stage_B8[:, 4:2:-1] = np.minimum(low_B2 + side, size_2)
    stage_B8[:, 7] = fill
    return stage_B8
