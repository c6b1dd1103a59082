"""How the images of an update are spread over processes and forward passes."""

import math
from dataclasses import dataclass

from faa_core import FaaError
from faa_search.settings import FitConfig
from faa_search.workers.ranks import ALONE, Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an update and an epoch consist of.

    Every update sees ``batch · groups · accumulation`` images, each in `copies` augmented copies. The copies are spread
    over as many processes as divide both numbers, and the rest follow one after another: what a forward pass, and so
    batch norm, sees is `batch` copies of different images either way.

    Attributes:
        images: In the data set.
        batch: Images per forward pass.
        accumulation: Forward passes on new images before each update.
        copies: Augmented copies of each image per update.
        rank: This process.
    """

    images: int
    batch: int
    accumulation: int = 1
    copies: int = 1
    rank: Rank = ALONE

    @property
    def sharing(self) -> int:
        """How many processes see the same images, in different copies."""
        return math.gcd(self.copies, self.rank.count)

    @property
    def groups(self) -> int:
        """How many parts the images of a forward pass are split into, each for `sharing` processes."""
        return self.rank.count // self.sharing

    @property
    def own_copies(self) -> range:
        """The copies that this process makes of its images; each forward pass is of one of them, in this order."""
        return range(self.rank.index % self.sharing, self.copies, self.sharing)

    @property
    def images_per_update(self) -> int:
        """Different images in an update of all processes."""
        return self.batch * self.groups * self.accumulation

    @property
    def passes(self) -> int:
        """Forward passes of this process per update."""
        return self.accumulation * len(self.own_copies)

    @property
    def updates(self) -> int:
        """Updates per epoch; the images that are left over wait for the next epoch's order."""
        return self.images // self.images_per_update


def make_plan(config: FitConfig, images: int, rank: Rank) -> Plan:
    """Return the plan of a run; a data set smaller than one update makes the batch smaller.

    Raises:
        FaaError: If there is not even one image for each forward pass.
    """
    plan = Plan(images=images, batch=1, accumulation=config.grad_accum_steps, copies=config.batch_aug, rank=rank)
    if images < plan.images_per_update:
        raise FaaError(
            f"{images} training images are too few for {rank.count} processes with --grad-accum-steps "
            f"{config.grad_accum_steps}: an update needs {plan.images_per_update} at least."
        )
    batch = min(config.batch_size, images // plan.images_per_update)
    return Plan(images=images, batch=batch, accumulation=plan.accumulation, copies=plan.copies, rank=rank)
