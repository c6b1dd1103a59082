"""Which engine carries out a batch.

The compiled ones can what is usual, much faster; plain torch can every standard operation; Pillow, image by image, also
operations that have their own pixels or shear very far.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

import torch

from faa_core.errors import FaaError
from faa_core.operations import STANDARD, batched_of
from faa_core.operations.geometry import shear_x, shear_y
from faa_core.operations.instructions import Code
from faa_core.policies.policy import Policy

Engine = Literal["triton", "numba", "torch", "pillow"]
COMPILED = "faa_core.engines.numba.engine"  # what numba compiles, which must load, too
DRAWING = "faa_core.drawing.compiled"
STEEPEST = 3.0  # shear that fixed point has room for, with `LONGEST_SIDE`


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """An engine on this machine.

    Attributes:
        name: Of the engine.
        device: Type of device that it runs on; "any" for all.
        missing: What keeps it from running here; empty when nothing does.
        note: What else there is to know, or "".
    """

    name: Engine
    device: str
    missing: str
    note: str = ""


def engine_statuses() -> tuple[EngineStatus, ...]:
    """Return every engine, the ones that are tried first in front."""
    triton = _unloadable("triton") if torch.cuda.is_available() else "there is no CUDA device"
    return (
        EngineStatus("triton", "cuda", triton),
        _numba_status(),
        EngineStatus("torch", "any", ""),
        EngineStatus("pillow", "cpu", ""),
    )


def _numba_status() -> EngineStatus:
    """Return how it is with numba: whether our functions load, not only numba itself, and where they are kept."""
    if missing := _unloadable("numba", COMPILED, advice=": pip install 'faa-core[fast]'"):
        return EngineStatus("numba", "cpu", missing)
    folder = import_module(COMPILED).augment.stats.cache_path
    where = f"compiled code is kept in {folder}" if folder else "no folder can be written, so every process compiles"
    return EngineStatus("numba", "cpu", "", where)


def _unloadable(package: str, module: str = "", *, advice: str = "") -> str:
    """Return why a package, and a module of ours that uses it, cannot be used; empty when they can."""
    if find_spec(package) is None:
        return f"{package} is not installed{advice}"
    try:
        import_module(package)
        import_module(module or package)
    except Exception as error:  # noqa: BLE001 an installed module can fail in any way, and plain torch does without it
        return f"{package} does not load: {error}"
    return ""


def missing_for(policy: Policy) -> dict[Engine, str]:
    """Return for each engine, the ones that are tried first in front, what keeps it from a policy here; "" if nothing.

    Args:
        policy: Of any kind.
    """
    usual = ""
    if policy.interpolation != "nearest":
        usual = f"it only samples the nearest pixel, the policy asks for {policy.interpolation}"
    every = ""
    for name, row in policy.table.items():
        batched = batched_of(row)
        if batched is None:
            every = f"the operation '{name}' has its own pixels"
        elif batched.code == Code.RESIZE:
            usual = usual or "it has no RandomResizedCrop"
        elif batched.numbers in (shear_x, shear_y) and max(abs(row.low), abs(row.high)) > STEEPEST:
            every = f"the operation '{name}' shears by more than {STEEPEST:g}"
    limits = {"triton": every or usual, "numba": every or usual, "torch": every, "pillow": ""}
    missing = {status.name: status.missing or limits[status.name] for status in engine_statuses()}
    missing["numba"] = missing["numba"] or undrawable(policy)
    return missing


def undrawable(policy: Policy) -> str:
    """Return why numba cannot draw for a policy that engines can carry out; "" when it can."""
    if missing := _numba_status().missing:
        return missing
    others = tuple(row.base for row in policy.table.values() if row.base not in STANDARD)
    reason: str = import_module(DRAWING).uncompilable(others) if others else ""
    return reason


def engine_for(asked: Engine | Literal["auto"], missing: dict[Engine, str], images: torch.Tensor) -> Engine:
    """Return the engine for a batch: the one asked for, or the fastest that can.

    Args:
        asked: "auto", or the name of an engine.
        missing: From `missing_for`.
        images: The batch, ``[B, C, H, W]``.

    Raises:
        FaaError: If the engine asked for, or none at all, can carry it out.
    """
    reasons = {name: reason or _unfit(name, images) for name, reason in missing.items()}
    if asked == "auto":
        able = [name for name, reason in reasons.items() if not reason]
        if not able:
            raise FaaError(f"No engine can augment this batch. torch: {reasons['torch']}; pillow: {reasons['pillow']}.")
        return able[0]
    if reasons[asked]:
        raise FaaError(f"The engine '{asked}' cannot augment this batch: {reasons[asked]}. Use engine='auto'.")
    return asked


def _unfit(name: Engine, images: torch.Tensor) -> str:
    """Return why an engine cannot carry out a batch; empty when it can."""
    if name == "torch":
        return ""
    if images.device.type != ("cuda" if name == "triton" else "cpu"):
        return f"the images are on {images.device.type}"
    if images.dtype != torch.uint8:
        return f"it takes uint8, not {images.dtype}"
    return "" if images.shape[1] in (1, 3) else f"it takes 1 or 3 channels, not {images.shape[1]}"
