"""Data sets: opening them by name, subsets, and images in memory or decoded when asked for."""

from faa_search.data.opening import OpenedData, decode_into_array, open_data, open_stored
from faa_search.data.parts import DATA_SEED, draw_stratified
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
    "decode_into_array",
    "draw_stratified",
    "open_data",
    "open_stored",
]
