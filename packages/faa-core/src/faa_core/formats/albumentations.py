"""Documents of albumentations, as ``A.save`` and AutoAlbument write them: a tree of compositions and transforms.

Three shapes are policies: a Compose of transforms (one sub-policy), of one OneOf with equal weights (sub-policies), and
of several OneOf of transforms (layers). A OneOf of one transform at two opposite values is one mirrored operation.
`albumentations_ops` says which transforms our operations equal.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError
from faa_core.formats import albumentations_ops as theirs
from faa_core.formats.axes import build, is_number, place, refuse_noise, words
from faa_core.ops import operation
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Choice, Layers, SubPolicies
from faa_core.policies.policy import Op, Policy
from faa_core.reading import parse_json

VERSION = "2.0.0"  # whose fields are written
GROUPS = ("Compose", "OneOf", "Sequential", "SomeOf", "OneOrOther", "RandomOrder", "SelectiveChannelTransform")


class _Use(NamedTuple):
    """A transform as ours, with its p, which a OneOf takes for a weight."""

    op: str
    magnitude: float
    p: float


class _Reader:
    """What was found while reading: the axes needed, how images are sampled, and everything that has no counterpart."""

    def __init__(self) -> None:
        self.operations: dict[str, OperationRow] = {}
        self.problems: list[str] = []
        self.canvas: set[tuple[str, tuple[int, int, int]]] = set()

    def use(self, node: Mapping[str, Any]) -> _Use | None:
        """Return a transform as ours; None where it has no counterpart, which is noted."""
        if _kind(node) == "OneOf" and (pair := self._mirrored(node)) is not None:
            return pair
        if _kind(node) in GROUPS:
            self.problems.append(f"{_kind(node)} inside a sub-policy or layer")
            return None
        effect = self._effect(node)
        return None if effect is None else self._placed(effect, _p(node), mirrored=False)

    def _mirrored(self, node: Mapping[str, Any]) -> _Use | None:
        """Return a OneOf of two opposite values as one mirrored operation."""
        children = _children(node)
        if len(children) != 2 or len({_p(child) for child in children}) > 1:
            return None
        if any(_kind(child) in GROUPS for child in children):
            return None
        first, second = (self._effect(child) for child in children)
        if first is None or second is None or first.base != second.base:
            return None
        centre = operation(first.base).neutral
        if not math.isclose(first.argument + second.argument, 2 * centre, abs_tol=1e-12):
            return None
        return self._placed(first, _p(node), mirrored=True)

    def _effect(self, node: Mapping[str, Any]) -> theirs.Effect | None:
        effect, problems = theirs.effect(_kind(node), node)
        self.problems.extend(problems)
        if effect is not None and effect.canvas is not None:
            self.canvas.add(effect.canvas)
        return effect

    def _placed(self, effect: theirs.Effect, p: float, *, mirrored: bool) -> _Use:
        name, row, magnitude = place("A", effect.base, effect.argument, mirrored=mirrored)
        if row is not None:
            self.operations[name] = row
        return _Use(name, magnitude, p)


def parse(text: str) -> Policy:
    """Return the policy of a JSON document.

    Raises:
        FaaError: If it is no such document, has another shape, or holds transforms or settings that no operation of
            ours equals; every one is named.
    """
    root, reader = _root(text), _Reader()
    if _kind(root) != "Compose" or _p(root) != 1:
        reader.problems.append(f"{_kind(root)} with p = {_p(root):g} outermost; a Compose that always applies is one")
    children = _children(root)
    fields: dict[str, Any] = {}
    if not children or any(_kind(child) != "OneOf" for child in children):
        fields["sub_policies"] = (_sequence(reader, children),)
    elif len(children) == 1 and not _is_layer(children[0]):
        fields["sub_policies"] = _sub_policies(reader, children[0])
    else:
        fields["layers"] = _layers(reader, children)
    if len(reader.canvas) > 1:
        reader.problems.append(f"several ways to sample and fill, of which a policy has one: {sorted(reader.canvas)}")
    if reader.problems:
        counted = Counter(reader.problems)
        listed = "; ".join(problem + (f" ({count}×)" if count > 1 else "") for problem, count in counted.items())
        raise FaaError(f"No operation of ours does: {listed}.")
    for interpolation, fill in reader.canvas:
        fields |= {"interpolation": interpolation, "fill": fill}
    fields |= {"operations": reader.operations, "provenance": {"format": "albumentations"}}
    return build(Layers, fields) if "layers" in fields else build(SubPolicies, fields)


def write(policy: Policy) -> str:
    """Return a policy as a JSON document for ``A.load``, with the fields of albumentations 2.

    Raises:
        FaaError: If albumentations has no such policy; every use of an operation it has not is named.
    """
    problems: list[str] = []
    if isinstance(policy, SubPolicies):
        refuse_noise(policy)
        children = []
        for sub_policy in policy.sub_policies:
            written = [_written(policy, use.op, use.magnitude, use.p, problems) for use in sub_policy]
            children.append(_group("Sequential", 1.0, [_entry(transform) for transform in written]))
        parts = [_group("OneOf", 1.0, children)]
    elif isinstance(policy, Layers):
        parts = []
        for layer in policy.layers:
            leaves = []
            for choice in layer:
                leaf = _written(policy, choice.op, choice.magnitude, choice.probability, problems)
                leaves.extend(_halves(leaf) if _kind(leaf) == "OneOf" else [leaf])
            parts.append(_group("OneOf", 1.0, [leaf for leaf in leaves if leaf.get("p")]))
    else:
        raise FaaError(f"'{policy.name}' draws its operations afresh; only sub-policies and layers can be written.")
    if problems:
        counted = list(dict.fromkeys(problems))
        rest = f"; and {len(counted) - 8} more" if len(counted) > 8 else ""
        raise FaaError(f"albumentations has no transform for: {'; '.join(counted[:8])}{rest}.")
    return json.dumps({"__version__": VERSION, "transform": _group("Compose", 1.0, parts)}, indent=1) + "\n"


def _root(text: str) -> Mapping[str, Any]:
    """Return the outermost composition of a document."""
    document = parse_json(text, finite=False)
    root = document.get("transform", document) if isinstance(document, dict) else None
    if not isinstance(root, dict) or _kind(root) not in GROUPS:
        raise FaaError("It is no document of albumentations, whose outermost transform is a Compose.")
    return root


def _kind(node: Mapping[str, Any]) -> str:
    """Return the class of a node, without its module."""
    return str(node.get("__class_fullname__", "?")).rpartition(".")[2]


def _p(node: Mapping[str, Any]) -> float:
    p = node.get("p", 1.0)
    if not is_number(p) or not 0 <= p <= 1:
        raise FaaError(f"{_kind(node)}.p must lie in 0 … 1, not be {p!r:.40}.")
    return float(p)


def _children(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    children = node.get("transforms")
    if not isinstance(children, list) or not all(isinstance(child, dict) for child in children):
        raise FaaError(f"{_kind(node)}.transforms must be a list of transforms, not {children!r:.40}.")
    return children


def _is_layer(node: Mapping[str, Any]) -> bool:
    """Return whether a OneOf holds transforms only, with weights that differ."""
    children = _children(node)
    return all(_kind(child) not in GROUPS for child in children) and len({_p(child) for child in children}) > 1


def _sequence(reader: _Reader, nodes: list[Mapping[str, Any]]) -> tuple[Op, ...]:
    uses = [reader.use(node) for node in nodes]
    return tuple(Op(op=use.op, p=use.p, magnitude=use.magnitude) for use in uses if use is not None)


def _sub_policies(reader: _Reader, root: Mapping[str, Any]) -> tuple[tuple[Op, ...], ...]:
    children = _children(root)
    if _p(root) != 1:
        reader.problems.append(f"OneOf.p {_p(root):g} outside of the sub-policies; 1 is")
    if len({_p(child) for child in children}) > 1:
        reader.problems.append("sub-policies of different weights (p of the children of a OneOf)")
    subs: list[tuple[Op, ...]] = []
    for child in children:
        if _kind(child) == "Sequential":
            subs.append(_sequence(reader, _children(child)))
        else:
            use = reader.use(child)
            subs.append(() if use is None else (Op(op=use.op, p=1.0, magnitude=use.magnitude),))
    return tuple(subs)


def _layers(reader: _Reader, nodes: list[Mapping[str, Any]]) -> tuple[tuple[Choice, ...], ...]:
    layers = []
    for node in nodes:
        if _p(node) != 1:
            reader.problems.append(f"OneOf.p {_p(node):g}; a layer always applies (put the rest into a NoOp)")
        uses = [use for child in _children(node) if (use := reader.use(child)) is not None]
        total = sum(use.p for use in uses) or 1.0
        layers.append(tuple(Choice(op=use.op, magnitude=use.magnitude, probability=use.p / total) for use in uses))
    return tuple(layers)


def _group(kind: str, p: float, transforms: list[dict[str, Any]]) -> dict[str, Any]:
    return {"__class_fullname__": kind, "p": p, "transforms": transforms}


def _written(policy: Policy, name: str, magnitude: float, p: float, problems: list[str]) -> dict[str, Any]:
    """Return a use of an operation as a transform, or as a OneOf of its two signs."""
    row = policy.table[name]
    arguments = [row.argument(magnitude)]
    mirror = row.argument(magnitude, reflected=True)
    if row.mirrored and mirror != arguments[0]:
        arguments.append(mirror)
    found = [theirs.transform(row.base, argument, policy.interpolation, policy.fill) for argument in arguments]
    leaves = [{**leaf, "p": 1.0} for leaf in found if leaf is not None]
    if len(leaves) < len(found):
        problems.append(words(row, magnitude))
        return {}
    return {**leaves[0], "p": p} if len(leaves) == 1 else _group("OneOf", p, leaves)


def _entry(written: dict[str, Any]) -> dict[str, Any]:
    """Return a transform of a sub-policy; a flip that is a OneOf with doing nothing as a flip of half the p."""
    if _kind(written) == "OneOf":
        acting = [leaf for leaf in written["transforms"] if _kind(leaf) != "NoOp"]
        if len(acting) == 1:
            return {**acting[0], "p": written["p"] / 2}
    return written


def _halves(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the two signs of a mirrored choice as choices of half its probability."""
    return [{**leaf, "p": group["p"] / 2} for leaf in group["transforms"]]
