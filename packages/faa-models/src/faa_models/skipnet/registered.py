"""The gated networks that timm knows by name."""

from typing import Any

from timm.models import register_model

from faa_models.pyramidnet import PyramidNet
from faa_models.registration import cifar_cfgs, create_network
from faa_models.skipnet.gates import GateKind
from faa_models.skipnet.network import Execution, Gating, SkipNet

__all__ = ["pyramidnet272_a200_shakedrop_skip"]

default_cfgs = cifar_cfgs(
    ("pyramidnet272_a200_shakedrop_skip",),
    "arXiv:1711.09485",
    "arXiv:1610.02915",
    "arXiv:1802.02375",
    first_conv="stem.conv",
)


@register_model
def pyramidnet272_a200_shakedrop_skip(pretrained: bool = False, **kwargs: Any) -> SkipNet:
    """Return PyramidNet-272 of widening 200 with ShakeDrop and gates; the arguments are `SkipNet`'s and its own.

    Raises:
        ValueError: If features are asked for in a way that would run the blocks without asking the gates.
    """
    if kwargs.setdefault("feature_cls", "getter") != "getter":
        raise ValueError(f"feature_cls must be 'getter' for a network with gates, not {kwargs['feature_cls']!r}")
    if not kwargs.get("features_only"):
        del kwargs["feature_cls"]
    sizes = {"depth": 272, "alpha": 200, "bottleneck": True, "shake_drop": 0.5}
    return create_network(_gated_pyramid, "pyramidnet272_a200_shakedrop_skip", pretrained, **(sizes | kwargs))


def _gated_pyramid(
    *,
    gate: GateKind = "rnn",
    from_stage: int = 1,
    gate_bias: float = 0.0,
    temperature: float = 1.0,
    gating: Gating = "straight-through",
    execution: Execution = "masked",
    freeze_statistics: bool | None = None,
    **kwargs: Any,
) -> SkipNet:
    return SkipNet(
        PyramidNet(**kwargs),
        gate,
        from_stage=from_stage,
        gate_bias=gate_bias,
        temperature=temperature,
        gating=gating,
        execution=execution,
        freeze_statistics=freeze_statistics,
    )
