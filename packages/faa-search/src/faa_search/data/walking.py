"""Finding the image files below a folder: which are read, which are skipped and why; no file comes twice by links."""

import os
import stat
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from faa_core.paths import refusal
from faa_core.text import safe

Identity = tuple[int, int]  # device and number of a file or folder: the same by whichever way it is reached

HIDDEN = "hidden"
OTHER_KIND = "not an image format that is read"
NO_FILE = "not a regular file"
BROKEN_LINK = "a broken link"
OF_A_RUN = frozenset({"config.yaml", "environment.json"})  # the files that every run of ours begins with
RUN = "a run of faa, whose pictures are not images of a class"
READ_ALREADY = "a link to what is read already"
LOOP = "a link back to a folder above it"


class Skipped(NamedTuple):
    """A file or folder that is not read, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class WalkedFolder:
    """What lies below a folder; names are relative to where the walk was told to count from, with ``/``.

    Attributes:
        images: Files to read, in no particular order.
        links: Those of them that are links.
        folders: Folders below the one that was walked.
        skipped: All else.
    """

    images: tuple[str, ...]
    links: tuple[str, ...]
    folders: tuple[str, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Children:
    """What lies directly in a folder.

    Attributes:
        folders: Names of the folders that are not hidden, links to folders among them.
        links: Those of them that are links.
        files: Names of the files that are not hidden and no links.
        linked: Names of links to files.
        skipped: All else.
    """

    folders: tuple[str, ...]
    links: frozenset[str]
    files: tuple[str, ...]
    linked: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def children(folder: Path, under: str = "") -> Children:
    """Return what lies directly in a folder, each kind sorted.

    Args:
        folder: To list.
        under: What the names of skipped entries begin with.

    Raises:
        FaaError: If it cannot be listed.
    """
    folders, files, linked = list[str](), list[str](), list[str]()
    links, skipped = set[str](), list[Skipped]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = _kind(entry)
                if isinstance(kind, str):
                    skipped.append(Skipped(f"{under}{entry.name}", kind))
                elif stat.S_ISDIR(kind):
                    folders.append(entry.name)
                    links.update([entry.name] if entry.is_symlink() else [])
                else:
                    (linked if entry.is_symlink() else files).append(entry.name)
    except OSError as error:
        raise refusal(error, f"The folder '{safe(folder)}' cannot be listed") from error
    return Children(
        tuple(sorted(folders)), frozenset(links), tuple(sorted(files)), tuple(sorted(linked)), tuple(sorted(skipped))
    )


def find_images(root: Path, name: str, suffixes: Container[str], seen: set[Identity]) -> WalkedFolder:
    """Return the image files below a folder of `root`, at any depth.

    A folder or file that links lead to more than once is read once, by the way without links if there is one. Links to
    `root` or to what is above it are loops.

    Args:
        root: What names are relative to.
        name: The folder in it.
        suffixes: Of image files, in lower case.
        seen: Folders that were read before; those that are read now are added.

    Raises:
        FaaError: If a folder cannot be listed.
    """
    above = {identity_of(folder) for folder in (root, *root.resolve().parents)}
    images: list[str] = []
    folders: list[str] = []
    file_links: list[str] = []
    skipped: list[Skipped] = []
    plain, linked = [name], list[str]()
    while plain or linked:
        here = plain.pop() if plain else linked.pop(0)
        identity = identity_of(root / here)
        if identity in above or identity in seen:
            skipped.append(Skipped(here, LOOP if identity in above else READ_ALREADY))
            continue
        seen.add(identity)
        found = children(root / here, f"{here}/")
        if found.files and set(found.files) >= OF_A_RUN:
            skipped.append(Skipped(here, RUN))
            continue
        folders.append(here)
        skipped += found.skipped
        for names, into in ((found.files, images), (found.linked, file_links)):
            for child in names:
                if Path(child).suffix.lower() in suffixes:
                    into.append(f"{here}/{child}")
                else:
                    skipped.append(Skipped(f"{here}/{child}", OTHER_KIND))
        plain += [f"{here}/{child}" for child in found.folders if child not in found.links]
        linked = sorted([*linked, *(f"{here}/{child}" for child in found.links)])
    first, again = _apart(root, images, file_links)
    return WalkedFolder((*images, *first), tuple(first), tuple(folders[1:]), (*skipped, *again))


def _apart(root: Path, images: list[str], links: list[str]) -> tuple[list[str], list[Skipped]]:
    """Return the links to files that are not read yet, and the others."""
    if not links:
        return [], []
    seen = {identity_of(root / name) for name in images}
    first, again = [], []
    for name in sorted(links):
        identity = identity_of(root / name)
        if identity in seen:
            again.append(Skipped(name, READ_ALREADY))
        else:
            seen.add(identity)
            first.append(name)
    return first, again


def shared_files(
    root: Path, found: Iterable[WalkedFolder], other: Path, others: Sequence[WalkedFolder]
) -> list[tuple[str, str]]:
    """Return the images of one folder that are images of another by links, hard or symbolic, as pairs of names.

    All files of the first are looked at, of the other only links where that is enough: it is the larger one.

    Args:
        root: The folder.
        found: What lies in it.
        other: The other folder.
        others: What lies in that.

    Raises:
        FaaError: If a file cannot be looked at.
    """
    identities, is_linked = dict[str, Identity](), False
    for one in found:
        is_linked = is_linked or bool(one.links)
        for name in one.images:
            file = _stat(root / name)
            identities[name] = file.st_dev, file.st_ino
            is_linked = is_linked or file.st_nlink > 1
    looked_at = [name for one in others for name in (one.images if is_linked else one.links)]
    names = {identity_of(other / name): name for name in looked_at}
    return sorted((name, names[identity]) for name, identity in identities.items() if identity in names)


def _kind(entry: "os.DirEntry[str]") -> int | str:
    """Return the type of a folder or regular file, or why it is passed over."""
    if entry.name.startswith("."):
        return HIDDEN
    try:
        if entry.is_dir():
            return stat.S_IFDIR
        if entry.is_file():
            return stat.S_IFREG
    except OSError:  # a link to itself
        return BROKEN_LINK
    return BROKEN_LINK if entry.is_symlink() and not Path(entry.path).exists() else NO_FILE


def identity_of(path: Path) -> Identity:
    """Return what is the same by whichever way a file or folder is reached.

    Raises:
        FaaError: If it cannot be looked at.
    """
    found = _stat(path)
    return found.st_dev, found.st_ino


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise refusal(error, f"'{safe(path)}' cannot be read") from error
