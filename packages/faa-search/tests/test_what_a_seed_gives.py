"""What seeds give, in numbers: the same in every version, so that a seed written down gives the same run again."""

import numpy as np
import pytest

from faa_search.data import stratified
from faa_search.searching.fast.rounds import Slot, draws_seed, proposal_seed
from faa_search.searching.folds import make_folds
from faa_search.training.orders import epoch_order

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
    assert stratified(LABELS, 6, seed=5).tolist() == [4, 6, 8, 11, 15, 16]


def test_seeds_of_a_trial() -> None:
    """Of its proposal, and of its draws, which a fold's trials have in common or not."""
    slot = Slot(number=3, fold=1, round=2)
    assert proposal_seed(5, slot) == 1642833684
    assert draws_seed(5, slot, common=True) == 589705795
    assert draws_seed(5, slot, common=False) == 477163049
