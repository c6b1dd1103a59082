"""What seeds give, in numbers: the same in every version, so that a seed written down gives the same run again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from accelerate import Accelerator

from faa_core import Policy
from faa_core.applying import Baseline
from faa_search.data import ArraySource, draw_stratified
from faa_search.progress import Silent
from faa_search.searching.fast.rounds import Slot, draws_seed, proposal_seed
from faa_search.searching.folds import make_folds
from faa_search.settings import TrainConfig
from faa_search.training import FitJob, Views, fit
from faa_search.training.models import ModelInput
from faa_search.training.orders import epoch_order

Noise = Callable[..., ArraySource]

LABELS = np.array([0, 1, 2] * 6, dtype=np.int64)


def test_images_of_folds() -> None:
    """The held-out images of three folds."""
    folds = make_folds(LABELS, class_names=("a", "b", "c"), folds=3, held_out=1 / 3, seed=5)
    assert [fold.held_out.tolist() for fold in folds] == [
        [0, 3, 5, 7, 13, 17],
        [1, 2, 3, 6, 10, 17],
        [0, 1, 2, 9, 10, 11],
    ]


@pytest.mark.parametrize(
    ("sampling", "order"),
    [
        ("shuffle", [5, 13, 3, 15, 2, 17, 10, 11, 1, 9, 14, 8, 6, 12, 0, 7, 16, 4]),
        ("balanced", [12, 9, 6, 15, 4, 7, 10, 1, 5, 0, 11, 14, 2, 16, 8, 3, 17, 13]),
        ("spread", [13, 3, 5, 15, 2, 10, 1, 9, 17, 7, 11, 6, 12, 16, 14, 8, 4, 0]),
    ],
)
def test_orders_of_an_epoch(sampling: str, order: list[int]) -> None:
    """The third epoch of each sampling."""
    assert epoch_order(sampling, LABELS, seed=5, epoch=2).tolist() == order


def test_images_of_a_subset() -> None:
    """Two of each class."""
    assert draw_stratified(LABELS, 6, seed=5).tolist() == [4, 6, 8, 11, 15, 16]


def test_seeds_of_a_trial() -> None:
    """Of its proposal, and of its draws, which a fold's trials have in common or not."""
    slot = Slot(number=3, fold=1, round=2)
    assert proposal_seed(5, slot) == 1642833684
    assert draws_seed(5, slot, common=True) == 589705795
    assert draws_seed(5, slot, common=False) == 477163049


def test_weights_of_two_copies(tmp_path: Path, noise: Noise, expected: ModelInput, accelerator: Accelerator) -> None:
    """Some weights and the losses of a training with --batch-aug 2, which the commit f3d3942 made."""
    view = Views(
        source=noise(40), size=8, policy=Policy.load("trivialaugment"), baseline=Baseline(pad=1, hflip=0.5), seed=5
    )
    job = FitJob(view=view, expected=expected, run=tmp_path, directory=tmp_path / "last",
                 summary=tmp_path / "summary.csv", what="", seed=5)  # fmt: skip
    config = TrainConfig(epochs=2, batch_size=8, grad_accum_steps=2, batch_aug=2, device="cpu", seed=5)
    network, progress = fit(job, config, accelerator, Silent())
    weights = network.model.state_dict()
    sums = {name: float(weights[name].double().abs().sum()) for name in ("stem.weight", "head.fc.weight")}
    assert sums == pytest.approx({"stem.weight": 41.6864, "head.fc.weight": 11.7989}, abs=1e-4)
    losses = [row["train_loss"] for row in progress.history]
    assert losses == pytest.approx([1.131943866610527, 1.175969086587429], rel=1e-5)
