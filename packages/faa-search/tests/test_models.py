"""Networks by name: what they take, and that seeds key their weights."""

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from accelerate import Accelerator
from torch import nn

from faa_core import FaaError
from faa_search.settings import TrainConfig
from faa_search.training.models import NOT_OPTIONS, ModelInput, Normalise, count_weights, make_model, model_input
from faa_search.training.network import Network, evaluating
from faa_search.workers.processes import make_accelerator


def test_what_a_model_takes() -> None:
    """Side and normalisation are its default configuration's."""
    wrn = model_input("wrn16_1")
    assert (32, (0.4914, 0.4822, 0.4465)) == (wrn.size, wrn.mean)
    resnet = model_input("resnet18")
    assert (224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) == (resnet.size, resnet.mean, resnet.std)


def test_unknown_model() -> None:
    """Close names are suggested."""
    with pytest.raises(FaaError, match=r"timm has no model 'wrn16_2'; did you mean .*wrn16_1"):
        model_input("wrn16_2")
    with pytest.raises(FaaError, match=r"timm has no model 'qqq'\. `faa model list FILTER`"):
        model_input("qqq")


def test_seeds_key_the_weights() -> None:
    """The same seed gives the same weights; torch's generator is left as it was."""
    before = torch.get_rng_state()
    first, same, other = (
        make_model("wrn16_1", classes=3, pretrained=False, size=8, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, same[key]) for key, value in first.items())
    assert not torch.equal(first["stem.weight"], other["stem.weight"])
    assert 3 == len(first["head.fc.bias"])


def test_no_published_weights() -> None:
    """--pretrained where there are none is said, not ignored."""
    with pytest.raises(FaaError, match="timm has no published weights of 'wrn16_1'"):
        make_model("wrn16_1", classes=3, pretrained=True, size=8, seed=0)


@pytest.mark.parametrize("key", [*sorted(NOT_OPTIONS), "pretrained", "pretrained_cfg_overlay", "pretrained_strict"])
def test_options_that_the_run_sets(key: str) -> None:
    """The data and the run decide them; the images' side of a model that is built for one is still passed on."""
    with pytest.raises(FaaError, match=f"the data and the run set {key}; leave it out"):
        make_model("test_vit", classes=2, pretrained=False, size=32, seed=0, options={key: "1"})


@pytest.mark.parametrize("raised", [KeyError, AssertionError, MemoryError, NotImplementedError, IndexError])
def test_a_constructor_may_raise_anything(monkeypatch: pytest.MonkeyPatch, raised: type[Exception]) -> None:
    """One error names the model, what it was given, and why."""

    def create_model(*_arguments: Any, **_named: Any) -> None:
        raise raised("so it is")

    monkeypatch.setattr(timm, "create_model", create_model)
    words = rf"'wrn16_1' cannot be made with drop_rate=0\.5,act=relu: {raised.__name__}: .*so it is"
    with pytest.raises(FaaError, match=words):
        make_model("wrn16_1", classes=2, pretrained=False, size=8, seed=0, options={"drop_rate": 0.5, "act": "relu"})


def test_weights_are_counted_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand for the smallest; a network that needs real numbers to be made is made for real."""
    counted = count_weights("wrn16_1", classes=3, size=8)
    model = make_model("wrn16_1", classes=3, pretrained=False, size=8, seed=0)
    assert sum(value.numel() for value in model.parameters()) == counted
    terabytes = count_weights("wrn", classes=10, size=8, options={"depth": 10, "width": 10_000})
    assert terabytes > 10**12
    with pytest.raises(FaaError, match="depth must be"):
        count_weights("wrn", classes=10, size=8, options={"depth": 11})
    really = timm.create_model

    def needs_numbers(*arguments: Any, **named: Any) -> nn.Module:
        assert torch.linspace(0, 1, 2)[1].item() == 1.0
        return really(*arguments, **named)

    monkeypatch.setattr(timm, "create_model", needs_numbers)
    assert counted == count_weights("wrn16_1", classes=3, size=8)


def test_models_built_for_one_size() -> None:
    """A vision transformer is built for the size of the images."""
    model = make_model("vit_tiny_patch16_224", classes=2, pretrained=False, size=32, seed=0)
    assert (1, 2) == tuple(model(torch.zeros(1, 3, 32, 32)).shape)


def test_normalisation_by_hand() -> None:
    """(x / 255 − mean) / std for each channel."""
    expected = ModelInput(size=1, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    images = torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 3, 1, 1)
    assert [1.0, -1.0, 0.1] == pytest.approx(Normalise(expected)(images).flatten().tolist())


def test_evaluating_restores_the_mode(expected: ModelInput, accelerator: Accelerator) -> None:
    """Scoring in the middle of training must not leave batch norm in evaluation mode, nor the reverse."""
    model = make_model("wrn16_1", classes=2, pretrained=False, size=8, seed=0)
    network = Network(model, expected, TrainConfig(), accelerator)
    for mode in (True, False):
        model.train(mode)
        with evaluating(network):
            assert not model.training
        assert mode == model.training


def test_cuda_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name, a missing GPU is an error."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(FaaError, match="torch sees no CUDA device"):
        make_accelerator("cuda")


def test_a_broken_plugin_is_named(install: Callable[..., None]) -> None:
    """A package that announces networks and does not import is the one to mend."""
    install(group="faa.models", entry="broken = throwaway_module", source="raise RuntimeError('no luck')\n")
    assert 32 == model_input("wrn16_1").size  # another package's network does not suffer
    with pytest.raises(
        FaaError, match=r"no model 'their_net'.* The plugin broken does not load: RuntimeError: no luck"
    ):
        model_input("their_net")


@pytest.mark.parametrize("amp", [False, True])
def test_precision(expected: ModelInput, accelerator: Accelerator, *, amp: bool) -> None:
    """--amp computes in bfloat16 where it is safe, and close to what float32 gives."""
    model = make_model("wrn16_1", classes=2, pretrained=False, size=8, seed=0).eval()
    images = torch.arange(4 * 3 * 8 * 8).view(4, 3, 8, 8).to(torch.uint8)
    with torch.no_grad():
        logits = Network(model, expected, TrainConfig(amp=amp), accelerator).logits(images)
        exact = Network(model, expected, TrainConfig(), accelerator).logits(images)
    assert (torch.bfloat16 if amp else torch.float32) == logits.dtype
    assert torch.allclose(exact, logits.float(), atol=0.05)
