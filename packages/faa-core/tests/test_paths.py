"""What the system refuses of paths: the path, the reason in plain words, and what to do next."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from faa_core import FaaError, Policy, formats
from faa_core.files import put_in_place, replacing, try_to_write, write_text
from faa_core.paths import WORDS, refusal, refused_as
from faa_core.reading import read_content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what paths can go wrong with."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "file").write_text("a")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file grow beyond 100 bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


CASES = {
    "loop": "links on its way lead in a circle. Remove the link",
    "loop/x.json": "links on its way lead in a circle. Remove the link",
    "file/x.json": "on its way, a file is in place of a folder. Give another path, or move that file",
    f"{'a' * 300}.json": "a name in it is longer than the file system allows. Give a shorter path",
    f"{'a' * 300}/x.json": "a name in it is longer than the file system allows. Give a shorter path",
    "folder": "it is a folder; give the path of a file",
}


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_wrong_with_a_path_is_said_by_readers_and_writers(folder: Path, name: str) -> None:
    """The path is named, and nothing is made."""
    before = sorted(folder.rglob("*"))
    for act, verb in (
        (read_content, "read"),
        (lambda path: write_text(path, "x"), "written"),
        (try_to_write, "written"),
    ):
        with pytest.raises(FaaError) as raised:
            act(folder / name)
        assert str(raised.value).startswith(f"'{folder / name}' cannot be {verb}: {CASES[name]}")
    assert sorted(folder.rglob("*")) == before


def test_a_link_that_leads_to_nothing(folder: Path) -> None:
    """It is not called a missing file."""
    with pytest.raises(
        FaaError, match=r"dangling' cannot be read: it is a link that leads to nothing. Remove the link"
    ):
        read_content(folder / "dangling")
    with (
        pytest.raises(FaaError, match=r"folder' cannot be used: on its way, a file is in place of a folder. Give"),
        refused_as("'folder' cannot be used"),
    ):
        (folder / "folder").mkdir()
    with (
        pytest.raises(FaaError, match=r"'x' cannot be made: it is a link that leads to nothing"),
        refused_as("'x' cannot be made"),
    ):
        (folder / "dangling").mkdir()
    for act in (try_to_write, lambda path: write_text(path, "x")):
        with pytest.raises(FaaError, match=r"dangling/a/x' cannot be written: it is a link that leads to nothing"):
            act(folder / "dangling/a/x")


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """What was there stays, and nothing is left beside it."""
    write_text(tmp_path / "file", "old")
    with pytest.raises(FaaError, match=r"file' cannot be written: the file would be larger than .* Raise the limit"):
        write_text(tmp_path / "file", "x" * 101)
    assert (tmp_path / "file").read_text() == "old"
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


def test_the_longest_name_that_is_allowed(tmp_path: Path) -> None:
    """The temporary file beside it must not have a longer one."""
    path = tmp_path / ("ä" * 125 + ".json")
    assert len(os.fsencode(path.name)) == 255
    try_to_write(path)
    assert [] == list(tmp_path.iterdir())
    write_text(path, "x")
    assert path.read_text() == "x"


def test_every_reason_has_a_remedy() -> None:
    """A number that is not known is said in the system's own words; a path of controls is harmless."""
    for number, (reason, remedy) in WORDS.items():
        assert (
            str(refusal(OSError(number, "words"), "'a' cannot be read")) == f"'a' cannot be read: {reason}. {remedy}."
        )
    assert str(refusal(OSError(errno.EBUSY, "busy\x1b"), "'a'")) == "'a': busy\\x1b. Check the path."
    for words in ("words alone", "words alone."):
        assert str(refusal(OSError(words), "'a'")) == "'a': words alone. Check the path."


def test_ends_of_connections_pass() -> None:
    """They are no matter of a path: whoever reads our output has gone."""
    with pytest.raises(BrokenPipeError), refused_as("'a' cannot be read"):
        raise BrokenPipeError(errno.EPIPE, "gone")


def test_what_is_written_is_put_in_place_or_said(folder: Path) -> None:
    """Also where the place is found to be wrong only then."""
    with pytest.raises(FaaError, match=r"file/x' cannot be written: on its way, a file is in place of a folder"):
        put_in_place(folder / "file", folder / "file" / "x")
    with (
        pytest.raises(FaaError, match=r"new' cannot be written: there is no such file"),
        replacing(folder / "new") as path,
    ):
        path.unlink()


@pytest.mark.parametrize("chosen", [None, "faa", "legacy"])
def test_policies_that_are_folders_or_devices(folder: Path, chosen: str | None) -> None:
    """Not "no such policy"; of a run's directory, the file is named."""
    os.mkfifo(folder / "pipe")
    for path, words in {
        folder / "pipe": "is not a regular file",
        Path("/dev/null"): "is not a regular file",
        folder / "folder": "is a folder",
        folder / "dangling": "link that leads to nothing",
        folder / "loop": "lead in a circle",
        folder / "none.json": "no such file",
    }.items():
        with pytest.raises(FaaError, match=f"{path.name}' cannot be read: .*{words}"):
            formats.read_policy(path, format=chosen)
    if chosen != "legacy":
        (folder / "folder" / "policy.json").write_text(Policy.load("none").to_json())
        with pytest.raises(FaaError, match=r"folder' is a folder; the policy in it is '.*folder/policy.json'"):
            Policy.load(folder / "folder")
