"""The standard operations. A policy names these rows, so a row never changes: a new range is a new name.

A row is all that an operation needs: every engine reads it. Where its pixels are new, its kernel, and its map or its
numbers, are in the modules beside this one.

The first fifteen, in this order, are the search list of Fast AutoAugment (its released code; the paper adds
SamplePairing). Shears, translations and rotations cover a symmetric range and are mirrored besides, so λ and 1 − λ
mean the same and λ = ½ changes nothing.
"""

from functools import cache
from types import MappingProxyType

from faa_core import plugins
from faa_core.errors import FaaError, UnknownNameError
from faa_core.operations import geometry, kernels, numbers
from faa_core.operations.geometry import InverseMap
from faa_core.operations.instructions import Code
from faa_core.operations.kernels import Moved
from faa_core.operations.operation import Batched, Kernel, Operation, Unit

GROUP = "faa.ops"
NATURAL_GREY = (125, 123, 114)  # the mean of natural images, as in the original


def _symmetric(name: str, matrix: InverseMap, reach: float, unit: Unit) -> Operation:
    return Operation(
        name=name,
        kernel=Moved(matrix),
        low=-reach,
        high=reach,
        unit=unit,
        mirrored=True,
        identity=0.5,
        matrix=matrix,
    )


def _enhancement(name: str, kernel: Kernel, code: Code) -> Operation:
    batched = Batched(code, numbers.factor)
    return Operation(name=name, kernel=kernel, low=0.1, high=1.9, unit="factor", identity=0.5, batched=batched)


def _abs(name: str, matrix: InverseMap) -> Operation:
    return Operation(
        name=name, kernel=Moved(matrix), high=10.0, unit="pixels", mirrored=True, identity=0.0, matrix=matrix
    )


SHEAR_X = _symmetric("ShearX", geometry.shear_x, 0.3, "fraction")
SHEAR_Y = _symmetric("ShearY", geometry.shear_y, 0.3, "fraction")
TRANSLATE_X = _symmetric("TranslateX", geometry.translate_x, 0.45, "fraction")
TRANSLATE_Y = _symmetric("TranslateY", geometry.translate_y, 0.45, "fraction")
ROTATE = Operation(
    name="Rotate",
    kernel=kernels.rotate,
    low=-30.0,
    high=30.0,
    unit="degrees",
    mirrored=True,
    identity=0.5,
    matrix=geometry.rotate,
    batched=Batched(Code.AFFINE, geometry.rotate),
)
AUTO_CONTRAST = Operation(
    name="AutoContrast", kernel=kernels.auto_contrast, batched=Batched(Code.AUTO_CONTRAST, numbers.none)
)
INVERT = Operation(name="Invert", kernel=kernels.invert, batched=Batched(Code.SOLARIZE, numbers.none))
EQUALIZE = Operation(name="Equalize", kernel=kernels.equalize, batched=Batched(Code.EQUALIZE, numbers.none))
SOLARIZE = Operation(
    name="Solarize",
    kernel=kernels.solarize,
    high=256.0,
    unit="threshold",
    identity=1.0,
    batched=Batched(Code.SOLARIZE, numbers.threshold),
)
POSTERIZE = Operation(
    name="Posterize",
    kernel=kernels.posterize,
    low=4.0,
    high=8.0,
    unit="bits",
    identity=1.0,
    batched=Batched(Code.POSTERIZE, numbers.mask),
)
CONTRAST = _enhancement("Contrast", kernels.contrast, Code.CONTRAST)
COLOR = _enhancement("Color", kernels.color, Code.COLOR)
BRIGHTNESS = _enhancement("Brightness", kernels.brightness, Code.BRIGHTNESS)
SHARPNESS = _enhancement("Sharpness", kernels.sharpness, Code.SHARPNESS)
CUTOUT = Operation(
    name="Cutout",
    kernel=kernels.cutout,
    high=0.2,
    unit="fraction",
    identity=0.0,
    fill=NATURAL_GREY,
    batched=Batched(Code.FILL, numbers.box),
)

# The rest of AutoAugment's ranges in the released code of Fast AutoAugment.
CUTOUT_ABS = Operation(
    name="CutoutAbs",
    kernel=kernels.cutout_abs,
    high=20.0,
    unit="pixels",
    identity=0.0,
    fill=NATURAL_GREY,
    batched=Batched(Code.FILL, numbers.box_abs),
)
POSTERIZE_2 = Operation(
    name="Posterize2",
    kernel=kernels.posterize,
    high=4.0,
    unit="bits",
    batched=Batched(Code.POSTERIZE, numbers.mask),
)
TRANSLATE_X_ABS = _abs("TranslateXAbs", geometry.translate_x_abs)
TRANSLATE_Y_ABS = _abs("TranslateYAbs", geometry.translate_y_abs)

# The baseline augmentation as operations, which Deep AutoAugment searches over too, and the paper's sixteenth.
FLIP = Operation(
    name="Flip",
    kernel=kernels.flip,
    low=1.0,
    mirrored=True,
    matrix=geometry.flip,
    batched=Batched(Code.AFFINE, geometry.flip),
)
CROP = Operation(
    name="Crop",
    kernel=Moved(geometry.crop),
    high=4.0,
    unit="pixels",
    identity=0.0,
    fill=NATURAL_GREY,
    matrix=geometry.crop,
)
RANDOM_RESIZED_CROP = Operation(
    name="RandomResizedCrop",
    kernel=kernels.random_resized_crop,
    low=1.0,
    high=0.08,
    unit="fraction",
    matrix=geometry.random_resized_crop,
    batched=Batched(Code.RESIZE, numbers.part),
)
SAMPLE_PAIRING = Operation(
    name="SamplePairing",
    kernel=kernels.sample_pairing,
    high=0.4,
    unit="fraction",
    identity=0.0,
    batched=Batched(Code.MIX, numbers.pairing),
)

# For policies of other sources, which lift dark values, translate by whole pixels and may keep the image.
SOLARIZE_ADD = Operation(
    name="SolarizeAdd",
    kernel=kernels.solarize_add,
    high=110.0,
    unit="value",
    identity=0.0,
    batched=Batched(Code.SOLARIZE_ADD, numbers.addend),
)
IDENTITY = Operation(name="Identity", kernel=kernels.identity, batched=Batched(Code.NOTHING, numbers.none))
TRANSLATE_X_WHOLE = _symmetric("TranslateXWhole", geometry.translate_x_whole, 0.45, "fraction")
TRANSLATE_Y_WHOLE = _symmetric("TranslateYWhole", geometry.translate_y_whole, 0.45, "fraction")
TRANSLATE_X_PIXELS = _symmetric("TranslateXPixels", geometry.translate_x_pixels, 10.0, "pixels")
TRANSLATE_Y_PIXELS = _symmetric("TranslateYPixels", geometry.translate_y_pixels, 10.0, "pixels")

SEARCH_LIST = (
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    ROTATE,
    AUTO_CONTRAST,
    INVERT,
    EQUALIZE,
    SOLARIZE,
    POSTERIZE,
    CONTRAST,
    COLOR,
    BRIGHTNESS,
    SHARPNESS,
    CUTOUT,
)


STANDARD = MappingProxyType({row.name: row for row in list(vars().values()) if isinstance(row, Operation)})


def operation_names() -> list[str]:
    """Return the names of the installed operations, ours and those of plugins, sorted."""
    return sorted({*STANDARD, *plugins.names(GROUP)})


@cache
def operation(name: str) -> Operation:
    """Return the installed operation of a name, ours or a plugin's.

    Raises:
        UnknownNameError: If no installed package offers it.
        FaaError: If a plugin offers one of our names, or no operation of that name.
    """
    row = plugins.load(GROUP, name, kind="operation", hint="`faa doctor` lists those of plugins.", ours=STANDARD)
    if not isinstance(row, Operation) or row.name != name:
        raise FaaError(f"The plugin '{name}' of group {GROUP} must be an Operation of that name, not {row!r}.")
    return row


def batched_of(row: Operation) -> Batched | None:
    """Return how engines carry an operation out for batches: as its base, if it has that one's kernel.

    Args:
        row: Of a policy, on any axis.

    Returns:
        None where its pixels are made by its kernel alone, image by image.
    """
    try:
        base = operation(row.base)
    except UnknownNameError:  # an operation that was made without being installed
        return None
    return base.in_batches if base.kernel == row.kernel else None
