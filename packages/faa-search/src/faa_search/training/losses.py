"""What is minimised, and batches whose images and labels are mixed (mixup, CutMix), with every draw keyed.

Shapes: B images, C channels or classes, H rows, W columns.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import betaincinv
from timm.data.mixup import mixup_target
from timm.loss import BinaryCrossEntropy
from torch import Tensor
from torch.nn import functional

from faa_core.randomness import uniforms
from faa_search.settings.fitting import LossConfig

Loss = Callable[[Tensor, Tensor], Tensor]
Box = tuple[slice, slice]  # rows and columns
ALPHAS = (1e-6, 1e6)  # beyond these λ is 0 or 1, or ½, and the quantile is not always found


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How one batch is mixed with itself turned round, so that image i meets image B − 1 − i.

    Attributes:
        share: λ, the part of each image and label that stays its own, in [0, 1].
        box: CutMix's rectangle, which shows the partner; None for mixup, where both shine through everywhere.
    """

    share: float
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """Mixup and CutMix of whole batches, as timm does them in batch mode; any batch size, odd ones too.

    Attributes:
        config: Alphas, probabilities, the epoch from which nothing is mixed, smoothing.
        classes: How many.
    """

    config: LossConfig
    classes: int

    def __call__(self, images_BCHW: Tensor, labels_B: Tensor, *, key: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Return mixed images and their soft targets, which are smoothed already.

        No value is read from a device, so nothing waits for it.

        Args:
            images_BCHW: Shape ``[B, C, H, W]``, floating; stays as it is.
            labels_B: Shape ``[B]``, int64.
            key: Of this batch's draws, from `faa_core.randomness.key_of`.
            epoch: From 0.

        Returns:
            Images of the same shape, dtype and device, and targets ``[B, classes]``, float32, each row's sum 1.
        """
        height, width = images_BCHW.shape[-2:]
        mix = self.draw(key=key, epoch=epoch, height=height, width=width)
        smoothing = self.config.smoothing
        targets_BC: Tensor = mixup_target(labels_B, self.classes, mix.share, smoothing)  # type: ignore[no-untyped-call]
        return _mixed(images_BCHW, mix), targets_BC

    def draw(self, *, key: int, epoch: int, height: int, width: int) -> Mix:
        """Return how the batch of a key is mixed.

        Args:
            key: Of the draws.
            epoch: From 0; from `mixup_off_epoch` on nothing is mixed.
            height: Of the images, pixels.
            width: Of the images, pixels.
        """
        config = self.config
        gate, switch, quantile, row, column = uniforms(key, np.zeros(1, dtype=np.int64), 5)[0].tolist()
        off = 0 < config.mixup_off_epoch <= epoch
        if off or gate >= config.mixup_prob:
            return Mix(share=1.0)
        cut = config.cutmix > 0 and (config.mixup == 0 or switch < config.mixup_switch_prob)
        alpha = float(np.clip(config.cutmix if cut else config.mixup, *ALPHAS))
        share = float(betaincinv(alpha, alpha, quantile))  # the quantile of Beta(α, α)
        if not cut:
            return Mix(share=share)
        rows = _span(height, share, centre=int(row * height))
        columns = _span(width, share, centre=int(column * width))
        shown = (rows.stop - rows.start) * (columns.stop - columns.start)
        return Mix(share=1.0 - shown / (height * width), box=(rows, columns))


def make_mixing(config: LossConfig, *, classes: int) -> Mixing | None:
    """Return what mixes batches, or None if the settings never mix."""
    if config.mixup_prob == 0 or (config.mixup == 0 and config.cutmix == 0):
        return None
    return Mixing(config=config, classes=classes)


def make_loss(config: LossConfig) -> Loss:
    """Return the loss: the mean over the batch, computed in float32.

    It takes logits ``[B, C]`` and either labels, int64 ``[B]``, or soft targets, floating ``[B, C]``. Labels are
    smoothed by ε: (1 − ε) · one-hot + ε / C. Soft targets are taken as they are, since `Mixing` smooths its own.
    With `bce_loss` each class is a separate yes or no, and the mean is over the classes too.
    """
    if config.bce_loss:
        dense: Loss = BinaryCrossEntropy(smoothing=config.smoothing)  # which smooths labels, not soft targets
        sparse = dense
    else:
        dense = functional.cross_entropy
        sparse = partial(functional.cross_entropy, label_smoothing=config.smoothing)

    def loss(logits_BC: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            return dense(logits_BC.float(), targets.float())
        return sparse(logits_BC.float(), targets)

    return loss


def _mixed(images_BCHW: Tensor, mix: Mix) -> Tensor:
    if mix.share == 1.0:
        return images_BCHW
    if mix.box is None:
        return images_BCHW * mix.share + images_BCHW.flip(0) * (1.0 - mix.share)
    place = (..., *mix.box)
    mixed_BCHW = images_BCHW.clone()
    mixed_BCHW[place] = images_BCHW[place].flip(0)
    return mixed_BCHW


def _span(side: int, share: float, *, centre: int) -> slice:
    """Return the pixels that CutMix's rectangle covers along one side; what lies outside the image is lost."""
    length = int(side * math.sqrt(1.0 - share))
    start = centre - length // 2
    return slice(max(0, start), min(side, start + length))
