"""Arguments that timm's scripts give to any network: done as timm does them, or refused in words."""

import re

import numpy as np
import pytest
import timm
import torch
from timm.layers import DropPath
from torch import nn

import faa_models

NAMES = ["wrn16_1", "shakeshake26_2x32d", "shakeshake26_2x96d_next", "pyramidnet", "skipnet"]
SHAKEDROP = ["pyramidnet110_a270_shakedrop", "pyramidnet272_a200_shakedrop_skip"]


def rates(model: nn.Module) -> list[float]:
    """Return the probabilities of stochastic depth, block by block."""
    return [module.drop_prob for module in model.modules() if isinstance(module, DropPath)]


@pytest.mark.parametrize("name", NAMES)
def test_drop_path_rates_grow_as_timms(name: str) -> None:
    """Linearly over all blocks, from 0; without a rate there is nothing to drop."""
    kwargs = {"backbone": "wrn16_1"} if name == "skipnet" else {}
    with torch.device("meta"):
        model = timm.create_model(name, drop_path_rate=0.3, **kwargs)
        plain = timm.create_model(name, drop_path_rate=0.0, **kwargs)
    count = sum(len(stage) for stage in model.blocks())
    assert count >= 6
    assert [0.3 * number / (count - 1) for number in range(count)] == pytest.approx(rates(model))
    assert rates(plain) == []
    assert list(model.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("name", ["wrn16_1", "shakeshake26_2x32d", "pyramidnet"])
def test_a_dropped_residual_leaves_the_shortcut(name: str) -> None:
    """In training, of some images; in evaluation of none."""
    torch.manual_seed(0)
    options = {"depth": 8} if name == "pyramidnet" else {}
    model = timm.create_model(name, drop_path_rate=1.0, **options)
    block = model.blocks()[2][-1]
    x = torch.rand(5, block.out_chs, 6, 6)
    if name == "pyramidnet":
        x = torch.rand(5, model.blocks()[1][-1].out_chs, 6, 6)
    assert torch.equal(block.skip(x), block.train()(x))
    block.drop_path = DropPath(0.5)
    kept = (block(x) - block.skip(x)).flatten(1).abs().amax(1) > 0
    while len({*kept.tolist()}) < 2:  # by chance all five may be alike
        kept = (block(x) - block.skip(x)).flatten(1).abs().amax(1) > 0
    block.eval()
    assert ((block(x) - block.skip(x)).flatten(1).abs().amax(1) > 0).all()


@pytest.mark.parametrize("name", SHAKEDROP)
def test_two_ways_of_leaving_out_are_refused(name: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=r"drop_path_rate=0.1 and shake_drop=0.5 .* give one"):
        timm.create_model(name, drop_path_rate=0.1)
    with torch.device("meta"):
        assert rates(timm.create_model(name, drop_path_rate=0.0)) == []


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_rates_are_probabilities(rate: float) -> None:
    with pytest.raises(ValueError, match=r"drop_path_rate must lie in \[0, 1\]"):
        timm.create_model("wrn10_1", drop_path_rate=rate)


@pytest.mark.parametrize("name", [*NAMES, *SHAKEDROP])
def test_arguments_with_one_value(name: str) -> None:
    """The value that is true is taken, every other is refused."""
    with torch.device("meta"):
        model = timm.create_model(name, output_stride=4, drop_block_rate=0.0)
        assert model.forward_features(torch.empty(1, 3, 32, 32)).shape[-2:] == (8, 8)
        features = timm.create_model(name, features_only=True, output_stride=4)
        assert features.feature_info.reduction()[-1] == 4
        for stride in (8, 32):
            with pytest.raises(ValueError, match=rf"output_stride of {name} must be 4: .* a quarter"):
                timm.create_model(name, output_stride=stride)
        with pytest.raises(ValueError, match=rf"drop_block_rate of {name} must be 0.0: .* drop_path_rate"):
            timm.create_model(name, drop_block_rate=0.1)


@pytest.mark.filterwarnings("ignore:.*jit.trace.*:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*jit.trace.*:DeprecationWarning")
@pytest.mark.parametrize("gate", ["rnn", "ff1"])
@pytest.mark.parametrize("execution", ["masked", "gather"])
def test_a_trace_decides_anew(gate: str, execution: str) -> None:
    """Also where the gates skipped blocks for the example, or ran them; with gradients on, as anybody starts."""
    torch.manual_seed(2)
    model = faa_models.SkipNet(timm.create_model("wrn16_1"), gate, execution=execution).eval()
    images = torch.rand(64, 3, 16, 16) * torch.linspace(0, 30, 64)[:, None, None, None]
    if gate == "rnn":  # whose scores all have one sign at first
        model.gates.decide.bias.data -= model(images, return_gates=True).gates.scores.median()
    decisions = model(images, return_gates=True).gates.decisions
    assert 0 < decisions.mean() < 1
    traced = torch.jit.trace(model, images[:4])
    assert torch.allclose(model(images), traced(images), atol=1e-4)


REFUSED = [
    *[("wrn", name, value) for name in ("drop_rate", "block_drop_rate", "bn_momentum") for value in ("x", 1.5, [0.1])],
    *[(name, "drop_path_rate", value) for name in NAMES for value in ("x", [0.1], float("inf"), 1j)],
    *[("wrn", name, value) for name in ("depth", "width") for value in ("x", 16.0, [16], 0)],
    *[("wrn", name, value) for name in ("num_classes", "in_chans") for value in ("x", 10.0, [3])],
    ("wrn", "num_classes", -1),
    *[("shakeshake", name, value) for name in ("depth", "width") for value in ("x", 26.0, 0)],
    *[("shakeshake26_2x96d_next", "groups", value) for value in ("x", 4.0, 0)],
    *[("shakeshake", "level", value) for value in ("x", 3, ["image"])],
    *[("pyramidnet", name, value) for name in ("depth", "alpha", "shake_drop") for value in ("x", [1], -1)],
    *[("skipnet", name, value) for name in ("gate_bias", "temperature") for value in ("x", [1], float("nan"))],
    *[("skipnet", name, value) for name in ("gate", "gating", "execution", "from_stage") for value in ("x", 7, [1])],
]


@pytest.mark.parametrize(("name", "argument", "value"), REFUSED)
def test_values_of_another_type_are_refused_as_other_wrong_ones(name: str, argument: str, value: object) -> None:
    """The argument is named, and what was given is shown as it was."""
    with torch.device("meta"), pytest.raises(ValueError, match=rf"^{argument} must .*not {re.escape(repr(value))}"):
        timm.create_model(name, **{argument: value})


@pytest.mark.parametrize("rate", [0, 1, True, np.float32(0.5), np.int64(1)])
def test_numbers_of_any_kind_are_rates(rate: float) -> None:
    """NumPy's and whole ones too."""
    with torch.device("meta"):
        model = timm.create_model("wrn", depth=np.int64(10), width=1, drop_rate=rate, drop_path_rate=rate)
    assert float(rate) == pytest.approx(max(rates(model), default=0.0)) == model.drop_rate
