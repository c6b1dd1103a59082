"""Images that share one draw, for transforms in loader processes: by the compiled engine, or else by torch."""

from typing import Any

import numpy as np
import torch
from PIL.Image import Image as PILImage
from torch import Tensor

from faa_core.batch import torch_engine
from faa_core.batch.drawing import draw_instructions
from faa_core.batch.engines import engine_for, missing_for
from faa_core.batch.instructions import LONGEST_SIDE, WIDTH, Numbers
from faa_core.batch.tables import tables_of
from faa_core.policies.policy import Policy


class OneDraw:
    """Carries out a policy of standard operations on images that share a draw: that of row 0 under a key."""

    def __init__(self, policy: Policy) -> None:
        """Prepare a policy for which `shares_draws` is true."""
        self._policy = policy
        self._missing = missing_for(policy)
        self._tables = tables_of(policy)
        self._first_1, self._no_baseline = np.zeros(1, dtype=np.int64), np.uint64(0)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore on a machine that may have other engines."""
        self.__dict__.update(state)
        self._missing = missing_for(self._policy)

    def takes(self, image: PILImage) -> bool:
        """Return whether `picture` takes an image: RGB or L, where the compiled engine is installed."""
        usual = image.mode in ("RGB", "L") and 1 <= min(image.size) <= max(image.size) <= LONGEST_SIDE
        return usual and not self._missing["numba"]

    def picture(self, image: PILImage, key: int) -> PILImage:
        """Return an image that it `takes` after the draw of a key; to the bit as Pillow does it."""
        from faa_core.batch.compiled import calls  # noqa: PLC0415 numba is optional

        instructions_S8 = self._compiled_instructions(key, height=image.height, width=image.width)
        return calls.run_pil(image, instructions_S8) if any(instructions_S8[:, 0].tolist()) else image

    def tensors(self, images: Tensor, key: int) -> Tensor:
        """Return uint8 or uint16 images ``[..., C, H, W]``, on any device, all after the draw of a key."""
        height, width = images.shape[-2:]
        images_BCHW = images.reshape(-1, *images.shape[-3:])
        no_partners = torch.empty(0, dtype=torch.uint8)
        if engine_for("auto", self._missing, images_BCHW) == "numba":
            from faa_core.batch.compiled import calls  # noqa: PLC0415 numba is optional

            instructions_S8 = self._compiled_instructions(key, height=height, width=width)
            alike = torch.from_numpy(instructions_S8).repeat(len(images_BCHW), 1, 1)
            return calls.run(images_BCHW, alike, no_partners, (), ()).view(images.shape)
        one_1S8 = draw_instructions(self._tables, key, 0, np.zeros(1, dtype=np.int64), height, width)
        alike_BS8 = np.repeat(one_1S8, len(images_BCHW), axis=0)
        done = torch_engine.run(images_BCHW, alike_BS8, interpolation=self._policy.interpolation, partners=no_partners)
        return done.view(images.shape)

    def _compiled_instructions(self, key: int, *, height: int, width: int) -> Numbers:
        """Return the instructions of one image, ``[S, 8]``."""
        from faa_core.batch.compiled import drawing  # noqa: PLC0415 numba is optional

        rows_1S8 = np.zeros((1, len(self._tables.count_S), WIDTH))
        drawing.draw(self._tables, np.uint64(key), self._no_baseline, self._first_1, height, width, rows_1S8)
        instructions_S8: Numbers = rows_1S8[0]
        return instructions_S8


def shares_draws(policy: Policy) -> bool:
    """Return whether plain torch has all operations of a policy, and none needs another image."""
    return not policy.mixes_images and not missing_for(policy)["torch"]
