"""How the images of an update are spread over processes and forward passes."""

import math
from dataclasses import dataclass, replace

from faa_core import FaaError
from faa_search.settings import FitConfig
from faa_search.workers.ranks import ALONE, Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an update and an epoch consist of.

    Every update sees ``batch · groups · accumulation`` images, each in `copies` augmented copies. A forward pass, and
    so batch norm, sees `batch` images in `at_once` of their copies. Such groups of copies are spread over as many
    processes as divide both numbers, and the rest follow one after another.

    Attributes:
        images: In the data set.
        batch: Images per forward pass.
        accumulation: Forward passes on new images before each update.
        copies: Augmented copies of each image per update.
        at_once: Copies of each image in a forward pass; it divides `copies`.
        rank: This process.
    """

    images: int
    batch: int
    accumulation: int = 1
    copies: int = 1
    at_once: int = 1
    rank: Rank = ALONE

    @property
    def sharing(self) -> int:
        """How many processes see the same images, in different copies."""
        return math.gcd(self.copies // self.at_once, self.rank.count)

    @property
    def groups(self) -> int:
        """How many parts the images of a forward pass are split into, each for `sharing` processes."""
        return self.rank.count // self.sharing

    @property
    def own_copies(self) -> tuple[range, ...]:
        """The copies that this process makes of its images: of each forward pass, in this order."""
        starts = range(self.rank.index % self.sharing, self.copies // self.at_once, self.sharing)
        return tuple(range(start * self.at_once, (start + 1) * self.at_once) for start in starts)

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
    plan = Plan(
        images=images,
        batch=1,
        accumulation=config.grad_accum_steps,
        copies=config.batch_aug,
        at_once=config.copies_per_pass,
        rank=rank,
    )
    if images < plan.images_per_update:
        raise FaaError(
            f"{images} training images are too few for {rank.count} processes with --grad-accum-steps "
            f"{config.grad_accum_steps}: an update needs {plan.images_per_update} at least."
        )
    batch = min(config.batch_size, images // plan.images_per_update)
    return replace(plan, batch=batch)
