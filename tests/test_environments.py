"""The command line's main path where people work: other users, no home, other folders, small and plain terminals."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MAIN_PATH = """
import sys
from faa_cli.main import main

SMALL = "--img-size 8 --model wrn10_1 --batch-size 16 --epochs 1".split()

def faa(line):
    sys.argv = ["faa", *line.split()]
    print("$", " ".join(sys.argv), flush=True)
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code

faa("--help")
faa("doctor")
faa("policy list")
faa("policy show trivialaugment")
faa("policy preview trivialaugment --dataset photos --img-size 8 --output preview.png")
faa(" ".join(["search --dataset photos --folds 2 --width 1 --depth 3 --top 1 --views 1 --output search", *SMALL]))
faa(" ".join(["train --dataset photos --policy search/policy.json --workers 2 --output train", *SMALL]))
faa("eval --checkpoint train --output figures.json --confusion confusion.png")
faa(" ".join(["compare --dataset photos --policies none,trivialaugment --seeds 2 --output comparison", *SMALL]))
"""
# As root, in namespaces of its own: a home and system that cannot be read or written are only the ordinary user's.
AS_NOBODY = """
set -e
exposed=$1; shift
if [ -n "$exposed" ]; then
    mount -t tmpfs -o mode=755 tmpfs /mnt
    mkdir /mnt/python && mount --bind "$exposed" /mnt/python
    mount -t tmpfs -o mode=755 tmpfs /root
    mkdir -p "$exposed" && mount --bind /mnt/python "$exposed"
fi
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
"""
CLASSES = ("κόκκινο", "猫", "plain")  # names that neither cp1252 nor ASCII has


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with images of classes in several scripts, that anybody may write to; pytest's own are private."""
    with tempfile.TemporaryDirectory(prefix="faa-test-", ignore_cleanup_errors=True) as folder:
        yield filled(Path(folder))


def filled(root: Path) -> Path:
    """Return a folder with photos in it."""
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 4)):
        for number, name in enumerate(CLASSES):
            folder = root / "work" / "photos" / split / name
            folder.mkdir(parents=True)
            for image in range(count):
                pixels = random.integers(0, 128, (8, 8, 3)) + 60 * number
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{image}.png")
    for folder in (root, root / "work"):
        folder.chmod(0o777)
    return root / "work"


def walk(place: Path, environment: dict[str, str], before: list[str] | None = None, *, flags: str = "") -> str:
    """Return all that the main path shows in an environment."""
    command = [*(before or []), sys.executable, *flags.split(), "-c", textwrap.dedent(MAIN_PATH)]
    keep = {key: os.environ[key] for key in ("PATH", "SSL_CERT_FILE", "NUMBA_CACHE_DIR") if key in os.environ}
    environment = {**keep, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | environment
    done = subprocess.run(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=250
    )
    shown = done.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8"))
    assert done.returncode == 0, shown
    assert "Traceback" not in shown
    for made in ("preview.png", "search/policy.json", "train/result.json", "figures.json", "comparison/comparison.png"):
        assert (place / made).is_file(), made
    return shown


def test_an_ordinary_user_without_a_home_with_a_read_only_installation(place):
    """Compiled code and temporary files go to the temporary folder, which is elsewhere."""
    temporary = place.parent / "temporary"
    temporary.mkdir()
    temporary.chmod(0o777)
    environment = {
        "HOME": "/nonexistent",
        "TMPDIR": str(temporary),
        "NUMBA_CACHE_DIR": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    shown = walk(place, environment, ordinary_user())
    assert f"compiled code is kept in {temporary}" in shown


def test_a_plain_terminal_of_forty_columns_that_is_not_utf8(place):
    """Nothing fails on a letter that cannot be shown, and there are no colours or cursor movements."""
    environment = {"PYTHONIOENCODING": "cp1252", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "40", "HOME": str(place)}
    shown = walk(place, environment, flags="-W error::DeprecationWarning:faa_core,error::DeprecationWarning:faa_search")
    assert "\x1b" not in shown
    assert "plain" in shown
    assert "\\u732b" in shown


def ordinary_user() -> list[str]:
    """Return what a command begins with to be an ordinary user's, with an installation that is not theirs."""
    if os.getuid() != 0:
        pytest.skip("the installation belongs to this user, who could write to it")
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("unshare and setpriv are needed to become an ordinary user")
    prefix = Path(sys.base_prefix)
    exposed = str(prefix) if prefix.is_relative_to("/root") else ""
    before = ["unshare", "--mount", "bash", "-c", AS_NOBODY, "bash", exposed]
    tried = subprocess.run([*before, sys.executable, "-c", "import torch"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no ordinary user can be made here: {tried.stderr.strip().splitlines()[-1:]}")
    return before
