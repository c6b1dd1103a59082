"""Training on a CUDA device: images that live there, nothing waited for, half precision, and states that go on."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from faa_core import Policy
from faa_core.applying import Baseline
from faa_search.data import ArraySource
from faa_search.settings import TrainConfig
from faa_search.training import Views, train
from faa_search.training.checkpoint import EpochPart
from faa_search.training.loading import OrderedBatches, TrainingBatches, load
from faa_search.training.models import ModelInput
from faa_search.training.network import make_network
from faa_search.training.plan import make_plan
from faa_search.training.trainer import EpochTally, Trainer
from faa_search.training.views import ResidentViews, placed
from faa_search.workers.processes import make_accelerator
from faa_search.workers.ranks import Rank

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
Noise = Callable[..., ArraySource]
EVERYTHING = Baseline(pad=2, hflip=0.5, cutout=4, fill=(7, 8, 9))


@pytest.fixture
def view(noise: Noise) -> Views:
    """Return augmented images."""
    return Views(source=noise(200, size=32), size=32, policy=Policy.load("fa-reduced-cifar10"), baseline=EVERYTHING)


def test_the_same_pixels_on_the_device(view: Views) -> None:
    """Small images live there unless told otherwise, and look as those that are streamed from the CPU."""
    device = torch.device("cuda")
    there = placed(view, device, wanted=None)
    assert isinstance(there, ResidentViews)
    assert placed(view, device, wanted=False) is view
    order = OrderedBatches(200, 64, views=2, rank=Rank())
    with load(view, order, workers=0, pinned=True) as streamed, load(there, order, workers=0) as made:
        for (images, labels), (images_there, labels_there) in zip(streamed, made, strict=True):
            assert images_there.is_cuda
            assert torch.equal(images, images_there.cpu())
            assert torch.equal(labels, labels_there.cpu())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mixup": 0.5, "cutmix": 0.5, "smoothing": 0.1},
        {"model_ema": True, "batch_aug": 2, "decay_before_clip": True},
    ],
)
def test_updates_wait_for_nothing(view: Views, expected: ModelInput, settings: dict[str, Any]) -> None:
    """No update copies anything from the device."""
    config = TrainConfig(batch_size=50, amp=True, device="cuda", epochs=2, **settings)
    accelerator = make_accelerator("cuda")
    network = make_network(config, expected, accelerator, classes=3, size=32, seed=0)
    plan = make_plan(config, 200, Rank())
    trainer = Trainer(network, config, accelerator, plan=plan, classes=3)
    order = TrainingBatches(plan, view.source.labels, sampling="shuffle", epochs=range(2), seed=0)
    with load(placed(view, network.device, wanted=True), order, workers=0) as batches:
        trainer.fit_epoch(batches, 0, EpochTally(network.device, EpochPart()), lambda: None)
        tally = EpochTally(network.device, EpochPart())
        torch.cuda.set_sync_debug_mode("error")
        try:
            for update in range(plan.updates):
                trainer.update(batches, 1, update, tally)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(tally.sums).all()


@pytest.mark.parametrize("settings", [{"amp": True, "amp_dtype": "float16"}, {"amp": True, "resident": False}])
def test_digits_are_learnt(tmp_path: Any, settings: dict[str, Any]) -> None:
    """In float16 with a scaled loss, and with images streamed from the CPU."""
    config = TrainConfig(train_subset=200, img_size=16, hflip=0.0, batch_size=50, epochs=30, device="cuda", **settings)
    result = train(config, tmp_path / "run")
    assert result.test is not None
    assert result.test.top1 > 0.8
