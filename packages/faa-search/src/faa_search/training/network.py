"""A model on its device, ready for batches of uint8 images."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from inspect import signature
from typing import Any

import timm.layers
import torch
from torch import Tensor, nn

from faa_core import FaaError
from faa_core.text import one_line
from faa_search.runs.records.figures import Metrics
from faa_search.settings import FitConfig, as_pairs
from faa_search.training.metrics import Tally
from faa_search.training.models import ModelInput, Normalise, make_model
from faa_search.training.views import Batch
from faa_search.workers.processes import Processes, share


class Network:
    """A model with its normalisation, device, memory layout and precision.

    `model` holds the weights; what is applied may be compiled or wrapped for several processes.
    """

    def __init__(self, model: nn.Module, expected: ModelInput, config: FitConfig, accelerator: Processes) -> None:
        self.device: torch.device = accelerator.device
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.model: nn.Module = model.to(self.device, memory_format=self.layout)  # type: ignore[call-overload]
        self.amp = config.amp
        self.amp_dtype = torch.float16 if config.amp_dtype == "float16" else torch.bfloat16
        self.normalise = Normalise(expected).to(self.device)
        self.applied: nn.Module = torch.compile(self.model) if config.torchcompile else self.model  # type: ignore[assignment]

    def logits(self, images: Tensor) -> Tensor:
        """Return the outputs, ``[B, classes]``, for uint8 images ``[B, 3, H, W]`` on any device."""
        outputs: Tensor = self.outputs(self.prepared(images), self.applied)
        return outputs

    def prepared(self, images: Tensor) -> Tensor:
        """Return uint8 images ``[B, 3, H, W]`` normalised on the device, float32."""
        return self.normalise(images.to(self.device, non_blocking=True))  # type: ignore[no-any-return]

    def outputs(self, images: Tensor, applied: nn.Module, **options: bool) -> Any:
        """Return what a form of the model (compiled, or wrapped for several processes) makes of normalised images."""
        with torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=self.amp):
            return applied(images.contiguous(memory_format=self.layout), **options)

    def with_model(self, model: nn.Module) -> "Network":
        """Return the same with another model of its kind, on this device."""
        other = copy(self)
        other.model = other.applied = model
        return other


def make_network(
    config: FitConfig, expected: ModelInput, accelerator: Processes, *, classes: int, size: int, seed: int
) -> Network:
    """Return a network to fit, with the weights it starts from.

    Args:
        config: What it is.
        expected: What the model takes.
        accelerator: Device.
        classes: Outputs.
        size: Side of the images in pixels.
        seed: Keys the initial weights.

    Raises:
        FaaError: If it cannot be made, does not take the images, or lacks what the settings want of it.
    """
    model = make_model(
        config.model,
        classes=classes,
        pretrained=config.pretrained,
        size=size,
        seed=seed,
        options=config.model_kwargs,
    )
    if config.gate_price and "return_gates" not in signature(model.forward).parameters:
        raise FaaError(f"--gate-price is for networks with gates, such as skipnet; '{config.model}' has none.")
    if config.sync_bn:
        if accelerator.device.type != "cuda":
            raise FaaError("--sync-bn: torch has it for CUDA devices only; leave it out on a CPU.")
        model = timm.layers.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    network = Network(model, expected, config, accelerator)
    check_input(network, size, config.model_kwargs)
    return network


@torch.no_grad()
def check_input(network: Network, size: int, options: Mapping[str, Any]) -> None:
    """Try the network on a blank batch.

    Args:
        network: To be tried.
        size: Side of the images in pixels.
        options: Arguments the model was made with, for the message.

    Raises:
        FaaError: If it does not take images of this side.
    """
    blank = torch.zeros(2, 3, size, size, dtype=torch.uint8, device=network.device)
    try:
        with evaluating(network):
            network.model(network.normalise(blank))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # as when it is made: with foreign arguments anything may be raised
        hint = f", or other --model-kwargs than {as_pairs(options):.200}" if options else ""
        raise FaaError(
            f"The model does not take images of {size} px ({one_line(error, most=200)}); give another --img-size{hint}."
        ) from error


@torch.no_grad()
def evaluate(network: Network, batches: Iterable[Batch], *, classes: int, accelerator: Processes) -> Metrics:
    """Return how well the network does on the batches of all processes together."""
    tally = Tally(classes, network.device)
    share(accelerator, network.model.buffers())  # each process has batch norm statistics of its own images
    with evaluating(network):
        for images, labels in batches:
            tally.add(network.logits(images), labels.to(network.device))
    tally.sums = accelerator.reduce(tally.sums, reduction="sum")
    tally.confusion_CC = accelerator.reduce(tally.confusion_CC, reduction="sum")
    return tally.metrics()


@contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """Put the network into evaluation mode, and back."""
    if not network.model.training:  # going through all its modules takes as long as a small batch
        yield
        return
    network.model.eval()
    try:
        yield
    finally:
        network.model.train()
