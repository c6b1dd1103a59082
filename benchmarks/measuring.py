"""One table of the benchmark: a policy at a size, ours and every peer in the same rounds, after checking the pixels."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from harness import Contender, Ratio, installed, interleave, ratio
from images import Pool
from numpy.typing import NDArray
from original import MEAN, PIXELS, STD
from peers import Peer, all_peers

from faa_core import FaaError, Policy
from faa_core.applying import Baseline, Normalize, PolicyBatch, engine_statuses

Engine = Literal["numba", "torch"]

CHECKED = 48  # images, before timing
ONE_BY_ONE = 32  # images in one call of what takes one at a time
VARIED = 8  # times as long in a round, for what draws once for a batch and so varies more
BASELINE = Baseline(pad=4, hflip=0.5, cutout=16, fill=(125, 123, 114))
NORMALIZE = Normalize(mean=MEAN, std=STD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a table measures.

    Attributes:
        workload: Shown in tables.
        policy: Applied to every image.
        pool: Where images come from.
        batch: Images in a batch, or 1 for one at a time.
        train: Whether padded crop, flip, normalisation and Cutout follow.
    """

    workload: str
    policy: Policy
    pool: Pool
    batch: int
    train: bool = False

    @property
    def side(self) -> int:
        """Height and width."""
        return int(self.pool.pixels_BHWC.shape[1])

    @property
    def path(self) -> str:
        """How images come, in words."""
        return ("train, " if self.train else "") + ("one by one" if self.batch == 1 else f"batch {self.batch}")


@dataclass(slots=True, kw_only=True)
class Row:
    """One contender's figures; those who were not measured have none.

    Attributes:
        name: Of the contender.
        version: Of its package.
        equivalence: "ours", or see `peers`.
        status: "measured", "not installed" or "cannot express it".
        us: Median CPU time per image in µs.
        best_us: The shortest of all rounds.
        original: How many times as long the original's way takes.
        behind: How many times as long it takes as ours, for each of ours.
    """

    name: str
    version: str
    equivalence: str
    status: str = "measured"
    us: float | None = None
    best_us: float | None = None
    original: Ratio | None = None
    behind: dict[str, Ratio] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return what JSON holds."""
        fields = asdict(self)
        return {**fields, "images_per_second": None if self.us is None else 1e6 / self.us}


def measure(case: Case, engines: Sequence[Engine], *, rounds: int, seconds: float) -> list[Row]:
    """Return a table's rows: ours first, then the peers.

    Raises:
        FaaError: If the pixels of an engine, or of a peer that claims it, are not Pillow's.
    """
    missing = {status.name for status in engine_statuses() if status.missing}
    usable = [engine for engine in engines if engine not in missing]
    check_training(case, usable) if case.train else check_engines(case, usable)
    rows, contenders = [], []
    for name, run, package in ours(case, usable):
        rows.append(Row(name=name, version=installed(package) or "", equivalence="ours"))
        contenders.append(Contender(name, run, case.batch if case.batch > 1 else ONE_BY_ONE))
    if case.batch > 1:
        lacking = [f"ours, {engine}" for engine in engines if engine in missing]
        rows += [Row(name=name, version="", equivalence="ours", status="not installed") for name in lacking]
    for peer in all_peers():
        row, contender = prepared(peer, case)
        if row is not None:
            rows.append(row)
        if contender is not None:
            contenders.append(contender)
    filled(rows, contenders, interleave(contenders, rounds=rounds, seconds=seconds))
    return rows


def ours(case: Case, engines: Sequence[Engine]) -> list[tuple[str, Callable[[], object], str]]:
    """Return name, function and package of our ways."""
    if case.batch == 1:
        pictures = case.pool.pictures(ONE_BY_ONE)
        return [("ours, transform", partial(one_by_one, case.policy.transform(), pictures), "faa-core")]
    images_BCHW, indices = case.pool.batch(case.batch), torch.arange(case.batch)
    return [
        (
            f"ours, {engine}",
            Epochs(module(case, engine), images_BCHW, indices),
            "numba" if engine == "numba" else "torch",
        )
        for engine in engines
    ]


class Epochs:
    """A batch again and again, with the draws of another epoch at each call."""

    def __init__(self, augment: PolicyBatch, images_BCHW: torch.Tensor, indices: torch.Tensor) -> None:
        self.augment, self.images_BCHW, self.indices, self.epoch = augment, images_BCHW, indices, 0

    def __call__(self) -> torch.Tensor:
        """Return the augmented batch."""
        self.epoch += 1
        augmented: torch.Tensor = self.augment(self.images_BCHW, seed=0, epoch=self.epoch, indices=self.indices)
        return augmented


def module(case: Case, engine: Engine) -> PolicyBatch:
    """Return our module for a case's batches."""
    if case.train:
        return case.policy.to_batch(baseline=BASELINE, normalize=NORMALIZE, engine=engine)
    return case.policy.to_batch(engine=engine)


def one_by_one(transform: Callable[[Any], object], images: Sequence[Any]) -> None:
    """Augment images one after the other."""
    for image in images:
        transform(image)


def prepared(peer: Peer, case: Case) -> tuple[Row | None, Contender | None]:
    """Return a peer's empty row and what is timed; no row where it does not belong in this table."""
    single = case.batch == 1
    if (peer.takes == "batch" and single) or (peer.takes == "tensor" and peer.package == "kornia" and not single):
        return None, None
    row = Row(name=peer.name, version=installed(peer.package) or "", equivalence=peer.equivalence)
    if not row.version:
        row.status = "not installed"
        return row, None
    transform = peer.prepare(case.policy)
    if transform is not None and case.train:
        transform = None if peer.train is None else peer.train(transform)
    if transform is None:
        row.status = "cannot express it"
        return row, None
    check_peer(peer, case)
    count = min(case.batch, 4 * ONE_BY_ONE) if not single else ONE_BY_ONE
    match peer.takes:
        case "batch":
            return row, Contender(peer.name, partial(transform, case.pool.batch(case.batch)), case.batch, VARIED)
        case "picture":
            images: Sequence[Any] = case.pool.pictures(count)
        case "tensor":
            images = list(case.pool.batch(count))
        case "array":
            images = case.pool.arrays(count)
    return row, Contender(peer.name, partial(one_by_one, transform, images), count)


def filled(rows: Sequence[Row], contenders: Sequence[Contender], times_RN: NDArray[np.float64]) -> None:
    """Write the figures into the rows."""
    measured = {contender.name: times_RN[:, at] for at, contender in enumerate(contenders)}
    leading = [row.name for row in rows if row.equivalence == "ours"]
    original_R = measured.get(all_peers()[0].name)
    for row in rows:
        if row.name not in measured:
            continue
        own_R = measured[row.name]
        row.us, row.best_us = float(np.median(own_R)) * 1e6, float(own_R.min()) * 1e6
        row.original = None if original_R is None else ratio(original_R, own_R)
        row.behind = {name: ratio(own_R, measured[name]) for name in leading if name != row.name}


def check_engines(case: Case, engines: Sequence[Engine]) -> None:
    """Compare the pixels of our engines with Pillow's, which `Policy.apply` gives.

    Raises:
        FaaError: If one differs.
    """
    pictures, images_BCHW, indices = case.pool.pictures(CHECKED), case.pool.batch(CHECKED), torch.arange(CHECKED)
    applied = [case.policy.apply(picture, seed=1, epoch=2, index=at) for at, picture in enumerate(pictures)]
    expected_BHWC = np.stack([np.asarray(picture) for picture in applied])
    for engine in engines:
        augmented_BCHW = case.policy.to_batch(engine=engine)(images_BCHW, seed=1, epoch=2, indices=indices)
        if not np.array_equal(augmented_BCHW.permute(0, 2, 3, 1).numpy(), expected_BHWC):
            raise FaaError(f"{case.workload}, {case.side} px: engine {engine} does not give Pillow's pixels.")


def check_training(case: Case, engines: Sequence[Engine]) -> None:
    """Compare the engines with each other where the whole transform gives float32.

    Raises:
        FaaError: If they differ in a bit.
    """
    images_BCHW, indices = case.pool.batch(CHECKED), torch.arange(CHECKED)
    results = [module(case, engine)(images_BCHW, seed=1, epoch=2, indices=indices) for engine in engines]
    if not all(torch.equal(results[0], other) for other in results[1:]):
        raise FaaError(f"{case.workload}: the engines {', '.join(engines)} differ; nothing is timed.")


def check_peer(peer: Peer, case: Case) -> None:
    """Compare a peer's operations with ours, on what a policy draws, if it says that they are exact.

    Raises:
        FaaError: If they differ.
    """
    if peer.equivalence != "exact":
        return
    pictures = case.pool.pictures(CHECKED)
    drawn = case.policy.draw(seed=3, epoch=0, indices=np.arange(CHECKED))
    for picture, steps in zip(pictures, drawn, strict=True):
        for step in steps:
            base, argument = step.operation.base, step.argument
            if base == "Cutout":
                continue  # its place is drawn by each in its own way
            if peer.operation is None:
                theirs = PIXELS[base](picture, argument)
            else:
                operation = peer.operation(base, argument)
                assert operation is not None  # noqa: S101 it was prepared
                theirs = operation(picture)
            if theirs.tobytes() != case.policy.apply_steps(picture, (step,)).tobytes():
                raise FaaError(f"{peer.name} is said to be exact, but {base} at {argument:g} differs from ours.")
