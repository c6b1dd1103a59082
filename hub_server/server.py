"""The server as tests see it."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from hub_server.faults import Faults
from hub_server.listener import Listener, Request
from hub_server.store import Blob, Commit, Repo, Store

FOREIGN = ("HF_", "HUGGINGFACE_", "HUGGING_FACE_")


class HubServer(Faults):
    """A Hub at 127.0.0.1, with one user whose token it knows; and the faults of `Faults`.

    Attributes:
        url: What clients call the endpoint.
        elsewhere: The same server under another host's name, where large files are: no token belongs there.
        token: The user's token.
        user: The user's name; repositories of others can be seeded, and the user may not change them.
    """

    def __init__(self, token: str, user: str, page_size: int) -> None:
        super().__init__()
        self.token, self.user = token, user
        self._store = Store(page_size)
        self._listener = Listener(self._store, self, {token: user})
        self.url, self.elsewhere = self._listener.url, self._listener.elsewhere
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in the order of their arrival."""
        return list(self._listener.requests)

    def sent(self, pattern: str = "*") -> list[Request]:
        """Return the requests that a pattern matches, as in `fail`."""
        return [
            request
            for request in self.requests
            if fnmatchcase(request.path, pattern) or fnmatchcase(f"{request.method} {request.path}", pattern)
        ]

    def leaked(self) -> list[Request]:
        """Return the requests that took a token to the other host."""
        return [request for request in self.requests if request.token and request.host not in self.url]

    def forget(self) -> None:
        """Begin the list of requests anew."""
        self._listener.requests.clear()

    def repo(self, repo_id: str) -> Repo:
        """Return a repository.

        Raises:
            KeyError: If there is none of that name.
        """
        return self._store.repos[repo_id]

    @property
    def repos(self) -> list[str]:
        """The ids of all repositories, the oldest first."""
        with self._store.lock:
            return list(self._store.repos)

    def put(
        self,
        repo_id: str,
        files: Mapping[str, bytes | Blob | None],
        *,
        private: bool | None = None,
        revision: str = "main",
        title: str = "Seed",
    ) -> Commit:
        """Commit files from behind: no name is refused, and a Blob's size or hash may be wrong.

        Args:
            repo_id: The repository, which is made if there is none.
            files: The content of each; None removes one. Names may be such as no client could upload.
            private: Whether only its owner sees it; None leaves it as it is.
            revision: The branch, which begins at main if there is none.
            title: The commit's.
        """
        with self._store.lock:
            repo = self._store.repos.get(repo_id) or self._store.create(repo_id, private=bool(private))
            if private is not None:
                repo.private = private
            return self._store.put(repo, files, branch=revision, title=title)

    def tag(self, repo_id: str, name: str, revision: str = "main") -> None:
        """Tag a revision; a tag that is there moves."""
        with self._store.lock:
            repo = self.repo(repo_id)
            repo.tags[name] = repo.commits(revision)[0].oid

    def remove(self, repo_id: str) -> None:
        """Remove a repository from behind."""
        with self._store.lock:
            del self._store.repos[repo_id]

    def environment(self, home: Path, *, token: bool = True) -> dict[str, str]:
        """Return the environment of a process that takes this for the Hub.

        Args:
            home: Where that process has its cache; nothing else of the machine's Hub settings reaches it.
            token: Whether it has the user's token.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(FOREIGN)
            and not name.upper().endswith("_PROXY")
            and name != "TRANSFORMERS_OFFLINE"
        }
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",  # whose protocol is another, and has no way back to this one
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **({"HF_TOKEN": self.token} if token else {}),
        }

    def close(self) -> list[str]:
        """Stop, and return what went wrong in the server itself."""
        self._listener.stop()
        self._thread.join()
        return self._listener.problems


@contextmanager
def hub_server(
    token: str = "hf_test",  # noqa: S107 of no Hub but this
    user: str = "alice",
    *,
    page_size: int = 1000,
) -> Iterator[HubServer]:
    """Run a Hub until the block ends; it sends lists in pages of so many entries.

    Raises:
        AssertionError: At the end, if something went wrong in the server itself.
    """
    server = HubServer(token, user, page_size)
    try:
        yield server
    finally:
        problems = server.close()
    assert not problems, "\n".join(problems)  # noqa: S101 for tests
