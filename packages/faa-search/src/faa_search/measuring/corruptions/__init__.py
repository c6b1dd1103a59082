"""The corruptions of CIFAR-10-C and ImageNet-C (Hendrycks and Dietterich 2019): made here, or read as published.

Made with numpy, scipy and Pillow, because the maintained library for them, torch-uncertainty, has ImageNet-C's figures
only, draws from global state, and wants kornia and OpenCV. Frost needs photographs, which have to be given.
"""

from faa_search.measuring.corruptions.making import corrupt
from faa_search.measuring.corruptions.photographs import read_photographs
from faa_search.measuring.corruptions.published import Published, open_published
from faa_search.measuring.corruptions.table import CORRUPTIONS, SEVERITIES, Corruption

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "Corruption",
    "Published",
    "corrupt",
    "open_published",
    "read_photographs",
]
