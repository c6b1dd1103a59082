"""Networks of the augmentation-policy papers; importing this package registers them with timm."""

from importlib.metadata import PackageNotFoundError, version

from faa_models.pyramidnet import PyramidNet
from faa_models.shake_resnet import ShakeResNet, ShakeResNeXt
from faa_models.skipnet import SkipNet
from faa_models.wide_resnet import WideResNet

__all__ = ["PyramidNet", "ShakeResNeXt", "ShakeResNet", "SkipNet", "WideResNet", "__version__"]

try:
    __version__ = version("faa-models")
except PackageNotFoundError:  # a source tree on the path, not an installed package
    __version__ = "0+unknown"
