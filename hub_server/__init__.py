"""The Hugging Face Hub on 127.0.0.1, for tests: its protocol as clients use it, and the faults that they must bear."""

from hub_server.listener import Request
from hub_server.server import HubServer, hub_server
from hub_server.store import Blob, Commit, Repo

__all__ = ["Blob", "Commit", "HubServer", "Repo", "Request", "hub_server"]
