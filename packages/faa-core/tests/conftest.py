"""Images and throw-away plugins that several test files share."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from PIL.Image import Image as PILImage

from faa_core.operations import operation

settings.register_profile("faa", deadline=None)  # a busy machine is not a failure
settings.load_profile("faa")

Picture = Callable[[str], PILImage]
Install = Callable[..., None]

SIZES = {"gradient": (32, 32), "noise": (32, 32), "dot": (1, 1), "odd": (37, 53), "wide": (53, 37)}


def _gradient(width: int, height: int) -> PILImage:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, (x + y) / 2], axis=-1).astype(np.uint8))


def _picture(kind: str) -> PILImage:
    if kind.startswith("grey-"):
        return _picture(kind.removeprefix("grey-")).convert("L")
    width, height = SIZES[kind]
    if kind == "gradient":
        return _gradient(width, height)
    return Image.fromarray(np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="session")
def picture() -> Picture:
    """Return images by kind: gradient, noise, dot (1×1), odd (37×53), wide (53×37), each also as "grey-…"."""
    return _picture


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a throw-away distribution with entry points and modules for one test."""
    modules_before = set(sys.modules)

    def install_distribution(name: str, *, group: str, entries: dict[str, str], modules: dict[str, str]) -> None:
        root = tmp_path / f"site-{name}"
        info = root / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "\n".join(f"{entry} = {value}" for entry, value in entries.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        for module, source in modules.items():
            (root / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(root))
        importlib.invalidate_caches()

    operation.cache_clear()
    yield install_distribution
    operation.cache_clear()
    for module in set(sys.modules) - modules_before:
        if module.startswith("throwaway_"):
            del sys.modules[module]
