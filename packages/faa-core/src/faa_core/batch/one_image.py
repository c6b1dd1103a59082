"""One image at a time through the compiled engine, for transforms in loader processes."""

import numpy as np
import torch
from PIL.Image import Image as PILImage
from torch import Tensor

from faa_core.batch.engines import LONGEST_SIDE, missing_for
from faa_core.batch.instructions import WIDTH, Code, Numbers
from faa_core.batch.tables import tables_of
from faa_core.policies.policy import Policy


class CompiledImage:
    """Augments one image like Pillow, to the bit, in a fraction of the time."""

    def __init__(self, policy: Policy) -> None:
        """Prepare a policy that `compiles`."""
        self._tables = tables_of(policy)

    def instructions(self, key: int, *, height: int, width: int) -> Numbers:
        """Return the instructions of an image, ``[S, 8]``: those of row 0 under a key."""
        from faa_core.batch.compiled import drawing  # noqa: PLC0415 numba is optional

        rows_1S8 = np.zeros((1, len(self._tables.count_S), WIDTH))
        index_1 = np.zeros(1, dtype=np.int64)
        drawing.draw(self._tables, np.uint64(key), np.uint64(0), index_1, height, width, rows_1S8)
        instructions_S8: Numbers = rows_1S8[0]
        return instructions_S8

    def pil(self, image: PILImage, key: int) -> PILImage:
        """Return an RGB or L image after the draw of a key."""
        from faa_core.batch.compiled import calls  # noqa: PLC0415 numba is optional

        instructions_S8 = self.instructions(key, height=image.height, width=image.width)
        return calls.run_pil(image, instructions_S8) if (instructions_S8[:, 0] != Code.NOTHING).any() else image

    def tensor(self, image: Tensor, key: int) -> Tensor:
        """Return images ``[..., C, H, W]``, uint8 with C of 1 or 3, all after the draw of one key."""
        from faa_core.batch.compiled import calls  # noqa: PLC0415 numba is optional

        height, width = image.shape[-2:]
        instructions = torch.from_numpy(self.instructions(key, height=height, width=width))
        images = image.reshape(-1, *image.shape[-3:])
        none = torch.empty(0, dtype=torch.uint8)
        alike = instructions.repeat(len(images), 1, 1)
        return calls.run(images, alike, none, (), ()).view(image.shape)


def compiles(policy: Policy) -> bool:
    """Return whether the compiled engine is installed and has every operation of a policy."""
    return not missing_for(policy)["numba"] and not _mixes(policy)


def _mixes(policy: Policy) -> bool:
    return any(operation.base == "SamplePairing" for operation in policy.table.values())


def fits(image: PILImage) -> bool:
    """Return whether the compiled engine takes an image."""
    return image.mode in ("RGB", "L") and 1 <= min(image.size) <= max(image.size) <= LONGEST_SIDE
