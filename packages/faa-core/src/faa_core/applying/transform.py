"""A policy as a torchvision v2 transform."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL.Image import Image as PILImage
from PIL.Image import Resampling
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from faa_core.applying.annotations import moved_boxes, moved_keypoints, moved_mask, moved_plane
from faa_core.applying.one_draw import OneDraw, shares_draws
from faa_core.errors import FaaError
from faa_core.operations import Step
from faa_core.policies.policy import Policy
from faa_core.randomness import uniforms

COLOURS = {"RGB": "RGB", "L": "L", "RGBA": "RGB", "LA": "L"}  # modes, and the mode of their colour channels
ANNOTATIONS = (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints, tv_tensors.Mask)


class PolicyTransform(v2.Transform):
    """Augments images and what belongs to them, with one fresh draw at each call for all of its inputs.

    Which inputs are taken is v2's rule: PIL images, TVTensors, and the first plain tensor where there is no other image
    or video; everything else passes. Nested lists and dictionaries keep their structure.

    * PIL images of mode RGB or L. Of RGBA and LA the colours are augmented; alpha only moves, and is 0 outside.
    * uint8 and uint16 tensors and `Image` ``[..., C, H, W]``, `Video` ``[..., T, C, H, W]``: all images of a batch and
      all frames of a clip get the same steps. `policy.to_batch()` gives every image of a batch its own. Policies with
      SamplePairing or with a plugin's own pixels take uint8 and 1 or 3 channels.
    * `Mask` moves with the image to the pixel (nearest, 0 outside), `BoundingBoxes` and `KeyPoints` by the same map.

    Only geometric operations move them: shears, translations, Rotate, Flip, Crop, RandomResizedCrop, and those of
    plugins that have a `matrix`. All others are photometric, Cutout, CutoutAbs and SamplePairing included: masks, boxes
    and points stay.

    Like every v2 transform it draws from torch's generator, which a DataLoader seeds per worker. For draws that do
    not depend on workers use `Policy.apply`, keyed by (seed, epoch, index). Under ``torch.compile`` it runs as it is,
    between two compiled parts, with the same draws.
    """

    _transformed_types = (torch.Tensor, PILImage)

    def __init__(self, policy: Policy, *, partners: Sequence[PILImage] = ()) -> None:
        """Take a policy, and for SamplePairing the images to mix in.

        Args:
            policy: Of any kind.
            partners: PIL images of the size and colour mode (RGB or L) of those to come.
        """
        super().__init__()
        self.policy = policy
        self.partners = tuple(partners)
        self._one_draw = OneDraw(policy) if shares_draws(policy) else None

    @torch.compiler.disable(reason="A draw decides which operations run, and PIL images are not tensors.")  # type: ignore[no-untyped-call]
    def forward(self, *inputs: Any) -> Any:
        """Return the inputs augmented, in the structure they came in; a lone PIL image takes the short way."""
        if len(inputs) == 1 and isinstance(inputs[0], PILImage) and self._one_draw and self._one_draw.takes(inputs[0]):
            return self._one_draw.picture(inputs[0], _key())
        return super().forward(*inputs)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Refuse a call that would change nothing, and annotations of another size than the image.

        Raises:
            TypeError: If nothing to augment is among the inputs.
            FaaError: If masks, boxes or key points are for another size than the image.
        """
        taken = [
            given for given, needs in zip(flat_inputs, self._needs_transform_list(flat_inputs), strict=True) if needs
        ]
        if not taken:
            raise TypeError(
                "PolicyTransform found no image: it takes PIL images, uint8 and uint16 tensors [..., C, H, W], and "
                "masks, boxes and key points as TVTensors."
            )
        sizes = [(type(given).__name__, *v2.functional.get_size(given)) for given in taken]
        if any(isinstance(given, ANNOTATIONS) for given in taken) and len({size[1:] for size in sizes}) > 1:
            raise FaaError(
                f"Image, masks, boxes and key points of one sample must have one size, but these have (height, width): "
                f"{', '.join(f'{name} ({height}, {width})' for name, height, width in sizes)}. Resize them together."
            )

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the draw of this call, whose key comes from torch's generator."""
        return {"draw": Draw(self.policy, _key())}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one input after the drawn steps, of the type, shape and dtype it came in, on its device.

        Raises:
            TypeError: If an image or video is a tensor, but not of a dtype and shape that the policy takes.
            FaaError: If a PIL image has another mode, a step has no partner to mix in, or boxes or points cannot
                follow a plugin's operation.
        """
        draw: Draw = params["draw"]
        match inpt:
            case PILImage():
                return self._augment_picture(inpt, draw)
            case tv_tensors.Mask():
                return moved_mask(inpt, draw.steps)
            case tv_tensors.BoundingBoxes():
                return moved_boxes(inpt, draw.steps)
            case tv_tensors.KeyPoints():
                return moved_keypoints(inpt, draw.steps)
        return tv_tensors.wrap(self._augment_tensor(inpt.as_subclass(Tensor), draw), like=inpt)

    def extra_repr(self) -> str:
        """Return what `repr` shows."""
        return f"policy={self.policy.name!r}" + (f", partners={len(self.partners)}" if self.partners else "")

    def _augment_picture(self, image: PILImage, draw: "Draw") -> PILImage:
        if self._one_draw is not None and self._one_draw.takes(image):
            return self._one_draw.picture(image, draw.key)
        if image.mode not in COLOURS:
            raise FaaError(
                f"PolicyTransform takes PIL images of mode RGB, L, RGBA or LA, not {image.mode}; {_way(image)}."
            )
        if image.mode in ("RGB", "L"):
            return self.policy.apply_steps(image, draw.steps, partners=self.partners)
        augmented = self.policy.apply_steps(image.convert(COLOURS[image.mode]), draw.steps, partners=self.partners)
        resample = Resampling[self.policy.interpolation.upper()]
        augmented.putalpha(moved_plane(image.getchannel("A"), draw.steps, resample))
        return augmented

    def _augment_tensor(self, tensor: Tensor, draw: "Draw") -> Tensor:
        """Return images ``[..., C, H, W]`` after the steps, all after the same."""
        dtypes = (torch.uint8, torch.uint16) if self._one_draw is not None else (torch.uint8,)
        channels = tensor.shape[-3] if tensor.ndim >= 3 else 0
        if tensor.dtype not in dtypes or channels == 0 or (self._one_draw is None and channels not in (1, 3)):
            allowed = (
                "uint8 or uint16 tensors [..., C, H, W]" if self._one_draw else "uint8 tensors [..., 1 or 3, H, W]"
            )
            raise TypeError(
                f"This PolicyTransform takes PIL images and {allowed}, not {tensor.dtype} {list(tensor.shape)}."
            )
        if tensor.numel() == 0:
            return tensor
        if self._one_draw is not None:
            return self._one_draw.tensors(tensor, draw.key)
        augmented = [
            self.policy.apply_steps(v2.functional.to_pil_image(image_CHW), draw.steps, partners=self.partners)
            for image_CHW in tensor.cpu().reshape(-1, *tensor.shape[-3:])
        ]
        images_BCHW = torch.stack([v2.functional.pil_to_tensor(image) for image in augmented])
        return images_BCHW.reshape(tensor.shape).to(tensor.device)


@dataclass(frozen=True, eq=False)
class Draw:
    """What one call draws.

    Attributes:
        policy: Of which it is drawn.
        key: Of the uniform numbers.
    """

    policy: Policy
    key: int

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The operations, with everything random settled."""
        row_S = uniforms(self.key, np.zeros(1, dtype=np.int64), self.policy.slots)[0]
        return self.policy.steps(row_S.tolist())


def _key() -> int:
    """Return a key from torch's generator."""
    return int(torch.randint(2**63 - 1, ()))


def _way(image: PILImage) -> str:
    """Return what to do with an image of a mode that is not taken."""
    if image.mode == "F" or image.mode.startswith("I"):
        return "bring its values to 0…255 and use image.convert('L')"
    if image.mode == "1":
        return "use image.convert('L') first"
    seen_through = image.mode in ("RGBa", "La", "PA") or "transparency" in image.info
    return f"use image.convert('{'RGBA' if seen_through else 'RGB'}') first"
