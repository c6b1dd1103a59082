"""Deep AutoAugment's ``.npz`` files: layers, each a distribution over 139 operations at fixed levels."""

import io
import math
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from faa_core.errors import FaaError
from faa_core.formats.axes import build, nearest_axis, on_axis, words
from faa_core.formats.deepaa_transforms import (
    LEVELS,
    ORDER,
    SIGNED,
    Transform,
    Variant,
    for_cifar,
    for_imagenet,
    known,
    targets,
    transforms,
)
from faa_core.formats.leeway import Leeway
from faa_core.operations import Operation
from faa_core.policies.kinds import Choice, Layers
from faa_core.policies.loading import MOST_BYTES
from faa_core.policies.policy import Policy


def parse(content: bytes, *, mirror: bool = True) -> Layers:
    """Return the policy of an ``.npz`` file of Deep AutoAugment.

    Args:
        content: The file.
        mirror: Whether shears, translations and rotations take either sign, as in the authors' evaluation; False keeps
            the sign of the level, as their search applied it.

    Raises:
        FaaError: If the file is damaged, holds anything but plain arrays, or names an unknown operation.
    """
    arrays = _arrays(content)
    names = [str(name).partition(":")[0] for name in arrays["op_names"].ravel().tolist()]
    probabilities, ops = arrays["policy_probs"], arrays["ops"].ravel()
    levels, most = arrays["mags"].ravel(), int(arrays["l_mags"].item()) - 1
    if probabilities.ndim != 2 or not probabilities.shape[1] == len(ops) == len(levels) or most < 1:
        raise FaaError(
            f"policy_probs of shape {list(probabilities.shape)} does not fit {len(ops)} ops, {len(levels)} mags and "
            f"l_mags {most + 1}; it must be [layers, transforms]."
        )
    if not (((ops >= 0) & (ops < len(names))).all() and ((levels >= 0) & (levels <= most)).all()):
        raise FaaError(f"ops must lie in 0 … {len(names) - 1} and mags in 0 … {most}.")
    layers = probabilities.astype(float).tolist()
    for layer in layers:
        _check_distribution(layer)
    imagenet = "RandResizeCrop_imagenet" in names
    variant = for_imagenet(mirror=mirror) if imagenet else for_cifar(mirror=mirror)
    theirs = [known(name, variant) for name in names]
    uses = []
    for at, level in zip(ops.tolist(), levels.tolist(), strict=True):
        name, row, magnitude = theirs[at]
        uses.append((name, row, level / most if magnitude is None else magnitude))
    return build(
        Layers,
        {
            "name": "deepaa",
            "operations": {name: row for name, row, _magnitude in uses if row is not None},
            "layers": tuple(
                tuple(
                    Choice(op=name, magnitude=magnitude, probability=min(1.0, probability))
                    for (name, _row, magnitude), probability in zip(uses, layer, strict=True)
                )
                for layer in layers
            ),
            "provenance": {"format": "deepaa", "mirror": mirror},
        },
    )


def write(policy: Policy, *, leeway: Leeway | None = None) -> bytes:
    """Return a policy of layers as an ``.npz`` file; whether signs are mirrored is not part of the format.

    Args:
        policy: Of layers.
        leeway: How exact it must be; strict when None. Its notes become a separate array.

    Raises:
        FaaError: If the policy has another kind, or a choice that is none of the 139; it is named.
    """
    if not isinstance(policy, Layers):
        raise FaaError(f"'{policy.name}' has no layers, which is all that Deep AutoAugment's files can say.")
    allowed = leeway or Leeway()
    imagenet = any(_is_imagenets(row) for row in policy.table.values())
    mirror = not any(row.base in SIGNED and not row.mirrored for row in policy.table.values())
    variant = for_imagenet(mirror=mirror) if imagenet else for_cifar(mirror=mirror)
    slots = list(transforms(variant))
    rows = {name: row for _name, name, row in targets(variant)}
    probabilities = np.zeros((len(policy.layers), len(slots)))
    for number, layer in enumerate(policy.layers):
        for choice in layer:
            row = policy.table[choice.op]
            at = _find(slots, rows, row, choice.magnitude)
            if at is None:
                at = _nearest(slots, rows, row, choice.magnitude)
                what = f"{words(row, choice.magnitude)} in layer {number}"
                allowed.differ(what, instead=words(rows[slots[at].op], slots[at].magnitude))
            probabilities[number, at] += choice.probability
    data = "ImageNet" if imagenet else "CIFAR"
    allowed.settle(f"Deep AutoAugment's 139 transforms ({data}) lack this")
    stream = io.BytesIO()
    notes = {"notes": np.array(allowed.notes)} if allowed.notes else {}
    np.savez(
        stream,
        allow_pickle=False,
        policy_probs=probabilities.astype(np.float32),
        l_ops=np.array(len(ORDER)),
        l_mags=np.array(LEVELS),
        ops=np.array([[slot.kind] for slot in slots], dtype=np.int32),
        mags=np.array([[slot.level] for slot in slots], dtype=np.int32),
        op_names=np.array([_title(name, rows, variant) for name in ORDER]),
        **notes,
    )
    return stream.getvalue()


def _nearest(slots: list[Transform], rows: dict[str, Operation], row: Operation, magnitude: float) -> int:
    """Return which transform is nearest to a use of an operation; that which changes nothing if none has its pixels."""
    near = nearest_axis(row, magnitude, rows.values())
    if near is None:
        return next(at for at, slot in enumerate(slots) if slot.op == "Identity")
    same = [at for at, slot in enumerate(slots) if slot.op == near[0].name]
    return min(same, key=lambda at: abs(slots[at].magnitude - near[1]))


def _is_imagenets(row: Operation) -> bool:
    side = for_imagenet(mirror=True).cutout
    return row.base == "RandomResizedCrop" or (row.base == "CutoutAbs" and row.low == row.high == side)


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, without unpickling and within a size."""
    wanted = ("policy_probs", "ops", "mags", "l_mags", "op_names")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise FaaError(f"It unpacks to more than {MOST_BYTES >> 20} MiB, which no policy needs.")
            if missing := [name for name in wanted if f"{name}.npy" not in archive.namelist()]:
                raise FaaError(f"It has no {', '.join(missing)}; a Deep AutoAugment policy holds {', '.join(wanted)}.")
            arrays = {name: _array(archive.read(f"{name}.npy")) for name in wanted}
    except FaaError:
        raise
    except Exception as error:  # a damaged archive or header fails zipfile, its codecs, tokenize and NumPy in any way
        raise FaaError(f"It is no .npz file of plain arrays: {error}") from error
    whole, texts = ("iu", "whole numbers"), ("U", "texts")
    wanted_kinds = {
        "policy_probs": ("f", "floating-point numbers"),
        "op_names": texts,
        "l_mags": ("iu", "one whole number"),
    }
    for name, array in arrays.items():
        kinds, allowed = wanted_kinds.get(name, whole)
        if array.dtype.kind not in kinds or (name == "l_mags" and array.size != 1):
            raise FaaError(f"{name} must be {allowed}, not {array.dtype} of shape {list(array.shape)}.")
    return arrays


def _array(content: bytes) -> NDArray[Any]:
    """Return the array of an ``.npy`` file, allocated only where its header agrees with the file's size."""
    stream = io.BytesIO(content)
    read_header = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
    shape, _fortran_order, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError("It holds Python objects, which are not unpickled.")
    held = len(content) - stream.tell()
    if dtype.itemsize == 0 or math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f"An array of {dtype} and shape {list(shape)} does not take {held} bytes.")
    array: NDArray[Any] = npy.read_array(io.BytesIO(content), allow_pickle=False)
    return array


def _check_distribution(layer: list[float]) -> None:
    if not all(0 <= probability <= 1 + 1e-6 for probability in layer):
        raise FaaError("policy_probs must lie in 0 … 1.")


def _find(slots: list[Transform], rows: dict[str, Operation], row: Operation, magnitude: float) -> int | None:
    """Return which transform does the same as a use of an operation."""
    for at, slot in enumerate(slots):
        target = rows[slot.op]
        place = on_axis(row, magnitude, target)
        same = target.low == target.high or target.unit == "none"
        if place is not None and (same or abs(place - slot.magnitude) < 1e-9):
            return at
    return None


def _title(name: str, rows: dict[str, Operation], variant: Variant) -> str:
    """Return a name as they store it: with its range, and the data set's crop."""
    own, _row, magnitude = known(name, variant)
    shown = "RandResizeCrop_imagenet" if variant.resized and name == "RandCrop" else name
    row = rows[own]
    low, high = (row.low, row.high) if magnitude is None else (0.0, 1.0)
    return f"{shown}:({low},,{high})"
