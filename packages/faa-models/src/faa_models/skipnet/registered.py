"""The gated networks that timm knows by name."""

from typing import Any

from timm.models import create_model, get_pretrained_cfg, register_model

from faa_models.registration import cifar_cfgs, create_network
from faa_models.skipnet.gates import GateKind
from faa_models.skipnet.network import Execution, Gating, SkipNet

__all__ = ["pyramidnet272_a200_shakedrop_skip", "skipnet"]

default_cfgs = cifar_cfgs(("skipnet",), "arXiv:1711.09485")
default_cfgs |= cifar_cfgs(
    ("pyramidnet272_a200_shakedrop_skip",),
    "arXiv:1711.09485",
    "arXiv:1610.02915",
    "arXiv:1802.02375",
    first_conv="stem.conv",
)


@register_model
def skipnet(pretrained: bool = False, backbone: str = "wrn40_2", **kwargs: Any) -> SkipNet:
    """Return a network of this package with gates, such as ``timm.create_model("skipnet", backbone="wrn28_10")``.

    The arguments are `SkipNet`'s and the backbone's.
    """
    return _create("skipnet", pretrained, backbone=backbone, **kwargs)


@register_model
def pyramidnet272_a200_shakedrop_skip(pretrained: bool = False, **kwargs: Any) -> SkipNet:
    """Return PyramidNet-272 of widening 200 with ShakeDrop and gates; the arguments are `SkipNet`'s and its own."""
    variant = "pyramidnet272_a200_shakedrop_skip"
    return _create(variant, pretrained, backbone="pyramidnet272_a200_shakedrop", **kwargs)


def _create(variant: str, pretrained: bool, **kwargs: Any) -> SkipNet:
    """Return a gated network.

    Raises:
        ValueError: If features are asked for in a way that would run the blocks without asking the gates.
    """
    if kwargs.setdefault("feature_cls", "getter") != "getter":
        raise ValueError(f"feature_cls must be 'getter' for a network with gates, not {kwargs['feature_cls']!r}")
    if not kwargs.get("features_only"):
        del kwargs["feature_cls"]
    backbone = get_pretrained_cfg(kwargs["backbone"])
    if backbone is not None:  # an unknown one is refused where it is made
        overlay = {
            field: getattr(backbone, field) for field in ("first_conv", "input_size", "mean", "std", "pool_size")
        }
        kwargs["pretrained_cfg_overlay"] = overlay | (kwargs.get("pretrained_cfg_overlay") or {})
    return create_network(_gated, variant, pretrained, **kwargs)


def _gated(
    backbone: str,
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
    network: Any = create_model(backbone, **kwargs)
    return SkipNet(
        network,
        gate,
        from_stage=from_stage,
        gate_bias=gate_bias,
        temperature=temperature,
        gating=gating,
        execution=execution,
        freeze_statistics=freeze_statistics,
    )
