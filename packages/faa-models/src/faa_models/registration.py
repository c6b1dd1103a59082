"""How the networks here are announced to timm."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from timm.models import DefaultCfg, build_model_with_cfg, generate_default_cfgs

from faa_models.staged import StagedNetwork

__all__ = ["cifar_cfgs", "create_network"]

Network = TypeVar("Network", bound=StagedNetwork)
AT_ONE_VALUE = {  # arguments of timm's networks that have one value here, and why
    "output_stride": (
        4,
        "its blocks have no dilated convolutions, so its features have a quarter of the image's sides.",
    ),
    "drop_block_rate": (0.0, "it has no DropBlock; it has drop_path_rate and drop_rate."),
}


def cifar_cfgs(names: tuple[str, ...], *papers: str, first_conv: str = "stem") -> dict[str, DefaultCfg]:
    """Return timm's default configurations of networks for CIFAR: 10 classes, 32×32 pixels, CIFAR's statistics.

    Args:
        names: The networks.
        papers: Identifiers such as "arXiv:1605.07146".
        first_conv: Name of the convolution that sees the image.
    """
    config = {
        "num_classes": 10,
        "input_size": (3, 32, 32),
        "pool_size": (8, 8),
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.2023, 0.1994, 0.2010),
        "first_conv": first_conv,
        "classifier": "head.fc",
        "paper_ids": list(papers),
    }
    configs: dict[str, DefaultCfg] = generate_default_cfgs(dict.fromkeys(names, config))
    return configs


def create_network(
    network: Callable[..., Network],
    variant: str,
    pretrained: bool,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **kwargs: Any,
) -> Network:
    """Return timm's build of a network, its feature extractor with `features_only`.

    Args:
        network: Class to build, or a function that does.
        variant: Name under which it is registered.
        pretrained: Load published weights.
        device: Where to make it; torch's default device if None.
        dtype: Of its floating-point tensors; torch's default if None.
        kwargs: timm's and the class's.

    Raises:
        ValueError: If one of timm's arguments has a value that no network here supports.
    """
    for argument, (only, why) in AT_ONE_VALUE.items():
        if kwargs.pop(argument, only) != only:
            raise ValueError(f"{argument} of {variant} must be {only}: {why}")
    features = {"out_indices": (0, 1, 2, 3), "flatten_sequential": True}
    with nullcontext() if device is None else torch.device(device):
        model = build_model_with_cfg(network, variant, pretrained, feature_cfg=features, **kwargs)
    return model if dtype is None else model.to(dtype=dtype)
