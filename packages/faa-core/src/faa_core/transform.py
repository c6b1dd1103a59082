"""A policy as a torchvision v2 transform."""

from typing import Any

import torch
from PIL.Image import Image as PILImage
from torchvision import tv_tensors
from torchvision.transforms import v2

from faa_core.policies.policy import Policy


class PolicyTransform(v2.Transform):
    """Augments one image, PIL (RGB or L) or uint8 tensor ``[1 or 3, H, W]``, with a fresh draw at each call.

    Like every v2 transform it draws from torch's generator, which a DataLoader seeds per worker. For draws that do
    not depend on workers use `Policy.apply`, keyed by (seed, epoch, index).
    """

    _transformed_types = (torch.Tensor, PILImage)

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Refuse inputs that would have to move with the image, or hold no image, as torchvision's AutoAugment does.

        Raises:
            TypeError: If a box, mask, key point or video is among the inputs, or nothing to augment is.
        """
        refused = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints, tv_tensors.Video)
        for given in flat_inputs:
            if isinstance(given, refused):
                raise TypeError(f"PolicyTransform augments images; it cannot take a {type(given).__name__}.")
        if not any(isinstance(given, self._transformed_types) for given in flat_inputs):
            raise TypeError("PolicyTransform found no image: it takes PIL images and uint8 tensors [1 or 3, H, W].")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the steps drawn for this call."""
        row = torch.rand(self.policy.slots, dtype=torch.float64).tolist()
        return {"steps": self.policy.steps(row)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one image after the drawn steps, of the type it came in.

        Raises:
            TypeError: If a tensor is not uint8 of shape ``[1 or 3, H, W]``.
        """
        if isinstance(inpt, PILImage):
            return self.policy.apply_steps(inpt, params["steps"])
        if inpt.dtype != torch.uint8 or inpt.ndim != 3 or inpt.shape[0] not in (1, 3):
            raise TypeError(
                f"PolicyTransform takes PIL images and uint8 tensors [1 or 3, H, W], "
                f"not {inpt.dtype} {list(inpt.shape)}."
            )
        image = self.policy.apply_steps(v2.functional.to_pil_image(inpt), params["steps"])
        return tv_tensors.wrap(v2.functional.pil_to_tensor(image).to(inpt.device), like=inpt)

    def extra_repr(self) -> str:
        """Return what `repr` shows."""
        return f"policy={self.policy.name!r}"
