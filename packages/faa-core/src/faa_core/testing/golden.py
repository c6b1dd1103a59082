"""The golden set: which pixels each operation and policy makes of the test images, as files that any language reads.

`calls.json` has a row per operation, argument, place, shape, fill and interpolation, with the SHA-256 of the pixels for
each test image (see `faa_core.testing.images`) and, for some, the pixels as PNG. The partner of SamplePairing is the
image upside down. `policies.json` has what is drawn for (seed, epoch, indices), a list of ``[operation, argument,
[x, y], [area, aspect]]`` for each image, and the SHA-256 of what comes out; its policies are documents, or names of
built-in ones.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from PIL import Image

from faa_core.errors import FaaError
from faa_core.operations import Colour, Operation, Step, table
from faa_core.operations.canvas import Pair
from faa_core.policies import Policy, load_policy, parse_policy
from faa_core.testing.images import Pixels, from_pillow

SCHEMA = "faa-golden/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation with one argument, on several test images.

    Attributes:
        operation: Name in the standard table.
        argument: In the operation's unit.
        place: Drawn place (x, y), each in [0, 1).
        shape: Draws for the area and the aspect of a crop, each in [0, 1).
        fill: RGB of what comes from outside the image or is cut out.
        interpolation: "nearest", "bilinear" or "bicubic".
        sha256: Of the resulting pixels, by test image.
        png: Name of the file with the resulting pixels, for some test images.
    """

    operation: str
    argument: float
    place: Pair
    shape: Pair
    fill: Colour
    interpolation: str
    sha256: Mapping[str, str]
    png: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPolicy:
    """What a policy draws for some indices, and makes of one test image.

    Attributes:
        policy: As it is read.
        seed: Of the draws.
        epoch: Of the draws.
        indices: Of the images.
        image: Name of the test image, the same for every index.
        steps: The draw for each index.
        sha256: Of the resulting pixels, for each index.
    """

    policy: Policy
    seed: int
    epoch: int
    indices: tuple[int, ...]
    image: str
    steps: tuple[tuple[Step, ...], ...]
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The golden set.

    Attributes:
        images: SHA-256 of each test image's pixels, by name.
        calls: Of single operations.
        drawn: Of whole policies.
        folder: Where its files are.
    """

    images: Mapping[str, str]
    calls: tuple[Call, ...]
    drawn: tuple[DrawnPolicy, ...]
    folder: Traversable

    def pixels(self, call: Call, image: str) -> Pixels | None:
        """Return the stored pixels of a call, uint8 ``[H, W, C]``; None where only their SHA-256 is stored."""
        if image not in call.png:
            return None
        with self.folder.joinpath(call.png[image]).open("rb") as file, Image.open(file, formats=["PNG"]) as picture:
            return from_pillow(picture)


def standard_operations() -> dict[str, Operation]:
    """Return the operations of the standard table by name; plugins are not among them."""
    return {row.name: row for row in vars(table).values() if isinstance(row, Operation)}


def read_golden(folder: Traversable | None = None) -> Golden:
    """Return the golden set of a folder, or the one in the package.

    Raises:
        FaaError: If its files are missing or of another version.
    """
    folder = folder or files("faa_core.testing").joinpath("golden")
    calls, policies = _document(folder, "calls.json"), _document(folder, "policies.json")
    try:
        return Golden(
            images=calls["images"],
            calls=tuple(_call(row) for row in calls["calls"]),
            drawn=tuple(_drawn(row) for row in policies["policies"]),
            folder=folder,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FaaError(f"The golden set in '{folder}' is damaged ({type(error).__name__}: {error}).") from error


def _document(folder: Traversable, name: str) -> Any:
    file = folder.joinpath(name)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaaError(f"The golden set's '{file}' cannot be read: {error}.") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise FaaError(f"'{file}' is not part of a golden set of version {SCHEMA}.")
    return document


def _call(row: dict[str, Any]) -> Call:
    pairs = {name: tuple(row[name]) for name in ("place", "shape", "fill")}
    return Call(**{**row, **pairs, "png": row.get("png", {})})


def _drawn(row: dict[str, Any]) -> DrawnPolicy:
    given = row["policy"]
    policy = load_policy(given) if isinstance(given, str) else parse_policy(json.dumps(given), source="golden set")
    steps = tuple(
        tuple(
            Step(policy.table[name], argument, tuple(place), tuple(shape)) for name, argument, place, shape in own_steps
        )
        for own_steps in row["steps"]
    )
    lists = {"indices": tuple(row["indices"]), "sha256": tuple(row["sha256"])}
    return DrawnPolicy(**{**row, **lists, "policy": policy, "steps": steps})
