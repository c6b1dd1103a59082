"""Making networks: timm's, and those that plugins register with timm."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import timm
import torch
from torch import Tensor, nn

from faa_core import FaaError, plugins
from faa_core.randomness import seed_of
from faa_core.text import one_line
from faa_search.keyed_torch import torch_seeded
from faa_search.settings import RunConfig, SharedSearchConfig, as_pairs

NOT_OPTIONS = frozenset({
    "cache_dir", "checkpoint_path", "device", "dtype", "exportable", "feature_cfg", "feature_cls", "features_only",
    "img_size", "in_chans", "kwargs_filter", "no_jit", "num_classes", "out_indices", "scriptable",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """What a model expects: side in pixels, and the mean and standard deviation of its normalisation, RGB in [0, 1]."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def register_models() -> list[plugins.PluginStatus]:
    """Import the modules of the entry-point group ``faa.models``, which register their networks with timm.

    Returns:
        Those that do not load; whoever asks for another network does not use them.
    """
    return [status for status in plugins.status("faa.models") if status.error is not None]


def home_of(name: str) -> str | None:
    """Return the package that registers a network with timm, which must be imported first; None for timm's own."""
    if not timm.is_model(name):
        return None
    package = str(timm.models.model_entrypoint(name).__module__).partition(".")[0]
    return None if package == "timm" else package


def model_input(name: str) -> ModelInput:
    """Return what the model's default configuration expects.

    Raises:
        FaaError: If timm knows no such model.
    """
    broken = register_models()
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise FaaError(
            f"timm has no model '{name}'"
            + (f"; did you mean {' or '.join(close)}?" if close else ".")
            + " `faa model list FILTER` shows the names."
            + "".join(f" The plugin {one.name} does not load: {one.error}." for one in broken)
        )
    config = timm.get_pretrained_cfg(name)
    size = config.input_size[-1] if config is not None else 224
    return ModelInput(size=size, mean=_rgb(config, "mean"), std=_rgb(config, "std"))


def make_model(
    name: str, *, classes: int, pretrained: bool, size: int, seed: int, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """Return a network with weights that the seed keys.

    Args:
        name: timm's.
        classes: Outputs.
        pretrained: Start from timm's published weights.
        size: Side of the images in pixels, for models that are built for one size.
        seed: Keys the initial weights; torch's generator is left as it was.
        options: More arguments of the model.

    Raises:
        FaaError: If it cannot be made, or the data and the run decide what an option sets.
    """
    expected = model_input(name)
    kwargs = dict(options or {})
    given = f" with {as_pairs(kwargs):.200}" if kwargs else ""
    if pretrained:
        _check_published(name)
    if taken := sorted(key for key, value in kwargs.items() if _is_set_elsewhere(key, value)):
        raise FaaError(f"Arguments of the model '{name}': the data and the run set {', '.join(taken)}; leave it out.")
    if _is_built_for_one_size(name) and size != expected.size:
        kwargs["img_size"] = size
    with torch_seeded(seed_of("weights", seed)):
        try:
            model: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=classes, **kwargs)
        except Exception as error:  # a constructor, given what its author did not think of, may raise anything
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise FaaError(f"The model '{name}' cannot be made{given}: {reason}") from error
    return model


def count_weights(
    name: str, *, classes: int, size: int, pretrained: bool = False, options: Mapping[str, Any] | None = None
) -> int:
    """Return how many numbers a network's weights are, without memory for them and without fetching any.

    Called before a run's directory is made, so that arguments the network refuses leave nothing behind.

    Raises:
        FaaError: If it cannot be made, or is to be `pretrained` and there are no published weights of it.
    """
    if pretrained and timm.is_model(name):
        _check_published(name)
    make = partial(make_model, name, classes=classes, pretrained=False, size=size, seed=0, options=options)
    try:
        with torch.device("meta"):
            model = make()
    except FaaError:  # some networks compute with real numbers when they are made
        model = make()
    return sum(parameter.numel() for parameter in model.parameters())


def check_model(config: RunConfig | SharedSearchConfig) -> ModelInput:
    """Return what a model takes, once it is known that the settings' network can be made.

    Raises:
        FaaError: If it cannot.
    """
    expected = model_input(config.model)
    size = config.img_size or expected.size
    count_weights(config.model, classes=2, size=size, pretrained=config.pretrained, options=config.model_kwargs)
    return expected


class Normalise(nn.Module):
    """uint8 images ``[B, 3, H, W]`` to float32 with the model's mean and standard deviation."""

    mean: Tensor
    scale: Tensor

    def __init__(self, expected: ModelInput) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(expected.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(expected.std).view(1, 3, 1, 1)), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalised images, float32 ``[B, 3, H, W]``."""
        return (images.float() - self.mean) * self.scale


def _check_published(name: str) -> None:
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise FaaError(
            f"--pretrained: timm has no published weights of '{name}'; leave it out, or choose a model that has some "
            "(`faa model list 'resnet*'` shows them)."
        )


def _is_built_for_one_size(name: str) -> bool:
    config = timm.get_pretrained_cfg(name)
    return bool(config is not None and config.fixed_input_size)


def _is_set_elsewhere(key: str, value: Any) -> bool:
    """Return whether an argument is not for the caller to choose; without pooling there would be no logits."""
    return key in NOT_OPTIONS or key.startswith("pretrained") or (key == "global_pool" and not value)


def _rgb(config: Any, field: str) -> tuple[float, float, float]:
    default = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}[field]
    values = getattr(config, field, None) or default
    red, green, blue = (float(value) for value in values)
    return red, green, blue
