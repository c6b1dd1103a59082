"""Data sets: opening them by name, subsets, and images in memory or decoded when asked for."""

from faa_search.data.opening import OpenedData, in_one_array, open_data, open_stored
from faa_search.data.parts import DATA_SEED, stratified
from faa_search.data.source import ArraySource, DecodedSource, ImageSource
from faa_search.data.splits import DatasetRequest, Splits

__all__ = [
    "DATA_SEED",
    "ArraySource",
    "DatasetRequest",
    "DecodedSource",
    "ImageSource",
    "OpenedData",
    "Splits",
    "in_one_array",
    "open_data",
    "open_stored",
    "stratified",
]
