"""Reading YAML that anybody wrote: settings, recipes, a run's own ``config.yaml``.

Of YAML only what settings need is read: mappings with words as keys, lists, texts, numbers, true, false and null. What
two readers could understand differently is refused: a key twice, ``010`` (eight or ten), ``1:30`` (ninety), dates.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from faa_core.errors import FaaError
from faa_core.reading import TOO_DEEP, as_text, read_content
from faa_core.text import safe

MOST_BYTES = 1 << 18  # of a file; a run's own has 3 kB
MOST_VALUES = 10_000  # in a file, with all that aliases repeat
DEEPEST = 20  # mappings and lists inside one another; recipes have 3
LONGEST_NUMBER = 40  # characters
TAG = "tag:yaml.org,2002:"
SCALARS = {f"{TAG}{name}" for name in ("str", "int", "float", "bool", "null")}
NUMBERS = {
    f"{TAG}int": re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0b[01]+)"),
    f"{TAG}float": re.compile(r"[-+]?([0-9][0-9_]*)?\.?[0-9_]*([eE][-+]?[0-9]+)?|[-+]?\.(inf|nan)", re.IGNORECASE),
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; an empty file is an empty one.

    Raises:
        FaaError: If it cannot be read, is not YAML, or no mapping; the message names the file and the place.
    """
    content = read_content(path, most=MOST_BYTES)
    try:
        text = as_text(content)
    except FaaError as error:
        raise FaaError(f"'{safe(path)}' cannot be read: {error}.") from error
    return parse_yaml(text, source=f"'{safe(path)}'")


def parse_yaml(text: str, *, source: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Args:
        text: One document.
        source: What it is, for messages.

    Raises:
        FaaError: If it is not YAML, or no mapping; the message names the source and the place.
    """
    try:
        found = _Reader(yaml.SafeLoader(text)).value()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise FaaError(f"{source} is not YAML of settings{place}: {safe(what)}.") from error
    except RecursionError as error:
        raise FaaError(f"{source} is not YAML of settings: {TOO_DEEP}.") from error
    except (yaml.YAMLError, ValueError) as error:  # a character that YAML has not, or a number that is none
        raise FaaError(f"{source} is not YAML: {safe(' '.join(str(error).split()))}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise FaaError(f"{source} must hold 'key: value' lines.")
    return found


class _Reader:
    """Turns one document's nodes into values, counted, whatever aliases repeat."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._values = 0

    def value(self) -> Any:
        """Return the document's value; None where it is empty."""
        node = self._loader.get_node() if self._loader.check_node() else None
        second = self._loader.get_node() if self._loader.check_node() else None
        if second is not None:
            raise _fault(second, "a second document begins here; keep one of them")
        return None if node is None else self._value(node, 0)

    def _value(self, node: Node, depth: int) -> Any:
        self._values += 1
        if depth > DEEPEST:
            raise _fault(node, f"it is nested more than {DEEPEST} deep")
        if self._values > MOST_VALUES:
            raise _fault(node, f"it holds more than {MOST_VALUES:,} values")
        if isinstance(node, ScalarNode) and node.tag in SCALARS:
            return self._scalar(node)
        if isinstance(node, SequenceNode) and node.tag == f"{TAG}seq":
            return [self._value(part, depth + 1) for part in node.value]
        if not isinstance(node, MappingNode) or node.tag != f"{TAG}map":
            kind = "date" if node.tag == f"{TAG}timestamp" else f"value of kind {node.tag.removeprefix(TAG)[:40]}"
            raise _fault(node, f"a {kind} is not read; put quotes around what is text")
        return self._mapping(node, depth)

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, part in node.value:
            if key.tag == f"{TAG}merge":
                if merged:
                    raise _fault(key, "the key '<<' is there twice")
                merged = self._merged(part, depth)
                continue
            if key.tag != f"{TAG}str":
                raise _fault(key, "a key must be a word; put quotes around it")
            if key.value in own:
                raise _fault(key, f"the key '{key.value[:80]}' is there twice")
            own[key.value] = self._value(part, depth + 1)
        return merged | own

    def _merged(self, node: Node, depth: int) -> dict[str, Any]:
        """Return what ``<<`` takes over from one mapping or several, the first counting."""
        found = self._value(node, depth + 1)
        merged: dict[str, Any] = {}
        for mapping in reversed(found if isinstance(found, list) else [found]):
            if not isinstance(mapping, dict):
                raise _fault(node, "'<<' takes a mapping, or a list of them")
            merged |= mapping
        return merged

    def _scalar(self, node: ScalarNode) -> Any:
        kind = node.tag.removeprefix(TAG)
        shown = f"'{node.value[:LONGEST_NUMBER]}'"
        if node.tag in NUMBERS:
            if len(node.value) > LONGEST_NUMBER:
                raise _fault(node, f"a number has at most {LONGEST_NUMBER} characters")
            if NUMBERS[node.tag].fullmatch(node.value) is None:
                raise _fault(node, f"{shown} is not a plain number; write it in decimals, or a text in quotes")
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError) as error:
            raise _fault(node, f"{shown} is not a valid {kind}") from error


def _fault(node: Node, what: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=node.start_mark)
