"""Same policy, different pixels: writes a page that says what each library makes of the same entries of a policy.

Every figure is found by running the libraries; nothing is written by hand, so all of them must be installed.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from harness import installed
from meanings import (
    DRAWS,
    Meaning,
    Pixels,
    albumentations_operation,
    difference,
    kornia_autoaugment,
    ours,
    timm_string,
    torchvision_autoaugment,
)
from PIL import Image, ImageDraw
from PIL.Image import Image as PILImage
from sklearn.datasets import load_sample_image

from faa_core import FaaError, operation

DOCS = Path(__file__).parent.parent / "docs"
NAME = "same-policy-different-pixels"
NEEDED = ("torchvision", "timm", "kornia", "albumentations", "scikit-learn", "pillow")
ENTRIES = (
    ("Posterize", 8),
    ("Posterize", 5),
    ("Color", 0),
    ("Brightness", 3),
    ("Solarize", 5),
    ("Rotate", 9),
    ("TranslateX", 9),
    ("ShearX", 9),
)
SIDE, THUMBNAIL, GAP, LINE = 224, 84, 4, 12
COLOURS = 200  # of the picture, which keeps it small

INTRODUCTION = f"""
# Same policy, different pixels

A policy is often passed on as a list of entries such as `(Posterize, 8)`: an operation and a level. What a level means
is not in the list. Here the same entries are run by several libraries on one photograph. A policy document of this
project carries the axis of every operation, the fill and the filter; so it keeps the pixels of the library that it was
converted from.

![Each entry as each library applies it]({NAME}.png)

The columns are the image, then the rows of the tables in their order. The image is the middle of `china.jpg` by
[danielbuechele](https://www.flickr.com/photos/danielbuechele/), which comes with scikit-learn
([CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)), cropped and scaled to {SIDE} × {SIDE} pixels.

- **argument**: what the operation was called with, in the unit of ours. The same number need not be the same pixels:
  one library multiplies where another adds, or shears about the centre instead of the corner.
- **sampling**: filter and fill, where pixels move, as the library has them by default.
- **to torchvision's**: mean absolute difference of grey levels (0 … 255) to our policy converted from torchvision's
  entry. Signs are drawn; each draw is compared with the one that is nearer.
- **to ours, converted**: the same difference to our policy converted from *this* library's entry; "refused" where no
  operation of ours does that.
- albumentations has no levels and is given torchvision's arguments.
"""


def main() -> int:
    """Write the page and its picture; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=DOCS, help="folder to write to")
    options = parser.parse_args()
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its newest version when imported
    try:
        check_installed()
        image = photograph()
        tables = [(op, level, meanings(op, level, image)) for op, level in ENTRIES]
    except FaaError as error:
        print(error, file=sys.stderr)
        return 1
    options.output.mkdir(parents=True, exist_ok=True)
    grid(image, tables).save(options.output / f"{NAME}.png", optimize=True)
    (options.output / f"{NAME}.md").write_text(page(image, tables))
    print(f"Wrote {options.output / NAME}.md and .png")
    return 0


def check_installed() -> None:
    """Check that there is something to compare with.

    Raises:
        FaaError: If a library is missing; a part of the table would be none.
    """
    missing = [name for name in NEEDED if installed(name) is None]
    if missing:
        raise FaaError(
            f"The table needs every library; not installed: {', '.join(missing)}. "
            "Run `nox -s pixels`, which installs them, or pip install them."
        )


def photograph() -> PILImage:
    """Return the middle of a photograph that scikit-learn comes with, RGB."""
    pixels_HWC = load_sample_image("china.jpg")
    height, width = pixels_HWC.shape[:2]
    left, top, side = (width - height) // 2, 0, height
    whole = Image.fromarray(pixels_HWC).crop((left, top, left + side, top + side))
    return whole.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def meanings(op: str, level: int, image: PILImage) -> list[Meaning]:
    """Return what every library makes of an entry, torchvision first."""
    import random  # noqa: PLC0415, TID251 timm draws from it

    random.seed(0)
    torch.manual_seed(0)
    first = torchvision_autoaugment(op, level, image)
    increasing = ("Posterize", "Solarize", "Color", "Brightness")
    translated = {"TranslateX": "TranslateXRel"}
    strings = (
        timm_string("original", lambda name: {"Posterize": "PosterizeOriginal", **translated}.get(name, name)),
        timm_string(f"rand-m{level}", lambda name: translated.get(name, name)),
        timm_string(
            f"rand-m{level}-inc1",
            lambda name: f"{name}Increasing" if name in increasing else translated.get(name, name),
        ),
    )
    return [
        first,
        *(run(op, level, image) for run in strings),
        kornia_autoaugment(op, level, image),
        albumentations_operation(op, first.arguments, image),
    ]


def page(image: PILImage, tables: Sequence[tuple[str, int, list[Meaning]]]) -> str:
    """Return the page, Markdown."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("faa-core", *NEEDED, "torch"))
    tables_text = [f"## ({op}, {level})\n\n{table(op, image, found)}" for op, level, found in tables]
    ending = f"{DRAWS} draws per row. Made by `nox -s pixels` (`benchmarks/pixels.py`) with {versions}."
    return "\n\n".join([INTRODUCTION.strip(), *tables_text, ending]) + "\n"


def table(op: str, image: PILImage, found: Sequence[Meaning]) -> str:
    """Return one entry's table."""
    reference = reference_of(image, found)
    rows = ["| library | argument | sampling | to torchvision's | to ours, converted |", "|---|---|---|---|---|"]
    for meaning in found:
        apart = mean([difference(picture, reference) for picture in meaning.pictures])
        if meaning.policy is None:
            same = "refused"
        else:
            own = ours(meaning.policy, image)
            same = mean([difference(picture, own) for picture in meaning.pictures])
        moved = meaning.sampling if operation(op).unit in ("fraction", "degrees") else ""
        rows.append(f"| {meaning.library} | {words(op, meaning.arguments)} | {moved} | {apart} | {same} |")
    return "\n".join(rows)


def reference_of(image: PILImage, found: Sequence[Meaning]) -> list[Pixels]:
    """Return our pictures of torchvision's entry."""
    policy = found[0].policy
    assert policy is not None  # noqa: S101 torchvision's entries convert
    return ours(policy, image)


def mean(values: Sequence[float]) -> str:
    """Return a mean for people."""
    return f"{np.mean(values):.2f}"


def words(op: str, arguments: Sequence[float]) -> str:
    """Return drawn arguments for people: ± where both signs were drawn, an interval where many values were."""
    unit = operation(op).unit
    scale, digits, name = {
        "degrees": (1, 1, "°"),
        "fraction": (100, 1, " %"),
        "bits": (1, 0, " bits"),
        "threshold": (1, 0, ""),
    }.get(unit, (1, 2, ""))
    values = sorted({round(scale * value, digits) + 0.0 for value in arguments})
    texts = [f"{value:.{digits}f}" for value in values]
    if len(values) == 2 and values[0] == -values[1]:
        return f"±{texts[1]}{name}"
    if len(values) <= 2:
        return " or ".join(texts) + (" bit" if unit == "bits" and texts == ["1"] else name)
    return f"{texts[0]} … {texts[-1]}{name}"


def grid(image: PILImage, tables: Sequence[tuple[str, int, list[Meaning]]]) -> PILImage:
    """Return all pictures, a row for each entry: the image, then each library's nearest to torchvision's."""
    columns, step = 1 + len(tables[0][2]), THUMBNAIL + GAP
    canvas = Image.new("RGB", (columns * step + GAP, len(tables) * (step + LINE) + LINE + GAP), "white")
    draw = ImageDraw.Draw(canvas)
    heads = [re.sub(r"-m\d+| [A-Z]\w+$", "", meaning.library) for meaning in tables[0][2]]
    for column, head in enumerate(["image", *heads]):
        draw.text((GAP + column * step, 0), head, fill="black")
    for at, (op, level, found) in enumerate(tables):
        top = GAP + LINE + at * (step + LINE)
        draw.text((GAP, top - 2), f"({op}, {level})", fill="black")
        reference = reference_of(image, found)[-1:]
        nearest = [min(meaning.pictures, key=lambda one: difference(one, reference)) for meaning in found]
        for column, pixels in enumerate([np.asarray(image), *nearest]):
            small = Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
            canvas.paste(small, (GAP + column * step, top + LINE - 1))
    return canvas.quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    sys.exit(main())
