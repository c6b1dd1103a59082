"""The tasks of a search by gradient matching: a triple each, so that workers share an update."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

from faa_core import Policy
from faa_core.randomness import key_of
from faa_search.searching.bench import Bench
from faa_search.searching.deep.gradients import FrozenNetwork
from faa_search.searching.deep.matching import Match, Matching, cosine_of, match
from faa_search.searching.deep.pools import make_pools
from faa_search.searching.deep.space import Probabilities, space_of
from faa_search.searching.objective import scoring_batch
from faa_search.searching.tasks import worker_name
from faa_search.settings import DeepSearchConfig
from faa_search.training.estimate import fitting_seconds, scratch_network
from faa_search.training.network import Network

BACKWARD = 8  # on a GPU a pass that is to be differentiated holds about so many times as much as one that is not
NAME = "deep"


class Done(NamedTuple):
    """A triple that is done.

    Attributes:
        match: What it came to.
        seconds: Taken.
        worker: That did it.
        device: It was done on.
        lacks: Operation of the network without a forward-mode derivative, or "".
    """

    match: Match
    seconds: float
    worker: str
    device: str
    lacks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchTriple:
    """Matches the gradients of a triple."""

    layers: tuple[Probabilities, ...]
    update: int
    triple: int

    def __call__(self, bench: Bench) -> Done:
        """Return the rewards of the last layer's transforms."""
        matching = matching_of(bench)
        started = time.perf_counter()
        key = key_of("deep", bench.config.seed, len(self.layers) - 1, self.update, self.triple)
        found = match(matching, self.layers, key=key)
        return Done(
            match=found,
            seconds=time.perf_counter() - started,
            worker=worker_name(),
            device=str(bench.device),
            lacks=matching.network.lacks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTriple:
    """Finds the cosine under several policies for the same triple."""

    policies: Mapping[str, Policy]
    triple: int

    def __call__(self, bench: Bench) -> dict[str, float]:
        """Return the cosine under each policy."""
        matching = matching_of(bench)
        key = key_of("deep controls", bench.config.seed, self.triple)
        images = matching.draw(key_of(key, "images"))
        v, count = matching.target(images), matching.config.gradient_draws * len(matching.space)
        draws = key_of(key, "draws") >> 1
        return {
            name: cosine_of(matching, v, images, policy, count, key=draws) for name, policy in self.policies.items()
        }


class MatchingEstimate(NamedTuple):
    """Expected device seconds: of fitting the network, of a triple of the first layer, of one of a later layer."""

    fit: float
    first: float
    later: float


@dataclass(frozen=True, slots=True)
class EstimateMatching:
    """Times an update of training, and a triple of either kind, with a network that is thrown away."""

    def __call__(self, bench: Bench) -> MatchingEstimate:
        """Return what they cost; of a later layer the most: all its draws are different."""
        view = bench.training_view(bench.images.folds[0])
        network = scratch_network(bench.config, view, bench.expected, bench.processes)
        fit = fitting_seconds(network, bench.config, view, bench.processes, images=len(view))
        matching = _made(bench, network)
        uniform = matching.space.uniform()
        match(matching, [uniform], key=0)  # warms up
        taken = []
        for layers in ([uniform], [uniform, uniform]):
            started = time.perf_counter()
            match(matching, layers, key=0)
            taken.append(time.perf_counter() - started)
        return MatchingEstimate(fit, *taken)


def matching_of(bench: Bench) -> Matching:
    """Return what triples are made of; made once in each worker."""
    return bench.kept(NAME, lambda: _made(bench, bench.network(0)))


def _made(bench: Bench, network: Network) -> Matching:
    config, images = cast(DeepSearchConfig, bench.config), bench.images
    forward = scoring_batch(bench.device, images.size)
    batch = forward // BACKWARD if bench.device.type == "cuda" else forward
    held_out = images.folds[0].held_out
    return Matching(
        config=config,
        space=space_of(config, images.size),
        pools=make_pools(images.train.labels, held_out, val_size=config.val_size, seed=config.seed),
        staged=bench.staged,
        network=FrozenNetwork(network, size=images.size, batch_size=config.match_batch_size or max(2, batch)),
    )
