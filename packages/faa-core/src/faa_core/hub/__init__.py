"""The one door to the Hugging Face Hub: names, fetching files into its cache, and uploading them.

What is fetched is a file on the disk, of a size that was asked for, and is judged by whoever reads it.
"""

from faa_core.hub.fetching import Fetched, fetch
from faa_core.hub.names import HubName, is_hub_name, parse_name
from faa_core.hub.uploading import Uploaded, upload

__all__ = ["Fetched", "HubName", "Uploaded", "fetch", "is_hub_name", "parse_name", "upload"]
