"""Turning the weights of an original network into one of ours, and making sure that it computes the same.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import timm
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from faa_models.conversion.families import Family, Size, find_family, is_unused, original_key, shape_of
from faa_models.conversion.originals import StateDict
from faa_models.pyramidnet import PyramidBlock, PyramidNet

__all__ = ["Converted", "check", "convert", "fill", "save"]

TOLERANCE = 1e-9  # of the largest logit, in double precision, whose own noise is about 1e-14


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A network with the weights of a checkpoint.

    Attributes:
        model: The network, in evaluation, float32.
        architecture: timm's name of it.
        arguments: What timm needs to make it, beside the name and the number of classes.
        dropped: Original names of weights that were left out, because the original network never uses them.
        difference: Largest difference between its logits and the original's, in double precision.
    """

    model: nn.Module
    architecture: str
    arguments: Mapping[str, Any]
    dropped: tuple[str, ...]
    difference: float


def convert(state: StateDict, *, model: str | None = None) -> Converted:
    """Return the network that a checkpoint of an original repository is of, with its weights.

    The names tell the family, the shapes the size. Before it is returned, the network's logits are compared with those
    of the original's equations.

    Args:
        state: The weights under their original names.
        model: timm's name of the network; None finds it. A PyramidNet's weights do not show whether it was trained
            with ShakeDrop, which scales its residuals: found is the one with it, which the released code always has.
            "pyramidnet", without "_shakedrop", is the one without it, of the checkpoint's size.

    Raises:
        ValueError: If the weights are of no network that is known, do not fit the one given, or a weight is missing,
            unknown, of another shape, or not finite; it is named. Or if the logits differ.
    """
    family = find_family(state)
    size = family.size(state)
    name, arguments = _named(size) if model is None else _asked(model, size)
    classes = shape_of(state, original_key(family, "head.fc.weight"), axes=2)[0]
    in_chans = shape_of(state, original_key(family, family.first_conv))[1]
    if in_chans != 3:
        arguments = {**arguments, "in_chans": in_chans}
    network = _make(name, family, {"num_classes": classes, **arguments})
    dropped = fill(network, family, state)
    forward = family.forward
    if isinstance(network, PyramidNet):
        last = cast("PyramidBlock", network.blocks()[-1][-1])
        forward = partial(forward, shake_drop=last.join.drop_prob)
    difference = check(state, network, forward)
    return Converted(model=network, architecture=name, arguments=arguments, dropped=dropped, difference=difference)


def fill(network: nn.Module, family: Family, state: StateDict) -> tuple[str, ...]:
    """Give a network the weights of a checkpoint, as float32 on the CPU, and put it in evaluation.

    Returns:
        The original names of weights that were left out.

    Raises:
        ValueError: If a weight is missing, unknown, of another shape, or not finite; the first one is named.
    """
    wanted = {original_key(family, key): (key, target) for key, target in network.state_dict().items()}
    # PyTorch before 0.4.1 does not count batches; nothing here reads the count.
    uncounted = {key: torch.tensor(0) for key in wanted if key.endswith("num_batches_tracked")}
    kept = {**uncounted, **state}
    for original, (_, target) in wanted.items():
        _check_weight(kept, original, target)
    others = [key for key in state if key not in wanted]
    unknown = next((key for key in others if not is_unused(family, state, key)), None)
    if unknown is not None:
        raise ValueError(f"The weight {unknown!r} is unknown: {type(network).__name__} of this size has none such.")
    filled = {key: _plain(kept[original], original, target) for original, (key, target) in wanted.items()}
    network.load_state_dict(filled, assign=True)
    network.eval()
    return tuple(others)


def check(state: StateDict, network: nn.Module, forward: Callable[[StateDict, Tensor], Tensor]) -> float:
    """Return the largest difference between a network's logits and those of the original's equations.

    Both see the same two random images, in double precision.

    Args:
        state: The weights under their original names.
        network: Converted from them, in evaluation.
        forward: The original's logits (B, K) for a state dict and images (B, C, 32, 32).

    Raises:
        ValueError: If they differ by more than noise, or are not finite.
    """
    in_chans = getattr(network, "in_chans", 3)
    x = torch.randn(2, in_chans, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits_BK = deepcopy(network).double()(x)
        expected_BK = forward({key: value.float().double() for key, value in state.items() if value.ndim}, x)
    difference, largest = (float(one.abs().max()) for one in (logits_BK - expected_BK, expected_BK))
    if not math.isfinite(difference):
        raise ValueError("The logits of the checkpoint are not finite: weights overflow, or a variance is negative.")
    if difference > TOLERANCE * largest:
        raise ValueError(
            f"The converted network does not compute what the original does: its logits differ by {difference:.3g}, "
            f"the largest is {largest:.3g}. Nothing was converted; this is a mistake of the converter to be reported."
        )
    return difference


def save(converted: Converted, directory: str | Path) -> None:
    """Write ``model.safetensors`` and timm's ``config.json``, for ``timm.create_model("local-dir:DIRECTORY")``.

    Images of one channel are given the average of the colours' mean and standard deviation, others repeat the colours'.

    Args:
        converted: What `convert` returned.
        directory: Made if it is not there; what is there under these names is replaced, and not atomically.

    Raises:
        OSError: If the disk refuses.
    """
    in_chans = converted.arguments.get("in_chans")
    description: dict[str, Any] = {}
    if in_chans:
        config = cast("Mapping[str, Any]", converted.model.pretrained_cfg)
        statistics = {key: _for_channels(config[key], in_chans) for key in ("mean", "std")}
        description = {"pretrained_cfg": {"input_size": (in_chans, 32, 32), **statistics}}
    try:
        timm.models.save_for_hf(
            converted.model,
            str(directory),
            model_config=description,
            model_args=dict(converted.arguments),
            safe_serialization=True,
        )
    except SafetensorError as error:
        raise OSError(f"'{directory}' cannot be written: {error}.") from error


def _named(size: Size) -> tuple[str, Mapping[str, Any]]:
    """Return timm's name of a network of this size, and what timm needs beside it."""
    if size.name and timm.is_model(size.name):
        return size.name, {}
    if size.general:
        return size.general, {**size.arguments, **size.assumed}
    raise ValueError(
        f"The weights are of a {size.says}, which is registered under no name. "
        "A network that a plugin of yours registers can be given as the model."
    )


def _asked(name: str, size: Size) -> tuple[str, Mapping[str, Any]]:
    """Return the name that was given, and what timm needs beside it."""
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        told = f"did you mean {' or '.join(close)}?" if close else "leave it away to have it found."
        raise ValueError(f"timm has no model '{name}'; {told}")
    return name, size.arguments if name == size.general else {}


def _make(name: str, family: Family, arguments: Mapping[str, Any]) -> nn.Module:
    """Return the network without memory for its weights, so that no file can claim any."""
    try:
        with torch.device("meta"):
            network: nn.Module = timm.create_model(name, **arguments)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"The model '{name}' cannot be made for these weights: {error}.") from error
    if not isinstance(network, family.network):
        raise ValueError(f"The weights are of a {family.network.__name__}, which the model '{name}' is not.")
    return network


def _check_weight(state: StateDict, key: str, target: Tensor) -> None:
    """Refuse a weight that does not fit where `target` is."""
    if key not in state:
        raise ValueError(f"The weight {key!r} is missing in the checkpoint.")
    value = state[key]
    if value.shape != target.shape:
        raise ValueError(
            f"The weight {key!r} has shape {tuple(value.shape)}, where the network has {tuple(target.shape)}."
        )
    if target.is_floating_point() and not value.is_floating_point():
        raise ValueError(f"The weight {key!r} is {value.dtype}; weights are floating point.")


def _plain(value: Tensor, key: str, target: Tensor) -> Tensor:
    """Return a copy of a weight in `target`'s dtype."""
    plain = value.detach().to(target.dtype, copy=True, memory_format=torch.contiguous_format)
    if not plain.isfinite().all():
        raise ValueError(f"The weight {key!r} has entries that are not finite; its training had diverged.")
    return plain


def _for_channels(colours: Sequence[float], count: int) -> tuple[float, ...]:
    """Return a statistic of each of `count` channels, from those of red, green and blue."""
    return (fmean(colours),) if count == 1 else tuple(islice(cycle(colours), count))
