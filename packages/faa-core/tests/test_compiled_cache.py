"""Where compiled code is kept, and what is done where nothing can be kept."""

import os
import stat
from pathlib import Path

import pytest

pytest.importorskip("numba")

import numba
from numba.core import caching

from faa_core.drawing import compiling
from faa_core.drawing.compiling import compiled, own_folder


def twice(number: int) -> int:
    return 2 * number


@pytest.fixture
def nowhere(monkeypatch, tmp_path) -> Path:
    """Let numba find no folder but one that it is told of; the temporary folder is `tmp_path`."""
    monkeypatch.setattr(caching.InTreeCacheLocator, "from_function", classmethod(lambda *_given: None))
    monkeypatch.setattr(caching.UserWideCacheLocator, "from_function", classmethod(lambda *_given: None))
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return tmp_path


def test_without_a_folder_of_numbas_a_temporary_one_of_our_own_is_used(nowhere):
    function = compiled()(twice)
    assert function(4) == 8
    folder = nowhere / f"faa-numba-{os.getuid()}"
    assert Path(function.stats.cache_path).is_relative_to(folder)
    assert len(list(folder.rglob("*.nbc"))) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert numba.config.CACHE_DIR == ""
    again = compiled()(twice)
    assert again(4) == 8
    assert sum(again.stats.cache_hits.values()) == 1


def test_without_any_folder_code_is_compiled_in_memory(nowhere):
    (nowhere / f"faa-numba-{os.getuid()}").write_text("a file is in the way")
    function = compiled(error_model="numpy")(twice)
    assert function(4) == 8
    assert function.stats.cache_path is None


def test_a_named_folder_that_cannot_be_written_is_not_an_error(nowhere, monkeypatch):
    (nowhere / "file").write_text("")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(nowhere / "file" / "cache"))
    function = compiled()(twice)
    assert function(4) == 8


def test_other_mistakes_of_numba_are_not_hidden(monkeypatch):
    def refuse(**_options):
        raise RuntimeError("something else")

    monkeypatch.setattr(compiling, "njit", refuse)
    with pytest.raises(RuntimeError, match="something else"):
        compiled()(twice)


def test_a_folder_of_somebody_else_is_not_taken(tmp_path, monkeypatch):
    """What is read from it would run as code."""
    name = f"faa-numba-{os.getuid()}"
    assert own_folder(tmp_path) == tmp_path / name
    (tmp_path / name).chmod(0o770)
    assert own_folder(tmp_path) is None
    (tmp_path / name).chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    (tmp_path / name).rename(tmp_path / "faa-numba-12345")
    assert own_folder(tmp_path) is None
    (tmp_path / "faa-numba-12345").rename(tmp_path / "mine")
    (tmp_path / "faa-numba-12345").symlink_to(tmp_path / "mine")
    assert own_folder(tmp_path) is None
