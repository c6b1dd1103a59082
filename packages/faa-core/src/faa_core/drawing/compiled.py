"""From keyed uniform numbers to instructions, image by image: `faa_core.drawing.plain` for numba.

Only the numbers that matter are made. Floating point is strict: the bits are numpy's. What is called for every image
takes and returns plain numbers, because numba counts references to arrays.

What an operation does is stated once, in Python (`Batched.numbers`). numba compiles each such function by itself, those
of plugins too, and a batch's draw calls it by its address: so there is one draw, whatever operations there are.
"""

import inspect
import math
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, types
from numba.extending import intrinsic, register_jitable

from faa_core import randomness
from faa_core.drawing.compiling import compiled, kept
from faa_core.drawing.tables import Around
from faa_core.operations import Drawn, geometry, instructions, numbers, operation
from faa_core.operations.instructions import Code
from faa_core.operations.operation import NumbersOf
from faa_core.policies.stages import Real, Stages, Whole

numba_types: Any = types
SIX = numba_types.UniTuple(types.float64, 6)
DRAWN = numba_types.NamedUniTuple(numba_types.UniTuple(types.float64, 2), 2, Drawn)
GIVEN = (types.float64, types.int64, types.int64, DRAWN)  # see `NumbersOf`

for _module in (geometry, numbers):  # their functions call each other, which numba does not compile by itself
    for _name, _function in inspect.getmembers(_module, inspect.isfunction):
        register_jitable(_function)
instruction: Any = compiled(error_model="numpy")(instructions.instruction)
mixed: Any = compiled()(randomness.mix)
normal = compiled()(randomness.normal)


@cache
def compiled_numbers(numbers_of: NumbersOf) -> Any:
    """Return a function as compiled code with an address in this process, for as long as that lasts.

    Raises:
        Exception: As numba has it, if it cannot compile that.
    """
    return kept(lambda **options: cfunc(SIX(*GIVEN), error_model="numpy", **options)(numbers_of))


@cache
def addresses(names: tuple[str, ...]) -> Whole:
    """Return the addresses of the numbers of operations, 0 for those that have none; shape ``[O]``."""
    rows = [operation(name).in_batches for name in names]
    return np.array([compiled_numbers(row.numbers).address if row else 0 for row in rows], dtype=np.int64)


@cache
def uncompilable(names: tuple[str, ...]) -> str:
    """Return why operations cannot be drawn by compiled code; "" when they can."""
    for name in names:
        try:
            addresses((name,))
        except Exception as error:  # noqa: BLE001 a plugin's callable can be anything, and numba then fails in any way
            words = " ".join(str(error).split())
            return f"numba cannot compile the map of '{name}': {words:.200}"
    return ""


def _calling(_context: Any, _address: Any, _argument: Any, _width: Any, _height: Any, _drawn: Any) -> Any:
    """Return the signature of a call of a function at an address, and what builds the call."""

    def build(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        given = [context.get_value_type(kind) for kind in GIVEN]
        pointer = ir.FunctionType(context.get_value_type(SIX), given).as_pointer()
        return builder.call(builder.inttoptr(values[0], pointer), values[1:])

    return SIX(types.int64, *GIVEN), build


numbers_at: Any = intrinsic(_calling)


@compiled(error_model="numpy")
def draw(
    stages: Stages,
    around: Around,
    numbers_O: Whole,
    keys: tuple[np.uint64, np.uint64],
    indices_B: Whole,
    size: tuple[int, int],
    instructions_BS8: Real,
) -> None:
    """Write the instructions of a batch into zeros; see `plain.draw`. `numbers_O` are addresses."""
    slots_S5, count_S, cumulative_SK, operation_SK, p_SK2, magnitude_SK2, whole_3, std_1 = stages
    whole_O3, axis_O3, whole_5, hflip_1 = around
    height, width = size
    bins, groups, std, nearest, partners = whole_3[1], whole_3[2], std_1[0], whole_5[0] == 1, whole_5[1]
    uses = cumulative_SK.shape[1] // groups  # in each group
    for b in range(len(indices_B)):
        start = start_of(keys[0], indices_B[b])
        for stage in range(len(count_S)):
            pick = uniform(start, slots_S5[stage, 0])
            if uses > 0:
                first = np.int64(uniform(start, 0) * groups) * uses
                use = first + np.searchsorted(cumulative_SK[stage, first : first + uses], pick, side="right")
            else:
                use = np.int64(pick * count_S[stage])
            number, gate, shape = operation_SK[stage, use], slots_S5[stage, 3], slots_S5[stage, 4]
            if number < 0:
                continue
            p = p_SK2[stage, use, 0]
            if slots_S5[stage, 1] >= 0:
                p += uniform(start, slots_S5[stage, 1]) * (p_SK2[stage, use, 1] - p)
            if uniform(start, gate) >= p:
                continue
            range_2 = magnitude_SK2[stage, use, 0], magnitude_SK2[stage, use, 1]
            magnitude = drawn_magnitude(start, slots_S5[stage, 2], range_2, std, bins)
            low, high, neutral = axis_O3[number, 0], axis_O3[number, 1], axis_O3[number, 2]
            argument = low + magnitude * (high - low)
            if whole_O3[number, 1] == 1 and uniform(start, gate + 1) < 0.5:
                argument = 2 * neutral - argument
            centre = uniform(start, gate + 2), uniform(start, gate + 3)
            drawn = Drawn(centre, (uniform(start, shape), uniform(start, shape + 1)))
            six = numbers_at(numbers_O[number], argument, width, height, drawn)
            code, six = instruction(whole_O3[number, 0], six, nearest, partners)
            row_8 = instructions_BS8[b, stage]
            row_8[0], row_8[7] = code, whole_O3[number, 2]
            for at in range(6):
                row_8[at + 1] = six[at]
        if len(count_S) < instructions_BS8.shape[1]:
            draw_baseline(whole_5, hflip_1[0], start_of(keys[1], indices_B[b]), height, width, instructions_BS8, b)


@compiled(error_model="numpy")
def start_of(key: Any, index: Any) -> Any:
    """Return where an image's numbers start."""
    return mixed(key ^ mixed(np.uint64(index) + randomness.GOLDEN))


@compiled(error_model="numpy")
def uniform(start: Any, slot: Any) -> Any:
    """Return the uniform number of a slot, in [0, 1)."""
    return np.float64(mixed(start + np.uint64(slot + 1) * randomness.GOLDEN) >> np.uint64(11)) * 2.0**-53


@compiled(error_model="numpy")
def drawn_magnitude(start: Any, slot: Any, range_2: Any, std: Any, bins: Any) -> Any:
    """Return λ: fixed, with noise, or from its range."""
    low, high = range_2
    if std > 0:
        return min(1.0, max(0.0, low + std * normal(uniform(start, slot))))
    if slot < 0:
        return low
    position = uniform(start, slot)
    if bins > 0:
        position = math.floor(position * bins) / (bins - 1)
    return low + position * (high - low)


@compiled(error_model="numpy")
def draw_baseline(whole_5: Any, hflip: Any, start: Any, height: Any, width: Any, instructions_BS8: Any, b: Any) -> None:
    """Write the baseline's crop and flip, and its cutout, into the last stages of image b."""
    pad, cutout = whole_5[2], whole_5[3]
    at = instructions_BS8.shape[1] - (1 if pad > 0 or hflip > 0 else 0) - (1 if cutout > 0 else 0)
    if pad > 0 or hflip > 0:
        down = math.floor(uniform(start, 0) * (2 * pad + 1)) - pad
        right = math.floor(uniform(start, 1) * (2 * pad + 1)) - pad
        flipped = uniform(start, 2) < hflip
        row_8 = instructions_BS8[b, at]
        row_8[0] = Code.AFFINE.value if flipped or down != 0 or right != 0 else Code.NOTHING.value
        row_8[1], row_8[5] = -1.0 if flipped else 1.0, 1.0
        row_8[3], row_8[6] = right + width if flipped else right, down
        at += 1
    if cutout > 0:
        row_8 = instructions_BS8[b, at]
        top = math.floor(uniform(start, 3) * height) - cutout // 2
        left = math.floor(uniform(start, 4) * width) - cutout // 2
        row_8[0], row_8[7] = Code.FILL.value, whole_5[4]
        row_8[1], row_8[2] = max(left, 0), max(top, 0)
        row_8[3], row_8[4] = min(left + cutout, width), min(top + cutout, height)
