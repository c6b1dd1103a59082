"""What processing does to images. Images are float64 ``[B, H, W, C]`` in [0, 1], square."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from faa_search.measuring.corruptions.draws import Draws, Floats


def contrast(images_BHWC: Floats, figures: tuple[float, ...], _draws: Draws) -> Floats:
    """Shrink the distance of each channel to its mean by a factor."""
    (factor,) = figures
    means_B11C: Floats = images_BHWC.mean(axis=(1, 2), keepdims=True)
    return (images_BHWC - means_B11C) * factor + means_B11C


def elastic_transform(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Shift three points, and the whole image affinely with them; then each pixel by a smooth random field.

    Args:
        images_BHWC: Images.
        figures: Height and smoothness of the field, and the furthest shift of a point, in sides of the image.
        draws: The field and the shifts.
    """
    side = images_BHWC.shape[1]
    height, smoothness, furthest = (side * figure for figure in figures)
    y_HW, x_HW = np.mgrid[:side, :side].astype(np.float64)
    centre, reach = side // 2, side // 3
    points_32 = np.array([[1, 1], [1, -1], [-1, -1]]) * reach + float(centre)
    moved_B32 = points_32 + draws.uniform("points", 3, 2, low=-furthest, high=furthest)
    ones_B31 = np.ones((len(images_BHWC), 3, 1))
    moved_B33 = np.concatenate([moved_B32, ones_B31], axis=2)
    back_B32 = np.linalg.solve(moved_B33, np.broadcast_to(points_32, moved_B32.shape))
    places_HW3 = np.stack([x_HW, y_HW, np.ones_like(x_HW)], axis=-1)
    x_BHW, y_BHW = np.moveaxis(np.einsum("hwk,bkd->bhwd", places_HW3, back_B32), -1, 0)
    turned = _sampled(images_BHWC, y_BHW, x_BHW, mode="mirror")
    dy_BHW, dx_BHW = (
        height
        * gaussian_filter(
            draws.uniform(f"field {axis}", side, side, low=-1, high=1), (0, smoothness, smoothness), truncate=3
        )
        for axis in ("y", "x")
    )
    return _sampled(turned, y_HW + dy_BHW, x_HW + dx_BHW, mode="reflect")


def pixelate(images_BHWC: Floats, figures: tuple[float, ...], _draws: Draws) -> Floats:
    """Shrink to a share of the side and enlarge again, both by means over boxes."""
    side = images_BHWC.shape[1]
    small = max(1, int(side * figures[0]))

    def pixelated(image: Image.Image) -> Image.Image:
        return image.resize((small, small), Image.Resampling.BOX).resize((side, side), Image.Resampling.BOX)

    return _by_pillow(images_BHWC, pixelated)


def jpeg_compression(images_BHWC: Floats, figures: tuple[float, ...], _draws: Draws) -> Floats:
    """Compress as JPEG of a quality."""

    def compressed(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, "JPEG", quality=int(figures[0]))
        return Image.open(file)

    return _by_pillow(images_BHWC, compressed)


def _by_pillow(images_BHWC: Floats, change: Callable[[Image.Image], Image.Image]) -> Floats:
    whole = np.rint(255 * images_BHWC).astype(np.uint8)
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in whole]) / 255


def _sampled(images_BHWC: Floats, y_BHW: Floats, x_BHW: Floats, *, mode: str) -> Floats:
    """Return the images read at other places, with linear interpolation."""
    numbers_BHW = np.broadcast_to(np.arange(len(images_BHWC), dtype=np.float64)[:, None, None], y_BHW.shape)
    places = np.stack([numbers_BHW, y_BHW, x_BHW])
    channels = np.moveaxis(images_BHWC, -1, 0)
    return np.stack([map_coordinates(one, places, order=1, mode=mode) for one in channels], axis=-1)
