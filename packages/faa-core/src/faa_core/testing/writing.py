"""Which cases the golden set has, and writing it from the Pillow kernels."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from faa_core.files import replacing, write_text
from faa_core.operations import Operation
from faa_core.operations.canvas import Pair
from faa_core.policies import Choice, Layers, Op, Policy, SubPolicies, load_policy
from faa_core.policies.document import OperationRow
from faa_core.testing.golden import SCHEMA, Call, standard_operations
from faa_core.testing.images import Pixels, from_pillow, images, sha256, to_pillow
from faa_core.testing.implementations import pillow_pixels
from faa_core.testing.png import png

FILL = (200, 10, 30)  # its luma differs from each of its channels
MAGNITUDES = (0.0, 0.3, 0.8, 1.0)
TYPICAL = 0.8
FIRST: tuple[Pair, Pair] = ((0.3, 0.6), (0.2, 0.8))  # place and shape
CORNERS: tuple[tuple[Pair, Pair], ...] = (((0.0, 0.0), (0.9, 0.1)), ((0.97, 0.99), (0.5, 0.5)))
PLACED = ("Cutout", "CutoutAbs", "Crop", "RandomResizedCrop")
GEOMETRIC_IMAGES = ("noise", "scene", "scene-grey")
SMOOTH_IMAGES = ("scene", "noise-grey")
PICTURED = {
    "ShearX": "scene-grey",
    "ShearY": "scene-grey",
    "TranslateX": "scene-grey",
    "TranslateY": "scene-grey",
    "Rotate": "scene-grey",
    "Flip": "scene-grey",
    "Crop": "scene-grey",
    "RandomResizedCrop": "scene-grey",
    "Cutout": "gradient",
    "Equalize": "gradient",
    "AutoContrast": "two-colours",
    "Color": "gradient",
    "Contrast": "gradient",
    "Sharpness": "two-colours",
    "SolarizeAdd": "gradient",
}
BUILT_IN = ("fa-reduced-cifar10", "trivialaugment", "autoaugment-cifar10", "uniform-random")
INDICES = (0, 1, 2, 17, 49999, 2**40)
KEYS = ((0, 0, "scene"), (7, 3, "scene-grey"))  # seed, epoch, image


def write_golden(folder: Path) -> None:
    """Write the golden set into a folder: two JSON files and the pictures, each atomically.

    The bytes depend on the Pillow kernels alone; a policy's draws besides on `faa_core.randomness`.
    """
    pictures = images()
    rows = [_call_row(call, pictures, folder) for call in calls()]
    sums = {name: sha256(pixels) for name, pixels in pictures.items()}
    write_text(folder / "calls.json", _document({"images": sums}, "calls", rows))
    policies = (*BUILT_IN, layers(), noisy(), smooth())
    drawn = [_drawn_row(policy, pictures, *key) for policy in policies for key in KEYS]
    write_text(folder / "policies.json", _document({}, "policies", drawn))


def calls() -> Iterator[Call]:
    """Yield the calls of the golden set, yet without pixels: `sha256` names the test images, `png` the files."""
    for row in standard_operations().values():
        typical, names = row.argument(TYPICAL), GEOMETRIC_IMAGES if row.matrix else tuple(images())
        for argument in arguments(row):
            for place, shape in (FIRST, *(CORNERS if row.name in PLACED and argument == typical else ())):
                pictured = row.name in PICTURED and argument == arguments(row)[-1] and (place, shape) == FIRST
                chosen = {PICTURED[row.name]: f"{row.name}.png"} if pictured else {}
                call = _call(row, argument, "nearest", names)
                yield replace(call, place=place, shape=shape, png=chosen)
        for interpolation in ("bilinear", "bicubic") if row.matrix else ():
            for magnitude in MAGNITUDES[1:3]:
                yield _call(row, row.argument(magnitude), interpolation, SMOOTH_IMAGES)


def arguments(row: Operation) -> list[float]:
    """Return the arguments at which an operation is tested: both ends, between, the identity, and either sign."""
    if row.unit == "none" and not row.mirrored:
        return [row.argument(0.0)]
    magnitudes = {*MAGNITUDES, *(() if row.identity is None else (row.identity,))}
    found = {row.argument(magnitude) for magnitude in magnitudes}
    if row.mirrored and row.low + row.high != 2 * row.neutral:
        found |= {row.argument(magnitude, reflected=True) for magnitude in magnitudes}
    return sorted(found)


def layers() -> Policy:
    """Return a small policy of kind "layers"."""
    first = Choice(op="Rotate", magnitude=0.9, probability=0.3), Choice(op="Crop", magnitude=1.0, probability=0.7)
    second = Choice(op="Flip", magnitude=0.5, probability=0.6), Choice(op="Color", magnitude=0.1, probability=0.4)
    third = Choice(op="Cutout", magnitude=1.0, probability=0.5), Choice(op="Equalize", magnitude=0.0, probability=0.5)
    return Layers(name="golden-layers", layers=(first, second, third))


def noisy() -> Policy:
    """Return a policy with noise on its magnitudes, its own axis and fill."""
    tilt = OperationRow(kernel="Rotate", low=5.0, high=90.0, unit="degrees", mirrored=True)
    pairs = (("Tilt", "ShearX"), ("Posterize2", "TranslateYAbs"), ("SolarizeAdd", "CutoutAbs"))
    rows = tuple(tuple(Op(op=name, p=0.8, magnitude=0.5) for name in pair) for pair in pairs)
    return SubPolicies(name="golden-noisy", operations={"Tilt": tilt}, fill=FILL, sub_policies=rows, magnitude_std=0.25)


def smooth() -> Policy:
    """Return a policy with an interpolation, and with a crop that is resized."""
    pairs = (("ShearY", "Contrast"), ("RandomResizedCrop", "Rotate"), ("TranslateX", "Sharpness"))
    rows = tuple(tuple(Op(op=name, p=0.9, magnitude=0.85) for name in pair) for pair in pairs)
    return SubPolicies(name="golden-smooth", interpolation="bilinear", sub_policies=rows)


def _call(row: Operation, argument: float, interpolation: str, names: tuple[str, ...]) -> Call:
    return Call(
        operation=row.name,
        argument=argument,
        place=FIRST[0],
        shape=FIRST[1],
        fill=row.fill or FILL,
        interpolation=interpolation,
        sha256=dict.fromkeys(names, ""),
        png={},
    )


def _call_row(call: Call, pictures: dict[str, Pixels], folder: Path) -> dict[str, Any]:
    """Return a call as it is written, and write its pictures."""
    done = {name: pillow_pixels(pictures[name], call) for name in {**call.sha256, **call.png}}
    for name, file in call.png.items():
        with replacing(folder / file) as temporary:
            temporary.write_bytes(png(done[name]))
    row = asdict(call) | {"sha256": {name: sha256(pixels) for name, pixels in done.items()}}
    return row if call.png else {key: value for key, value in row.items() if key != "png"}


def _drawn_row(given: str | Policy, pictures: dict[str, Pixels], seed: int, epoch: int, image: str) -> dict[str, Any]:
    """Return a policy's draws as they are written."""
    policy = load_policy(given) if isinstance(given, str) else given
    steps = policy.draw(seed=seed, epoch=epoch, indices=np.array(INDICES))
    done = [from_pillow(policy.apply_steps(to_pillow(pictures[image]), own)) for own in steps]
    return {
        "policy": given if isinstance(given, str) else json.loads(given.to_json()),
        "seed": seed,
        "epoch": epoch,
        "image": image,
        "indices": INDICES,
        "steps": [[[step.operation.name, *step[1:]] for step in own] for own in steps],
        "sha256": [sha256(pixels) for pixels in done],
    }


def _document(head: dict[str, Any], key: str, rows: list[dict[str, Any]]) -> str:
    """Return JSON with a line per row."""
    start, *lines = (json.dumps(row, separators=(",", ":")) for row in ({"schema": SCHEMA} | head, *rows))
    return f'{start[:-1]},"{key}":[\n' + ",\n".join(lines) + "\n]}\n"
