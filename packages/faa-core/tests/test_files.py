"""Atomic writing: all or nothing, nothing left behind, and permissions like any other file's."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faa_core import FaaError, Policy
from faa_core.files import creating, put_in_place, replacing, write_text


@pytest.fixture
def umask() -> Iterator[None]:
    """Put the process's umask back after a test that changes it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    """Return every name in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def fail(path: Path, error: BaseException) -> None:
    """Write half of a file, then fail."""
    with replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise error


def test_text_is_written_whole(tmp_path: Path) -> None:
    """New and old files hold the text in UTF-8, and nothing else is left in the folder."""
    path = tmp_path / "policy.json"
    for text in ("λ ½ 增\n", "second", ""):
        write_text(path, text)
        assert text.encode() == path.read_bytes()
        assert ["policy.json"] == names(tmp_path)


def test_missing_folders_are_made(tmp_path: Path) -> None:
    """A path may lie in folders that do not exist yet."""
    write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert "x" == (tmp_path / "a" / "b" / "c.txt").read_text()


@pytest.mark.parametrize("error", [RuntimeError("disk"), KeyboardInterrupt()])
def test_a_failed_writer_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    """Whatever was written before the error is gone; the old content stands."""
    path = tmp_path / "policy.json"
    path.write_text("old")
    with pytest.raises(type(error)):
        fail(path, error)
    assert "old" == path.read_text()
    assert ["policy.json"] == names(tmp_path)


def test_a_failed_writer_makes_no_file(tmp_path: Path) -> None:
    """Where there was none, there is none."""
    with pytest.raises(RuntimeError):
        fail(tmp_path / "new", RuntimeError())
    assert [] == names(tmp_path)


def test_readers_see_the_old_file_until_the_end(tmp_path: Path) -> None:
    """The temporary file is another one, in the same folder and hidden."""
    path = tmp_path / "policy.json"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert "old" == path.read_text()
        assert tmp_path == temporary.parent
        assert temporary.name.startswith(".policy.json.")
    assert "new" == path.read_text()


def test_a_failed_replacement_leaves_nothing_behind(tmp_path: Path) -> None:
    """Where the target is a folder, the error comes through and the temporary file is gone."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(FaaError, match="taken' cannot be written: it is a folder"):
        write_text(tmp_path / "taken", "x")
    assert ["taken"] == names(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o000, 0o666)])
@pytest.mark.usefixtures("umask")
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    """A new and a replaced file are as readable as one that was simply opened; the umask stays."""
    os.umask(mask)
    path = tmp_path / "policy.json"
    for _ in range(2):
        write_text(path, "x")
        assert oct(mode) == oct(path.stat().st_mode & 0o777)
    assert mask == os.umask(mask)


def test_a_finished_file_is_put_in_place(tmp_path: Path) -> None:
    """It replaces what was there and leaves its own path."""
    written, path = tmp_path / "written", tmp_path / "target"
    written.write_text("new")
    path.write_text("old")
    put_in_place(written, path)
    assert "new" == path.read_text()
    assert ["target"] == names(tmp_path)


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    """A pipe stays one, a link to one stays a link, and nothing is left beside them; nor is a link of /dev replaced."""
    pipe, link, written = tmp_path / "pipe", tmp_path / "link", tmp_path / "written"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link, Path("/dev/faa-test-of-a-name-that-nothing-has")):
        with pytest.raises(FaaError, match=f"{path.name}' cannot be written: it is not a regular file"):
            write_text(path, "x")
    written.write_text("x")
    with pytest.raises(FaaError, match="not a regular file"):
        put_in_place(written, pipe)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert ["link", "pipe", "written"] == names(tmp_path)
    link.unlink()
    link.symlink_to(written)
    write_text(link, "new")
    assert "new" == link.read_text()


def test_policies_are_saved_atomically(tmp_path: Path) -> None:
    """`save` writes the document and only that, to a path or its name."""
    policy = Policy.load("none")
    policy.save(str(tmp_path / "p.json"))
    policy.save(tmp_path / "p.json")
    assert policy.to_json() == (tmp_path / "p.json").read_text(encoding="utf-8")
    assert ["p.json"] == names(tmp_path)


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    """Not even what came while it was written; what the block leaves beside it is removed."""
    with creating(tmp_path / "deep" / "new.db") as temporary:
        temporary.write_text("new")
        temporary.with_name("new.db-journal").write_text("left behind")
    assert ["new.db"] == [path.name for path in (tmp_path / "deep").iterdir()]
    assert "new" == (tmp_path / "deep" / "new.db").read_text()
    with pytest.raises(FaaError, match="is there already"), creating(tmp_path / "late.json") as temporary:  # noqa: PT012
        temporary.write_text("new")
        (tmp_path / "late.json").write_text("precious")
    assert "precious" == (tmp_path / "late.json").read_text()
    assert ["deep", "late.json"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", ["https://example.org/policy.json", "s3://bucket/policy.json"])
def test_nothing_is_written_to_an_address(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is made that is called so; where there is one, it is a path like any."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaaError, match=r"cannot be written: it is an address\. Give a path on this machine\."):
        write_text(Path(name), "a")
    assert [] == list(tmp_path.iterdir())
    (tmp_path / name.partition("/")[0]).mkdir()
    write_text(Path(name), "a")
    assert "a" == Path(name).read_text()
