"""Running the command line as its user does: in a separate process, in an empty directory."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from faa_cli.main import main
from forked import run_python

Faa = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the processes see: one thread, no Hub, warnings as errors where they are ours."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@pytest.fixture
def faa(tmp_path: Path, environment: dict[str, str]) -> Faa:
    """Run `faa ARGUMENTS`; it must succeed unless `check=False`."""

    def run(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = run_python(["-m", "faa_cli", *arguments], directory=tmp_path, environment=environment)
        assert done.returncode == 0 or not check, done.stderr
        return done

    return run


@pytest.fixture
def faa_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., None]:
    """Run `faa ARGUMENTS`, which must succeed, in this process: starting another takes longer than most commands."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["faa", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        assert code in (None, 0), (arguments, capsys.readouterr().err)

    return run


@pytest.fixture
def listening() -> Callable[..., set[str]]:
    """Return the addresses at which the processes below one listen, by default with the process itself."""

    def addresses(process: int, *, itself: bool = True) -> set[str]:
        top = psutil.Process(process)
        found = set()
        for each in [*([top] if itself else []), *top.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                sockets = each.net_connections("tcp")
                found |= {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}
        return found

    return addresses


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of image sets that are not part of the repository."""
    folder = os.environ.get("FAA_TEST_DATA")
    if folder is None or not Path(folder).is_dir():
        pytest.skip("FAA_TEST_DATA names no folder with image sets")
    return Path(folder)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of small pictures of two classes that can be told apart."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("bright", "dark")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 100, (72, 96, 3)) + (1 - label) * 120
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.jpg")
    return tmp_path / "photos"
