"""Operations at one argument, gathered into a policy: what readers of lists with arguments in them share."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from faa_core.formats.axes import place
from faa_core.formats.timm_tables import ORIGINAL
from faa_core.policies.document import OperationRow
from faa_core.policies.policy import Op

LEVELS = 9  # of AutoAugment's ten magnitudes, the last


class Entry(NamedTuple):
    """One use of an operation.

    Attributes:
        base: Operation of the standard table.
        p: Probability that it is applied.
        argument: In its unit.
        mirrored: Whether a sign is drawn.
    """

    base: str
    p: float = 1.0
    argument: float = 0.0
    mirrored: bool = False


class Placed(NamedTuple):
    """Entries as a policy has them."""

    uses: tuple[tuple[Op, ...], ...]
    operations: dict[str, OperationRow]


def placed(prefix: str, sub_policies: Iterable[Iterable[Entry]]) -> Placed:
    """Return sub-policies with the axes that their arguments need.

    Args:
        prefix: Of the names of axes that the standard table has not.
        sub_policies: Of entries.
    """
    operations: dict[str, OperationRow] = {}
    uses = []
    for sub in sub_policies:
        own = []
        for base, p, argument, mirrored in sub:
            name, row, magnitude = place(prefix, base, argument, mirrored=mirrored)
            if row is not None:
                operations[name] = row
            own.append(Op(op=name, p=p, magnitude=magnitude))
        uses.append(tuple(own))
    return Placed(tuple(uses), operations)


def autoaugment_imagenet() -> Iterator[list[Entry]]:
    """Yield AutoAugment's policy for ImageNet in the arguments of its ten magnitudes, as it is most often copied."""
    for sub in ORIGINAL:
        yield [_entry(name, p, level) for name, p, level in sub]


def _entry(name: str, p: float, level: int) -> Entry:
    """Return an entry of AutoAugment at one of its magnitudes 0 … 9."""
    share = level / LEVELS
    match name:
        case "PosterizeOriginal":
            return Entry("Posterize", p, float(round(8 - 4 * share)))
        case "Solarize":
            return Entry("Solarize", p, 256 / LEVELS * (LEVELS - level))
        case "Rotate" | "ShearX":
            return Entry(name, p, (30 if name == "Rotate" else 0.3) / LEVELS * level, mirrored=True)
        case "Color" | "Contrast" | "Sharpness":
            return Entry(name, p, 1 + 0.9 * share, mirrored=True)
    return Entry(name, p)
