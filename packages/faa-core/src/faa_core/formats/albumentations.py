"""Documents of albumentations, as ``A.save`` and AutoAlbument write them: a tree of compositions and transforms.

Four shapes are policies: a Compose of transforms (one sub-policy), of one OneOf with equal weights (sub-policies), of
several OneOf of transforms (layers), and of one OneOf of sub-policies that have layers, which AutoAlbument finds. A
OneOf of one transform at two opposite values is one mirrored operation. What brings images to size before it, and what
makes tensors after it, is left out with a note. `albumentations_ops` lists which transforms our operations equal.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError
from faa_core.formats import albumentations_ops as theirs
from faa_core.formats.albumentations_near import nearest_transform
from faa_core.formats.albumentations_nodes import GROUPS, children_of, kind_of, p_of, root_of
from faa_core.formats.axes import build, differ_in_noise, parts, place
from faa_core.formats.leeway import UNSAID, Leeway
from faa_core.operations import operation
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Choice, Layers, SubPolicies
from faa_core.policies.layered import LayeredSubPolicies
from faa_core.policies.policy import Op, Policy

VERSION = "2.0.0"  # whose fields are written
BEFORE = ("Resize", "LongestMaxSize", "SmallestMaxSize", "PadIfNeeded", "CenterCrop")  # bring images to size
AFTER = ("Normalize", "ToFloat", "ToTensor", "ToTensorV2")


class _Use(NamedTuple):
    """A transform as ours, with its p, which a OneOf takes for a weight."""

    op: str
    magnitude: float
    p: float


class _Reader:
    """What was found while reading: the axes needed, how images are sampled, and everything that has no counterpart."""

    def __init__(self, leeway: Leeway) -> None:
        self.operations: dict[str, OperationRow] = {}
        self.leeway = leeway
        self.canvas: dict[theirs.FilterAndFill, int] = {}

    def use(self, node: Mapping[str, Any]) -> _Use | None:
        """Return a transform as ours; None where it has no counterpart, which is noted."""
        if kind_of(node) == "OneOf" and (pair := self._mirrored(node)) is not None:
            return pair
        if kind_of(node) in GROUPS:
            self.leeway.differ(f"{kind_of(node)} inside a sub-policy or layer", instead="left out")
            return None
        effect = self._effect(node, self.leeway)
        return None if effect is None else self._placed(effect, p_of(node), mirrored=False)

    def layer(self, node: Mapping[str, Any]) -> tuple[Choice, ...]:
        """Return a OneOf, or one transform, as what a layer picks from; nothing else is the identity."""
        if kind_of(node) != "OneOf" or self._mirrored(node) is not None:
            use = self.use(node) or _Use("Identity", 0.0, 1.0)
            return _layer([use._replace(p=1.0)], use.p)
        children = children_of(node)
        weights = [p_of(child) for child in children]
        found = [self.use(child) or _Use("Identity", 0.0, 0.0) for child in children]
        uses = [use._replace(p=weight) for use, weight in zip(found, weights, strict=True)]
        return _layer(uses, p_of(node))

    def is_alone(self, node: Mapping[str, Any]) -> bool:
        """Return whether a node is one operation: a transform, or a OneOf of its two signs."""
        return kind_of(node) != "OneOf" or self._mirrored(node) is not None

    def _mirrored(self, node: Mapping[str, Any]) -> _Use | None:
        """Return a OneOf of two opposite values as one mirrored operation."""
        children = children_of(node)
        if len(children) != 2 or len({p_of(child) for child in children}) > 1:
            return None
        if any(kind_of(child) in GROUPS for child in children):
            return None
        asked = Leeway()  # what differs is noted when it is read for good
        first, second = (theirs.effect(kind_of(child), child, asked) for child in children)
        if first is None or second is None or first.base != second.base:
            return None
        centre = operation(first.base).neutral
        if not math.isclose(first.argument + second.argument, 2 * centre, abs_tol=1e-12):
            return None
        self._keep_canvas(first)
        self._keep_canvas(second)
        return self._placed(first, p_of(node), mirrored=True)

    def _effect(self, node: Mapping[str, Any], leeway: Leeway) -> theirs.Effect | None:
        effect = theirs.effect(kind_of(node), node, leeway)
        if effect is not None:
            self._keep_canvas(effect)
        return effect

    def _keep_canvas(self, effect: theirs.Effect) -> None:
        if effect.canvas is not None:
            self.canvas[effect.canvas] = self.canvas.get(effect.canvas, 0) + 1

    def _placed(self, effect: theirs.Effect, p: float, *, mirrored: bool) -> _Use:
        name, row, magnitude = place("A", effect.base, effect.argument, mirrored=mirrored)
        if row is not None:
            self.operations[name] = row
        return _Use(name, magnitude, p)


def parse(text: str, *, leeway: Leeway | None = None) -> Policy:
    """Return the policy of a document, in JSON or YAML.

    Args:
        text: The document.
        leeway: How exact it must be; strict when None.

    Raises:
        FaaError: If it is no such document, has another shape, or holds transforms or settings that no operation of
            ours equals; every one is named.
    """
    allowed = leeway or Leeway()
    root, reader = root_of(text), _Reader(allowed)
    listed = kind_of(root) in ("Compose", "Sequential")
    if listed and p_of(root) == 0:
        raise FaaError(
            f"{kind_of(root)}.p = 0 around the whole policy, so that it does nothing; use the policy 'none' instead."
        )
    if listed and p_of(root) != 1:
        allowed.differ(f"{kind_of(root)}.p = {p_of(root):g} around the whole policy, where it must be 1", instead="1")
    children = _policy_of(children_of(root) if listed else [root], allowed)
    kind, fields = _shape(reader, children)
    if len(reader.canvas) > 1:
        most = max(reader.canvas, key=lambda canvas: reader.canvas[canvas])
        what = f"several ways to sample and fill, of which a policy has one: {sorted(reader.canvas)}"
        allowed.differ(what, instead=f"all by {most[0]}, {most[1]}")
        reader.canvas = {most: 1}
    allowed.settle(UNSAID)
    for interpolation, fill in reader.canvas:
        fields |= {"interpolation": interpolation, "fill": fill}
    return build(kind, fields | {"operations": reader.operations, "provenance": {"format": "albumentations"}})


def write(policy: Policy, *, leeway: Leeway | None = None) -> str:
    """Return a policy as a JSON document for ``A.load``, with the fields of albumentations 2.

    Args:
        policy: Of sub-policies or layers, or both.
        leeway: How exact it must be; strict when None. Its notes are in the document, where albumentations passes them
            over.

    Raises:
        FaaError: If albumentations has no such policy; every use of an operation it has not is named.
    """
    allowed = leeway or Leeway()
    if isinstance(policy, SubPolicies):
        differ_in_noise(policy, allowed)
        children = []
        for sub_policy in policy.sub_policies:
            written = [_written(policy, use.op, use.magnitude, use.p, allowed) for use in sub_policy]
            children.append(_group("Sequential", 1.0, [_entry(transform) for transform in written]))
        parts = [_group("OneOf", 1.0, children)]
    elif isinstance(policy, LayeredSubPolicies):
        subs = [[_one_of(policy, layer, allowed) for layer in layers] for layers in policy.sub_policies]
        parts = [_group("OneOf", 1.0, [_group("Sequential", 1.0, layers) for layers in subs])]
    elif isinstance(policy, Layers):
        parts = [_one_of(policy, layer, allowed) for layer in policy.layers]
    else:
        raise FaaError(f"'{policy.name}' draws its operations afresh; only sub-policies and layers can be written.")
    allowed.settle("albumentations has no transform for")
    document: dict[str, Any] = {"__version__": VERSION, "transform": _group("Compose", 1.0, parts)}
    return json.dumps(document | ({"notes": allowed.notes} if allowed.notes else {}), indent=1) + "\n"


def _one_of(policy: Policy, layer: tuple[Choice, ...], leeway: Leeway) -> dict[str, Any]:
    """Return a layer as a OneOf, whose weights are the p of its transforms."""
    leaves = []
    for choice in layer:
        leaf = _written(policy, choice.op, choice.magnitude, choice.probability, leeway)
        leaves.extend(_halves(leaf) if kind_of(leaf) == "OneOf" else [leaf])
    return _group("OneOf", 1.0, [leaf for leaf in leaves if leaf.get("p")])


def _policy_of(nodes: list[Mapping[str, Any]], leeway: Leeway) -> list[Mapping[str, Any]]:
    """Return what lies between bringing images to size and making tensors of them."""
    start, stop = 0, len(nodes)
    while start < stop and kind_of(nodes[start]) in BEFORE and p_of(nodes[start]) == 1:
        start += 1
    while stop > start and kind_of(nodes[stop - 1]) in AFTER and p_of(nodes[stop - 1]) == 1:
        stop -= 1
    for outside in (nodes[:start], nodes[stop:]):
        if outside:
            leeway.note(f"{' and '.join(kind_of(node) for node in outside)} left out: no part of a policy")
    return nodes[start:stop]


def _shape(reader: _Reader, children: list[Mapping[str, Any]]) -> tuple[type[Policy], dict[str, Any]]:
    """Return the kind of policy that a composition is, and its fields."""
    if not children or all(reader.is_alone(child) for child in children):
        return SubPolicies, {"sub_policies": (_sequence(reader, children),)}
    if len(children) > 1 or _is_layer(children[0]):
        return Layers, {"layers": tuple(reader.layer(child) for child in children)}
    root = children[0]
    parts = children_of(root)
    if p_of(root) != 1:
        reader.leeway.differ(f"OneOf.p = {p_of(root):g} around the sub-policies, where it must be 1", instead="1")
    if len({p_of(part) for part in parts}) > 1:
        what = "sub-policies of different weights (p of the children of a OneOf)"
        reader.leeway.differ(what, instead="equal weights")
    nodes: list[list[Mapping[str, Any]]] = [
        children_of(part) if kind_of(part) == "Sequential" else [{**part, "p": 1.0}] for part in parts
    ]
    if all(reader.is_alone(node) for sub in nodes for node in sub):
        return SubPolicies, {"sub_policies": tuple(_sequence(reader, sub) for sub in nodes)}
    layered = tuple(tuple(reader.layer(node) for node in sub) for sub in nodes)
    return LayeredSubPolicies, {"sub_policies": layered}


def _is_layer(node: Mapping[str, Any]) -> bool:
    """Return whether a OneOf holds transforms only, with weights that differ, or does not always pick one."""
    children = children_of(node)
    differ = p_of(node) != 1 or len({p_of(child) for child in children}) > 1
    return differ and all(kind_of(child) not in GROUPS for child in children)


def _layer(uses: list[_Use], p: float) -> tuple[Choice, ...]:
    """Return weighted uses that are reached with a probability; the rest is the identity."""
    total = sum(use.p for use in uses)
    choices = [Choice(op=use.op, magnitude=use.magnitude, probability=min(1.0, p * use.p / total)) for use in uses]
    return (*choices, *([Choice(op="Identity", magnitude=0.0, probability=1 - p)] if p < 1 else []))


def _sequence(reader: _Reader, nodes: list[Mapping[str, Any]]) -> tuple[Op, ...]:
    uses = [reader.use(node) for node in nodes]
    return tuple(Op(op=use.op, p=use.p, magnitude=use.magnitude) for use in uses if use is not None)


def _group(kind: str, p: float, transforms: list[dict[str, Any]]) -> dict[str, Any]:
    return {"__class_fullname__": kind, "p": p, "transforms": transforms}


def _written(policy: Policy, op: str, magnitude: float, p: float, leeway: Leeway) -> dict[str, Any]:
    """Return a use of an operation as a transform, or as a OneOf of its two signs."""
    row = policy.table[op]
    arguments = [row.argument(magnitude)]
    mirror = row.argument(magnitude, reflected=True)
    if row.mirrored and mirror != arguments[0]:
        arguments.append(mirror)
    found = [theirs.transform(row.base, argument, policy.interpolation, policy.fill) for argument in arguments]
    if None in found:
        near = [nearest_transform(row, argument, policy) for argument in arguments]
        name, at = parts(row, magnitude)
        leeway.differ(name, at=at, instead=near[0].instead)
        found = [one.transform for one in near]
    leaves = [{**leaf, "p": 1.0} for leaf in found if leaf is not None]
    return {**leaves[0], "p": p} if len(leaves) == 1 else _group("OneOf", p, leaves)


def _entry(written: dict[str, Any]) -> dict[str, Any]:
    """Return a transform of a sub-policy; a flip that is a OneOf with doing nothing as a flip of half the p."""
    if kind_of(written) == "OneOf":
        acting = [leaf for leaf in written["transforms"] if kind_of(leaf) != "NoOp"]
        if len(acting) == 1:
            return {**acting[0], "p": written["p"] / 2}
    return written


def _halves(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the two signs of a mirrored choice as choices of half its probability."""
    return [{**leaf, "p": group["p"] / 2} for leaf in group["transforms"]]
