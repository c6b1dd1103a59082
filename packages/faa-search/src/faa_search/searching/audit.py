"""Does the reward predict the accuracy? Trains with some trials' policies, and correlates.

Density matching is a guess: that policies under which a network predicts well are good to train with. Here the guess is
put to the test on the user's own images: some trials of the first fold, spread over the range of every reward, each
train a new network on D_M, which is tested on D_A without augmentation. The test split is not read.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.stats import norm, spearmanr

from faa_core import FaaError, Policy
from faa_core.randomness import seed_of
from faa_search.runs.files import write_file
from faa_search.runs.journal import Journal, Natural
from faa_search.runs.records.search import Audit, Correlation
from faa_search.runs.records.trials import Trial
from faa_search.searching.objective import REWARDS
from faa_search.searching.search import Search
from faa_search.searching.tasks import TrainWith
from faa_search.settings import RewardName, SearchConfig
from faa_search.workers.executors.gathering import gather

FOLD = 0  # one network's rewards are comparable; those of several are not
FEWEST = 4  # trials of which a rank correlation has an interval
CONFIDENCE = 0.95
NO_POLICY = -1  # stands for training without a policy

Place = Annotated[int, Field(ge=NO_POLICY, lt=2**63)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A finished training of the audit.

    Attributes:
        round: Of the trial; −1 stands for no policy.
        number: Of the trial in its round; −1 likewise.
        seed: Which of the trial's trainings.
        epochs: It took.
        accuracy: On D_A.
    """

    schema: ClassVar[str] = "faa-audited/1"

    round: Place
    number: Place
    seed: Natural
    epochs: Annotated[Natural, Field(ge=1)]
    accuracy: Annotated[float, Field(ge=0, le=1)]

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Which training it is."""
        return self.round, self.number, self.seed, self.epochs


def check_audit(config: SearchConfig) -> None:
    """Refuse an audit that could not be made, before anything is done.

    Raises:
        FaaError: If so.
    """
    trials = config.width * config.depth
    if config.audit and not FEWEST <= config.audit <= trials:
        raise FaaError(
            f"--audit {config.audit}: a rank correlation needs {FEWEST} trials or more, and the first fold has "
            f"{trials} (--width × --depth)."
        )
    if config.audit and config.stage in ("folds", "explore"):
        raise FaaError(f"--audit needs a policy, and --stage {config.stage} ends before there is one; leave one out.")


def chosen(trials: Sequence[Trial], count: int) -> list[Trial]:
    """Return trials spread over the range of every reward: in turn, the one nearest to the next of even steps.

    Args:
        trials: To choose among; of other folds than the first none is taken.
        count: How many, at least 2.

    Raises:
        FaaError: If there are not so many.
    """
    left = {trial.key: trial for trial in trials if trial.fold == FOLD}
    if len(left) < count:
        raise FaaError(f"--audit {count}, but the first fold has {len(left)} trials so far; audit fewer.")
    names = list(REWARDS)
    ranges = {name: [trial.metrics[name] for trial in left.values()] for name in names}
    return [left.pop(_nearest(left.values(), names[at % len(names)], ranges, at / (count - 1))) for at in range(count)]


def _nearest(
    trials: Iterable[Trial], name: RewardName, ranges: dict[RewardName, list[float]], share: float
) -> tuple[int, int, int]:
    """Return which trial's reward is nearest to a share of the way from the lowest to the highest."""
    low, high = min(ranges[name]), max(ranges[name])
    aim = low + share * (high - low)
    return min(trials, key=lambda trial: (abs(trial.metrics[name] - aim), trial.key)).key


def audit(
    search: Search[SearchConfig], rounds: Sequence[Sequence[Trial]], policy_of: Callable[[Trial], Policy]
) -> Audit:
    """Return how well each reward predicts the accuracy; finished trainings are not made again.

    The trainings are listed in ``audit.jsonl``, the result is in ``audit.json``.

    Args:
        search: Under way.
        rounds: All trials.
        policy_of: Returns a trial's policy, of any kind.

    Raises:
        Stopped: If a signal asked for it.
        FaaError: If there are too few trials.
    """
    config = search.config
    epochs = config.audit_epochs or config.epochs
    audited = chosen([trial for trials in rounds for trial in trials], config.audit)
    policies: dict[tuple[int, int], Policy] = {(NO_POLICY, NO_POLICY): Policy.load("none")}
    policies |= {(one.round, one.number): policy_of(one) for one in audited}
    journal = Journal(search.directory / "audit.jsonl", Training)
    before = {one.key: one for one in journal.read()}
    wanted = {
        (*place, number, epochs): policy for number in range(config.audit_seeds) for place, policy in policies.items()
    }
    done = {key: one for key, one in before.items() if key in wanted}
    tasks = {
        key: TrainWith(
            policy=policy,
            fold=FOLD,
            seed=seed_of("audit", config.seed, key[2]),
            epochs=epochs,
            name="-".join(map(str, key)),
        )
        for key, policy in wanted.items()
        if key not in done
    }
    with search.reporter.track("Audit", len(wanted), done=len(done)) as advance:

        def finished(key: tuple[int, int, int, int], accuracy: float) -> None:
            round_, number, seed, _epochs = key
            done[key] = Training(round=round_, number=number, seed=seed, epochs=epochs, accuracy=accuracy)
            journal.append(done[key])
            journal.sync()  # a training is worth waiting for the disk
            advance(f"{100 * (1 - accuracy):.1f} % error")

        gather(tasks, search.executor, finished, search.request, resumable=True)
    means = {
        place: float(np.mean([done[*place, number, epochs].accuracy for number in range(config.audit_seeds)]))
        for place in policies
    }
    result = _audit(audited, means, epochs=epochs, seeds=config.audit_seeds)
    write_file(search.directory, "audit.json", json.dumps(asdict(result), indent=1) + "\n")
    return result


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return Spearman's rank correlation and the ends of its 95 % interval, by Bonett and Wright (2000).

    All are None where one of the two does not vary; the ends are where the order is perfect, which has no interval.
    """
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None, None, None
    found = float(spearmanr(one, other).statistic)
    if abs(found) > 1 - 1e-9:
        return math.copysign(1.0, found), None, None
    reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * math.sqrt((1 + found**2 / 2) / (len(one) - 3))
    return found, math.tanh(math.atanh(found) - reach), math.tanh(math.atanh(found) + reach)


def _audit(audited: Sequence[Trial], means: dict[tuple[int, int], float], *, epochs: int, seeds: int) -> Audit:
    accuracies = [means[trial.round, trial.number] for trial in audited]
    correlations = []
    for name in REWARDS:
        found, low, high = rank_correlation([trial.metrics[name] for trial in audited], accuracies)
        correlations.append(Correlation(reward=name, spearman=found, low=low, high=high))
    return Audit(
        policies=len(audited),
        seeds=seeds,
        epochs=epochs,
        accuracy_without=means[NO_POLICY, NO_POLICY],
        lowest=min(accuracies),
        highest=max(accuracies),
        correlations=tuple(correlations),
    )
