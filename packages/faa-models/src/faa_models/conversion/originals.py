"""The original networks in evaluation, written a second time, as functions of a state dict under its own names.

They share nothing with this package's modules, so that `check` can tell whether a conversion changed what is computed.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["pyramidnet", "shake_resnet", "shake_resnext", "wide_resnet"]

StateDict = Mapping[str, Tensor]


def wide_resnet(state: StateDict, x: Tensor) -> Tensor:
    """Return Wide-ResNet's logits (B, K) for images `x` (B, C, 32, 32)."""
    x = _conv(state, "conv1", x)
    for block, stride in _blocks(state):
        residual = _conv(state, f"{block}.conv1", functional.relu(_norm(state, f"{block}.bn1", x)))
        residual = functional.relu(_norm(state, f"{block}.bn2", residual))
        residual = _conv(state, f"{block}.conv2", residual, stride)
        if f"{block}.shortcut.0.weight" in state:
            x = _conv(state, f"{block}.shortcut.0", x, stride)
        x = x + residual
    return _linear(state, "linear", functional.relu(_norm(state, "bn1", x)))


def shake_resnet(state: StateDict, x: Tensor) -> Tensor:
    """Return the logits (B, K) of Shake-Shake for images `x` (B, C, 32, 32)."""
    x = _conv(state, "c_in", x)
    for block, stride in _blocks(state):
        branches = []
        for branch in (f"{block}.branch1", f"{block}.branch2"):
            out = _conv(state, f"{branch}.1", functional.relu(x), stride)
            out = functional.relu(_norm(state, f"{branch}.2", out))
            branches.append(_norm(state, f"{branch}.5", _conv(state, f"{branch}.4", out)))
        x = _shaken(state, block, x, branches, stride)
    return _linear(state, "fc_out", functional.relu(x))


def shake_resnext(state: StateDict, x: Tensor) -> Tensor:
    """Return the logits (B, K) of Shake-Shake ResNeXt for images `x` (B, C, 32, 32)."""
    x = _conv(state, "c_in", x)
    for block, stride in _blocks(state):
        branches = []
        for branch in (f"{block}.branch1", f"{block}.branch2"):
            out = functional.relu(_norm(state, f"{branch}.1", _conv(state, f"{branch}.0", x)))
            out = functional.relu(_norm(state, f"{branch}.4", _conv(state, f"{branch}.3", out, stride)))
            branches.append(_norm(state, f"{branch}.7", _conv(state, f"{branch}.6", out)))
        x = _shaken(state, block, x, branches, stride)
    return _linear(state, "fc_out", functional.relu(x))


def pyramidnet(state: StateDict, x: Tensor, *, shake_drop: float = 0.5) -> Tensor:
    """Return PyramidNet's logits (B, K) for images `x` (B, C, 32, 32).

    Args:
        state: Its weights, of basic blocks or of bottlenecks.
        x: Images.
        shake_drop: Probability with which training disturbs the last block's residual; 0 without ShakeDrop.
    """
    x = _norm(state, "bn1", _conv(state, "conv1", x))
    blocks = list(_blocks(state))
    for number, (block, stride) in enumerate(blocks, start=1):
        bottleneck = f"{block}.conv3.weight" in state
        out = _conv(state, f"{block}.conv1", _norm(state, f"{block}.bn1", x), 1 if bottleneck else stride)
        out = functional.relu(_norm(state, f"{block}.bn2", out))
        out = _norm(state, f"{block}.bn3", _conv(state, f"{block}.conv2", out, stride if bottleneck else 1))
        if bottleneck:
            out = _norm(state, f"{block}.bn4", _conv(state, f"{block}.conv3", functional.relu(out)))
        if stride == 2:
            x = functional.avg_pool2d(x, 2, ceil_mode=True)
        batch, channels, height, width = x.shape
        x = torch.cat((x, x.new_zeros(batch, out.shape[1] - channels, height, width)), dim=1)
        x = x + (1 - shake_drop * number / len(blocks)) * out
    return _linear(state, "fc", functional.relu(_norm(state, "bn_final", x)))


def _blocks(state: StateDict) -> Iterator[tuple[str, int]]:
    """Yield the prefix and the stride of each block in the order in which they run."""
    prefixes = {key.rpartition(".")[0] for key in state}
    found = {".".join(prefix.split(".")[:2]) for prefix in prefixes if prefix.startswith("layer")}
    for stage in (1, 2, 3):
        block = 0
        while f"layer{stage}.{block}" in found:
            yield f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            block += 1


def _shaken(state: StateDict, block: str, x: Tensor, branches: list[Tensor], stride: int) -> Tensor:
    """Return the shortcut plus both branches' mean; a shortcut's weights are ignored where the channels stay."""
    first, second = branches
    if x.shape[1] != first.shape[1]:
        x = functional.relu(x)
        moved = functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        paths = [
            functional.conv2d(path[:, :, ::stride, ::stride], state[f"{block}.shortcut.{name}.weight"])
            for path, name in ((x, "conv1"), (moved, "conv2"))
        ]
        x = _norm(state, f"{block}.shortcut.bn", torch.cat(paths, dim=1))
    return x + 0.5 * first + 0.5 * second


def _conv(state: StateDict, key: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = state[f"{key}.weight"]
    groups = x.shape[1] // weight.shape[1]
    bias = state.get(f"{key}.bias")
    return functional.conv2d(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2, groups=groups)


def _norm(state: StateDict, key: str, x: Tensor) -> Tensor:
    mean, variance = state[f"{key}.running_mean"], state[f"{key}.running_var"]
    return functional.batch_norm(x, mean, variance, state[f"{key}.weight"], state[f"{key}.bias"], eps=1e-5)


def _linear(state: StateDict, key: str, x: Tensor) -> Tensor:
    pooled = functional.avg_pool2d(x, 8).flatten(1)
    return functional.linear(pooled, state[f"{key}.weight"], state[f"{key}.bias"])
