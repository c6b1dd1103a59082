"""The journal of the updates: a line for each, with everything to go on from there and to draw the curves again."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Annotated, ClassVar

from pydantic import Field, FiniteFloat, NonNegativeFloat

from faa_core import FaaError
from faa_core.text import safe
from faa_search.runs.journal import Journal, Natural
from faa_search.runs.records.trials import Origin

Cosine = Annotated[FiniteFloat, Field(ge=-1.001, le=1.001)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An update of a layer.

    Attributes:
        layer: Counted from 0.
        number: Of the update in its layer, counted from 0.
        rewards: Of each transform, as the optimizer was given them.
        cosines: Of each triple, before the update: the objective.
        entropy: Of the layer after the update, in nats.
        identity: Probability after the update that the layer changes nothing.
        repeated: Images to match that were there a second time, of all triples.
        silent: Triples in which a gradient vanished.
        images: How many different images passed the network.
        seconds: Of all devices.
        origin: Where it was done; of several workers, the first triple's.
    """

    schema: ClassVar[str] = "faa-update/1"

    layer: Natural
    number: Natural
    rewards: tuple[FiniteFloat, ...]
    cosines: tuple[Cosine, ...]
    entropy: NonNegativeFloat
    identity: Annotated[FiniteFloat, Field(ge=0, le=1)]
    repeated: Natural
    silent: Natural
    images: Annotated[Natural, Field(ge=1)]
    seconds: NonNegativeFloat
    origin: Origin

    @property
    def key(self) -> tuple[int, int]:
        """Which update of which layer."""
        return self.layer, self.number

    @property
    def cosine(self) -> float:
        """The mean of the triples' cosines."""
        return fmean(self.cosines)

    @property
    def spread(self) -> float:
        """The standard deviation of the triples' cosines."""
        return pstdev(self.cosines)


def read_updates(journal: Journal[Update], *, transforms: int, triples: int) -> list[Update]:
    """Return the updates that are written down.

    Args:
        journal: Of the updates.
        transforms: How many there are in a layer of this search.
        triples: How many there are in an update.

    Raises:
        FaaError: If the journal is damaged, or an update is of another search.
    """
    updates = journal.read()
    for update in updates:
        if (len(update.rewards), len(update.cosines)) != (transforms, triples):
            raise FaaError(
                f"'{safe(journal.path)}' has an update of layer {update.layer + 1} with {len(update.rewards)} rewards "
                f"and {len(update.cosines)} cosines, and this search has {transforms} transforms and {triples} "
                "triples. Put back a copy of the file; without one, remove it, and the same command finds the layers "
                "anew."
            )
    return updates


def by_layer(updates: Sequence[Update]) -> list[list[Update]]:
    """Return the updates of each layer in order, as far as none is missing."""
    found = {update.key: update for update in updates}
    layers: list[list[Update]] = []
    while (len(layers), 0) in found:
        own: list[Update] = []
        while (len(layers), len(own)) in found:
            own.append(found[len(layers), len(own)])
        layers.append(own)
    return layers
