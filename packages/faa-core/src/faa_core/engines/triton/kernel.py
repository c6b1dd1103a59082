"""One launch for a whole batch: each Triton program carries out the instructions of one image after another.

What follows an affine map, and the map itself, is done pixel by pixel while it is read, so an image is written only
once, unless an instruction has to see all of what comes before it: Contrast, AutoContrast and Equalize, which become
tables, and Sharpness. The image before such an instruction goes to scratch memory, as one int32 for each pixel; there
are two such images, so that one is read while the other is written.

Shapes: B images, C channels, H × W pixels, S stages, M partners.
"""

import triton
import triton.language as tl

from faa_core.engines.triton.pixels import blend, channel, levels, look_up, luma, placed, sharpness, table
from faa_core.operations.instructions import WIDTH as NUMBERS
from faa_core.operations.instructions import Code

ROW = tl.constexpr(NUMBERS)
AFFINE = tl.constexpr(int(Code.AFFINE))
FILL = tl.constexpr(int(Code.FILL))
CONTRAST = tl.constexpr(int(Code.CONTRAST))
SHARPNESS = tl.constexpr(int(Code.SHARPNESS))
AUTO_CONTRAST = tl.constexpr(int(Code.AUTO_CONTRAST))
EQUALIZE = tl.constexpr(int(Code.EQUALIZE))
MIX = tl.constexpr(int(Code.MIX))


@triton.jit(do_not_specialize=["count"])
def augment(
    images_ptr: tl.tensor,
    instructions_ptr: tl.tensor,
    partners_ptr: tl.tensor,
    scratch_ptr: tl.tensor,
    output_ptr: tl.tensor,
    count: tl.tensor,
    scale_0: tl.tensor,
    scale_1: tl.tensor,
    scale_2: tl.tensor,
    bias_0: tl.tensor,
    bias_1: tl.tensor,
    bias_2: tl.tensor,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
    STAGES: tl.constexpr,
    BLOCK: tl.constexpr,
    NORMALISED: tl.constexpr,
) -> None:
    """Carry out the instructions of every image.

    All threads of a program meet at the same barriers: what is branched on is the same for all of them.
    """
    PIXELS: tl.constexpr = HEIGHT * WIDTH
    own_ptr = scratch_ptr + tl.program_id(0).to(tl.int64) * (2 * PIXELS + 256)
    table_ptr = own_ptr + 2 * PIXELS
    for image in range(tl.program_id(0), count, tl.num_programs(0)):
        image_ptr = images_ptr + tl.cast(image, tl.int64) * (CHANNELS * PIXELS)
        result_ptr = output_ptr + tl.cast(image, tl.int64) * (CHANNELS * PIXELS)
        rows_ptr = instructions_ptr + tl.cast(image, tl.int64) * (STAGES * ROW)
        first, written = 0, 0
        for last in range(STAGES + 1):
            code = _code(rows_ptr, last, STAGES)
            tabled = (code == CONTRAST) | (code == AUTO_CONTRAST) | (code == EQUALIZE)
            if tabled | (code == SHARPNESS) | (last == STAGES):
                source_ptr = own_ptr + (written + 1) % 2 * PIXELS
                target_ptr = own_ptr + written % 2 * PIXELS
                for start in range(0, PIXELS, BLOCK):
                    position = start + tl.arange(0, BLOCK)
                    pixels = _after(
                        position, first, last, written, image_ptr, source_ptr, table_ptr, partners_ptr, rows_ptr,
                        HEIGHT, WIDTH, CHANNELS,
                    )  # fmt: skip
                    if last < STAGES:
                        tl.store(target_ptr + position, pixels, mask=position < PIXELS)
                    else:
                        _write(
                            result_ptr, position, pixels, scale_0, scale_1, scale_2, bias_0, bias_1, bias_2,
                            PIXELS, CHANNELS, NORMALISED,
                        )  # fmt: skip
                tl.debug_barrier()  # the source and the table may be overwritten, and the target be read
                if tabled:
                    weight = tl.load(rows_ptr + last * ROW + 1)
                    entries = table(target_ptr, code, weight, PIXELS, CHANNELS, BLOCK)
                    tl.store(table_ptr + tl.arange(0, 256), entries)
                    tl.debug_barrier()
                first, written = last, written + 1


@triton.jit
def _code(rows_ptr: tl.tensor, stage: tl.tensor, stages: tl.tensor) -> tl.tensor:
    """Return a stage's code; NOTHING behind the last one."""
    return tl.load(rows_ptr + stage * ROW, mask=stage < stages, other=0.0).to(tl.int32)


@triton.jit
def _after(
    position: tl.tensor,
    first: tl.tensor,
    last: tl.tensor,
    written: tl.tensor,
    image_ptr: tl.tensor,
    source_ptr: tl.tensor,
    table_ptr: tl.tensor,
    partners_ptr: tl.tensor,
    rows_ptr: tl.tensor,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> tl.tensor:
    """Return pixels of the image after the stages first…last − 1.

    Args:
        position: Of the pixels, int32 ``[BLOCK]``; behind the image's end they are anything.
        first: Stage to begin with, the only one that may need the whole image before it.
        last: Stage to stop before.
        written: How many images went to scratch memory: none means that the image before `first` is the input.
        image_ptr: The input, uint8 ``[C, H, W]``.
        source_ptr: The image before `first`, int32 ``[H, W]``.
        table_ptr: The table of `first`, int32 ``[256]``.
        partners_ptr: uint8 ``[M, C, H, W]``.
        rows_ptr: The image's instructions, float64 ``[S, 8]``.
        HEIGHT: Of the image.
        WIDTH: Of the image.
        CHANNELS: Of the image.
    """
    x, y, inside = _origin(position, first, last, rows_ptr, HEIGHT, WIDTH)
    if written == 0:
        pixels = _read(image_ptr, y * WIDTH + x, inside, HEIGHT * WIDTH, CHANNELS)
    elif _code(rows_ptr, first, last) == SHARPNESS:
        weight = tl.load(rows_ptr + first * ROW + 1)
        pixels = sharpness(source_ptr, x, y, inside, weight, HEIGHT, WIDTH, CHANNELS)
    else:
        pixels = tl.load(source_ptr + y * WIDTH + x, mask=inside, other=0)
    for stage in range(first, last):
        row_ptr = rows_ptr + stage * ROW
        code = tl.load(row_ptr).to(tl.int32)
        value = tl.load(row_ptr + 1)
        if (code == AFFINE) | (code == FILL) | (code == MIX):
            x, y, kept = _origin(position, stage, last, rows_ptr, HEIGHT, WIDTH)
            if code == MIX:
                partner_ptr = partners_ptr + tl.load(row_ptr + 2).to(tl.int64) * (CHANNELS * HEIGHT * WIDTH)
                partner = _read(partner_ptr, y * WIDTH + x, kept, HEIGHT * WIDTH, CHANNELS)
                pixels = blend(pixels, partner, value, CHANNELS)
            else:
                if code == FILL:
                    kept = _outside_box(x, y, row_ptr)
                pixels = tl.where(kept, pixels, _colour(row_ptr, CHANNELS))
        elif (code == CONTRAST) | (code == AUTO_CONTRAST) | (code == EQUALIZE):
            pixels = look_up(pixels, table_ptr, CHANNELS)
        else:
            pixels = levels(pixels, code, value, CHANNELS)
    return pixels


@triton.jit
def _origin(
    position: tl.tensor,
    first: tl.tensor,
    last: tl.tensor,
    rows_ptr: tl.tensor,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
) -> tl.tensor:
    """Return where pixels come from through the maps of the stages first…last − 1: x, y, and whether that is inside.

    The maps are followed one by one, each in whole pixels: their product would not give the same pixels. Where a
    pixel is outside after one map, those before it may bring it back in; the later one's colour overwrites it.
    """
    x, y = position % WIDTH, position // WIDTH
    for back in range(1, last - first + 1):
        row_ptr = rows_ptr + (last - back) * ROW
        if tl.load(row_ptr).to(tl.int32) == AFFINE:
            right, down = _mapped(x, y, row_ptr + 1), _mapped(x, y, row_ptr + 4)
            x, y = right, down
    return x, y, (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)


@triton.jit
def _mapped(x: tl.tensor, y: tl.tensor, map_ptr: tl.tensor) -> tl.tensor:
    """Return one coordinate after an inverse map's three coefficients, in 16.16 fixed point as Pillow has it."""
    across, down, offset = tl.load(map_ptr), tl.load(map_ptr + 1), tl.load(map_ptr + 2)
    corner = _fixed(offset + across * 0.5 + down * 0.5)
    return (corner + _fixed(down) * y + _fixed(across) * x) >> 16


@triton.jit
def _fixed(value: tl.tensor) -> tl.tensor:
    return tl.floor(value * 65536.0 + 0.5).to(tl.int32)


@triton.jit
def _read(
    image_ptr: tl.tensor, index: tl.tensor, inside: tl.tensor, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
) -> tl.tensor:
    """Return pixels of a uint8 image ``[C, H, W]``."""
    pixels = tl.zeros_like(index)
    for number in tl.static_range(CHANNELS):
        pixels |= placed(tl.load(image_ptr + number * PIXELS + index, mask=inside, other=0), number, CHANNELS)
    return pixels


@triton.jit
def _outside_box(x: tl.tensor, y: tl.tensor, row_ptr: tl.tensor) -> tl.tensor:
    left, top = tl.load(row_ptr + 1).to(tl.int32), tl.load(row_ptr + 2).to(tl.int32)
    right, bottom = tl.load(row_ptr + 3).to(tl.int32), tl.load(row_ptr + 4).to(tl.int32)
    return (x < left) | (x >= right) | (y < top) | (y >= bottom)


@triton.jit
def _colour(row_ptr: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return an instruction's fill as a pixel."""
    colour = tl.load(row_ptr + ROW - 1).to(tl.int32)
    return colour if CHANNELS == 3 else luma(colour, 3)


@triton.jit
def _write(
    result_ptr: tl.tensor,
    position: tl.tensor,
    pixels: tl.tensor,
    scale_0: tl.tensor,
    scale_1: tl.tensor,
    scale_2: tl.tensor,
    bias_0: tl.tensor,
    bias_1: tl.tensor,
    bias_2: tl.tensor,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    NORMALISED: tl.constexpr,
) -> None:
    """Write pixels of the result ``[C, H, W]``, uint8 or normalised."""
    for number in tl.static_range(CHANNELS):
        values = channel(pixels, number, CHANNELS)
        if NORMALISED:
            scale = scale_0 if number == 0 else (scale_1 if number == 1 else scale_2)
            bias = bias_0 if number == 0 else (bias_1 if number == 1 else bias_2)
            values = values.to(tl.float32) * scale + bias
        else:
            values = values.to(tl.uint8)
        tl.store(result_ptr + number * PIXELS + position, values, mask=position < PIXELS)
