"""The baseline and the normalisation of a batch against plain numpy.

Shapes: B images, C channels, H × W pixels.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_core.applying import Baseline, Normalize
from faa_core.randomness import key_of, uniforms

Array = NDArray[np.uint8]
COUNT = 300
ENGINES = (
    "torch",
    "pillow",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
NONE = Policy.load("none")


def images_of(channels: int = 3, height: int = 16, width: int = 16, count: int = COUNT) -> Array:
    """Return noise without black, ``[B, C, H, W]``."""
    return np.random.default_rng(1).integers(1, 256, (count, channels, height, width), dtype=np.uint8)


def augmented(images_BCHW: Array, *, policy: Policy = NONE, seed: int = 7, epoch: int = 5, **options: object) -> Array:
    """Return what the module makes of images with indices from 1000 on."""
    indices = torch.arange(1000, 1000 + len(images_BCHW))
    result: Tensor = policy.to_batch(**options)(torch.from_numpy(images_BCHW), seed=seed, epoch=epoch, indices=indices)
    return result.numpy()


def reference(images_BCHW: Array, baseline: Baseline, *, seed: int = 7, epoch: int = 5) -> Array:
    """Return the padded crop, then the flip, then the cutout, of one image after the other."""
    rows_B5 = uniforms(key_of("baseline", seed, epoch), np.arange(1000, 1000 + len(images_BCHW)), 5)
    height, width = images_BCHW.shape[2:]
    results = []
    for image_CHW, (crop_y, crop_x, mirror, cut_y, cut_x) in zip(images_BCHW, rows_B5, strict=True):
        pad = baseline.pad
        padded_CHW = np.pad(image_CHW, ((0, 0), (pad, pad), (pad, pad)))
        top, left = int(crop_y * (2 * pad + 1)), int(crop_x * (2 * pad + 1))
        done_CHW = padded_CHW[:, top : top + height, left : left + width]
        done_CHW = (done_CHW[:, :, ::-1] if mirror < baseline.hflip else done_CHW).copy()
        if side := baseline.cutout:
            top, left = int(cut_y * height) - side // 2, int(cut_x * width) - side // 2
            rows, columns = slice(max(top, 0), max(top + side, 0)), slice(max(left, 0), max(left + side, 0))
            red, green, blue = baseline.fill
            luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
            colour = (red, green, blue) if len(image_CHW) == 3 else (luma,) * len(image_CHW)
            done_CHW[:, rows, columns] = np.array(colour, dtype=np.uint8)[:, None, None]
        results.append(done_CHW)
    return np.stack(results)


BASELINES = [
    Baseline(),
    Baseline(pad=4),
    Baseline(pad=1),
    Baseline(pad=40),
    Baseline(hflip=0.5),
    Baseline(hflip=1.0),
    Baseline(cutout=8),
    Baseline(cutout=1, fill=(1, 2, 3)),
    Baseline(cutout=7, fill=(255, 0, 128)),
    Baseline(cutout=100, fill=(9, 9, 9)),
    Baseline(pad=4, hflip=0.5, cutout=5, fill=(125, 123, 114)),
    Baseline(pad=4, hflip=0.5),
    Baseline(hflip=0.3, cutout=6),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_the_baseline_is_numpys(baseline: Baseline, engine: str) -> None:
    """Black padding, a mirror image, a clipped square, in this order; on squares, odd sizes, grey images and dots."""
    for shape in ((3, 16, 16), (3, 13, 22), (1, 16, 9), (3, 1, 1), (1, 1, 5)):
        images = images_of(*shape)
        assert np.array_equal(reference(images, baseline), augmented(images, baseline=baseline, engine=engine)), shape


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_the_baseline_on_other_channels(channels: int) -> None:
    """Channel by channel, with the fill's luma."""
    images = images_of(channels)
    assert np.array_equal(reference(images, BASELINES[10]), augmented(images, baseline=BASELINES[10]))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_baseline_comes_after_the_policy(engine: str) -> None:
    """An inverted image is padded with black; its square has the fill as it is given."""
    policy = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),), fill=(200, 200, 200))
    images, baseline = images_of(), BASELINES[10]
    assert np.array_equal(
        reference(255 - images, baseline), augmented(images, policy=policy, baseline=baseline, engine=engine)
    )


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_baseline_moves_whole_pixels_whatever_the_interpolation(interpolation: str) -> None:
    """Its crops and flips sample pixel centres, so every filter leaves the values alone."""
    policy = SubPolicies(sub_policies=((),), interpolation=interpolation)
    for shape in ((3, 16, 16), (1, 13, 22)):
        images = images_of(*shape)
        assert np.array_equal(
            reference(images, BASELINES[10]), augmented(images, policy=policy, baseline=BASELINES[10])
        )


def test_the_baseline_has_draws_of_its_own() -> None:
    """It does not depend on the policy before it, but on seed and epoch."""
    images, baseline = images_of(), BASELINES[10]
    nothing = SubPolicies(sub_policies=((Op(op="Rotate", p=0.0, magnitude=0.9),) * 3,))
    expected = augmented(images, baseline=baseline)
    assert np.array_equal(expected, augmented(images, policy=nothing, baseline=baseline))
    for seed, epoch in ((8, 5), (7, 6)):
        other = augmented(images, baseline=baseline, seed=seed, epoch=epoch)
        assert np.array_equal(reference(images, baseline, seed=seed, epoch=epoch), other)
        assert not np.array_equal(expected, other)


NORMALIZES = {
    3: Normalize(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    1: Normalize(mean=(0.1307,), std=(0.3081,)),
    4: Normalize(mean=(0.0, 0.5, 1.0, 0.25), std=(1.0, 0.5, 0.001, 3.0)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_normalisation_rounds_the_product_and_the_sum_once(channels: int, engine: str) -> None:
    """x·scale + bias in numpy's float32, to the bit, for all 256 values: no engine fuses the two."""
    if channels == 4 and engine != "torch":
        pytest.skip("four channels are for plain torch")
    normalize = NORMALIZES[channels]
    images = np.broadcast_to(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16), (3, channels, 16, 16)).copy()
    scale_C11, bias_C11 = (np.array(row, dtype=np.float32)[:, None, None] for row in normalize.scale_and_bias)
    got = augmented(images, normalize=normalize, engine=engine)
    assert got.dtype == np.float32
    assert np.array_equal(images.astype(np.float32) * scale_C11 + bias_C11, got)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_is_the_usual_one(channels: int, engine: str) -> None:
    """(x / 255 − mean) / std within 10⁻⁶ of float64, after the baseline, whose padding is black: −mean / std."""
    normalize, baseline = NORMALIZES[channels], BASELINES[10]
    images = images_of(channels)
    mean_C11, std_C11 = (np.array(row)[:, None, None] for row in (normalize.mean, normalize.std))
    expected = (reference(images, baseline) / 255 - mean_C11) / std_C11
    got = augmented(images, baseline=baseline, normalize=normalize, engine=engine)
    assert np.abs(expected - got).max() < 1e-6


@pytest.mark.parametrize("engine", ENGINES)
def test_normalisation_takes_the_images_channels(engine: str) -> None:
    """Three means for grey images are a mistake, not a broadcast."""
    with pytest.raises(FaaError, match=r"Normalize has 3 channels, the images 1\."):
        augmented(images_of(1), normalize=NORMALIZES[3], engine=engine)
