"""In which order images are loaded: one stream of keyed batches for a whole run, the same for any number of workers.

The stream comes in parts. Batches of a part are loaded ahead; the next part is asked for when this one is used up, so
that what its batches are made of may depend on what became of this one. Loader processes stay over all parts.
"""

import atexit
import math
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from faa_core import FaaError
from faa_core.text import one_line
from faa_search.training.orders import epoch_order
from faa_search.training.plan import Plan
from faa_search.training.streams import Part, Requests, Served, with_policy
from faa_search.training.views import Batch, Key, ResidentViews, Views
from faa_search.workers.parents import end_when_told
from faa_search.workers.ranks import Rank


class TrainingBatches(Sampler[list[Key]]):
    """Batches of (epoch, copy, number) keys: each epoch in its own order, the incomplete last update left out.

    A batch holds every image in as many copies as the plan has at once: row i · at_once + m is image i in the batch's
    m-th copy. No two copies are alike, whichever process makes them; an image that comes again within an epoch has its
    own number each time. Every process gets its part of each update, so n processes with batches of b see what one with
    n·b sees.
    """

    def __init__(
        self,
        plan: Plan,
        labels_N: NDArray[np.int64],
        *,
        sampling: str,
        epochs: range,
        seed: int,
        skip: int = 0,
        until: int | None = None,
    ) -> None:
        """Set the stream.

        Args:
            plan: How an update is spread.
            labels_N: Class of each image.
            sampling: How an epoch is ordered.
            epochs: Which epochs to stream.
            seed: Keys the orders.
            skip: Updates of the first epoch that were done before.
            until: Update of the last epoch before which the stream ends; None for all of them.
        """
        self.plan = plan
        self.labels_N = labels_N
        self.sampling = sampling
        self.epochs = epochs
        self.seed = seed
        self.skip = skip
        self.until = plan.updates if until is None else until

    def __iter__(self) -> Iterator[list[Key]]:
        for epoch in self.epochs:
            order = epoch_order(self.sampling, self.labels_N, seed=self.seed, epoch=epoch)
            numbers = order + _repeats(order) * len(order)
            begin = self.skip if epoch == self.epochs.start else 0
            end = self.until if epoch == self.epochs.stop - 1 else self.plan.updates
            for update in range(begin, end):
                yield from self._update(epoch, numbers, update)

    def __len__(self) -> int:
        left_out = self.skip + self.plan.updates - self.until
        return max(0, len(self.epochs) * self.plan.updates - left_out) * self.plan.passes

    def _update(self, epoch: int, numbers: NDArray[np.int64], update: int) -> Iterator[list[Key]]:
        plan = self.plan
        group = plan.rank.index // plan.sharing
        for number in range(plan.accumulation):
            start = update * plan.images_per_update + (number * plan.groups + group) * plan.batch
            part = numbers[start : start + plan.batch].tolist()
            for copies in plan.own_copies:
                yield [(epoch, copy, number) for number in part for copy in copies]


class OrderedBatches(Sampler[list[Key]]):
    """Batches of (view, 0, index) keys in order, each image once per view; a process gets every n-th key."""

    def __init__(self, images: int, batch_size: int, *, views: int = 1, rank: Rank) -> None:
        keys = np.arange(views * images)[rank.index :: rank.count]
        self.keys = [(int(key) // images, 0, int(key) % images) for key in keys]
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        for start in range(0, len(self.keys), self.batch_size):
            yield self.keys[start : start + self.batch_size]

    def __len__(self) -> int:
        return math.ceil(len(self.keys) / self.batch_size)


@contextmanager
def load(view: Views, batches: Iterable[list[Key]], *, workers: int, pinned: bool = False) -> Iterator[Iterator[Batch]]:
    """Give the batches of a stream that has a single part; see `load_parts`."""
    with load_parts(view, iter([Part(batches)]), workers=workers, pinned=pinned) as loaded:
        yield loaded


@contextmanager
def load_parts(view: Views, parts: Iterator[Part], *, workers: int, pinned: bool = False) -> Iterator[Iterator[Batch]]:
    """Give the batches: images uint8 ``[B, 3, H, W]`` and labels int64 ``[B]``; loader processes end with the block.

    Args:
        view: The images; one that is resident makes its batches where it lies, here and now.
        parts: Of the stream, in order; each is asked for when a batch is wanted and those before it are used up.
        workers: Loader processes.
        pinned: Give batches in memory that a GPU fetches without waiting.

    Raises:
        FaaError: If an image cannot be read, or a loader process is lost.
    """
    if isinstance(view, ResidentViews):
        yield _made_here(view, parts)
        return
    with _ending() as (told, tell), _lost_in_words():
        requests = Requests(next(parts, Part(())))
        loader = DataLoader(
            Served(view),
            batch_sampler=requests,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=pinned,
            worker_init_fn=partial(_serve, told, tell),
            generator=torch.Generator(),  # of its own: else starting it would shift what dropout draws
            persistent_workers=workers > 0,
        )
        iterator = iter(loader)
        try:
            yield _checked(_of_all_parts(iterator, loader, requests, parts))
        finally:
            # A trace keeps an iterator alive, and with it processes that Python would wait for at its end.
            shut_down = getattr(iterator, "_shutdown_workers", None)  # without loader processes there is none
            if shut_down is not None:
                shut_down()


def _made_here(view: Views, parts: Iterator[Part]) -> Iterator[Batch]:
    for part in parts:
        shown = with_policy(view, part.policy)
        for keys in part.batches:
            yield shown.__getitems__(keys)


def _of_all_parts(
    first: Iterator[Any], loader: DataLoader[Any], requests: Requests, parts: Iterator[Part]
) -> Iterator[Any]:
    yield from first
    for part in parts:
        requests.turn_to(part)
        yield from loader


def _checked(batches: Iterator[Batch | FaaError]) -> Iterator[Batch]:
    for batch in batches:
        if isinstance(batch, FaaError):
            raise batch
        yield batch


@contextmanager
def _ending() -> Iterator[tuple[Connection, Connection]]:
    """Give both ends of a connection that tells loader processes to end: with the block, or the interpreter before it.

    They ignore signals, and Python waits for them at its end.
    """
    told, tell = multiprocessing.Pipe(duplex=False)

    def end() -> None:
        with suppress(OSError):  # all loader processes have ended
            tell.send(None)
        tell.close()

    atexit.register(end)
    try:
        yield told, tell
    finally:
        atexit.unregister(end)
        end()
        told.close()


@contextmanager
def _lost_in_words() -> Iterator[None]:
    """Say in words that a loader process is gone, which torch does wherever the block is just then."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        method = multiprocessing.get_start_method()
        guard = f" Python starts processes by '{method}' here, so a script needs `if __name__ == \"__main__\":`."
        raise FaaError(
            f"A loader process is gone ({one_line(error)}). Check that there is enough memory, or use fewer --workers."
            f"{'' if method == 'fork' else guard} The same command goes on from the last saved state."
        ) from error


def _repeats(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each entry came before in the order."""
    by_value = np.argsort(order, kind="stable")
    ordered = order[by_value]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    counts = np.diff(np.r_[starts, len(order)])
    repeats = np.empty(len(order), dtype=np.int64)
    repeats[by_value] = np.arange(len(order)) - np.repeat(starts, counts)
    return repeats


def _serve(told: Connection, tell: Connection, _worker: int) -> None:
    """Be a loader process: end when told to, or when the process that loads is gone.

    The signals that a whole group of processes gets are ignored: the run needs its batches until it stops.
    """
    tell.close()  # so that its other holder's end shows
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    end_when_told(told)


def _as_it_is(batch: Any) -> Any:
    """Return what a view gives, which is a batch already."""
    return batch
