"""The nodes of a document of albumentations: compositions and transforms, with what all of them have."""

from collections.abc import Mapping
from typing import Any

from faa_core.errors import FaaError
from faa_core.formats.axes import is_number
from faa_core.reading import NotJsonError, parse_json
from faa_core.yaml_files import parse_yaml

GROUPS = ("Compose", "OneOf", "Sequential", "SomeOf", "OneOrOther", "RandomOrder", "SelectiveChannelTransform")


def root_of(text: str) -> Mapping[str, Any]:
    """Return the outermost composition of a document.

    Raises:
        FaaError: If the text is not a document of albumentations.
    """
    try:
        document = parse_json(text, finite=False)
    except NotJsonError:
        if "__class_fullname__:" not in text:
            raise
        document = parse_yaml(text, source="It")
    root = document.get("transform", document) if isinstance(document, dict) else None
    if not isinstance(root, dict) or kind_of(root) not in GROUPS:
        raise FaaError(
            "It is not a document of albumentations, whose outermost transform is a composition such as Compose."
        )
    return root


def kind_of(node: Mapping[str, Any]) -> str:
    """Return the class of a node, without its module."""
    return str(node.get("__class_fullname__", "a transform without __class_fullname__")).rpartition(".")[2]


def p_of(node: Mapping[str, Any]) -> float:
    """Return the probability of a node, in [0, 1]; inside a OneOf it is a weight.

    Raises:
        FaaError: If it is none.
    """
    p = node.get("p", 1.0)
    if not is_number(p) or not 0 <= p <= 1:
        raise FaaError(f"{kind_of(node)}.p must lie in 0 … 1, not be {p!r:.40}.")
    return float(p)


def children_of(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the nodes that a composition holds.

    Raises:
        FaaError: If it has no list of them, or is a OneOf that can pick none.
    """
    children = node.get("transforms")
    if not isinstance(children, list) or not all(isinstance(child, dict) for child in children):
        raise FaaError(f"{kind_of(node)}.transforms must be a list of transforms, not {children!r:.40}.")
    if kind_of(node) == "OneOf" and not any(p_of(child) for child in children):
        given = "each have p = 0" if children else "are an empty list"
        raise FaaError(f"The transforms of a OneOf {given}, so that it can pick none; one or more must have p above 0.")
    return children
