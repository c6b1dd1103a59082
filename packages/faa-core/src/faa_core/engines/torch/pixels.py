"""The pixels of every instruction in plain torch, on any device: the reference for the compiled engines.

Each kernel takes N images that share a code, ``[N, C, H, W]``, uint8 or (for 16 bits) int32 in 0…`top`, with the
parameters of their instructions in float64, one number ``[N]`` for each image, and returns images of the same shape and
dtype. The results are Pillow's, bit for bit, at 8 bits and one or three channels.

A kernel that another engine has, too, has the same name and the same arguments there, in the same order; but the other
engines know 8 bits only, and so no `top`.

What more channels mean: everything works channel by channel; Contrast's grey is the rounded mean over channels, and
Color leaves images as they are that do not have three.
"""

import torch
from torch import Tensor

from faa_core.operations.instructions import Code


def solarize(images: Tensor, threshold_N: Tensor, top: int) -> Tensor:
    """Invert the values at or above the threshold."""
    threshold = _each(threshold_N * ((top + 1) // 256)).to(images.dtype)
    return images ^ ((images >= threshold).to(images.dtype) * top)


def solarize_add(images: Tensor, addend_N: Tensor, top: int) -> Tensor:
    """Add to the values below the middle; cut off at the top."""
    scale = (top + 1) // 256
    raised = (images.to(torch.int32) + _each(addend_N).to(torch.int32) * scale).clamp_(0, top)
    return choose(images < (top + 1) // 2, raised.to(images.dtype), images)


def posterize(images: Tensor, mask_N: Tensor, top: int) -> Tensor:
    """Keep the bits of the mask, counted from the highest."""
    return images & _each(mask_N * ((top + 1) // 256)).to(images.dtype)


def brightness(images: Tensor, factor_N: Tensor, top: int) -> Tensor:
    """Blend with black."""
    return blend(torch.zeros((), device=images.device), images, factor_N, top)


def contrast(images: Tensor, factor_N: Tensor, top: int) -> Tensor:
    """Blend with the mean grey, which is rounded as Pillow does."""
    grey = luma(images)
    total_N, pixels = grey.flatten(1).sum(1, dtype=torch.int64), grey[0].numel()
    mean_N = (2 * total_N + pixels) // (2 * pixels)
    return blend(_each(mean_N).to(torch.float32), images, factor_N, top)


def color(images: Tensor, factor_N: Tensor, top: int) -> Tensor:
    """Blend with the greyscale image; only three channels have colour."""
    if images.shape[1] != 3:
        return images
    return blend(luma(images).to(torch.float32), images, factor_N, top)


def sharpness(images: Tensor, factor_N: Tensor, top: int) -> Tensor:
    """Blend with the image smoothed by (1 1 1; 1 5 1; 1 1 1) / 13, whose border is the image's own."""
    height, width = images.shape[-2:]
    if height < 3 or width < 3:
        return images
    whole = images.to(torch.int32)
    rows = whole[..., :-2, :] + whole[..., 1:-1, :] + whole[..., 2:, :]
    inner = whole[..., 1:-1, 1:-1]
    around = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner
    smooth = ((2 * around + 13) // 26).to(torch.float32)  # round(around / 13), which is never a tie
    result = images.clone()
    result[..., 1:-1, 1:-1] = blend(smooth, images[..., 1:-1, 1:-1], factor_N, top)
    return result


def auto_contrast(images: Tensor, top: int) -> Tensor:
    """Stretch each channel to 0…`top`."""
    flat_NCP = images.flatten(2).to(torch.int32)  # inductor's amin of uint8 is wrong
    low_NC1, high_NC1 = flat_NCP.amin(2, keepdim=True), flat_NCP.amax(2, keepdim=True)
    span_NC1 = (high_NC1 - low_NC1).to(torch.float64)
    scale_NC1 = torch.div(torch.full_like(span_NC1, top), span_NC1)  # a plain `top / span` would multiply by 1 / span
    offset_NC1 = -low_NC1.to(torch.float64) * scale_NC1
    value_T = torch.arange(top + 1, device=images.device)
    lut_NCT = (value_T.to(torch.float64) * scale_NC1 + offset_NC1).trunc().clamp(0, top)
    lut_NCT = torch.where(high_NC1 > low_NC1, lut_NCT, value_T).to(images.dtype)
    return look_up(images, lut_NCT)


def equalize(images: Tensor, top: int) -> Tensor:
    """Equalise each channel's histogram; at 16 bits images stay as they are.

    Pillow's step is a whole number of pixels per level, which is 0 for images with fewer than 65,535 pixels.
    """
    if top != 255:
        return images
    number, channels = images.shape[:2]
    values_MP = images.reshape(number * channels, -1).to(torch.int64)
    counts_MT = torch.zeros(number * channels, 256, dtype=torch.int64, device=images.device)
    counts_MT.scatter_add_(1, values_MP, torch.ones_like(values_MP))  # bincount would wait for the device
    used_MT = counts_MT > 0
    last_M1 = 255 - used_MT.flip(1).to(torch.int32).argmax(1, keepdim=True)
    step_M1 = (counts_MT.sum(1, keepdim=True) - counts_MT.gather(1, last_M1)) // 255
    before_MT = counts_MT.cumsum(1) - counts_MT
    lut_MT = ((before_MT + step_M1 // 2) // step_M1.clamp(min=1)).clamp(max=255)
    changes_M1 = (step_M1 > 0) & (used_MT.sum(1, keepdim=True) > 1)
    lut_MT = torch.where(changes_M1, lut_MT, torch.arange(256, device=images.device))
    return look_up(images, lut_MT.reshape(number, channels, 256).to(images.dtype))


def mix(images: Tensor, factor_N: Tensor, partner_NCHW: Tensor, top: int) -> Tensor:
    """Blend each with another image."""
    return blend(images, partner_NCHW, factor_N, top)


def blend(first: Tensor, second: Tensor, weight_N: Tensor, top: int) -> Tensor:
    """Return first + weight·(second − first), computed in float32 and cut off, as Pillow's `Image.blend` is."""
    low = first.to(torch.float32)
    mixed = low + _each(weight_N).to(torch.float32) * (second.to(torch.float32) - low)
    return mixed.clamp_(0, top).to(second.dtype)


def choose(condition: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return `torch.where` of whole numbers; bit by bit, which is several times as fast for uint8 on processors."""
    return second ^ ((first ^ second) & -condition.to(second.dtype))


def luma(images: Tensor) -> Tensor:
    """Return the grey of images ``[N, C, H, W]`` as whole numbers ``[N, 1, H, W]``: ITU-R 601 for three channels."""
    whole = images.to(torch.int32 if images.dtype == torch.uint8 else torch.int64)  # 16 bits times 16 need more than 31
    channels = whole.shape[1]
    if channels == 3:
        red, green, blue = (whole[:, channel : channel + 1] for channel in range(3))
        return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return whole if channels == 1 else (2 * whole.sum(1, keepdim=True) + channels) // (2 * channels)


def look_up(images: Tensor, lut_NCT: Tensor) -> Tensor:
    """Return each value's entry in its channel's table."""
    return lut_NCT.gather(2, images.flatten(2).to(torch.int64)).reshape(images.shape)


def _each(values_N: Tensor) -> Tensor:
    return values_N[:, None, None, None]


POINTWISE = {
    Code.SOLARIZE: solarize,
    Code.SOLARIZE_ADD: solarize_add,
    Code.POSTERIZE: posterize,
    Code.BRIGHTNESS: brightness,
    Code.CONTRAST: contrast,
    Code.COLOR: color,
    Code.SHARPNESS: sharpness,
}
