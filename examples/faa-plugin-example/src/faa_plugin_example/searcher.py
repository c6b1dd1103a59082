"""A search algorithm: it scores each operation alone, and makes layers of those that the networks recognise best."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from faa_core import SEARCH_LIST, Choice, Layers
from faa_search.runs.journal import Journal
from faa_search.searching.folding import fit_folds, fit_seconds
from faa_search.searching.mirrors import fitted_seconds, fitting_beside, tell_of_mirrors
from faa_search.searching.protocol import Found, Searcher
from faa_search.searching.search import Search
from faa_search.searching.tasks import PolicyScores, ScorePolicy
from faa_search.settings import FoldedSearchConfig, Role
from faa_search.settings.base import Count, Probability, Text
from faa_search.workers.executors.gathering import gather

LAYERS = 2


class OneByOneConfig(FoldedSearchConfig):
    """Its settings: those of data, networks, folds and workers, and two more."""

    role: ClassVar[Role] = Role.RESULT

    algorithm: Text = Field(default="one-by-one", description="Layers of the operations that score best alone.")
    keep: Count = Field(default=4, description="Operations to keep.")
    magnitude: Probability = Field(default=0.7, description="Magnitude λ of each.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What an operation came to on a fold; a line of ``scores.jsonl``."""

    schema: ClassVar[str] = "faa-plugin-example/1"

    number: int
    fold: int
    reward: float
    seconds: float

    @property
    def key(self) -> tuple[int, int]:
        """Which operation and fold."""
        return self.number, self.fold


def run(search: Search[OneByOneConfig]) -> Found | None:
    """Return the policy; what was scored before is not scored again."""
    config, folds = search.config, search.images.folds
    with search.timed("folds"):  # in each stage: networks that are there are not fitted again, and workers get all
        beside = fitting_beside(search)  # where flips are on: a network without, for --mirror-test
        fit_folds(search.directory, folds, search.executor, search.reporter, search.request, beside=beside)
        tell_of_mirrors(search, tests=True)
    if config.stage == "folds":
        return None
    with search.timed("score"):
        scores = score_all(search)
    rewards = {number: sum(scores[number, fold.index].reward for fold in folds) for number in range(len(SEARCH_LIST))}
    best = sorted(rewards, key=lambda number: (-rewards[number], number))[: config.keep]
    layer = tuple(
        Choice(op=SEARCH_LIST[number].name, probability=1 / len(best), magnitude=config.magnitude) for number in best
    )
    fitting = fit_seconds(search.directory, folds) + fitted_seconds(search.directory)
    return Found(
        policy=Layers(layers=(layer,) * LAYERS),
        seconds=sum(one.seconds for one in scores.values()) + fitting,
        figures={config.reward: sum(rewards[number] for number in best) / len(best) / len(folds)},
    )


def score_all(search: Search[OneByOneConfig]) -> dict[tuple[int, int], Score]:
    """Return each operation's score on each fold."""
    config, journal = search.config, Journal(search.directory / "scores.jsonl", Score)
    done = {one.key: one for one in journal.read()}
    tasks = {
        (number, fold.index): ScorePolicy(
            policy=Layers(layers=((Choice(op=row.name, probability=1.0, magnitude=config.magnitude),),)),
            fold=fold.index,
            views=config.views,
            seed=config.seed,
        )
        for number, row in enumerate(SEARCH_LIST)
        for fold in search.images.folds
        if (number, fold.index) not in done
    }
    with search.reporter.track("Scores", len(done) + len(tasks), done=len(done)) as advance:

        def keep(key: tuple[int, int], scored: PolicyScores) -> None:
            number, fold = key
            reward, seconds = scored.means[config.reward], round(scored.seconds, 4)
            done[key] = Score(number=number, fold=fold, reward=reward, seconds=seconds)
            journal.append(done[key])
            advance()

        gather(tasks, search.executor, keep, search.request)
    return done


ONE_BY_ONE = Searcher(name="one-by-one", settings=OneByOneConfig, stages=("folds", "score"), run=run)
