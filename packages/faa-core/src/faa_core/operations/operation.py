"""What an operation is: a kernel and its magnitude axis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from PIL.Image import Image as PILImage
from PIL.Image import Resampling

from faa_core.errors import FaaError
from faa_core.operations.canvas import Canvas, Colour, Drawn, Pair
from faa_core.operations.geometry import InverseMap, OperationNumbers
from faa_core.operations.instructions import Code
from faa_core.operations.kernels import Moved

Unit = Literal["none", "fraction", "pixels", "degrees", "bits", "threshold", "value", "factor"]
Kernel = Callable[[PILImage, float, Canvas], PILImage]
NumbersOf = Callable[[float, int, int, Drawn], OperationNumbers]


class Batched(NamedTuple):
    """How the engines for batches carry an operation out; see `faa_core.operations.instructions`.

    Attributes:
        code: Of its instructions.
        numbers: Their parameters: from the argument, the image's width and height, and what was drawn.
    """

    code: Code
    numbers: NumbersOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An image operation and its magnitude axis.

    The magnitude λ ∈ [0, 1] maps linearly onto the argument, from `low` to `high`, in `unit`. λ is a position, not
    a strength: Posterize and Solarize weaken as λ grows, and shears, translations, rotations and enhancements over a
    symmetric range are neutral at λ = ½.

    Attributes:
        name: Unique; a new range is a new name.
        kernel: The pixels; see `faa_core.operations.kernels`.
        base: Name of the table's operation that has this kernel; its own name when left out, as in the table itself.
        low: Argument at λ = 0.
        high: Argument at λ = 1.
        unit: Of the argument.
        mirrored: Whether each application reflects the argument about its neutral value with probability ½.
        identity: The λ at which the image stays as it is, or None.
        fill: its own RGB fill (Cutout), or None for the policy's.
        matrix: Of a geometric operation: from its argument, the image's width and height, and what was drawn, Pillow's
            inverse map, by which masks, boxes and points follow the image; see `faa_core.operations.geometry`. None
            states that the operation is photometric: whatever else belongs to the image stays.
        batched: How batches are augmented by it. None: by its map, where the kernel is one (`Moved`), or else by the
            kernel, image by image.
    """

    name: str
    kernel: Kernel
    base: str = ""
    low: float = 0.0
    high: float = 1.0
    unit: Unit = "none"
    mirrored: bool = False
    identity: float | None = None
    fill: Colour | None = None
    matrix: InverseMap | None = None
    batched: Batched | None = None

    def __post_init__(self) -> None:
        """An operation of the table is its own base."""
        object.__setattr__(self, "base", self.base or self.name)

    @property
    def in_batches(self) -> Batched | None:
        """How engines carry it out for batches; None for image by image."""
        if self.batched is None and isinstance(self.kernel, Moved):
            return Batched(Code.AFFINE, self.kernel.by)
        return self.batched

    def argument(self, magnitude: float, *, reflected: bool = False) -> float:
        """Return the argument, in `unit`, of a magnitude in [0, 1]."""
        value = self.low + magnitude * (self.high - self.low)
        return 2 * self.neutral - value if reflected else value

    @property
    def neutral(self) -> float:
        """The argument about which a mirrored operation is reflected."""
        return 1.0 if self.unit == "factor" else 0.0


class Step(NamedTuple):
    """One operation that was drawn for one image: everything random is settled.

    Attributes:
        operation: What is done.
        argument: In the operation's unit.
        centre: Draws for a place (x, y), each in [0, 1).
        shape: Draws for the area and the aspect of a crop, each in [0, 1).
    """

    operation: Operation
    argument: float
    centre: Pair
    shape: Pair = (0.5, 0.5)


def apply_steps(
    image: PILImage,
    steps: tuple[Step, ...],
    *,
    fill: Colour,
    resample: Resampling,
    partners: Sequence[PILImage] = (),
) -> PILImage:
    """Return the image after the steps, in order.

    Args:
        image: Of mode RGB or L.
        steps: What was drawn for it.
        fill: RGB of pixels from outside the image, where the operation has no colour.
        resample: Filter of the geometric operations.
        partners: Images to mix in, of the same size and mode; a step's drawn centre picks one.

    Raises:
        FaaError: If it is not a PIL image, neither RGB nor L, or a step needs partners and there are none.
    """
    if not isinstance(image, PILImage):
        raise FaaError(
            f"Policies apply to a PIL image, not to an object of type {type(image).__name__}; of an array "
            "uint8 [H, W, 3], Image.fromarray(array) makes one."
        )
    if image.mode not in ("RGB", "L"):
        raise FaaError(f"Policies apply to images of mode RGB or L, not {image.mode}; use image.convert('RGB') first.")
    for operation, argument, centre, shape in steps:
        partner = partners[int(centre[0] * len(partners))] if partners else None
        canvas = Canvas(operation.fill or fill, resample, centre, shape, partner)
        image = operation.kernel(image, argument, canvas)
    return image
