"""Checkpoints of the original repositories become timm's networks that compute the same, or an error says why not."""

import os
import zipfile
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from faa_models import PyramidNet, ShakeResNet, ShakeResNeXt, WideResNet
from faa_models.conversion import Converted, convert, originals, read_checkpoint, save
from faa_models.conversion.converting import check, fill
from faa_models.conversion.families import find_family

StateDict = dict[str, Tensor]


class Original:
    """A state dict as an original repository writes it: its names, its order, random numbers."""

    def __init__(self) -> None:
        self.state: StateDict = {}
        self.generator = torch.Generator().manual_seed(5)

    def conv(self, key: str, fan_out: int, fan_in: int, kernel: int, *, bias: bool = False) -> None:
        shape = (fan_out, fan_in, kernel, kernel)
        self.state[f"{key}.weight"] = torch.randn(shape, generator=self.generator) / (fan_in * kernel**2) ** 0.5
        if bias:
            self.state[f"{key}.bias"] = torch.randn(fan_out, generator=self.generator)

    def norm(self, key: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            noise = torch.rand(channels, generator=self.generator)
            self.state[f"{key}.{part}"] = noise + 0.5 if part in ("weight", "running_var") else noise - 0.5
        self.state[f"{key}.num_batches_tracked"] = torch.tensor(1234)

    def linear(self, key: str, classes: int, channels: int) -> None:
        self.state[f"{key}.weight"] = torch.randn(classes, channels, generator=self.generator)
        self.state[f"{key}.bias"] = torch.randn(classes, generator=self.generator)


def wide_resnet(depth: int, width: int, classes: int = 10, chans: int = 3) -> StateDict:
    made, last = Original(), 16
    made.conv("conv1", 16, chans, 3, bias=True)
    for stage, block in product((1, 2, 3), range((depth - 4) // 6)):
        key, out = f"layer{stage}.{block}", 16 * width * 2 ** (stage - 1)
        made.norm(f"{key}.bn1", last)
        made.conv(f"{key}.conv1", out, last, 3, bias=True)
        made.norm(f"{key}.bn2", out)
        made.conv(f"{key}.conv2", out, out, 3, bias=True)
        if last != out or (stage > 1 and block == 0):
            made.conv(f"{key}.shortcut.0", out, last, 1, bias=True)
        last = out
    made.norm("bn1", last)
    made.linear("linear", classes, last)
    return made.state


def shortcut(made: Original, key: str, last: int, out: int) -> None:
    made.conv(f"{key}.shortcut.conv1", out // 2, last, 1)
    made.conv(f"{key}.shortcut.conv2", out // 2, last, 1)
    made.norm(f"{key}.shortcut.bn", out)


def shake_resnet(depth: int, width: int, classes: int = 10, *, slip: bool = True) -> StateDict:
    made, last = Original(), 16
    made.conv("c_in", 16, 3, 3, bias=True)
    for stage, block in product((1, 2, 3), range((depth - 2) // 6)):
        key, out = f"layer{stage}.{block}", width * 2 ** (stage - 1)
        for branch in (f"{key}.branch1", f"{key}.branch2"):
            made.conv(f"{branch}.1", out, last, 3)
            made.norm(f"{branch}.2", out)
            made.conv(f"{branch}.4", out, out, 3)
            made.norm(f"{branch}.5", out)
        if slip or last != out:
            shortcut(made, key, last, out)
        last = out
    made.linear("fc_out", classes, last)
    return made.state


def shake_resnext(blocks: int, width: int, classes: int = 10, groups: int = 4) -> StateDict:
    made, last = Original(), 64
    made.conv("c_in", 64, 3, 3, bias=True)
    for stage, block in product((1, 2, 3), range(blocks)):
        key, base = f"layer{stage}.{block}", 64 * 2 ** (stage - 1)
        mid, out = base * (width // 64) * groups, base * 4
        for branch in (f"{key}.branch1", f"{key}.branch2"):
            made.conv(f"{branch}.0", mid, last, 1)
            made.norm(f"{branch}.1", mid)
            made.conv(f"{branch}.3", mid, mid // groups, 3)
            made.norm(f"{branch}.4", mid)
            made.conv(f"{branch}.6", out, mid, 1)
            made.norm(f"{branch}.7", out)
        if last != out:
            shortcut(made, key, last, out)
        last = out
    made.linear("fc_out", classes, last)
    return made.state


def pyramidnet(depth: int, alpha: int, classes: int = 10, *, bottleneck: bool = True) -> StateDict:
    made, last, per_stage = Original(), 16, (depth - 2) // (9 if bottleneck else 6)
    made.conv("conv1", 16, 3, 3)
    made.norm("bn1", 16)
    for number in range(3 * per_stage):
        key = f"layer{number // per_stage + 1}.{number % per_stage}"
        width = round(16 + alpha * (number + 1) / (3 * per_stage))
        shapes = [(width, last, 1), (width, width, 3), (4 * width, width, 1)]
        for part, (out, fan_in, kernel) in enumerate(
            shapes if bottleneck else [(width, last, 3), (width, width, 3)], start=1
        ):
            made.norm(f"{key}.bn{part}", fan_in)
            made.conv(f"{key}.conv{part}", out, fan_in, kernel)
            last = out
        made.norm(f"{key}.bn{part + 1}", last)
    made.norm("bn_final", last)
    made.linear("fc", classes, last)
    return made.state


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make()


# Small members: the state dict, the network, and the original's equations.
SMALL = {
    "wrn": (lambda: wide_resnet(10, 2), lambda: WideResNet(10, 2), originals.wide_resnet),
    "wrn-deep": (lambda: wide_resnet(22, 1), lambda: WideResNet(22, 1), originals.wide_resnet),
    "shake": (lambda: shake_resnet(14, 6), lambda: ShakeResNet(14, 6), originals.shake_resnet),
    "shake-16": (lambda: shake_resnet(8, 16), lambda: ShakeResNet(8, 16), originals.shake_resnet),
    "next": (lambda: shake_resnext(1, 64), lambda: ShakeResNeXt(11, 64), originals.shake_resnext),
    "pyramid": (lambda: pyramidnet(20, 12), lambda: PyramidNet(20, 12, shake_drop=0.5), originals.pyramidnet),
    "pyramid-basic": (
        lambda: pyramidnet(14, 9, bottleneck=False),
        lambda: PyramidNet(14, 9, bottleneck=False, shake_drop=0.5),
        originals.pyramidnet,
    ),
}


@pytest.fixture(params=SMALL)
def small(request: pytest.FixtureRequest) -> tuple[StateDict, nn.Module, Callable[..., Tensor]]:
    state, network, forward = SMALL[request.param]
    return state(), on_meta(network), forward


def test_small_networks_compute_what_the_originals_do(small):
    state, network, forward = small
    family = find_family(state)
    assert (family.network, family.forward) == (type(network), forward)
    fill(network, family, state)
    assert not network.training
    assert check(state, network, forward) < 1e-10
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_weight_but_the_counters_decides_the_logits(small):
    """So a weight that lands nowhere, or in another's place, is a difference."""
    state, _, forward = small
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    expected = forward(state, x)
    convs = {key.removesuffix(".branch1.1.weight"): value for key, value in state.items() if ".branch1.1.w" in key}
    unused = {block for block, value in convs.items() if value.ndim == 4 and value.shape[0] == value.shape[1]}
    for key in list(state)[:: 4 if "layer1.0.branch1.7.bias" in state else 1]:
        value = state[key]
        moved = forward({**state, key: value + 0.3 * torch.arange(1, value.numel() + 1).view(value.shape)}, x)
        block, _, part = key.partition(".shortcut.")
        silent = key.endswith("num_batches_tracked") or (part and block in unused)
        assert moved.equal(expected) == bool(silent), key


def swap_norms(network: nn.Module) -> None:
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    first, second = next((a, b) for a, b in pairwise(norms) if a.weight.shape == b.weight.shape)
    kept = {key: value.clone() for key, value in first.state_dict().items()}
    first.load_state_dict(second.state_dict())
    second.load_state_dict(kept)


def mirror_a_kernel(network: nn.Module) -> None:
    kernels = [one.weight for one in network.modules() if isinstance(one, nn.Conv2d) and one.kernel_size == (3, 3)]
    kernels[-1].data = kernels[-1].data.flip(-1)


def other_epsilon(network: nn.Module) -> None:
    next(one for one in network.modules() if isinstance(one, nn.BatchNorm2d)).eps = 2e-5


def forget_a_mean(network: nn.Module) -> None:
    [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)][-1].running_mean.zero_()


@pytest.mark.parametrize("mistake", [swap_norms, mirror_a_kernel, other_epsilon, forget_a_mean])
def test_the_self_check_finds_mistakes(small, mistake):
    state, network, forward = small
    fill(network, find_family(state), state)
    mistake(network)
    with pytest.raises(ValueError, match="does not compute what the original does"):
        check(state, network, forward)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_one_entry_that_is_not_finite_is_enough(wrong):
    """A training that diverged need not have spoilt every number."""
    state = pyramidnet(20, 12)
    key = next(key for key, value in state.items() if value.ndim == 4)
    state[key] = state[key].clone()
    state[key].view(-1)[5] = wrong
    network = on_meta(lambda: PyramidNet(20, 12))
    with pytest.raises(ValueError, match="has entries that are not finite; its training had diverged"):
        fill(network, find_family(state), state)


def test_the_self_check_knows_shake_drop_and_negative_variances():
    state = pyramidnet(20, 12)
    network = on_meta(lambda: PyramidNet(20, 12))
    fill(network, find_family(state), state)
    with pytest.raises(ValueError, match="does not compute"):
        check(state, network, originals.pyramidnet)
    network.stages[0][0].residual[0].running_var.fill_(-1)
    with pytest.raises(ValueError, match="not finite"):
        check(state, network, originals.pyramidnet)


REGISTERED = {  # parameters of the released code, those that it never uses among them
    "wrn40_2": (lambda: wide_resnet(40, 2, 100), 100, 2_258_084, 0),
    "shakeshake26_2x32d": (lambda: shake_resnet(26, 32), 10, 2_989_002, 9 * 7),
    "shakeshake26_2x96d_next": (lambda: shake_resnext(2, 64), 10, 22_717_706, 0),
    "pyramidnet272_a200_shakedrop": (lambda: pyramidnet(272, 200, 100), 100, 26_288_692, 0),
}


@pytest.mark.parametrize("name", REGISTERED)
def test_registered_networks_are_found_and_reload_to_the_bit(name, tmp_path):
    make_state, classes, parameters, dropped = REGISTERED[name]
    state = make_state()
    converted = convert(state)
    assert (converted.architecture, dict(converted.arguments)) == (name, {})
    trained = {key: value.numel() for key, value in state.items() if "running" not in key and "tracked" not in key}
    assert sum(trained.values()) == parameters
    unused = sum(trained.get(key, 0) for key in converted.dropped)
    assert sum(one.numel() for one in converted.model.parameters()) == parameters - unused
    assert len(converted.dropped) == dropped
    assert all(".shortcut." in key and ".0.shortcut" not in key for key in converted.dropped)
    assert reloaded_equals(converted, tmp_path).num_classes == classes


def reloaded_equals(converted: Converted, folder: Path, side: int = 8) -> nn.Module:
    save(converted, folder / "out")
    assert sorted(one.name for one in (folder / "out").iterdir()) == ["config.json", "model.safetensors"]
    again = timm.create_model(f"local-dir:{folder / 'out'}", pretrained=True).eval()
    x = torch.randn(1, converted.model.in_chans, side, side, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert again(x).equal(converted.model(x))
    return again


def test_wide_resnets_of_no_registered_size_keep_depth_and_width(tmp_path):
    converted = convert(wide_resnet(16, 3, 7))
    assert (converted.architecture, dict(converted.arguments)) == ("wrn", {"depth": 16, "width": 3})
    reloaded_equals(converted, tmp_path)
    assert dict(convert(wide_resnet(10, 1), model="wrn").arguments) == {"depth": 10, "width": 1}


RED_GREEN_BLUE = (0.4914, 0.4822, 0.4465)


@pytest.mark.parametrize(
    ("chans", "mean"), [(1, (0.47336667,)), (2, RED_GREEN_BLUE[:2]), (4, (*RED_GREEN_BLUE, 0.4914))]
)
def test_images_may_have_other_channels(chans, mean, tmp_path, caplog):
    converted = convert(wide_resnet(10, 1, chans=chans))
    assert dict(converted.arguments) == {"in_chans": chans}
    config = timm.data.resolve_model_data_config(reloaded_equals(converted, tmp_path))
    assert tuple(config["input_size"]) == (chans, 32, 32)
    assert config["mean"] == pytest.approx(mean)
    assert (len(config["std"]), config["std"][0]) == (chans, pytest.approx(0.2009 if chans == 1 else 0.2023))
    assert not caplog.records


SIZES = {
    "shakeshake": (lambda: shake_resnet(8, 4), {"depth": 8, "width": 4}),
    "bottleneck": (
        lambda: pyramidnet(20, 12),
        {"depth": 20, "alpha": 12, "bottleneck": True, "shake_drop": 0.5},
    ),
    "basic": (
        lambda: pyramidnet(14, 9, bottleneck=False),
        {"depth": 14, "alpha": 9, "bottleneck": False, "shake_drop": 0.5},
    ),
    "depth of both kinds": (
        lambda: pyramidnet(110, 270, bottleneck=True),
        {"depth": 110, "alpha": 270, "bottleneck": True, "shake_drop": 0.5},
    ),
}


@pytest.mark.parametrize("case", SIZES)
def test_sizes_that_no_name_has_take_the_general_one(case, tmp_path):
    make_state, arguments = SIZES[case]
    state = make_state()
    converted = convert(state)
    general = case if case == "shakeshake" else "pyramidnet"
    assert (converted.architecture, dict(converted.arguments)) == (general, arguments)
    reloaded_equals(converted, tmp_path)
    asked = {key: value for key, value in arguments.items() if key != "shake_drop"}
    assert dict(convert(state, model=general).arguments) == asked


def test_no_block_at_all_is_an_error():
    state = shake_resnet(8, 4)
    few = {key: value for key, value in state.items() if "layer" not in key or key == "layer1.0.branch1.1.weight"}
    with pytest.raises(ValueError, match="'shakeshake' cannot be made for these weights"):
        convert(few)


def test_sizes_of_resnext_that_no_name_has_are_refused():
    with pytest.raises(ValueError, match="ResNeXt of 1 blocks a stage, 256 channels"):
        convert(shake_resnext(1, 64))


def test_a_network_without_shake_drop_is_asked_for(tmp_path):
    state = pyramidnet(20, 12)
    found, asked = convert(state), convert(state, model="pyramidnet")
    x = torch.randn(1, 3, 32, 32)
    for converted, shake_drop in ((found, 0.5), (asked, 0.0)):
        assert converted.model.blocks()[-1][-1].join.drop_prob == shake_drop
        expected = originals.pyramidnet(state, x, shake_drop=shake_drop)
        assert torch.allclose(converted.model(x), expected, rtol=1e-3, atol=1e-3 * float(expected.detach().abs().max()))
    assert not found.model(x).equal(asked.model(x))
    assert reloaded_equals(asked, tmp_path).blocks()[0][-1].join.drop_prob == 0.0


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("wrn16_1", "'layer1.1.bn1.weight' is missing"),
        ("wrn10_2", "timm has no model 'wrn10_2'; did you mean"),
        ("wrn28_2", r"'layer1.0.conv1.weight' has shape \(16, 16, 3, 3\), where the network has \(32, 16, 3, 3\)"),
        ("shakeshake26_2x32d", "WideResNet, which the model 'shakeshake26_2x32d' is not"),
        ("resnet10t", "which the model 'resnet10t' is not"),
        ("local-dir:somewhere", "timm has no model"),
        ("qqqqqqqqqq", "leave it away"),
    ],
)
def test_a_given_model_must_fit(model, says):
    with pytest.raises(ValueError, match=says):
        convert(wide_resnet(10, 1), model=model)


@pytest.mark.parametrize("family", ["wrn", "shake", "next", "pyramid"])
def test_each_missing_or_misshapen_weight_is_named(family):
    """The sizes are told by some weights, so the message may come from there; it names this weight or one beside it."""
    make_state, make_network, _ = SMALL[family]
    state, network = make_state(), on_meta(make_network)
    unused = set(fill(network, find_family(state), state))
    for key in state.keys() - unused:
        without = {other: value for other, value in state.items() if other != key}
        if key.endswith("num_batches_tracked"):
            fill(network, find_family(without), without)
            continue
        with pytest.raises(ValueError, match=f"'{key}' is missing"):
            fill(network, find_family(without), without)
        larger = {**state, key: torch.zeros(*state[key].shape, 2)}
        with pytest.raises(ValueError, match=f"'{key}' has"):
            fill(network, find_family(larger), larger)


@pytest.mark.parametrize("key", ["linear.weight", "conv1.weight", "layer1.0.conv1.weight", "layer3.0.bn2.running_var"])
def test_mistakes_in_the_weights_that_tell_the_size_are_named(key):
    state = wide_resnet(10, 1)
    value = state.pop(key)
    with pytest.raises(ValueError, match=f"'{key}' is missing"):
        convert(state)
    for wrong in (torch.tensor(1.0), torch.zeros(0, *value.shape[1:]), value[:-1]):
        with pytest.raises(ValueError, match=f"'{key}' (has shape|makes)|'linear.bias' has shape"):
            convert({**state, key: wrong})
    for wrong, says in ((value / 0, "not finite"), (value.to(torch.int32), "is torch.int32"), (value.cfloat(), "is")):
        with pytest.raises(ValueError, match=f"'{key}' .*{says}"):
            convert({**state, key: wrong})


@pytest.mark.parametrize(
    ("state", "key"),
    [
        (lambda: wide_resnet(10, 1), "layer1.0.shortcut.0.weight"),
        (lambda: wide_resnet(10, 1), "layer1.7.conv1.weight"),
        (lambda: wide_resnet(10, 1), "layer1.1.conv1.weight"),
        (lambda: wide_resnet(10, 1), "extra"),
        (lambda: shake_resnet(26, 32), "layer1.1.shortcut.extra"),
        (lambda: shake_resnet(26, 32), "layer1.9.shortcut.conv1.bias"),
        (lambda: shake_resnet(26, 32), "layer1.9.shortcut.conv1.weight"),
        (lambda: shake_resnext(2, 64), "layer1.1.shortcut.conv1.weight"),
    ],
)
def test_each_unknown_weight_is_named(state, key):
    with pytest.raises(ValueError, match=f"'{key}' is unknown"):
        convert({**state(), key: torch.zeros(3)})


def test_a_shake_shake_checkpoint_without_the_slip_drops_nothing():
    assert convert(shake_resnet(26, 32, slip=False)).dropped == ()


@pytest.mark.parametrize("state", [{"fc.weight": torch.zeros(2, 2), "layer1.0.bn1.weight": torch.zeros(2)}, {}])
def test_other_networks_are_refused(state):
    with pytest.raises(ValueError, match="no network that can be converted"):
        convert(state)


def test_half_precision_and_running_averages_of_counters_become_plain():
    state = {key: value.half() for key, value in wide_resnet(10, 1).items()}
    converted = convert(state)
    assert converted.model.stages[0][0].bn1.num_batches_tracked.dtype == torch.int64
    assert converted.model.stem.weight.equal(state["conv1.weight"].float())


STATE = wide_resnet(10, 1)
OTHER = {key: 2 * value for key, value in STATE.items()}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("container", ["released", "state_dict", "bare"])
def test_all_containers_are_read(container, prefix, zipped, tmp_path):
    state = {prefix + key: nn.Parameter(value) if "linear" in key else value for key, value in STATE.items()}
    averages = {prefix + key: value for key, value in OTHER.items()}
    logs = {"train": {"loss": np.float64(0.25), "top1": 0.5}, "test": {"top1": np.float32(0.75)}}
    released = {"epoch": 200, "log": logs, "optimizer": {"state": {}}, "model": state, "ema": averages}
    content = {"released": released, "state_dict": {"state_dict": state}, "bare": state}[container]
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "old.pth")
    assert list(read) == list(STATE)
    assert all(read[key].equal(STATE[key]) for key in STATE)
    if container == "released":
        averaged = read_checkpoint(tmp_path / "old.pth", ema=True)
        assert all(averaged[key].equal(OTHER[key]) for key in OTHER)
    else:
        with pytest.raises(ValueError, match="no running averages"):
            read_checkpoint(tmp_path / "old.pth", ema=True)


def test_safetensors_are_read(tmp_path):
    save_file(STATE, tmp_path / "old.safetensors")
    assert read_checkpoint(str(tmp_path / "old.safetensors")).keys() == STATE.keys()


class Harm:
    """What unpickling would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("place", ["optimizer", "model"])
def test_code_in_a_file_does_not_run(place, zipped, tmp_path):
    content = {"model": STATE, "optimizer": {}, place: Harm(tmp_path / "harm")}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"asks to run '(posix|nt)\.mkdir'.*torch.save\(model.state_dict"):
        read_checkpoint(tmp_path / "old.pth")
    assert not (tmp_path / "harm").exists()


def test_a_whole_pickled_model_is_refused_with_its_class(tmp_path):
    torch.save(WideResNet(10, 1), tmp_path / "old.pth")
    with pytest.raises(ValueError, match=r"asks to run 'faa_models.wide_resnet.WideResNet'"):
        read_checkpoint(tmp_path / "old.pth")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_damaged_files_are_errors(zipped, tmp_path):
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=zipped)
    content = (tmp_path / "old.pth").read_bytes()
    for length in (0, 1, 4, 9, 100, 5000, len(content) // 2, len(content) - 100):
        (tmp_path / "cut.pth").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut\.pth"):
            read_checkpoint(tmp_path / "cut.pth")


def test_what_is_no_checkpoint_is_an_error(tmp_path):
    (tmp_path / "text.pth").write_text("not a checkpoint\n")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 8 + b"{broken")
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 1_000_000)
    for name, says in (
        ("text.pth", "not a checkpoint of torch.save or safetensors"),
        ("broken.safetensors", "damaged safetensors"),
        ("bomb.pth", "compressed archive"),
        ("nowhere.pth", "not there"),
        (".", "a folder"),
    ):
        with pytest.raises(ValueError, match=says):
            read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (torch.zeros(3), "no weights, but a Tensor"),
        ([1, 2], "no weights, but a list"),
        ({}, "is empty"),
        ({"module.": {}}, "'' is a dict"),
        ({3: torch.zeros(3)}, "one of its keys is a int"),
        ({"epoch": 3, "weights": {}}, "'epoch' is a int"),
        ({"model": None}, "'model' is not a state dict, but a NoneType"),
        ({"conv1.weight": torch.zeros(1).expand(1 << 20)[:].as_strided((1 << 40,), (0,))}, "more bytes than the file"),
        ({"conv1.weight": torch.zeros(3, 3).to_sparse()}, "not a plain tensor"),
        ({"conv1.weight": torch.zeros(3, device="meta")}, "not a plain tensor"),
    ],
)
def test_files_of_other_things_are_errors(content, says, tmp_path):
    torch.save(content, tmp_path / "old.pth")
    with pytest.raises(ValueError, match=says):
        read_checkpoint(tmp_path / "old.pth")


def test_no_memory_is_claimed_before_the_shapes_are_checked():
    """A width that the first weight alone tells would be a network of 10¹⁴ bytes."""
    state = wide_resnet(10, 1)
    state["layer1.0.conv1.weight"] = torch.zeros(1).expand(16 << 18, 16, 3, 3)
    with pytest.raises(ValueError, match=r"'layer1.0.conv1.bias' has shape"):
        convert(state)
