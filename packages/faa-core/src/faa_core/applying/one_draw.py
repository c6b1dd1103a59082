"""Images that share one draw, for transforms in loader processes: by the compiled engine, or else by torch."""

from typing import Any

import numpy as np
import torch
from PIL.Image import Image as PILImage
from torch import Tensor

from faa_core.drawing.drawing import draw_instructions, prepare
from faa_core.engines.choosing import engine_for, missing_for
from faa_core.engines.torch import engine as torch_engine
from faa_core.operations.instructions import LONGEST_SIDE
from faa_core.policies.policy import Policy
from faa_core.policies.stages import Real


class OneDraw:
    """Carries out a policy of standard operations on images that share a draw: that of row 0 under a key."""

    def __init__(self, policy: Policy) -> None:
        """Prepare a policy for which `shares_draws` is true."""
        self._policy = policy
        self._missing = missing_for(policy)
        self._prepared = prepare(policy)
        self._first_1 = np.zeros(1, dtype=np.int64)

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
        from faa_core.engines.numba import calls  # noqa: PLC0415 numba is optional

        instructions_S8 = self._instructions(key, height=image.height, width=image.width, compiled=True)
        return calls.run_pil(image, instructions_S8) if any(instructions_S8[:, 0].tolist()) else image

    def tensors(self, images: Tensor, key: int) -> Tensor:
        """Return uint8 or uint16 images ``[..., C, H, W]``, on any device, all after the draw of a key."""
        height, width = images.shape[-2:]
        images_BCHW = images.reshape(-1, *images.shape[-3:])
        no_partners = torch.empty(0, dtype=torch.uint8)
        fast = engine_for("auto", self._missing, images_BCHW) == "numba"
        one_S8 = self._instructions(key, height=height, width=width, compiled=fast)
        alike_BS8 = np.repeat(one_S8[None], len(images_BCHW), axis=0)
        if fast:
            from faa_core.engines.numba import calls  # noqa: PLC0415 numba is optional

            return calls.run(images_BCHW, torch.from_numpy(alike_BS8), no_partners, (), ()).view(images.shape)
        done = torch_engine.run(images_BCHW, alike_BS8, interpolation=self._policy.interpolation, partners=no_partners)
        return done.view(images.shape)

    def _instructions(self, key: int, *, height: int, width: int, compiled: bool) -> Real:
        """Return the instructions of one image, ``[S, 8]``."""
        only_S8: Real = draw_instructions(self._prepared, (key, 0), self._first_1, (height, width), compiled=compiled)[
            0
        ]
        return only_S8


def shares_draws(policy: Policy) -> bool:
    """Return whether plain torch has all operations of a policy, and none needs another image."""
    return not policy.mixes_images and not missing_for(policy)["torch"]
