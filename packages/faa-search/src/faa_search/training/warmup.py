"""A policy whose share of the images grows over the first epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

from faa_core import Policy
from faa_search.training.policies import Augmentation


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingShare:
    """A policy that no image gets in the first epoch, and all images get once the warm-up is over.

    Attributes:
        policy: The policy.
        epochs: How many epochs the share grows, at least 1; in epoch e, from 0, it is e / epochs.
    """

    policy: Policy
    epochs: int

    def at(self, epoch: int, copy: int) -> Augmentation:
        """Return the policy and its share in an epoch, the same in all copies."""
        return Augmentation(policy=self.policy, share=min(1.0, epoch / self.epochs))


@dataclass(frozen=True, slots=True)
class PolicyWarmup:
    """The companion of ``--policy-warmup``: it lets the share grow, and shows it as the column ``policy_share``."""

    source: GrowingShare
    name: str = "policy_warmup"
    wants_costs: bool = False
    parts_per_epoch: int = 1

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        """Do nothing."""

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> dict[str, float | None]:
        """Return the share that the epoch had."""
        return {"policy_share": self.source.at(epoch, 0).share}

    def state(self) -> None:
        """Return nothing: the share follows from the epoch."""

    def restore(self, state: object) -> None:
        """Do nothing."""
