"""The picture of a search's trials, as data."""

from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.pictures import _panels, uses_of
from faa_search.searching.objective import REWARDS


def trial(fold: int, number: int, reward: float, *uses: tuple[str, float, float]) -> Trial:
    """Return a trial of one sub-policy."""
    params = {
        f"{kind}_0_{at}": value
        for at, use in enumerate(uses)
        for kind, value in zip(("op", "p", "magnitude"), use, strict=True)
    }
    figures = dict.fromkeys(REWARDS, reward)
    return Trial(
        fold=fold, round=0, number=number, seed=1, params=params, reward=reward, standard_error=0.1, metrics=figures,
        errors=dict.fromkeys(REWARDS, 0.1), views=1, draws=1, seconds=0.1,
    )  # fmt: skip


TRIALS = [
    trial(0, 0, -2.0, ("Rotate", 0.1, 0.9), ("Invert", 0.2, 0.8)),
    trial(0, 1, -1.0, ("Rotate", 0.3, 0.7), ("Rotate", 0.4, 0.6)),
    trial(0, 2, -6.0, ("Invert", 0.5, 0.5), ("Rotate", 0.6, 0.4)),
    trial(1, 0, -8.0, ("Invert", 0.7, 0.3), ("Invert", 0.8, 0.2)),
    trial(1, 1, -9.0, ("Rotate", 0.9, 0.1), ("Invert", 1.0, 0.0)),
]


def test_rewards_are_less_their_folds_mean_and_the_best_are_marked() -> None:
    """The mean of three trials is −3 in the first fold, of two −8.5 in the second; each has a best trial."""
    uses = uses_of(TRIALS)
    assert [
        (0.1, 0.9, 1.0, False), (0.3, 0.7, 2.0, True), (0.4, 0.6, 2.0, True), (0.6, 0.4, -3.0, False),
        (0.9, 0.1, -0.5, False),
    ] == uses["Rotate"]  # fmt: skip
    assert [(0.7, 0.3, 0.5, True), (0.8, 0.2, 0.5, True)] == uses["Invert"][2:4]
    assert {"Rotate", "Invert"} == uses.keys()


def test_an_operation_has_its_rewards_over_p_and_over_its_magnitude() -> None:
    """The best in front."""
    over_p, over_magnitude = _panels("Rotate", uses_of(TRIALS)["Rotate"])
    assert [([0.1, 0.6, 0.9], False), ([0.3, 0.4], True)] == [(trace.x, trace.marked) for trace in over_p.traces]
    assert [[0.9, 0.4, 0.1], [0.7, 0.6]] == [trace.x for trace in over_magnitude.traces]
    assert [[1.0, -3.0, -0.5], [2.0, 2.0]] == [trace.y for trace in over_magnitude.traces]
    assert ("Rotate", "p", "", "λ") == (over_p.title, over_p.x_label, over_magnitude.title, over_magnitude.x_label)
