"""Images with other than one or three channels, and with 16 bits: what plain torch makes of them.

Shapes: B images, C channels, H × W pixels.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from faa_core import Op, Policy, SubPolicies, operation
from faa_core.applying import Baseline
from faa_core.operations import operation_names

Array = NDArray[np.int64]
EVERY = operation_names()
CROSS_CHANNEL = ("Contrast", "Color")
ROUNDED_IN_BETWEEN = ("Contrast", "Color", "Sharpness", "AutoContrast", "Equalize", "RandomResizedCrop")
MAGNITUDES = (0.0, 0.13, 0.35, 0.5, 0.77, 1.0)
COUNT = 60


def policy_of(name: str, *, magnitudes: tuple[float, ...] = MAGNITUDES, **fields: object) -> Policy:
    """Return a policy of one operation at several magnitudes, with a coloured fill."""
    uses = tuple((Op(op=name, p=1.0, magnitude=at),) for at in magnitudes)
    return SubPolicies(sub_policies=uses, fill=(10, 200, 90), **fields)


def images_of(channels: int, *, top: int = 255, height: int = 21, width: int = 26) -> Array:
    """Return noise of another spread in every channel, int64 ``[B, C, H, W]`` in 0…`top`."""
    rng = np.random.default_rng(channels)
    images = rng.normal(0.5, 0.25, (COUNT, channels, height, width)) + 0.1 * rng.normal(size=(COUNT, channels, 1, 1))
    return (images.clip(0, 1) * top).astype(np.int64)


def augmented(policy: Policy, images: Array, dtype: torch.dtype = torch.uint8, **options: object) -> Array:
    """Return the augmented batch as integers; the partners are the first images, in reverse."""
    given = torch.from_numpy(images).to(dtype)
    module = policy.to_batch(partners=given[:5].flip(0), **options)
    result: Tensor = module(given, seed=1, epoch=2, indices=torch.arange(len(images)))
    assert result.dtype == dtype
    return result.to(torch.int64).numpy()


def one_channel_at_a_time(policy: Policy, images: Array) -> Array:
    """Return what Pillow makes of each channel as a grey image of its own."""
    drawn = policy.draw(seed=1, epoch=2, indices=np.arange(len(images)))
    grey = [[Image.fromarray(channel.astype(np.uint8)) for channel in image] for image in images]
    done = [
        [
            np.asarray(policy.apply_steps(channel, steps, partners=[other[at] for other in grey[4::-1]]))
            for at, channel in enumerate(own)
        ]
        for own, steps in zip(grey, drawn, strict=True)
    ]
    return np.array(done).astype(np.int64)


def arguments(policy: Policy) -> NDArray[np.float32]:
    """Return the argument of each image, ``[B, 1, 1, 1]``."""
    drawn = policy.draw(seed=1, epoch=2, indices=np.arange(COUNT))
    return np.array([step.argument for (step,) in drawn], dtype=np.float32)[:, None, None, None]


def blended(first: Array, second: Array, weight: NDArray[np.float32], top: int) -> Array:
    """Return first + weight·(second − first) in float32, cut off and cut to whole numbers."""
    low = first.astype(np.float32)
    return (low + weight * (second.astype(np.float32) - low)).clip(0, top).astype(np.int64)


@pytest.mark.parametrize("channels", [2, 4, 7])
@pytest.mark.parametrize("name", [name for name in EVERY if name not in CROSS_CHANNEL])
def test_channels_are_treated_one_by_one(name: str, channels: int) -> None:
    """Geometry, levels and histograms of each channel are Pillow's of a grey image, also between pixels."""
    images = images_of(channels)
    filters = ("nearest", "bilinear", "bicubic") if operation(name).matrix is not None else ("nearest",)
    for interpolation in filters:
        policy = policy_of(name, interpolation=interpolation)
        assert np.array_equal(one_channel_at_a_time(policy, images), augmented(policy, images)), interpolation


@pytest.mark.parametrize(("channels", "top"), [(2, 255), (4, 255), (7, 255), (1, 65535), (2, 65535), (3, 65535)])
def test_contrast_blends_with_the_mean_grey(channels: int, top: int) -> None:
    """The mean, rounded, of the pixels' greys: of three channels the luma, of others the rounded mean."""
    images, policy = images_of(channels, top=top), policy_of("Contrast")
    grey_BHW = (2 * images.sum(1) + channels) // (2 * channels)
    if channels == 3:
        grey_BHW = np.tensordot(images, (19595, 38470, 7471), axes=(1, 0)) + 0x8000 >> 16
    mean_B111 = np.floor(grey_BHW.mean((1, 2)) + 0.5).astype(np.int64)[:, None, None, None]
    expected = blended(mean_B111, images, arguments(policy), top)
    assert np.array_equal(expected, augmented(policy, images, torch.uint8 if top == 255 else torch.uint16))


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_only_three_channels_have_colour(channels: int) -> None:
    """Color leaves others as they are, at 8 bits and at 16."""
    for top, dtype in ((255, torch.uint8), (65535, torch.uint16)):
        images = images_of(channels, top=top)
        assert np.array_equal(images, augmented(policy_of("Color"), images, dtype))


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ROUNDED_IN_BETWEEN])
def test_the_high_byte_of_16_bits_is_the_8_bit_result(name: str) -> None:
    """For 256·x in place of x: whatever does not round on its way, at every filter and on 1 to 4 channels."""
    filters = ("nearest", "bilinear", "bicubic") if operation(name).matrix is not None else ("nearest",)
    for channels in (1, 3, 4):
        images = images_of(channels)
        for interpolation in filters:
            policy = policy_of(name, interpolation=interpolation)
            wide = augmented(policy, 256 * images, torch.uint16)
            assert np.array_equal(augmented(policy, images), wide >> 8), (channels, interpolation)


GEOMETRIC = [name for name in EVERY if operation(name).matrix is not None and name != "RandomResizedCrop"]


@pytest.mark.parametrize("name", [*GEOMETRIC, "Cutout", "CutoutAbs", "Invert", "Identity"])
def test_16_bits_move_as_two_bytes(name: str) -> None:
    """Any image: high and low bytes go where they would go as images of their own, also through the baseline."""
    images, policy = images_of(3, top=65535), policy_of(name)
    options = {"baseline": Baseline(pad=3, hflip=0.5, cutout=6, fill=(1, 128, 255))}
    high, low = (augmented(policy, part, **options) for part in (images >> 8, images & 255))
    assert np.array_equal(256 * high + low, augmented(policy, images, torch.uint16, **options))


def test_levels_at_16_bits() -> None:
    """Solarize inverts within 16 bits, Posterize keeps as many of the highest bits, SolarizeAdd adds 256 for 1."""
    images = images_of(2, top=65535)
    threshold = 256 * np.ceil(arguments(policy_of("Solarize"))).astype(np.int64)
    solarized = augmented(policy_of("Solarize"), images, torch.uint16)
    assert np.array_equal(np.where(images >= threshold, 65535 - images, images), solarized)
    bits = arguments(policy_of("Posterize")).astype(np.int64)
    kept = np.where(bits == 8, 65535, 65536 - 2 ** (16 - bits))
    assert np.array_equal(images & kept, augmented(policy_of("Posterize"), images, torch.uint16))
    addend = 256 * arguments(policy_of("SolarizeAdd")).astype(np.int64)
    lifted = np.where(images < 32768, (images + addend).clip(0, 65535), images)
    assert np.array_equal(lifted, augmented(policy_of("SolarizeAdd"), images, torch.uint16))


def test_blends_at_16_bits() -> None:
    """Brightness with black, Color with the luma, SamplePairing with a partner, Sharpness with the smoothed image."""
    images = images_of(3, top=65535)
    weights = {name: arguments(policy_of(name)) for name in ("Brightness", "Color", "Sharpness", "SamplePairing")}
    got = {name: augmented(policy_of(name), images, torch.uint16) for name in weights}
    black = np.zeros_like(images)
    assert np.array_equal(blended(black, images, weights["Brightness"], 65535), got["Brightness"])
    luma_B1HW = np.tensordot(images, (19595, 38470, 7471), axes=(1, 0))[:, None] + 0x8000 >> 16
    assert np.array_equal(blended(luma_B1HW, images, weights["Color"], 65535), got["Color"])
    drawn = policy_of("SamplePairing").draw(seed=1, epoch=2, indices=np.arange(COUNT))
    others = images[:5][::-1][[int(step.centre[0] * 5) for (step,) in drawn]]
    assert np.array_equal(blended(images, others, weights["SamplePairing"], 65535), got["SamplePairing"])
    shifted = [images[:, :, 1 + y : 20 + y, 1 + x : 25 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    smooth = np.round((sum(shifted) + 4 * shifted[4]) / 13).astype(np.int64)
    inner = blended(smooth, shifted[4], weights["Sharpness"], 65535)
    assert np.array_equal(inner, got["Sharpness"][:, :, 1:-1, 1:-1])
    border = got["Sharpness"].copy()
    border[:, :, 1:-1, 1:-1] = images[:, :, 1:-1, 1:-1]
    assert np.array_equal(images, border)


def test_histograms_at_16_bits() -> None:
    """AutoContrast stretches each channel to 0…65,535; Equalize leaves images as they are; flat channels stay."""
    images = images_of(3, top=40_000) + 5000
    images[:, 1] = 777
    low, high = (bound((2, 3), keepdims=True) for bound in (images.min, images.max))
    stretched = augmented(policy_of("AutoContrast"), images, torch.uint16)
    assert (stretched[:, 1] == 777).all()
    expected = (images - low)[:, ::2] * 65535 / (high - low)[:, ::2]
    assert np.abs(expected - stretched[:, ::2]).max() <= 1
    assert (stretched[:, ::2].min((2, 3)) == 0).all()
    assert (stretched[:, ::2].max((2, 3)) >= 65534).all()  # 65,535 / span · span may fall just short, as in Pillow
    assert np.array_equal(images, augmented(policy_of("Equalize"), images, torch.uint16))


def test_a_resized_crop_at_16_bits() -> None:
    """The 8-bit result of 256·x, to within its own rounding."""
    images, policy = images_of(3), policy_of("RandomResizedCrop")
    assert np.abs(augmented(policy, 256 * images, torch.uint16) / 256 - augmented(policy, images)).max() <= 2


@pytest.mark.parametrize("name", [name for name in EVERY if operation(name).identity is not None])
def test_identity_magnitudes_change_nothing_at_16_bits(name: str) -> None:
    """On noise of 1, 3 and 4 channels, whichever sign is drawn."""
    policy = policy_of(name, magnitudes=(operation(name).identity,))
    for channels in (1, 3, 4):
        images = images_of(channels, top=65535)
        assert np.array_equal(images, augmented(policy, images, torch.uint16))
