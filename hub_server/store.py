"""What the Hub keeps: repositories, their commits and files; all in memory, whatever the files are called."""

import hashlib
import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

LFS_SUFFIXES = (".bin", ".ckpt", ".h5", ".npz", ".onnx", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".zip")
LFS_ABOVE = 10 * 2**20
ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


def goes_to_lfs(path: str, size: int) -> bool:
    """Tell whether the Hub wants a file uploaded as a large one."""
    return size > LFS_ABOVE or (size > 0 and path.endswith(LFS_SUFFIXES))


def git_blob_id(content: bytes) -> str:
    """Return what git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Blob:
    """A file's content, and what the Hub says of it, which need not be true.

    Attributes:
        content: The bytes that a download gets.
        lfs: Whether it is kept apart, as large files are.
        announced_size: Its size, if it shall not be the content's.
        announced_sha256: Its hash in hexadecimal digits, if it shall not be the content's; only of a large file.
    """

    content: bytes
    lfs: bool = False
    announced_size: int | None = None
    announced_sha256: str | None = None

    @property
    def size(self) -> int:
        """The announced size in bytes."""
        return len(self.content) if self.announced_size is None else self.announced_size

    @cached_property
    def sha256(self) -> str:
        """The announced hash."""
        return self.announced_sha256 or hashlib.sha256(self.content).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        """What git itself keeps of a large file."""
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n"
        return text.encode()

    @cached_property
    def oid(self) -> str:
        """What git calls the file."""
        return git_blob_id(self.pointer if self.lfs else self.content)

    @property
    def etag(self) -> str:
        """By what downloads know the content."""
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    """A state of a repository, and how it came to be."""

    oid: str
    parent: str | None
    title: str
    description: str
    author: str
    date: datetime
    files: Mapping[str, Blob]


class Clock:
    """Times one second apart, so that the order of events is plain and every run has the same."""

    def __init__(self) -> None:
        self._seconds = itertools.count()

    def now(self) -> datetime:
        """Return the next time."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(self._seconds))


class Repo:
    """One model's repository.

    Attributes:
        id: Owner and name.
        private: Whether only its owner sees it.
        gated: False, or how access is granted: "auto" or "manual".
        downloads: As the Hub shows them; nothing counts here, a test sets it.
        likes: The same.
        created: When.
        branches: The commit of each.
        tags: The commit of each.
        pulls: The commit of each pull request's branch, by "refs/pr/1" and so on.
    """

    def __init__(self, repo_id: str, *, private: bool, clock: Clock, lock: threading.RLock) -> None:
        self.id, self.private = repo_id, private
        self.gated: bool | str = False
        self.downloads = self.likes = 0
        self.created = clock.now()
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.pulls: dict[str, str] = {}
        self._clock, self._lock = clock, lock
        self._commits: dict[str, Commit] = {}
        self.record("main", {".gitattributes": Blob(ATTRIBUTES)}, title="initial commit", author=self.owner)

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.id.split("/")[0]

    def find(self, revision: str) -> Commit | None:
        """Return the commit of a branch, a tag, a pull request or a full commit id."""
        with self._lock:
            name = revision.removeprefix("refs/heads/")
            for names in (self.branches, self.tags, self.pulls):
                if name in names:
                    return self._commits[names[name]]
            return self._commits.get(revision)

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Return the files at a revision.

        Raises:
            KeyError: If there is no such revision.
        """
        return {path: blob.content for path, blob in self._at(revision).files.items()}

    def commits(self, revision: str = "main") -> list[Commit]:
        """Return a revision's commits, the newest first.

        Raises:
            KeyError: If there is no such revision.
        """
        return list(self._ancestors(self._at(revision)))

    def record(
        self, branch: str, files: Mapping[str, Blob], *, title: str, author: str, description: str = ""
    ) -> Commit:
        """Make files a branch's new state; a branch of that name begins if there is none."""
        with self._lock:
            refs = self.pulls if branch.startswith("refs/pr/") else self.branches
            parent = refs.get(branch)
            seed = repr((self.id, parent, title, sorted((path, blob.oid) for path, blob in files.items())))
            oid = hashlib.sha1(f"{len(self._commits)} {seed}".encode(), usedforsecurity=False).hexdigest()
            commit = Commit(oid, parent, title, description, author, self._clock.now(), dict(files))
            self._commits[oid] = commit
            refs[branch] = oid
            return commit

    def changed(self, commit: Commit, path: str) -> Commit:
        """Return the commit that last changed a file, or anything in a folder, as a commit has it."""
        last = commit
        for older in self._ancestors(commit):
            if _below(older, path) != _below(commit, path):
                break
            last = older
        return last

    def _at(self, revision: str) -> Commit:
        if (commit := self.find(revision)) is None:
            raise KeyError(revision)
        return commit

    def _ancestors(self, commit: Commit | None) -> Iterator[Commit]:
        while commit is not None:
            yield commit
            commit = self._commits[commit.parent] if commit.parent else None


def _below(commit: Commit, path: str) -> dict[str, str]:
    return {name: blob.oid for name, blob in commit.files.items() if name == path or name.startswith(f"{path}/")}


class Store:
    """All repositories, and the large files that were uploaded, in any of them or in none yet.

    Attributes:
        lock: Whoever reads and then writes holds it meanwhile.
        repos: By id, the oldest first.
        objects: By announced hash.
        page_size: How many entries of a list are sent at once.
    """

    def __init__(self, page_size: int) -> None:
        self.lock = threading.RLock()
        self.page_size = page_size
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, Blob] = {}
        self._clock = Clock()

    def create(self, repo_id: str, *, private: bool) -> Repo:
        """Make a repository with what the Hub puts into each."""
        with self.lock:
            self.repos[repo_id] = Repo(repo_id, private=private, clock=self._clock, lock=self.lock)
            return self.repos[repo_id]

    def put(self, repo: Repo, files: Mapping[str, bytes | Blob | None], *, branch: str, title: str) -> Commit:
        """Commit files, whatever they are called; None removes one."""
        with self.lock:
            base = repo.find(branch) or repo.find("main")
            state = dict(base.files if base else {})
            for path, given in files.items():
                if given is None:
                    state.pop(path, None)
                    continue
                blob = given if isinstance(given, Blob) else Blob(given, lfs=goes_to_lfs(path, len(given)))
                state[path] = blob
                if blob.lfs:
                    self.objects[blob.sha256] = blob
            if branch not in repo.branches and base is not None:
                repo.branches[branch] = base.oid
            return repo.record(branch, state, title=title, author=repo.owner)
