"""Which tests belong to a module: those of the file of its name, then of files that import it, near and far."""

import ast
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

FIRST_SECONDS = 5.0  # that a test file without known times is taken to need
COMPILED = ("faa_core.engines.numba", "faa_core.drawing.compiled")


class Belonging:
    """The imports of a repository's sources and test files, read but not run.

    Args:
        root: Of the repository.
        times: Seconds that each test takes, by its name in pytest.
    """

    def __init__(self, root: Path, times: Mapping[str, float]) -> None:
        self.root = root
        self.sources = {_module(path): path for path in sorted(root.glob("packages/*/src/**/*.py"))}
        self.test_files = sorted([*root.glob("packages/*/tests/test_*.py"), *root.glob("tests/test_*.py")])
        self.tests: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for name, seconds in times.items():
            self.tests[name.split("::")[0]].append((seconds, name))

    def tests_of(self, path: Path, *, seconds: float) -> list[str]:
        """Return names of tests that take no longer together than so many seconds.

        The file of the module's name comes first, then the nearest ones; of several, the quickest test of each, then
        the next of each, and so on.
        """
        chosen, left = [], seconds
        for files in self._by_distance(_module(path)):
            ranked = [each for file in files for each in enumerate(sorted(self._tests(file), key=_untimed_first))]
            for _rank, (took, name) in sorted(ranked, key=lambda each: (each[0], _untimed_first(each[1]))):
                if took <= left:
                    chosen.append(name)
                    left -= took
        return chosen

    def too_long(self, tests: Sequence[str]) -> frozenset[str]:
        """Return the timed tests of the same files that were not chosen; tests without a known time run too."""
        return frozenset(name for file in files_of(tests) for _took, name in self.tests.get(file, ())) - {*tests}

    def _tests(self, file: Path) -> list[tuple[float, str]]:
        name = str(file.relative_to(self.root))
        return self.tests.get(name) or [(FIRST_SECONDS, name)]

    def _by_distance(self, module: str) -> Iterator[list[Path]]:
        """Yield a module's own test files, those that import it, those that import what imports it, and so on."""
        named = self._named(module)
        yield from named
        reached, near, files = {module}, {module}, {file for group in named for file in group}
        while near:
            found = {file for each in near for file in self._files_with.get(each, ())} - files
            yield sorted(found)
            files |= found
            near = {user for each in near for user in self._users.get(each, ())} - reached
            reached |= near
        yield [file for file in self._beside(module) if file not in files]

    def _named(self, module: str) -> list[list[Path]]:
        """Return the test files of a module's name, then those of the longest part of it that names any.

        Folders may stand before the name: test_triton_engine.py is triton/engine.py's, and test_formats_timm.py the
        next that formats/timm_tables.py has.
        """
        parts = module.split(".")
        names = ["_".join(["test", *parts[at:]]) for at in range(len(parts))]
        own = [file for file in self._beside(module) if file.stem in names]
        begun = [file for file in self._beside(module) if any(name.startswith(f"{file.stem}_") for name in names)]
        longest = max((len(file.stem) for file in begun), default=0)
        return [own, [file for file in begun if len(file.stem) == longest and file not in own]]

    def _beside(self, module: str) -> list[Path]:
        """Return the test files of a module's package."""
        package = self.sources[module].relative_to(self.root).parts[1]
        return [file for file in self.test_files if package in file.relative_to(self.root).parts]

    @cached_property
    def compiled(self) -> set[Path]:
        """The sources that numba compiles, or whose constants it compiles in."""
        compiled = {module for module in self.sources if module.startswith(COMPILED)}
        used = {used for module in compiled for used in self._imports(self.sources[module])}
        return {self.sources[module] for module in compiled | used}

    @cached_property
    def _users(self) -> dict[str, set[str]]:
        """The modules that import each module."""
        users: dict[str, set[str]] = defaultdict(set)
        for module, path in self.sources.items():
            for used in self._imports(path):
                users[used].add(module)
        return users

    @cached_property
    def _files_with(self) -> dict[str, set[Path]]:
        """The test files that import each module."""
        files: dict[str, set[Path]] = defaultdict(set)
        for path in self.test_files:
            for used in self._imports(path):
                files[used].add(path)
        return files

    def _imports(self, path: Path) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                found |= {self._home(node.module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return found & self.sources.keys()

    def _home(self, module: str, name: str) -> str:
        """Return the module in which an imported name is defined, through every package that passes it on."""
        if f"{module}.{name}" in self.sources:
            return f"{module}.{name}"
        source = self._passed_on.get(module, {}).get(name)
        return module if source is None else self._home(source, name)

    @cached_property
    def _passed_on(self) -> dict[str, dict[str, str]]:
        """For each package, the names that it imports from its modules."""
        return {
            module: {
                alias.asname or alias.name: node.module
                for node in ast.walk(ast.parse(path.read_bytes()))
                if isinstance(node, ast.ImportFrom) and node.module is not None
                for alias in node.names
            }
            for module, path in self.sources.items()
            if path.name == "__init__.py"
        }


def _untimed_first(test: tuple[float, str]) -> tuple[bool, float]:
    """Return what tests are sorted by: test files without known times first, then tests by their seconds."""
    took, name = test
    return "::" in name, took


def files_of(tests: Sequence[str]) -> list[str]:
    """Return the files of tests, in the order in which they come."""
    return list(dict.fromkeys(name.split("::")[0] for name in tests))


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    parts = parts[len(parts) - parts[::-1].index("src") :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_times(path: Path) -> dict[str, float]:
    """Return the seconds of each test from the lines that `mutants.timing` wrote."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {line["test"]: line["seconds"] for line in map(json.loads, lines)}
