"""What a search's tasks work with: the images, and the folds' networks; made once in each worker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_in

from faa_core import FaaError, Policy
from faa_core.text import one_line
from faa_search.progress import Reporter, Silent
from faa_search.searching.folds import Fold
from faa_search.searching.images import SearchImages, open_images, stage
from faa_search.searching.objective import HeldOut, Staged, held_out, scoring_batch
from faa_search.settings import FoldedSearchConfig, SharedSearchConfig
from faa_search.training.baseline import baseline_of, resized_crop_of, settled
from faa_search.training.models import ModelInput, model_input
from faa_search.training.network import Network, make_network
from faa_search.training.views import Views
from faa_search.workers.executors.protocol import Fetch, Place
from faa_search.workers.processes import Alone

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeBench:
    """Makes a bench in a worker, wherever that is.

    Attributes:
        config: The search's settings.
        directory: The run's; a worker on another machine may not see it.
        images: Opened already, in the process that has them; they do not travel.
        reporter: For tasks in the caller's own process; it does not travel either.
    """

    config: SharedSearchConfig
    directory: Path
    images: SearchImages | None = None
    reporter: Reporter | None = None

    def __call__(self, place: Place) -> "Bench":
        """Return the bench."""
        images = self.images
        if images is None:
            model_size = model_input(self.config.model).size
            images = open_images(self.config, model_size=model_size, note=Silent().note)
        return Bench(self.config, self.directory, images, place, self.reporter or Silent())

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without what is opened here."""
        return _make_bench, (self.config, self.directory)


def _make_bench(config: SharedSearchConfig, directory: Path) -> MakeBench:
    return MakeBench(config=config, directory=directory)


class Bench:
    """Images, device, and networks that are loaded when they are first asked for."""

    def __init__(
        self, config: SharedSearchConfig, directory: Path, images: SearchImages, place: Place, reporter: Reporter
    ) -> None:
        self.config = config
        self.directory = directory
        self.images = images
        self.reporter = reporter
        self.processes = Alone(_numbered(torch.device(place.device)))
        self.expected: ModelInput = model_input(config.model)
        self._fetch: Fetch = place.fetch
        self._held_out: dict[int, HeldOut] = {}
        self._networks: dict[int, Network] = {}
        self._kept: dict[str, Any] = {}
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
            torch.backends.cudnn.benchmark = True  # images of one size: the fastest convolutions are worth a search

    @property
    def device(self) -> torch.device:
        """Where this worker computes."""
        return self.processes.device

    def held_out(self, number: int) -> HeldOut:
        """Return a fold's network, from the weights that were shared, with the images to score on.

        Raises:
            FaaError: If the weights are damaged or of another model.
        """
        if number not in self._held_out:
            self._held_out[number] = self.held_out_for(self.network(number), number)
        return self._held_out[number]

    def held_out_for(self, network: Network, number: int) -> HeldOut:
        """Return any network with the images of a fold to score on."""
        config = self.config
        asked = config.score_batch_size if isinstance(config, FoldedSearchConfig) else None
        positions = torch.from_numpy(self.images.folds[number].held_out).to(self.device)
        return held_out(
            network,
            replace(self.staged, positions=positions),
            batch_size=asked or scoring_batch(self.device, self.images.size),
        )

    def training_view(self, fold: Fold, policy: Policy | None = None) -> Views:
        """Return the images that a fold's network is fitted on; without a policy only the baseline augments them."""
        return training_view(self.config, self.images, self.expected, fold, policy)

    @contextmanager
    def run_folder(self) -> Iterator[Path]:
        """Give the run's directory, or, where this worker does not see it, a folder that is gone afterwards."""
        if (self.directory / "config.yaml").is_file():
            yield self.directory
        else:
            with TemporaryDirectory(prefix="faa-") as temporary:
                yield Path(temporary)

    @cached_property
    def staged(self) -> Staged:
        """All images to score on, decoded once, on the device."""
        return stage(self.images.scored, self.images.size, device=self.device, workers=self.config.workers)

    def network(self, number: int) -> Network:
        """Return a fold's network, frozen, from the weights that were shared.

        Raises:
            FaaError: If the weights are damaged or of another model.
        """
        if number not in self._networks:
            self._networks[number] = self._loaded(number)
        return self._networks[number]

    def kept(self, name: str, make: Callable[[], Kept]) -> Kept:
        """Return what an algorithm keeps in this worker under a name of its own; made when it is first asked for."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: Kept = self._kept[name]
        return kept

    def _loaded(self, number: int) -> Network:
        config = self.config.model_copy(update={"pretrained": False})
        classes = len(self.images.train.class_names)
        network = make_network(
            config, self.expected, self.processes, classes=classes, size=self.images.size, seed=self.config.seed
        )
        try:
            network.model.load_state_dict(tensors_in(self._fetch(f"fold{number}")))
        except SafetensorError as error:
            raise FaaError(f"The weights of fold {number} cannot be read: {error}") from error
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise FaaError(f"The weights of fold {number} are of another model: {one_line(error)}") from error
        network.model.eval().requires_grad_(False)
        return network


def _numbered(device: torch.device) -> torch.device:
    """Return a device with its number: "cuda" is the current one."""
    return torch.device("cuda", torch.cuda.current_device()) if device == torch.device("cuda") else device


def training_view(
    config: SharedSearchConfig, images: SearchImages, expected: ModelInput, fold: Fold, policy: Policy | None = None
) -> Views:
    """Return the images of D_M as a network is fitted on them.

    Args:
        config: The search's settings.
        images: Of the search.
        expected: What the model takes.
        fold: Which of them.
        policy: None for the folds' own networks; one that brings its own baseline has no other, whatever theirs is.
    """
    if policy is not None:
        config = settled(config, policy, given=())
    source = images.train.subset(fold.train)
    return Views(
        source=source,
        size=images.size,
        resized_crop=resized_crop_of(config, source),
        color_jitter=config.color_jitter,
        policy=policy,
        baseline=baseline_of(config, source, expected.mean),
        seed=config.seed,
    )
