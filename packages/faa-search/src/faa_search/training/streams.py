"""A stream of batches in parts, and what of it loader processes are told: keys, and the policies that go with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import Dataset, Sampler

from faa_core import FaaError
from faa_search.training.policies import PolicySource
from faa_search.training.views import Batch, Key, Views


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stream, all of which may be loaded ahead.

    Attributes:
        batches: Keys of each batch, in order.
        policy: In place of the view's; None for the view's own.
    """

    batches: Iterable[list[Key]]
    policy: PolicySource | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What loader processes are asked for: a batch, and the policy with it, which they may not have seen yet."""

    keys: list[Key]
    part: int
    policy: PolicySource | None


class Requests(Sampler[Any]):
    """The requests of the part that is at hand."""

    def __init__(self, first: Part) -> None:
        self.part = first
        self.number = 0

    def turn_to(self, part: Part) -> None:
        """Let the next iteration be over another part."""
        self.part = part
        self.number += 1

    def __iter__(self) -> Iterator[Any]:
        return (Request(keys, self.number, self.part.policy) for keys in self.part.batches)


class Served(Dataset[Any]):
    """A view as loader processes have it; its errors are values, so that they leave the process as they are."""

    def __init__(self, view: Views) -> None:
        self.view = view
        self.part = -1

    def __getitems__(self, request: Request) -> Batch | FaaError:
        if request.part != self.part:
            self.view, self.part = with_policy(self.view, request.policy), request.part
        try:
            return self.view.__getitems__(request.keys)
        except FaaError as error:
            return error

    def __len__(self) -> int:
        return len(self.view)


def with_policy(view: Views, policy: PolicySource | None) -> Views:
    """Return the view with another policy, or as it is where none is given."""
    return view if policy is None else replace(view, policy=policy)
