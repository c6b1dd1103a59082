"""Data sets that are named as timm names them: ``torch/…``, ``hfds/…`` and image folders.

timm's own dataset objects replace an unreadable image by its neighbour and number each split's classes by themselves.
Here an unreadable image is an error that names it, and the training split's classes count.
"""

from faa_core import FaaError
from faa_search.data.folders import open_folder
from faa_search.data.hub import open_hub
from faa_search.data.splits import DatasetRequest, Splits
from faa_search.data.torch_sets import open_torch

STREAMS = ("hfids/", "tfds/", "wds/")


def open_named(request: DatasetRequest) -> Splits:
    """Return the splits of a data set that timm names, or of an image folder.

    Raises:
        FaaError: If the data is missing, streamed, or has no labels.
    """
    if request.name.startswith(STREAMS):
        raise FaaError(
            f"'{request.name}' is a stream; a search needs images it can return to. Use hfds/… or an image folder."
        )
    if request.name in ("hfds/", "torch/"):
        raise FaaError(f"'{request.name}' lacks the name of the data set, as in hfds/OWNER/NAME or torch/NAME.")
    if request.name.startswith("hfds/"):
        return open_hub(request)
    if request.input_key or request.target_key:
        raise FaaError(f"--input-key and --target-key name columns of hfds/… data sets; '{request.name}' has none.")
    return open_torch(request) if request.name.startswith("torch/") else open_folder(request)
