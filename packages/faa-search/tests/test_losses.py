"""Losses and mixing by hand arithmetic, and what their draws depend on."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from timm.data.mixup import Mixup
from torch import Tensor

from faa_search.settings import FitConfig
from faa_search.settings.fitting import LossConfig
from faa_search.training.losses import Mixing, make_loss, make_mixing

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]])
LABELS = torch.tensor([0, 1])


def mixing(*, classes: int = 4, **settings: Any) -> Mixing:
    """Return a mixing of some settings."""
    made = make_mixing(LossConfig(**settings), classes=classes)
    assert made is not None
    return made


def numbered(batch: int, *, channels: int = 3, side: int = 8) -> Tensor:
    """Return images whose pixels are all different."""
    return torch.arange(batch * channels * side * side, dtype=torch.float32).view(batch, channels, side, side)


def key_where(test: Callable[[int], bool]) -> int:
    """Return the first key for which something holds."""
    return next(key for key in range(1000) if test(key))


def log_softmax(logits: list[float]) -> list[float]:
    """Return log-probabilities, by hand."""
    total = math.log(sum(map(math.exp, logits)))
    return [value - total for value in logits]


def test_cross_entropy_by_hand() -> None:
    """The mean of −log p of the right class."""
    expected = -(log_softmax([2, 0, -1])[0] + log_softmax([0, 1, 3])[1]) / 2
    assert expected == pytest.approx(make_loss(LossConfig())(LOGITS, LABELS).item())


def test_label_smoothing_by_hand() -> None:
    """The target is (1 − ε) · one-hot + ε / C."""
    first, second = log_softmax([2, 0, -1]), log_softmax([0, 1, 3])
    expected = -(0.8 * first[0] + 0.1 * first[1] + 0.1 * first[2] + 0.1 * second[0] + 0.8 * second[1] + 0.1 * second[2])
    assert expected / 2 == pytest.approx(make_loss(LossConfig(smoothing=0.3))(LOGITS, LABELS).item())


def test_soft_targets_are_not_smoothed_again() -> None:
    """What is mixed carries its smoothing; cross-entropy and its binary kind take it as it is."""
    soft = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    for bce in (False, True):
        smoothed = make_loss(LossConfig(smoothing=0.3, bce_loss=bce))
        plain = make_loss(LossConfig(bce_loss=bce))
        assert smoothed(LOGITS, LABELS).item() == pytest.approx(smoothed(LOGITS, soft).item())
        assert plain(LOGITS, soft).item() == pytest.approx(smoothed(LOGITS, soft).item())
        assert plain(LOGITS, LABELS).item() != pytest.approx(smoothed(LOGITS, soft).item())


def test_binary_cross_entropy_by_hand() -> None:
    """Each class is a yes or no; the mean over batch and classes."""
    targets = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]
    terms = [
        -(target * math.log(p := 1 / (1 + math.exp(-logit))) + (1 - target) * math.log(1 - p))
        for row, logits in zip(targets, LOGITS.tolist(), strict=True)
        for target, logit in zip(row, logits, strict=True)
    ]
    loss = make_loss(LossConfig(bce_loss=True, smoothing=0.3))
    assert sum(terms) / 6 == pytest.approx(loss(LOGITS, LABELS).item())


@pytest.mark.parametrize("bce", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_losses_compute_in_float32(bce: bool, soft: bool) -> None:
    """Whatever the precision of logits and targets; gradients come back in the logits' own."""
    targets = torch.nn.functional.one_hot(LABELS, 3).double() if soft else LABELS
    logits = LOGITS.to(torch.bfloat16).requires_grad_()
    value = make_loss(LossConfig(bce_loss=bce))(logits, targets)
    assert value.dtype == torch.float32
    value.backward()
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]  # towards the label


@pytest.mark.parametrize("settings", [{}, {"mixup": 1.0, "mixup_prob": 0.0}, {"smoothing": 0.1}])
def test_nothing_to_mix(settings: dict[str, Any]) -> None:
    assert make_mixing(LossConfig(**settings), classes=3) is None


@pytest.mark.parametrize("batch", [4, 5, 1])
def test_mixup_by_hand(batch: int) -> None:
    """λ of the image and label, 1 − λ of those from the other end of the batch; an odd batch's middle stays."""
    mixer, images, labels = mixing(mixup=0.5), numbered(batch), torch.arange(batch) % 4
    share = mixer.draw(key=2, epoch=0, height=8, width=8).share
    assert 0.02 < share < 0.98
    mixed, targets = mixer(images, labels, key=2, epoch=0)
    for place in range(batch):
        partner = batch - 1 - place
        torch.testing.assert_close(mixed[place], share * images[place] + (1 - share) * images[partner])
        expected = [0.0] * 4
        expected[int(labels[place])] += share
        expected[int(labels[partner])] += 1 - share
        assert expected == pytest.approx(targets[place].tolist())


def test_smoothed_targets_by_hand() -> None:
    """Both labels are smoothed before they are mixed: ε / C everywhere, the rest shared out; each row's sum is 1."""
    mixer = mixing(mixup=0.5, smoothing=0.2)
    share = mixer.draw(key=2, epoch=0, height=8, width=8).share
    targets = mixer(numbered(2), torch.tensor([3, 0]), key=2, epoch=0)[1]
    assert [0.05 + 0.8 * (1 - share), 0.05, 0.05, 0.05 + 0.8 * share] == pytest.approx(targets[0].tolist())
    assert [1.0, 1.0] == pytest.approx(targets.sum(1).tolist())


@pytest.mark.parametrize("batch", [4, 5])
def test_cutmix_by_hand(batch: int) -> None:
    """A rectangle shows the partner, all else the image; the label's share is that of the pixels that stayed."""
    mixer, images, labels = mixing(cutmix=1.0, classes=5), numbered(batch), torch.arange(batch)
    for key in range(30):
        mixed, targets = mixer(images, labels, key=key, epoch=0)
        stayed = mixed == images
        assert torch.equal(images.flip(0)[~stayed], mixed[~stayed])
        shown = ~stayed[0, 0]
        assert shown.sum() == shown.any(1).sum() * shown.any(0).sum()  # a rectangle
        assert shown.equal(~stayed[-1, 2])  # the same one for all images and channels
        share = 1 - shown.sum().item() / 64
        assert (share, 1 - share) == pytest.approx((targets[0, 0].item(), targets[0, batch - 1].item()))


def test_a_cutmix_rectangle_has_the_area_of_its_share() -> None:
    """Before the image's edge cuts it, the rectangle's area is 1 − λ; both sides are cut alike."""
    mixer = mixing(cutmix=1.0)
    uncut = cut = 0
    for key in range(300):
        drawn = mixer.draw(key=key, epoch=0, height=100, width=200)
        share = mixing(mixup=1.0).draw(key=key, epoch=0, height=100, width=200).share  # the same draw of λ
        assert drawn.box is not None
        rows, columns = drawn.box
        height, width = rows.stop - rows.start, columns.stop - columns.start
        assert drawn.share == pytest.approx(1 - height * width / 20_000)
        assert drawn.share >= share - 1e-9
        assert height <= 100 * math.sqrt(1 - share)
        if 0 < rows.start and rows.stop < 100:
            uncut += 1
            assert height == math.floor(100 * math.sqrt(1 - share))
        else:
            cut += 1
    assert min(uncut, cut) > 50


def test_cutmix_rectangles_lie_anywhere() -> None:
    """Their centres are as likely at every place: each pixel row is covered about as often as the one opposite."""
    covered = np.zeros((16, 16))
    for key in range(2000):
        box = mixing(cutmix=1.0).draw(key=key, epoch=0, height=16, width=16).box
        assert box is not None
        covered[box] += 1
    assert covered.min() > 200
    assert np.abs(covered - covered[::-1, ::-1]).max() < 0.15 * covered.mean() + 60


def test_agrees_with_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same λ, and for CutMix the same centre, give timm's images and targets to the bit."""
    for settings in ({"mixup": 0.4}, {"cutmix": 1.0}):
        mixer = mixing(**settings, smoothing=0.1)
        theirs = Mixup(
            mixup_alpha=settings.get("mixup", 0.0),
            cutmix_alpha=settings.get("cutmix", 0.0),
            label_smoothing=0.1,
            num_classes=4,
        )
        for key in range(10):
            share = mixing(mixup=next(iter(settings.values()))).draw(key=key, epoch=0, height=8, width=8).share
            box = mixer.draw(key=key, epoch=0, height=8, width=8).box
            monkeypatch.setattr("numpy.random.beta", lambda *_alphas, share=share: share)
            if box is not None:
                length = int(8 * np.sqrt(1 - share))
                spans = iter(_centre(part, length) for part in box)
                monkeypatch.setattr("numpy.random.randint", lambda *_ends, spans=spans, **_named: next(spans))
            images, targets = mixer(numbered(4), torch.arange(4), key=key, epoch=0)
            expected_images, expected_targets = theirs(numbered(4), torch.arange(4))
            torch.testing.assert_close(images, expected_images)
            torch.testing.assert_close(targets, expected_targets)


def _centre(part: slice, length: int) -> int:
    """Return where timm must put the centre of a span so that it covers the same pixels."""
    return part.start + length // 2 if part.start > 0 else part.stop - (length + 1) // 2


def test_the_same_key_mixes_the_same() -> None:
    mixer, images, labels = mixing(mixup=0.5, cutmix=0.5), numbered(4), torch.arange(4)
    first, other = mixer(images, labels, key=5, epoch=0), mixer(images, labels, key=6, epoch=0)
    assert all(map(torch.equal, first, mixer(images, labels, key=5, epoch=7)))  # the key carries the epoch
    assert not torch.equal(first[0], other[0])


def test_global_generators_are_left_alone() -> None:
    """Neither numpy's nor torch's generator matters, or moves."""
    mixer, images, labels = mixing(mixup=0.5, cutmix=0.5), numbered(4), torch.arange(4)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    for key in range(20):
        mixer(images, labels, key=key, epoch=0)
    assert np.array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_before, torch.get_rng_state())


def test_what_is_given_stays() -> None:
    """Images are not changed in place; dtype and memory layout stay."""
    images = numbered(4).to(torch.bfloat16, memory_format=torch.channels_last)
    before = images.clone()
    for settings in ({"mixup": 0.5}, {"cutmix": 1.0}):
        mixed, targets = mixing(**settings)(images, torch.arange(4), key=2, epoch=0)
        assert torch.equal(before, images)
        assert (torch.bfloat16, torch.float32) == (mixed.dtype, targets.dtype)
        assert mixed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("off", "mixes"), [(0, True), (4, True), (3, False), (1, False)])
def test_mixing_ends(off: int, mixes: bool) -> None:
    """From the epoch on nothing is mixed; 0 means never. Labels are smoothed all the same."""
    mixer = mixing(mixup=0.5, mixup_off_epoch=off, smoothing=0.2)
    images, targets = mixer(numbered(4), torch.arange(4), key=2, epoch=3)
    assert mixes == (not torch.equal(numbered(4), images))
    assert mixes == (targets[0].tolist() != pytest.approx([0.85, 0.05, 0.05, 0.05]))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_the_beta_distribution(alpha: float) -> None:
    """Mean ½ and variance 1 / (4 · (2α + 1))."""
    mixer = mixing(mixup=alpha)
    shares = [mixer.draw(key=key, epoch=0, height=8, width=8).share for key in range(4000)]
    assert 0.5 == pytest.approx(np.mean(shares), abs=0.02)
    assert 1 / (4 * (2 * alpha + 1)) == pytest.approx(np.var(shares), rel=0.06)


def test_probabilities() -> None:
    """Three in ten batches are mixed, a quarter of these cut."""
    mixer = mixing(mixup=1.0, cutmix=1.0, mixup_prob=0.3, mixup_switch_prob=0.25)
    drawn = [mixer.draw(key=key, epoch=0, height=32, width=32) for key in range(4000)]
    cut = sum(mix.box is not None for mix in drawn)
    mixed = sum(mix.box is not None or mix.share < 1 for mix in drawn)
    assert 0.3 == pytest.approx(mixed / 4000, abs=0.025)
    assert 0.25 == pytest.approx(cut / mixed, abs=0.04)


@pytest.mark.parametrize("alpha", [1e-300, 1e-3, 1e300])
def test_extreme_alphas(alpha: float) -> None:
    """They still give shares from 0 to 1."""
    for settings in ({"mixup": alpha}, {"cutmix": alpha}):
        for key in range(20):
            images, targets = mixing(**settings)(numbered(3), torch.arange(3), key=key, epoch=0)
            assert torch.isfinite(images).all()
            assert (targets >= 0).all()
            assert torch.ones(3) == pytest.approx(targets.sum(1))


def test_settings_of_a_fit_will_do() -> None:
    """A run's settings are a loss's settings."""
    assert make_mixing(FitConfig(mixup=0.2), classes=2) is not None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_nothing_waits_for_the_device() -> None:
    """Neither mixing nor the losses read a value back, and both give what they give on the CPU."""
    for settings in ({"mixup": 0.5}, {"cutmix": 1.0, "bce_loss": True}):
        config = LossConfig(**settings, smoothing=0.1)
        mixer, loss = mixing(**settings, smoothing=0.1), make_loss(config)
        logits, images, labels = torch.rand(4, 4), numbered(4), torch.arange(4)
        on_device = [tensor.cuda() for tensor in (logits, images, labels)]
        torch.cuda.set_sync_debug_mode("error")
        try:
            mixed, targets = mixer(on_device[1], on_device[2], key=2, epoch=0)
            values = [loss(on_device[0], targets), loss(on_device[0], on_device[2])]
        finally:
            torch.cuda.set_sync_debug_mode("default")
        expected_mixed, expected_targets = mixer(images, labels, key=2, epoch=0)
        torch.testing.assert_close(mixed.cpu(), expected_mixed)
        torch.testing.assert_close(targets.cpu(), expected_targets)
        expected = [loss(logits, expected_targets), loss(logits, labels)]
        torch.testing.assert_close([value.cpu() for value in values], expected)
