"""Policies in timm: a training transform, timm's loaders, and timm's scripts (``python -m faa_search.timm SCRIPT``)."""

from faa_search.timm.loaders import policies_in_timm
from faa_search.timm.transforms import create_transform

__all__ = ["create_transform", "policies_in_timm"]
