"""What package indexes will show: the metadata of the built packages, which is that of the installed ones."""

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("faa-core", "faa-models", "faa-search", "faa-cli")
STAND_IN = "https://example.invalid/faa"  # until the repository has an address; RELEASING.md


def project(package: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text(encoding="utf-8"))


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


def address() -> str:
    """Return the repository's, which all packages must give alike."""
    (found,) = {project(package)["project"]["urls"]["Homepage"] for package in PACKAGES}
    return str(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_metadata(package: str) -> None:
    """Addresses, classifiers and licence are in what is installed; a stale installation fails here: install it anew."""
    built, said = importlib.metadata.metadata(package), project(package)["project"]
    assert built["Version"] == said["version"]
    assert built["License-Expression"] == "MIT"
    assert [f"{name}, {url}" for name, url in said["urls"].items()] == built.get_all("Project-URL")
    assert said["classifiers"] == built.get_all("Classifier")
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= said["urls"].keys()
    assert all(url.startswith(address()) for url in said["urls"].values())
    for kind in ("Development Status", "Intended Audience", "Topic", "Operating System", "Typing"):
        assert any(classifier.startswith(f"{kind} :: ") for classifier in said["classifiers"]), kind


@pytest.mark.parametrize("package", PACKAGES)
def test_links_of_descriptions_are_whole(package: str) -> None:
    """The README's links, in the same number; those into the repository name files that are there."""
    built = importlib.metadata.metadata(package)
    assert built["Description-Content-Type"] == "text/markdown"
    readme = (ROOT / "packages" / package / "README.md").read_text(encoding="utf-8")
    shown = str(built.get_payload())
    assert len(links(readme)) == len(links(shown))
    for before, after in zip(links(readme), links(shown), strict=True):
        assert after.startswith(("https://", "http://", "#")), after
        if not before.startswith(("https://", "http://", "#")):
            place = after.removeprefix(f"{address()}/blob/main/")
            assert (ROOT / place).is_file(), after
            assert (ROOT / "packages" / package / before).resolve() == ROOT / place


def test_the_address_stands_where_releasing_says() -> None:
    """In the packages' settings and on the page that tells how to set it; addresses of files are of files."""
    text = (ROOT / "RELEASING.md").read_text(encoding="utf-8")
    assert address() in text
    files = [
        path for path in ROOT.rglob("*.md") if not {".venv", ".nox", ".ci", "kept"} & {*path.relative_to(ROOT).parts}
    ]
    assert {path for path in files if STAND_IN in path.read_text(encoding="utf-8")} <= {ROOT / "RELEASING.md"}
    for package in PACKAGES:
        changelog = project(package)["project"]["urls"]["Changelog"].removeprefix(f"{address()}/blob/main/")
        assert changelog == f"packages/{package}/CHANGELOG.md"
        assert (ROOT / changelog).is_file()


def test_releasing_gives_the_recipes_own_commands() -> None:
    """Each set of weights with the command and the hours that its recipe says."""
    rows = re.findall(
        r"^\| `(\w+)` \| `(faa train .*?)` \| ([\d.]+) \|", (ROOT / "RELEASING.md").read_text(), re.MULTILINE
    )
    assert len(rows) == 4
    for name, command, hours in rows:
        recipe = (ROOT / f"packages/faa-search/src/faa_search/settings/recipes/cifar10/{name}.yaml").read_text()
        wanted = command.replace("--policy fa-reduced-cifar10", "--policy SEARCH/policy.json")
        assert command in recipe or wanted in recipe
        found = re.search(r"on an H200 about ([\d.]+) (minutes|hours)", " ".join(recipe.split()))
        assert found is not None
        assert float(hours) == pytest.approx(float(found[1]) / (60 if found[2] == "minutes" else 1), abs=0.01)
