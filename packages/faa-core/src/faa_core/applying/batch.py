"""A policy as a module that augments batches, each image with its own draw.

Shapes: B images, C channels, H × W pixels, S stages.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from faa_core.applying.checks import check_images, check_parts, indices_of
from faa_core.applying.operators import augment, augment_operator, draw_by_keys, draw_operator
from faa_core.drawing.baseline import Baseline, Normalize
from faa_core.drawing.drawing import prepare
from faa_core.engines.choosing import Engine, engine_for, missing_for, undrawable
from faa_core.errors import FaaError
from faa_core.operations.instructions import WIDTH
from faa_core.policies.policy import Policy
from faa_core.policies.stages import NO_STAGES
from faa_core.randomness import check_keys

MOST_THREADS = 1024
Indices = Tensor | Sequence[int] | NDArray[np.integer[Any]]


class PolicyBatch(nn.Module):
    """Augments a batch: every image has its own sub-policy, gates, magnitudes, signs and places.

    The draw of an image depends on (seed, epoch, index) alone, so splitting a batch, its order, processes and devices
    change no pixel. All engines give the same bits. Works under ``torch.compile`` with ``fullgraph=True``, but for
    operations that only exist image by image.

    Called without seed, epoch and indices it is a layer, as in ``nn.Sequential``: while training it draws from torch's
    generator (a graph break under ``torch.compile``), and in evaluation it only normalises.
    """

    partners: Tensor

    def __init__(
        self,
        policy: Policy,
        *,
        baseline: Baseline | None = None,
        normalize: Normalize | None = None,
        partners: Tensor | None = None,
        engine: Engine | Literal["auto"] = "auto",
        threads: int = 1,
    ) -> None:
        """See `Policy.to_batch`."""
        super().__init__()
        check_parts(policy, baseline, normalize, partners)
        if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
            raise FaaError(f"`threads` must be a whole number from 1 to {MOST_THREADS:,}, not {threads!r:.40}.")
        self.policy, self.baseline, self.normalize = policy, baseline, normalize
        self.engine, self.threads = engine, threads
        given = 0 if partners is None else len(partners)
        if given == 0 and policy.mixes_images:
            raise FaaError(
                f"The policy '{policy.name}' mixes in other images (SamplePairing). Only `faa train` and `faa compare` "
                "give it some; take a policy without elsewhere. In Python, give `partners`, uint8 [M, C, H, W]."
            )
        self._missing, self._undrawable = missing_for(policy), undrawable(policy)
        if engine not in ("auto", *self._missing):
            raise FaaError(f"There is no engine '{engine}'; there are {', '.join(self._missing)} and auto.")
        self.register_buffer(
            "partners", torch.empty(0, dtype=torch.uint8) if partners is None else partners, persistent=False
        )
        stages = NO_STAGES if engine == "pillow" or self._missing["torch"] else None
        self._source = prepare(policy, baseline, partners=given, stages=stages)
        tables = (*self._source.stages, *self._source.around)
        self._tables = [torch.from_numpy(table) for table in tables]  # as torch.compile sees them
        self._bases, self._stages = "\n".join(self._source.operations), self._source.instructions
        self._scale, self._bias = normalize.scale_and_bias if normalize is not None else ((), ())

    def forward(
        self, images: Tensor, *, seed: int | None = None, epoch: int | None = None, indices: Indices | None = None
    ) -> Tensor:
        """Return the augmented batch; without seed, epoch and indices, that of a layer.

        Args:
            images: uint8 ``[B, C, H, W]``, any number of channels, or uint16 (plain torch only); sides up to 8,192.
            seed: Of the run.
            epoch: Or view: any further number the draws depend on.
            indices: int64 ``[B]`` on the CPU, or a list or an array of whole numbers: each image's number in its data
                set.

        Returns:
            A new tensor like `images`, or float32 if the module normalises.

        Raises:
            FaaError: If an argument is none of these, some of the three are missing, or the engine asked for cannot
                do it.
        """
        self._check_images(images)
        if seed is None and epoch is None and indices is None:
            if not self.training:
                return self._unaugmented(images)
            seed, epoch, indices = int(torch.randint(2**63 - 1, ())), 0, torch.arange(len(images))
        if seed is None or epoch is None or indices is None:
            raise FaaError(
                "A draw has three keys: give seed, epoch and indices, or none of them, to draw from torch's generator."
            )
        check_keys(seed, epoch)
        indices = indices_of(indices, wanted=len(images))
        engine = engine_for(self.engine, self._missing, images)
        if engine == "pillow":
            images = one_by_one(self.policy, images, self.partners, seed=seed, epoch=epoch, indices=indices)
            engine = "torch"  # for the baseline
        return self._carried_out(images, self._drawn(images, indices, seed, epoch), engine)

    def instructions(self, images: Tensor, *, seed: int, epoch: int, indices: Indices) -> Tensor:
        """Return what `forward` would do, and do nothing: for those who pick among draws before any is carried out.

        Args:
            images: As for `forward`; only their size, type and device matter, and there may be more or fewer of them.
            seed: As for `forward`.
            epoch: As for `forward`.
            indices: int64 ``[R]`` on the CPU: as for `forward`, of each draw.

        Returns:
            float64 ``[R, S, 8]`` on the CPU: S instructions in order for each draw; see `instructions.py`.

        Raises:
            FaaError: If an argument is none of these, or the engine is Pillow's, which draws as it goes.
        """
        self._check_images(images)
        check_keys(seed, epoch)
        indices = indices_of(indices)
        self._instructed(images)
        return self._drawn(images, indices, seed, epoch)

    def carry_out(self, images: Tensor, instructions: Tensor) -> Tensor:
        """Return the batch after instructions; `forward` is this after `instructions`.

        Args:
            images: As for `forward`, ``[B, C, H, W]``.
            instructions: float64 ``[B, S, 8]`` on the CPU, as `instructions` returns them.

        Raises:
            FaaError: As `instructions`.
        """
        self._check_images(images)
        engine = self._instructed(images)
        expected = (len(images), self._stages, WIDTH)
        if not isinstance(instructions, Tensor):
            raise FaaError(f"`instructions` must be a tensor, as `instructions` returns one, not {instructions!r:.80}.")
        if instructions.shape != expected or instructions.dtype != torch.float64 or instructions.device.type != "cpu":
            raise FaaError(
                f"`instructions` must be float64 {list(expected)} on the CPU, as `instructions` returns them; not "
                f"{instructions.dtype} {list(instructions.shape)} on {instructions.device}."
            )
        return self._carried_out(images, instructions.contiguous(), engine)

    def _unaugmented(self, images: Tensor) -> Tensor:
        """Return a batch that is at most normalised."""
        engine = engine_for(self.engine, self._missing, images)
        nothing = torch.zeros((len(images), self._stages, WIDTH), dtype=torch.float64)
        return self._carried_out(images, nothing, "torch" if engine == "pillow" else engine)

    def _instructed(self, images: Tensor) -> Engine:
        engine = engine_for(self.engine, self._missing, images)
        if engine == "pillow":
            raise FaaError("The engine 'pillow' has no instructions; it draws as it goes.")
        return engine

    def _drawn(self, images: Tensor, indices: Tensor, seed: int, epoch: int) -> Tensor:
        size, compiled = images.shape[-2:], self._undrawable == ""
        if not torch.compiler.is_compiling():
            return draw_by_keys(self._source, indices, seed, epoch, size, compiled)
        drawn: Tensor = draw_operator(indices, self._tables, self._bases, self._stages, seed, epoch, size, compiled)
        return drawn

    def _carried_out(self, images: Tensor, instructions: Tensor, engine: Engine) -> Tensor:
        augmenting = augment_operator if torch.compiler.is_compiling() else augment
        scale = self._scale if images.dtype == torch.uint8 else [factor / 257 for factor in self._scale]
        interpolation = self.policy.interpolation
        result: Tensor = augmenting(
            images, instructions, self.partners, engine, interpolation, scale, self._bias, self.threads
        )
        return result

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore on a machine that may have other engines."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._missing, self._undrawable = missing_for(self.policy), undrawable(self.policy)

    def extra_repr(self) -> str:
        """Return what `repr` shows."""
        return (
            f"policy={self.policy.name!r}, baseline={self.baseline}, normalize={self.normalize}, engine={self.engine!r}"
        )

    def _check_images(self, images: Tensor) -> None:
        check_images(images)
        if self._scale and len(self._scale) != images.shape[1]:
            raise FaaError(f"Normalize has {len(self._scale)} channels, the images {images.shape[1]}.")
        if len(self.partners) and (
            self.partners.shape[1:] != images.shape[1:]
            or self.partners.dtype != images.dtype
            or self.partners.device != images.device
        ):
            raise FaaError(
                f"`partners` must be like the images, {images.dtype} [M, {', '.join(map(str, images.shape[1:]))}] on "
                f"{images.device}, not {self.partners.dtype} {list(self.partners.shape)} on {self.partners.device}."
            )


def one_by_one(policy: Policy, images: Tensor, partners: Tensor, *, seed: int, epoch: int, indices: Tensor) -> Tensor:
    """Return images ``[B, C, H, W]`` that Pillow augmented, one after the other, with the same draws as any engine."""
    drawn = policy.draw(seed=seed, epoch=epoch, indices=indices.numpy())
    others = [to_pil_image(partner) for partner in partners]
    done = [
        pil_to_tensor(policy.apply_steps(to_pil_image(image), steps, partners=others)) if steps else image
        for image, steps in zip(images, drawn, strict=True)
    ]
    return torch.stack(done) if done else images.clone()
