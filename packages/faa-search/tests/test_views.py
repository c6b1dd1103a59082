"""What the network is shown: hand-computed pixels, the shares of random draws, and draws that depend on keys alone."""

from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_core.applying import Baseline
from faa_core.randomness import key_of, uniforms
from faa_search.data import ArraySource, DatasetRequest, DecodedSource
from faa_search.data.named import open_named
from faa_search.settings import TrainConfig
from faa_search.training import Views
from faa_search.training.baseline import baseline_of, resized_crop_of
from faa_search.training.loading import OrderedBatches, load
from faa_search.training.views import placed, resident
from faa_search.workers.ranks import Rank

Noise = Callable[..., ArraySource]
INVERT = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
EVERYTHING = Baseline(pad=2, hflip=0.5, cutout=4, fill=(7, 8, 9))


def by_hand(image: np.ndarray, draws: np.ndarray, baseline: Baseline) -> np.ndarray:
    """Return one image after padded crop, flip and cutout, pixel by pixel."""
    side, pad = len(image), baseline.pad
    out = np.zeros_like(image)
    top, left = (int(draw * (2 * pad + 1)) - pad for draw in draws[:2])
    for y in range(side):
        for x in range(side):
            if 0 <= y + top < side and 0 <= x + left < side:
                out[y, x] = image[y + top, x + left]
    if draws[2] < baseline.hflip:
        out = out[:, ::-1].copy()
    y, x = (int(draw * side) for draw in draws[3:5])
    half = baseline.cutout // 2
    out[max(0, y - half) : y + half, max(0, x - half) : x + half] = baseline.fill
    return out


def hwc(images: torch.Tensor) -> np.ndarray:
    """Return a batch of a view as [B, H, W, C]."""
    return images.permute(0, 2, 3, 1).numpy()


def test_the_order_is_policy_crop_flip_cutout(noise: Noise) -> None:
    """Against a slow version by hand: padding and cutout are not inverted, and the cutout is not moved or mirrored."""
    source = noise(40)
    view = Views(source=source, size=8, policy=INVERT, baseline=EVERYTHING, seed=4)
    images, labels = view.__getitems__([(3, 0, index) for index in range(40)])
    draws = uniforms(key_of("baseline", 4, 3), np.arange(40), 5)
    right = [by_hand(255 - source.images[index], draws[index], EVERYTHING) for index in range(40)]
    assert np.array_equal(np.stack(right), hwc(images))
    assert source.labels.tolist() == labels.tolist()
    assert (torch.uint8, torch.int64) == (images.dtype, labels.dtype)


def test_how_often_images_are_flipped() -> None:
    """About as often as asked for; never and always are exact."""
    images = np.zeros((4000, 4, 4, 3), dtype=np.uint8)
    images[:, :, 0] = 255
    source = ArraySource(images, np.zeros(4000, dtype=np.int64), ("a",))
    rates = {}
    for rate in (0.0, 0.3, 1.0):
        view = Views(source=source, size=4, baseline=Baseline(hflip=rate))
        shown, _labels = view.__getitems__([(0, 0, index) for index in range(4000)])
        rates[rate] = float((shown[:, 0, 0, 3] == 255).float().mean())
    assert (0.0, 1.0) == (rates[0.0], rates[1.0])
    assert 0.27 < rates[0.3] < 0.33


def test_crops_are_uniform() -> None:
    """Every one of the 2·pad + 1 shifts, in both directions, equally often."""
    images = np.zeros((5000, 8, 8, 3), dtype=np.uint8)
    images[:, 4, 4] = 255
    source = ArraySource(images, np.zeros(5000, dtype=np.int64), ("a",))
    shown, _labels = Views(source=source, size=8, baseline=Baseline(pad=2)).__getitems__(
        [(1, 0, n) for n in range(5000)]
    )
    _image, row, column = torch.nonzero(shown[:, 0], as_tuple=True)
    cells = torch.bincount(row * 8 + column, minlength=64).view(8, 8)
    assert 5000 == int(cells[2:7, 2:7].sum())
    assert chisquare(cells[2:7, 2:7].flatten().numpy()).pvalue > 0.001


def test_cutouts_are_uniform() -> None:
    """Centres lie on every pixel alike; a square of side 2 covers 4 pixels but for those cut off at two borders."""
    source = ArraySource(np.zeros((6400, 8, 8, 3), dtype=np.uint8), np.zeros(6400, dtype=np.int64), ("a",))
    view = Views(source=source, size=8, baseline=Baseline(cutout=2, fill=(1, 1, 1)))
    shown, _labels = view.__getitems__([(0, 0, index) for index in range(6400)])
    cut = shown[:, 0].reshape(6400, 64)
    last = 63 - cut.flip(1).argmax(dim=1)  # the lower right pixel of each square is its centre
    assert chisquare(torch.bincount(last, minlength=64).numpy()).pvalue > 0.001


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # torch counts this machine's cores
def test_batches_loaders_and_order_change_no_pixel(noise: Noise) -> None:
    """The same image of the same epoch is the same however it is loaded."""
    view = Views(source=noise(30), size=8, policy=Policy.load("uniform-random"), baseline=EVERYTHING, seed=2)
    whole, labels = view.__getitems__([(epoch, 0, index) for epoch in range(2) for index in range(30)])
    for batch_size, workers in ((7, 0), (4, 2), (60, 0), (9, 4)):
        order = OrderedBatches(30, batch_size, views=2, rank=Rank())
        with load(view, order, workers=workers) as loaded:
            batches = list(loaded)
        assert torch.equal(whole, torch.cat([images for images, _labels in batches]))
        assert torch.equal(labels, torch.cat([batch_labels for _images, batch_labels in batches]))
    mixed = [(1, 0, 5), (0, 0, 29), (1, 0, 0), (0, 0, 5)]
    assert torch.equal(whole[[35, 29, 30, 5]], view.__getitems__(mixed)[0])


def test_images_on_the_device_are_the_same(noise: Noise) -> None:
    """Batches made where the images lie, here the CPU, equal those of the stream, in any mixture of draws."""
    view = Views(source=noise(30), size=8, policy=Policy.load("uniform-random"), baseline=EVERYTHING, seed=2)
    there = resident(view, torch.device("cpu"))
    order = OrderedBatches(30, 7, views=2, rank=Rank())
    with load(view, order, workers=0) as streamed, load(there, order, workers=3) as made:
        for one, other in zip(streamed, made, strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])
    mixed = [(1, 0, 5), (2**32, 0, 29), (1, 0, 0), (0, 0, 35)]  # number 35 is image 5 once more, drawn anew
    assert torch.equal(view.__getitems__(mixed)[0], there.__getitems__(mixed)[0])
    assert not torch.equal(view.__getitems__([(0, 0, 5)])[0], view.__getitems__([(0, 0, 35)])[0])
    assert torch.equal(view.__getitems__([(0, 0, 5)])[1], view.__getitems__([(0, 0, 35)])[1])
    assert view.__getitems__(mixed)[1].tolist() == there.__getitems__(mixed)[1].tolist()


def test_which_images_live_on_the_device(noise: Noise, photos: DecodedSource) -> None:
    """Those in memory at their size, where asked for; the CPU has them already."""
    small, cpu = Views(source=noise(4), size=8), torch.device("cpu")
    assert placed(small, cpu, wanted=None) is small is placed(small, cpu, wanted=False)
    for other in (
        Views(source=photos, size=8),
        Views(source=noise(4), size=6),
        Views(source=noise(4), size=8, color_jitter=0.4),
        Views(source=noise(4), size=8, resized_crop=((0.5, 1.0), (0.75, 1.3))),
    ):
        assert placed(other, cpu, wanted=None) is other
        with pytest.raises(FaaError, match="--resident is for small images that are cropped by padding"):
            placed(other, cpu, wanted=True)


def test_colours_are_jittered(noise: Noise) -> None:
    """Each image of each epoch by factors of its own, keyed, within the strength, and before the policy."""
    source = ArraySource(np.full((200, 4, 4, 3), 100, dtype=np.uint8), np.zeros(200, dtype=np.int64), ("a",))
    view = Views(source=source, size=4, color_jitter=0.4, seed=1)
    keys = [(0, 0, index) for index in range(200)]
    shown = view.__getitems__(keys)[0]
    assert torch.equal(shown[50:60], view.__getitems__(keys[50:60])[0])
    assert not torch.equal(shown, view.__getitems__([(1, 0, index) for index in range(200)])[0])
    levels = shown[:, 0, 0, 0].float()  # grey has no colour, and its contrast changes nothing: brightness alone
    assert 60 <= levels.min() < 65
    assert 135 < levels.max() <= 140
    inverted = Views(source=source, size=4, color_jitter=0.4, seed=1, policy=INVERT).__getitems__(keys)[0]
    assert torch.equal(255 - shown, inverted)


def test_epochs_and_seeds_differ(noise: Noise) -> None:
    """Each epoch, and each seed, draws anew; without augmentation they are all alike."""
    source = noise(20)
    keys = [(0, 0, index) for index in range(20)]
    later = [(1, 0, index) for index in range(20)]
    for policy, baseline in ((Policy.load("uniform-random"), None), (None, EVERYTHING)):
        view = Views(source=source, size=8, policy=policy, baseline=baseline)
        other = Views(source=source, size=8, policy=policy, baseline=baseline, seed=1)
        assert not torch.equal(view.__getitems__(keys)[0], view.__getitems__(later)[0])
        assert not torch.equal(view.__getitems__(keys)[0], other.__getitems__(keys)[0])
    plain = Views(source=source, size=8)
    assert np.array_equal(source.images, hwc(plain.__getitems__(keys)[0]))
    assert np.array_equal(source.images, hwc(plain.__getitems__(later)[0]))


def test_a_view_never_changes_its_source(noise: Noise) -> None:
    """Images in memory are shown again and again."""
    source = noise(10)
    before = source.images.copy()
    Views(source=source, size=8, baseline=EVERYTHING).__getitems__([(0, 0, index) for index in range(10)])
    Views(source=source, size=8).__getitems__([(0, 0, 1)])[0].zero_()
    assert np.array_equal(before, source.images)


@pytest.fixture
def photos(write_images: Callable[..., Path]) -> DecodedSource:
    """Return images of 70 pixels on disk."""
    train = open_named(DatasetRequest(name=str(write_images({"a": 4, "b": 4}, size=70)))).train
    assert isinstance(train, DecodedSource)
    return train


def test_resized_crops_are_keyed(photos: DecodedSource) -> None:
    """A random resized crop depends on seed, epoch and index, never on torch's generator, which is left alone."""
    resized_crop = resized_crop_of(TrainConfig(), photos)
    assert ((0.08, 1.0), (0.75, 4 / 3)) == resized_crop
    view = Views(source=photos, size=16, resized_crop=resized_crop)
    keys = [(2, 0, index) for index in range(8)]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, _labels = view.__getitems__(keys)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first.flip(0), view.__getitems__(keys[::-1])[0])
    assert not torch.equal(first, view.__getitems__([(3, 0, index) for index in range(8)])[0])
    with load(view, OrderedBatches(8, 3, views=3, rank=Rank()), workers=2) as batches:
        assert torch.equal(first, torch.cat([images for images, _labels in batches])[16:])


def test_a_resized_crop_of_everything_is_the_resized_image(photos: DecodedSource) -> None:
    """A crop of area 1 and ratio 1 takes the whole square image."""
    everything = ((1.0, 1.0), (1.0, 1.0))
    keys = [(0, 0, index) for index in range(8)]
    whole = Views(source=photos, size=16).__getitems__(keys)[0]
    assert torch.equal(whole, Views(source=photos, size=16, resized_crop=everything).__getitems__(keys)[0])


def test_a_view_travels_to_processes_that_are_not_forked(photos: DecodedSource) -> None:
    """Some systems start loader processes afresh and send them the view."""
    view = Views(source=photos, size=16, policy=Policy.load("trivialaugment"), baseline=EVERYTHING)
    keys = [(0, 0, index) for index in range(8)]
    arrived = ForkingPickler.loads(ForkingPickler.dumps(view))
    assert torch.equal(view.__getitems__(keys)[0], arrived.__getitems__(keys)[0])


@pytest.mark.parametrize(
    ("mode", "in_memory", "crops", "pad"),
    [("auto", True, False, 4), ("pad", False, False, 4), ("rrc", True, True, 0), ("none", True, False, 0)],
)
def test_baseline_of_the_settings(
    noise: Noise, photos: DecodedSource, mode: str, *, in_memory: bool, crops: bool, pad: int
) -> None:
    """Mode auto pads images in memory and crops others; the fill is the normalisation's mean in 8 bits."""
    config = TrainConfig(train_crop_mode=mode, hflip=0.25, cutout=6)
    source = noise(3) if in_memory else photos
    baseline = baseline_of(config, source, (0.4914, 0.5, 0.0))
    assert (crops, pad) == (resized_crop_of(config, source) is not None, baseline.pad)
    assert (0.25, 6, (125, 128, 0)) == (baseline.hflip, baseline.cutout, baseline.fill)


def test_images_of_64_pixels_are_small(noise: Noise) -> None:
    """They are padded and cropped; of 65 pixels, a resized crop is taken."""
    crops = [resized_crop_of(TrainConfig(), noise(3, size=size)) for size in (63, 64, 65)]
    assert [True, True, False] == [crop is None for crop in crops]


@pytest.mark.parametrize("on_device", [False, True])
def test_other_images_are_mixed_in(noise: Noise, on_device: bool) -> None:
    """SamplePairing blends each image with one of the training images, all of which come; kept on the device or not."""
    source = noise(40)
    blend = SubPolicies(sub_policies=((Op(op="SamplePairing", p=1.0, magnitude=1.0),),))
    view = Views(source=source, size=8, policy=blend, seed=4)
    shown = resident(view, torch.device("cpu")) if on_device else view
    mixed = hwc(shown.__getitems__([(epoch, 0, n) for epoch in range(3) for n in range(40)])[0]).astype(int)
    partners = set()
    for image, own in zip(mixed, np.tile(source.images, (3, 1, 1, 1)).astype(float), strict=True):
        errors = [np.abs(image - (0.6 * own + 0.4 * other)).max() for other in source.images]
        assert min(errors) <= 1
        partners.add(int(np.argmin(errors)))
    assert len(partners) > 30
