"""What timm asks of every model: each test runs for every network that faa_models registers."""

import importlib.metadata
import inspect
import os
import re
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from timm.models import FeatureInfo, group_parameters, model_entrypoint, save_for_hf
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn

import faa_models
from faa_models.macs import count_macs
from forked import run_python

NAMES = [n for n in timm.list_models() if model_entrypoint(n).__module__.split(".")[0] == "faa_models"]
HEAVY = 5_000_000  # parameters; networks above it see small images wherever the size does not matter
LARGER = {  # sizes of networks that are tested in a smaller size; names and shapes are tested in all
    "pyramidnet110_a270",
    "pyramidnet110_a270_shakedrop",
    "pyramidnet272_a200",
    "pyramidnet272_a200_shakedrop",
    "pyramidnet272_a200_shakedrop_skip",
    "shakeshake26_2x64d",
    "shakeshake26_2x96d",
    "shakeshake26_2x112d",
    "wrn16_8",
    "wrn28_2",
    "wrn28_10",
    "wrn40_2",
}


def parameter_count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(name: str, **kwargs: object) -> nn.Module:
    """Return the model without storage: enough for names and shapes, and it takes no time."""
    with torch.device("meta"):
        return timm.create_model(name, **kwargs)


def create(name: str, **kwargs: object) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, **kwargs)


def images(batch: int, chans: int, height: int, width: int | None = None) -> Tensor:
    return torch.randn(batch, chans, height, width or height, generator=torch.Generator().manual_seed(1))


def loss_and_stored_size(model: nn.Module, x: Tensor) -> tuple[Tensor, int]:
    """Return a loss and how many numbers autograd keeps for its backward pass."""
    sizes = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = model(x).square().mean()
    return loss, sum(sizes)


@pytest.fixture(params=NAMES)
def every_name(request: pytest.FixtureRequest) -> str:
    """Every network, for what costs no arithmetic."""
    return request.param


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in LARGER else name for name in NAMES])
def name(request: pytest.FixtureRequest) -> str:
    """Every kind of network in one size; the larger ones are slow tests."""
    return request.param


@pytest.fixture
def side(name: str) -> int:
    """Image side in pixels that keeps the test short."""
    return 8 if parameter_count(on_meta(name)) > HEAVY else 32


def test_registry_lists_the_networks() -> None:
    assert {"wrn16_1", "wrn28_10", "wrn40_2"} <= set(NAMES)
    defaults = [inspect.signature(model_entrypoint(name)).parameters["pretrained"].default for name in NAMES]
    assert defaults == [False] * len(NAMES)  # nothing is fetched that was not asked for
    assert set(faa_models.__all__) <= set(dir(faa_models))


def test_forward(name: str, side: int) -> None:
    model = create(name).eval()
    with torch.no_grad():
        logits = model(images(2, 3, side))
    assert logits.shape == (2, model.default_cfg["num_classes"])
    assert logits.isfinite().all()


def test_backward_reaches_every_parameter(name: str, side: int) -> None:
    model = create(name, num_classes=42).train()
    logits = model(images(2, 3, side))
    assert logits.shape == (2, 42)
    logits.square().mean().backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == []


def test_any_input_size(every_name: str) -> None:
    model = on_meta(every_name).eval()
    for size in ((4, 4), (5, 5), (9, 18), (40, 28)):
        assert model(torch.empty(2, 3, *size, device="meta")).shape == (2, model.num_classes), size


@pytest.mark.parametrize("in_chans", [1, 5])
def test_any_input_channels(name: str, in_chans: int) -> None:
    model = create(name, in_chans=in_chans).eval()
    assert model.in_chans == in_chans
    with torch.no_grad():
        assert model(images(1, in_chans, 8)).isfinite().all()


def test_default_cfg_agrees_with_the_model(every_name: str) -> None:
    model = on_meta(every_name).eval()
    cfg, state = model.default_cfg, model.state_dict()
    x = torch.empty(2, *cfg["input_size"], device="meta")
    assert model.forward_features(x).shape == (2, model.num_features, *cfg["pool_size"])
    assert f"{cfg['classifier']}.weight" in state
    assert state[f"{cfg['first_conv']}.weight"].shape[1] == cfg["input_size"][0]
    assert len(cfg["mean"]) == len(cfg["std"]) == cfg["input_size"][0]
    assert timm.data.resolve_data_config({}, model=model)["input_size"] == cfg["input_size"]


def test_reset_classifier(name: str) -> None:
    model = create(name).eval()
    x = images(2, 3, 8)
    features = model.forward_features(x)
    model.reset_classifier(7)
    assert model.num_classes == 7
    assert model(x).shape == (2, 7)
    model.reset_classifier(0)
    assert model(x).shape == (2, model.num_features)
    model.reset_classifier(0, "")
    assert model(x).equal(features)


def test_readme_has_its_parameters_and_multiply_adds(every_name: str) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{every_name}` \|.*", readme, re.MULTILINE)
    assert row is not None
    _, _, of_10, of_100, macs, _ = (cell.strip() for cell in row[0].removeprefix("| ").split("|"))
    models = [on_meta(every_name, num_classes=classes).eval() for classes in (10, 100)]
    assert [f"{parameter_count(model):,}" for model in models] == [of_10, of_100]
    assert f"{count_macs(models[0], (1, 3, 32, 32)) / 1e6:,.0f} M" == macs


def test_device_and_dtype_hold_for_new_classifiers_too(every_name: str) -> None:
    model = timm.create_model(every_name, device="meta", dtype=torch.float64)
    model.reset_classifier(0)
    model.reset_classifier(3)
    tensors = [t for t in model.state_dict().values() if t.is_floating_point()]
    assert {(t.device.type, t.dtype) for t in tensors} == {("meta", torch.float64)}


def test_created_without_classifier_and_pooling(every_name: str) -> None:
    model = on_meta(every_name, num_classes=0, global_pool="").eval()
    assert isinstance(model.get_classifier(), nn.Identity)
    x = torch.empty(2, *model.default_cfg["input_size"], device="meta")
    assert model(x).shape == (2, model.num_features, *model.default_cfg["pool_size"])


@pytest.mark.parametrize("pool", ["avg", "max", "avgmax", "catavgmax"])
def test_pooling_sets_the_head_hidden_size(name: str, pool: str) -> None:
    x = images(2, 3, 8)
    created = create(name, global_pool=pool).eval()
    reset = create(name).eval()
    reset.reset_classifier(3, pool)
    for model in (created, reset):
        features = model.forward_features(x)
        assert model.forward_head(features, pre_logits=True).shape == (2, model.head_hidden_size)
        assert model.forward_head(features).shape == (2, model.num_classes)
        assert model.get_classifier().in_features == model.head_hidden_size


def test_drop_rate_acts_on_the_head_and_only_in_training(name: str) -> None:
    model = create(name, drop_rate=0.5)
    assert model.drop_rate == 0.5
    features = images(4, model.num_features, 2)
    assert not model.forward_head(features).equal(model.forward_head(features))
    model.eval()
    assert model.forward_head(features).equal(model.forward_head(features))


def test_features_only(every_name: str) -> None:
    model = on_meta(every_name, features_only=True).eval()
    height, width = model.default_cfg["input_size"][1:]
    outputs = model(torch.empty(2, 3, height, width, device="meta"))
    channels, reductions = model.feature_info.channels(), model.feature_info.reduction()
    assert len(outputs) == len(channels) >= 3
    for out, chs, reduction in zip(outputs, channels, reductions, strict=True):
        assert out.shape == (2, chs, height // reduction, width // reduction)


@pytest.mark.parametrize("feature_cls", ["list", "hook", "getter"])
@pytest.mark.parametrize("out_indices", [(0, 2), (-1,)])
def test_features_only_with_chosen_levels(name: str, feature_cls: str, out_indices: tuple[int, ...]) -> None:
    if feature_cls != "getter" and isinstance(on_meta(name), faa_models.SkipNet):
        with pytest.raises(ValueError, match="feature_cls must be 'getter' for a network with gates"):
            on_meta(name, features_only=True, feature_cls=feature_cls)
        return
    model = on_meta(name, features_only=True, feature_cls=feature_cls, out_indices=out_indices).eval()
    outputs = model(torch.empty(2, 3, 16, 16, device="meta"))
    assert [out.shape[1] for out in outputs] == model.feature_info.channels()


def test_forward_intermediates_agrees_with_the_other_forwards(name: str) -> None:
    model = create(name).eval()
    x = images(2, 3, 16)
    with torch.no_grad():
        final, intermediates = model.forward_intermediates(x)
        torch.testing.assert_close(final, model.forward_features(x))
        info = FeatureInfo(model.feature_info, len(model.feature_info))
        assert [f.shape[1] for f in intermediates] == info.channels()
        assert [16 // f.shape[-1] for f in intermediates] == info.reduction()
        only = model.forward_intermediates(x, intermediates_only=True, output_fmt="NCHW")
        torch.testing.assert_close(only, intermediates)
        extractor = create(name, features_only=True, out_indices=tuple(range(len(intermediates)))).eval()
        torch.testing.assert_close(extractor(x), intermediates)


@pytest.mark.parametrize("stop_early", [False, True])
def test_forward_intermediates_takes_indices(name: str, stop_early: bool) -> None:
    model = create(name).eval()
    x = images(1, 3, 8)
    with torch.no_grad():
        every = model.forward_intermediates(x, intermediates_only=True)
        for indices, expected in ((2, every[-2:]), ([0], every[:1]), ([0, 1], every[:2]), ([-1], every[-1:])):
            taken = model.forward_intermediates(x, indices=indices, stop_early=stop_early, intermediates_only=True)
            torch.testing.assert_close(taken, expected)


def test_forward_intermediates_rejects_other_layouts(name: str) -> None:
    with pytest.raises(ValueError, match="NCHW"):
        on_meta(name).forward_intermediates(torch.empty(1, 3, 8, 8, device="meta"), output_fmt="NLC")


def test_prune_intermediate_layers_keeps_the_features(name: str) -> None:
    model = create(name).eval()
    x = images(1, 3, 8)
    size = parameter_count(model)
    with torch.no_grad():
        for level in reversed(range(len(model.feature_info))):
            expected = model.forward_intermediates(x, indices=[level], intermediates_only=True)
            assert model.prune_intermediate_layers([level], prune_norm=True) == [level]
            pruned = model.forward_intermediates(x, indices=[level], intermediates_only=True)
            torch.testing.assert_close(pruned, expected)
            assert model(x).shape[1] == model.num_features == model.feature_info[level]["num_chs"]
            assert parameter_count(model) < size
            size = parameter_count(model)
    model.reset_classifier(3, "avg")
    assert model(x).shape == (1, 3)


def test_grad_checkpointing_stores_less_and_gives_the_same_gradients(name: str) -> None:
    model = create(name).train()
    grads, stored = [], []
    for enable in (False, True):
        model.zero_grad()
        model.set_grad_checkpointing(enable)
        torch.manual_seed(2)  # both draw the same, and the second draws again when it recomputes
        loss, size = loss_and_stored_size(model, images(2, 3, 8))
        loss.backward()
        grads.append({n: p.grad for n, p in model.named_parameters()})
        stored.append(size)
    torch.testing.assert_close(grads[1], grads[0])
    assert stored[1] < stored[0] / 2
    model.forward_intermediates(images(2, 3, 8))[0].mean().backward()


def test_saved_weights_load_through_timm(name: str, tmp_path: Path) -> None:
    model = create(name, num_classes=5).eval()
    save_for_hf(model, tmp_path, safe_serialization=True)
    weights = tmp_path / "model.safetensors"
    by_file = timm.create_model(name, num_classes=5, checkpoint_path=str(weights)).eval()
    by_folder = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert load_file(weights).keys() == model.state_dict().keys()
    x = images(1, 3, 8)
    with torch.no_grad():
        assert by_file(x).equal(model(x))
        assert by_folder(x).equal(model(x))


def test_saved_weights_adapt_to_other_channels_and_classes(name: str, tmp_path: Path) -> None:
    save_for_hf(create(name), tmp_path, safe_serialization=True)
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, in_chans=1, num_classes=3).eval()
    with torch.no_grad():
        assert model(images(1, 1, 8)).shape == (1, 3)


def test_pretrained_without_weights_is_an_error(every_name: str) -> None:
    if timm.models.is_model_pretrained(every_name):
        pytest.skip(f"{every_name} has published weights")
    with pytest.raises(RuntimeError, match="No pretrained weights exist"):
        on_meta(every_name, pretrained=True)


@pytest.mark.parametrize("coarse", [False, True])
def test_group_matcher_places_every_parameter(every_name: str, coarse: bool) -> None:
    model = on_meta(every_name)
    names = [n for n, _ in model.named_parameters()]
    group = group_parameters(model, model.group_matcher(coarse=coarse), reverse=True)
    assert sorted(group) == sorted(names)
    order = [group[n] for n in names]
    assert order == sorted(order)
    assert order[0] == 0
    classifier = model.default_cfg["classifier"]
    assert {n for n in names if group[n] == order[-1]} == {f"{classifier}.weight", f"{classifier}.bias"}


def test_weight_decay_spares_biases_and_norms(every_name: str) -> None:
    model = on_meta(every_name)
    spared, decayed = param_groups_weight_decay(model, weight_decay=5e-4)
    assert (spared["weight_decay"], decayed["weight_decay"]) == (0.0, 5e-4)
    norms = {id(p) for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    for parameter_name, parameter in model.named_parameters():
        to_spare = id(parameter) in norms or "bias" in parameter_name
        assert any(parameter is one for one in (spared if to_spare else decayed)["params"]), parameter_name


def test_channels_last_gives_the_same_logits(name: str) -> None:
    model = create(name).eval()
    x = images(2, 3, 8)
    with torch.no_grad():
        expected = model(x)
        model.to(memory_format=torch.channels_last)
        actual = model(x.to(memory_format=torch.channels_last))
    assert (actual - expected).abs().max() < 1e-4 * expected.abs().max()  # untrained, deep networks have huge logits


def test_bfloat16_autocast_trains(name: str) -> None:
    model = create(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images(2, 3, 8))
    assert logits.dtype == torch.bfloat16
    logits.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch 2.9's own, in tracing
def test_a_training_step_compiles_without_graph_breaks(name: str) -> None:
    torch.compiler.reset()
    model = create(name).train()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    outputs = []
    for network in (compiled, model):
        torch.manual_seed(2)
        outputs.append(network(images(2, 3, 8)))
    torch.testing.assert_close(*outputs)
    outputs[0].square().mean().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_fresh_process_creates_the_model_after_the_import() -> None:
    code = "import timm, faa_models; print(timm.create_model('wrn40_2', num_classes=10).num_classes)"
    result = run_python(["-c", code], directory=Path.cwd(), environment=os.environ)
    assert result.stdout.strip() == "10", result.stderr


def test_entry_point_leads_to_the_package() -> None:
    try:
        distribution = importlib.metadata.distribution("faa-models")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("faa-models is on the path but not installed, so it has no entry points")
    points = distribution.entry_points.select(group="faa.models")
    assert [point.load() for point in points] == [faa_models]
    assert faa_models.__version__ == distribution.version
