"""Which policy the images of an epoch get: always the same one, or one that changes while the network is trained."""

from dataclasses import dataclass
from typing import Protocol

from faa_core import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What one copy of an epoch's images gets.

    Attributes:
        policy: Applied to each image with its own draw; None for no policy.
        share: Of the images that get it, in [0, 1]; the others get the baseline alone.
    """

    policy: Policy | None = None
    share: float = 1.0


class PolicySource(Protocol):
    """Says which policy the images get.

    Loader processes ask it too: it is frozen, it can be pickled, and it always answers the same.
    """

    def at(self, epoch: int, copy: int) -> Augmentation:
        """Return what the images of an epoch get, in one of their copies; both are counted from 0."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """The same policy for all images of all epochs."""

    policy: Policy | None = None

    def at(self, epoch: int, copy: int) -> Augmentation:
        """Return the policy, whatever the epoch and the copy."""
        return Augmentation(policy=self.policy)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A policy for each copy of the images, for the part of an epoch that it is given for."""

    policies: tuple[Policy, ...]

    def at(self, epoch: int, copy: int) -> Augmentation:
        """Return the policy of a copy, whatever the epoch."""
        return Augmentation(policy=self.policies[copy])


def source_of(policy: Policy | PolicySource | None) -> PolicySource:
    """Return the source of policies, where it is perhaps only one policy."""
    return Constant(policy) if policy is None or isinstance(policy, Policy) else policy
