"""Networks that get gates: which ones do, what changes with the attributes, and how they are made by name."""

import math
from pathlib import Path

import pytest
import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from faa_models import SkipNet, WideResNet

KINDS = ("rnn", "ff1", "ff2")


def images() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_attributes_are_checked_when_they_are_changed() -> None:
    network = SkipNet(WideResNet(16, 1))
    for name, value in (
        ("gating", "sample"),
        ("execution", "gathered"),
        ("temperature", 0.0),
        ("temperature", math.inf),
    ):
        with pytest.raises(ValueError, match=f"{name} must be"):
            setattr(network, name, value)
    assert (network.gating, network.execution, network.temperature) == ("straight-through", "masked", 1.0)


def test_changing_to_sampled_gates_freezes_when_training_begins() -> None:
    network = SkipNet(WideResNet(16, 1)).train()
    network.gating = "sampled"
    modes = {m.training for m in network.train().modules() if isinstance(m, nn.BatchNorm2d)}
    network.gating = "straight-through"
    assert (modes, {m.training for m in network.train().modules()}) == ({False}, {True})


def test_synchronised_norms_are_frozen_too() -> None:
    network = nn.SyncBatchNorm.convert_sync_batchnorm(SkipNet(WideResNet(16, 1), "ff2", gating="sampled")).train()
    norms = [m for m in network.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert {m.training for m in norms} == {False}
    assert len(norms) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_gates_are_of_the_backbones_dtype_and_device(kind: str) -> None:
    network = SkipNet(timm.create_model("wrn16_1", dtype=torch.float64), kind).eval()
    assert network(images().double()).dtype == torch.float64
    on_meta = SkipNet(timm.create_model("wrn16_1", device="meta"), kind)
    assert {p.device.type for p in on_meta.parameters()} == {"meta"}


@pytest.mark.parametrize("execution", ["masked", "gather"])
def test_what_a_skipped_block_overflows_to_does_not_matter(execution: str) -> None:
    network = SkipNet(WideResNet(16, 1), execution=execution).eval()
    network.stages[2][1].conv2.weight.data.fill_(math.inf)
    decisions_BG = torch.ones(4, 3)
    decisions_BG[:, 2] = 0
    with torch.no_grad():
        assert network(images(), decisions_BG).isfinite().all()
        assert not network(images(), torch.ones(4, 3)).isfinite().all()


@pytest.mark.parametrize("backbone", ["resnet10t", "convnext_atto", "test_vit"])
def test_other_networks_are_refused(backbone: str) -> None:
    with pytest.raises(TypeError, match="the backbone must be a StagedNetwork, such as"):
        timm.create_model("skipnet", backbone=backbone)


def test_any_network_gets_gates_by_name_and_reloads(tmp_path: Path) -> None:
    kwargs = {"backbone": "pyramidnet", "depth": 20, "alpha": 9, "gate": "ff2", "from_stage": 0}
    network = timm.create_model("skipnet", num_classes=3, **kwargs).eval()
    assert (type(network.gates).__name__, network.first_gated, network.num_classes) == ("FeedForwardGates", 1, 3)
    assert network.pretrained_cfg["first_conv"] == "stem.conv"
    save_for_hf(network, tmp_path, safe_serialization=True, model_args=kwargs)
    again = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    with torch.no_grad():
        assert again(images()).equal(network(images()))
    grey = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, in_chans=1)
    assert grey.stem.conv.weight.shape[1] == 1


def test_a_wrapped_network_knows_its_images() -> None:
    config = timm.data.resolve_model_data_config(SkipNet(timm.create_model("wrn16_1")))
    assert (config["input_size"], config["mean"]) == ((3, 32, 32), (0.4914, 0.4822, 0.4465))
