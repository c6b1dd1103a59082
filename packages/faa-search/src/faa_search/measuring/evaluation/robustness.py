"""How a network does on corrupted images: fifteen corruptions, five severities each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from faa_core import FaaError
from faa_search.data import ArraySource
from faa_search.data.sizing import fitted
from faa_search.measuring.corruptions import CORRUPTIONS, SEVERITIES, corrupt, open_published, read_photographs
from faa_search.measuring.evaluation.checkpoints import Subject
from faa_search.progress import Reporter
from faa_search.settings import EvalConfig
from faa_search.training.evaluating import evaluate_view
from faa_search.training.views import Batch, Key, Views

MAKE = "make"


@dataclass(frozen=True, eq=False, kw_only=True)
class CorruptedViews(Views):
    """Images as the network sees them, after a corruption at their own size.

    Attributes:
        name: The corruption.
        severity: 1 to 5.
        photographs: What frost is made from.
        shown_size: Side of the result, in pixels.
    """

    name: str
    severity: int
    photographs: tuple[NDArray[np.uint8], ...] = ()
    shown_size: int

    def __getitems__(self, keys: list[Key]) -> Batch:
        """Return the corrupted images and the labels of a batch of (view, 0, index) keys."""
        images_BCHW, labels_B = super().__getitems__(keys)
        corrupted_BHWC = corrupt(
            images_BCHW.numpy().transpose(0, 2, 3, 1),
            self.name,
            self.severity,
            seed=self.seed,
            indices_N=np.array([index for _view, _copy, index in keys]),
            photographs=self.photographs,
        )
        if self.size != self.shown_size:
            fit = (np.asarray(fitted(Image.fromarray(image), self.shown_size)) for image in corrupted_BHWC)
            corrupted_BHWC = np.stack(list(fit))
        return torch.from_numpy(np.ascontiguousarray(corrupted_BHWC.transpose(0, 3, 1, 2))), labels_B


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptedImages:
    """Corrupted images to evaluate on.

    Attributes:
        origin: ``"make"``, or the folder they are read from.
        names: The corruptions there are.
        missing: Those there are not.
        seed: Keys the draws of those that are made; None for those that are read.
        view: From a name and a severity to the images.
    """

    origin: str
    names: tuple[str, ...]
    missing: tuple[str, ...]
    seed: int | None
    view: Callable[[str, int], Views]


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """Errors on corrupted images.

    Attributes:
        errors: Of each corruption, the share of wrong answers at each severity, in [0, 1].
        missing: Corruptions that were not there; the mean is over the others.
        origin: ``"make"``, or the folder the images were read from.
        seed: Of the draws, or None.
    """

    errors: dict[str, tuple[float, ...]]
    missing: tuple[str, ...]
    origin: str
    seed: int | None

    def error(self, name: str) -> float:
        """Return a corruption's mean error over its severities."""
        return sum(self.errors[name]) / len(self.errors[name])

    @property
    def mean_error(self) -> float:
        """The mean corruption error of AugMix: over corruptions and severities alike, not relative to a network."""
        return sum(map(self.error, self.errors)) / len(self.errors)


def open_corrupted(subject: Subject, config: EvalConfig) -> CorruptedImages | None:
    """Return the corrupted images that the settings ask for, if any, without making one yet.

    Raises:
        FaaError: If a folder is not laid out as CIFAR-10-C, or a setting would have no effect.
    """
    if config.corruptions == MAKE:
        return _made(subject, config)
    if config.frost is not None or config.seed:
        flag = "--frost" if config.frost is not None else "--seed"
        raise FaaError(f"{flag} is for --corruptions make, and has no effect without it; leave one out or give both.")
    if config.corruptions is None:
        return None
    names = subject.source.class_names
    published = open_published(Path(config.corruptions), classes=len(names))

    def read(name: str, severity: int) -> Views:
        images, labels = published.read(name, severity)
        return Views(source=ArraySource(images, labels, names), size=subject.size)

    return CorruptedImages(
        origin=config.corruptions, names=published.names, missing=published.missing, seed=None, view=read
    )


def evaluate_corrupted(subject: Subject, images: CorruptedImages, *, reporter: Reporter) -> Robustness:
    """Return the errors of a subject's network on corrupted images.

    Raises:
        FaaError: If an image cannot be read.
    """
    errors: dict[str, tuple[float, ...]] = {}
    with reporter.track("Corruptions", len(images.names) * len(SEVERITIES)) as advance:
        for name in images.names:
            row = []
            for severity in SEVERITIES:
                view = images.view(name, severity)
                metrics = evaluate_view(subject.network, view, workers=subject.workers, accelerator=subject.accelerator)
                row.append(1 - metrics.top1)
                advance(f"{name} {severity}: error {100 * row[-1]:.1f} %")
            errors[name] = tuple(row)
    return Robustness(errors=errors, missing=images.missing, origin=images.origin, seed=images.seed)


def _made(subject: Subject, config: EvalConfig) -> CorruptedImages:
    photographs = read_photographs(Path(config.frost)) if config.frost is not None else ()
    kept = [row.name for row in CORRUPTIONS if photographs or not row.needs_photographs]

    def make(name: str, severity: int) -> Views:
        return CorruptedViews(
            source=subject.own_source,
            size=subject.own_size,
            seed=config.seed,
            name=name,
            severity=severity,
            photographs=photographs,
            shown_size=subject.size,
        )

    missing = tuple(row.name for row in CORRUPTIONS if row.name not in kept)
    return CorruptedImages(origin=MAKE, names=tuple(kept), missing=missing, seed=config.seed, view=make)
