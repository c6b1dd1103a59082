"""Zoom, a geometric operation: the pixels, and whatever else belongs to an image, move by one map."""

from faa_core.operations import Drawn, Operation
from faa_core.operations.geometry import Matrix
from faa_core.operations.kernels import Moved


def zoom(factor: float, width: int, height: int, _drawn: Drawn) -> Matrix:
    """Return where each output pixel reads the input: nearer to the centre for factors above 1, which enlarge."""
    return 1 / factor, 0, width / 2 * (1 - 1 / factor), 0, 1 / factor, height / 2 * (1 - 1 / factor)


ZOOM = Operation(
    name="Zoom",
    kernel=Moved(zoom),
    low=0.5,  # half the size at λ = 0
    high=1.5,
    unit="factor",
    identity=0.5,
    matrix=zoom,
)
