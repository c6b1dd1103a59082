"""Checkpoints of the original repositories as networks of timm: `read_checkpoint`, `convert`, `save`.

Wide-ResNet, Shake-Shake, Shake-Shake ResNeXt and PyramidNet of the Fast AutoAugment release and of what was built on
it. Nothing that a file holds is executed, and a converted network is compared with the original's equations before it
is handed out.
"""

from faa_models.conversion.converting import Converted, convert, save
from faa_models.conversion.reading import read_checkpoint

__all__ = ["Converted", "convert", "read_checkpoint", "save"]
