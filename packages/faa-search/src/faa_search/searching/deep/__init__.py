"""Deep AutoAugment (Zheng et al. 2022): layers of transforms, found one after the other by matching gradients."""

from faa_search.searching.deep.algorithm import DEEP

__all__ = ["DEEP"]
