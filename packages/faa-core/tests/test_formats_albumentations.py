"""Documents of albumentations: shapes, fields, names of what has no counterpart, and the library's own pixels."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL.Image import Image as PILImage

from faa_core import Choice, FaaError, Layers, Op, Policy, Step, SubPolicies
from faa_core.formats import Leeway, albumentations

Picture = Callable[[str], PILImage]
AFFINE = {"interpolation": 0, "border_mode": 0, "fill": 0}


def leaf(kind: str, p: float = 1.0, **fields: Any) -> dict[str, Any]:
    """Return a transform as it is serialised."""
    return {"__class_fullname__": kind, "p": p, **fields}


def group(kind: str, *transforms: dict[str, Any], p: float = 1.0) -> dict[str, Any]:
    """Return a composition as it is serialised."""
    return leaf(kind, p, transforms=list(transforms))


def read(*transforms: dict[str, Any]) -> Policy:
    """Return the policy of a Compose."""
    return albumentations.parse(json.dumps({"__version__": "2.0.8", "transform": group("Compose", *transforms)}))


def only(transform: dict[str, Any]) -> tuple[str, float, bool, float]:
    """Return kernel, argument, whether mirrored, and p of a policy of one transform."""
    policy = read(transform)
    assert isinstance(policy, SubPolicies)
    ((use,),) = policy.sub_policies
    row = policy.table[use.op]
    return row.base, row.argument(use.magnitude), row.mirrored, use.p


@pytest.mark.parametrize(
    ("transform", "base", "argument"),
    [
        (leaf("Affine", rotate=[13.3, 13.3], **AFFINE), "Rotate", 13.3),
        (leaf("Affine", translate_px={"x": [5, 5], "y": [0, 0]}, **AFFINE), "TranslateXPixels", -5.0),
        (leaf("Affine", translate_percent={"x": [0, 0], "y": [-0.3, -0.3]}, **AFFINE), "TranslateYWhole", 0.3),
        (leaf("Rotate", limit=[-20, -20], **AFFINE), "Rotate", -20.0),
        (leaf("ShiftScaleRotate", rotate_limit=[7, 7], shift_limit_x=[0, 0], **AFFINE), "Rotate", 7.0),
        (leaf("Solarize", threshold_range=[0.4, 0.4]), "Solarize", 102.0),
        (leaf("albumentations.augmentations.transforms.Solarize", threshold=[219, 219]), "Solarize", 219.0),
        (leaf("Posterize", num_bits=[3, 3]), "Posterize", 3.0),
        (leaf("Posterize", num_bits=6), "Posterize", 6.0),
        (leaf("RandomBrightnessContrast", brightness_limit=[0, 0], contrast_limit=[0.5, 0.5]), "Brightness", 1.5),
        (leaf("ColorJitter", brightness=[1, 1], contrast=[0.3, 0.3], saturation=[1, 1], hue=[0, 0]), "Contrast", 0.3),
        (leaf("ColorJitter", brightness=[1, 1], contrast=[1, 1], saturation=[1.8, 1.8], hue=[0, 0]), "Color", 1.8),
        (leaf("ToGray", method="weighted_average", num_output_channels=3), "Color", 0.0),
        (leaf("HorizontalFlip"), "Flip", -1.0),
        (leaf("InvertImg"), "Invert", 0.0),
        (leaf("NoOp"), "Identity", 0.0),
    ],
)
def test_transforms_are_operations(transform: dict[str, Any], base: str, argument: float) -> None:
    """Each at one value, with its p, and without mirroring."""
    assert (base, argument, False, 0.25) == only(transform | {"p": 0.25})


def test_what_a_document_leaves_out() -> None:
    """It is as the library has it by default: colours stay, and maps are read between pixels."""
    kept = {"brightness": [1, 1], "contrast": [0.3, 0.3], "hue": [0, 0]}
    assert only(leaf("ColorJitter", **kept)) == only(leaf("ColorJitter", **kept, saturation=[1, 1]))
    turned = {"rotate": [5, 5], "border_mode": 0, "fill": 0}
    assert read(leaf("Affine", **turned)).interpolation == "bilinear"


def test_two_opposite_values_are_a_mirrored_operation() -> None:
    """With the p of the OneOf."""
    pair = group("OneOf", *(leaf("Affine", rotate=[a, a], **AFFINE) for a in (24.0, -24.0)), p=0.3)
    assert ("Rotate", 24.0, True, 0.3) == only(group("OneOf", group("Sequential", pair)))
    policy = read(group("OneOf", group("Sequential", pair, leaf("InvertImg", 0.5))))
    assert isinstance(policy, SubPolicies)
    first, second = policy.sub_policies[0]
    assert ("Rotate", 0.3, 24.0) == (first.op, first.p, policy.table["Rotate"].argument(first.magnitude))
    assert ("Invert", 0.5) == (second.op, second.p)


def test_shapes() -> None:
    """A OneOf of equal weights are sub-policies, with p = 1 for a bare transform; several OneOf are layers."""
    flip, invert = leaf("HorizontalFlip", 0.2), leaf("InvertImg", 0.2)
    subs = read(group("OneOf", flip, group("Sequential", invert, invert, p=0.2)))
    assert isinstance(subs, SubPolicies)
    assert [[1.0], [0.2, 0.2]] == [[use.p for use in sub] for sub in subs.sub_policies]
    layers = read(group("OneOf", flip, leaf("NoOp", 0.6)), group("OneOf", invert))
    assert isinstance(layers, Layers)
    assert [[0.25, 0.75], [1.0]] == [[pytest.approx(choice.probability) for choice in layer] for layer in layers.layers]
    assert isinstance(read(group("OneOf", flip, leaf("NoOp", 0.6))), Layers)


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ([leaf("Blur"), leaf("Blur"), leaf("CoarseDropout")], ["Blur (2×)", "CoarseDropout"]),
        (
            [leaf("Equalize", mode="pil"), leaf("Sharpen"), leaf("VerticalFlip")],
            ["Equalize", "Sharpen", "VerticalFlip"],
        ),
        ([leaf("Solarize", threshold_range=[0.1, 0.9])], ["Solarize.threshold_range from 0.1 … 0.9"]),
        ([leaf("Affine", rotate=[5, 5], shear={"x": [3, 3], "y": [0, 0]}, **AFFINE)], ["Affine.shear.x"]),
        ([leaf("Affine", scale={"x": [1, 1], "y": [2, 2]}, **AFFINE)], ["Affine.scale.y"]),
        (
            [leaf("Affine", rotate=[5, 5], translate_px={"x": [3, 3]}, **AFFINE)],
            ["Rotate and TranslateXPixels at once"],
        ),
        ([leaf("Affine", rotate=[5, 5], interpolation=2)], ["Affine.interpolation 2"]),
        ([leaf("Affine", rotate=[5, 5], interpolation=[1])], ["Affine.interpolation [1]"]),
        ([leaf("Rotate", limit=[5, 5], interpolation=0, border_mode=4)], ["Rotate.border_mode 4"]),
        ([leaf("Rotate", limit=[5, 5], interpolation=0, fill=[0.5, 1, 2])], ["Rotate.fill"]),
        ([leaf("ShiftScaleRotate", shift_limit_x=[0.1, 0.1], **AFFINE)], ["ShiftScaleRotate.shift_limit_x 0.1"]),
        ([leaf("RandomBrightnessContrast", brightness_limit=[0.2, 0.2])], ["brightness_limit 0.2 (it adds"]),
        ([leaf("HorizontalFlip", new=3)], ["HorizontalFlip.new 3"]),
        ([leaf("InvertImg", always_apply=True)], ["InvertImg.always_apply True"]),
        ([leaf("Posterize", num_bits=[float("nan")] * 2)], ["Posterize.num_bits [nan, nan]"]),
        (
            [leaf("Rotate", limit=[5, 5], interpolation=at, border_mode=0) for at in (0, 1)],
            ["several ways to sample and fill"],
        ),
        (
            [group("OneOf", group("Sequential", leaf("InvertImg")), p=0.5)],
            ["OneOf.p = 0.5 around the sub-policies, where it must be 1"],
        ),
        ([group("OneOf", group("Sequential", p=0.5), group("Sequential"))], ["sub-policies of different weights"]),
        ([group("SomeOf", leaf("InvertImg"))], ["SomeOf inside a sub-policy"]),
        (
            [group("OneOf", group("Sequential", group("OneOf", leaf("Blur"), group("OneOf", leaf("NoOp")))))],
            ["Blur", "OneOf inside"],
        ),
        ([leaf("InvertImg", 1.5)], ["InvertImg.p must lie in 0 … 1, not be 1.5"]),
        ([leaf("OneOf", 1.0)], ["OneOf.transforms must be a list"]),
        ([leaf("OneOf", 1.0, transforms=[3])], ["OneOf.transforms must be a list"]),
    ],
)
def test_everything_without_a_counterpart_is_named(transforms: list[dict[str, Any]], words: list[str]) -> None:
    """Transforms, fields, ranges and compositions, all in one error."""
    with pytest.raises(FaaError) as raised:
        read(*transforms)
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a document of albumentations"),
        ('{"transform": {"__class_fullname__": "Blur"}}', "not a document of albumentations"),
        ('{"transform": {"__class_fullname__": "Compose", "transforms": 3}}', "must be a list"),
        (
            '{"transform": {"__class_fullname__": "Compose", "p": 0.5, "transforms": []}}',
            "Compose.p = 0.5 around the whole policy, where it must be 1",
        ),
        ('{"a":' * 100000, "nested too deeply"),
    ],
)
def test_other_documents(text: str, words: str) -> None:
    """The error says what it is not."""
    with pytest.raises(FaaError, match=words):
        albumentations.parse(text)


POLICY = SubPolicies(
    fill=(9, 8, 7),
    sub_policies=(
        (
            Op(op="Rotate", p=0.5, magnitude=0.9),
            Op(op="Invert", p=0.2, magnitude=0),
            Op(op="Color", p=1, magnitude=0.1),
        ),
        (
            Op(op="Flip", p=0.5, magnitude=0),
            Op(op="Solarize", p=0.3, magnitude=0.4),
            Op(op="Contrast", p=1, magnitude=1),
        ),
        (Op(op="TranslateXPixels", p=1, magnitude=0.9), Op(op="TranslateYWhole", p=0.4, magnitude=0.2)),
        (Op(op="Posterize", p=1, magnitude=0.3), Op(op="Identity", p=1, magnitude=0)),
        (),
    ),
)
LAYERED = Layers(
    layers=(
        (Choice(op="Identity", magnitude=0, probability=0.5), Choice(op="Rotate", magnitude=0.9, probability=0.5)),
        (Choice(op="Invert", magnitude=0, probability=1),),
    )
)


def test_the_round_trip_keeps_what_it_does() -> None:
    """Arguments, probabilities, fill; written again, the same document."""
    text = albumentations.write(POLICY)
    again = albumentations.parse(text)
    assert isinstance(again, SubPolicies)
    assert text == albumentations.write(again)
    assert (POLICY.fill, POLICY.interpolation) == (again.fill, again.interpolation)
    for mine, theirs in zip(POLICY.sub_policies, again.sub_policies, strict=True):
        for use, other in zip(mine, theirs, strict=True):
            row, found = POLICY.table[use.op], again.table[other.op]
            assert row.base == found.base
            if row.base == "Flip":  # mirrored, so half of the uses do nothing
                assert use.p / 2 == other.p
            else:
                assert (use.p, row.mirrored) == (other.p, found.mirrored)
                given = row.argument(use.magnitude)
                wanted = abs(given) if row.mirrored else int(given) if row.base == "Posterize" else given
                shown = found.argument(other.magnitude)
                assert wanted == pytest.approx(abs(shown) if row.mirrored else shown)


def test_layers_keep_their_probabilities() -> None:
    """A mirrored choice is two of half its probability."""
    again = albumentations.parse(albumentations.write(LAYERED))
    assert isinstance(again, Layers)
    shown = [[(again.table[c.op].argument(c.magnitude), c.probability) for c in layer] for layer in again.layers]
    assert [[(0.0, 0.5), (24.0, 0.25), (-24.0, 0.25)], [(0.0, 1.0)]] == shown


def test_what_the_documents_cannot_say() -> None:
    """Each use once; rules not at all."""
    with pytest.raises(FaaError, match=r"no transform for: 'TranslateX' at .*'Sharpness' at .*, … \(\d+×\)"):
        albumentations.write(Policy.load("fa-reduced-cifar10"))
    with pytest.raises(FaaError, match="only sub-policies and layers"):
        albumentations.write(Policy.load("trivialaugment"))
    turned = POLICY.model_copy(update={"interpolation": "bicubic"})
    with pytest.raises(FaaError, match=r"no transform for: 'Rotate' at 24 or -24 degrees"):
        albumentations.write(turned)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("policy", [POLICY, LAYERED], ids=["sub-policies", "layers"])
def test_the_library_loads_what_we_write(policy: Policy) -> None:
    """`A.from_dict` builds it, and what it serialises is read as the same policy."""
    library = pytest.importorskip("albumentations")
    text = albumentations.write(policy)
    loaded = library.from_dict(json.loads(text))
    assert albumentations.parse(text).to_json() == albumentations.parse(json.dumps(library.to_dict(loaded))).to_json()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["gradient", "noise", "odd"])
def test_the_librarys_pixels(kind: str, picture: Picture) -> None:
    """Each operation at both signs: equal but for a rounding, and for ties of the nearest pixel."""
    library = pytest.importorskip("albumentations")
    image = picture(kind)
    for use in (use for sub in POLICY.sub_policies for use in sub):
        row = POLICY.table[use.op]
        for reflected in {False, row.mirrored}:
            argument = row.argument(use.magnitude, reflected=reflected)
            fields = albumentations.theirs.transform(row.base, argument, "nearest", POLICY.fill)
            assert fields is not None
            theirs = library.from_dict({"transform": {**fields, "p": 1.0}})(image=np.asarray(image))["image"]
            ours = np.asarray(POLICY.apply_steps(image, (Step(row, argument, (0.5, 0.5)),)))
            difference = np.abs(theirs.astype(int) - ours)
            assert (difference > 2).mean() < (0.015 if row.base == "Rotate" else 1e-9), (use.op, reflected)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (
            group("OneOf"),
            "The transforms of a OneOf are an empty list, so that it can pick none; one or more must have p",
        ),
        (
            group("OneOf", leaf("InvertImg", 0.0), leaf("NoOp", 0)),
            "The transforms of a OneOf each have p = 0, so that it",
        ),
        (group("OneOf", leaf("InvertImg"), p="1"), "OneOf.p must lie in 0 … 1, not be '1'"),
        (group("OneOf", leaf("InvertImg"), p=1.5), "OneOf.p must lie in 0 … 1, not be 1.5"),
    ],
)
def test_a_oneof_that_can_pick_nothing(node: dict[str, Any], words: str) -> None:
    """Alone, in a layer and in a sub-policy: what was given, and what is allowed; nothing of pydantic's."""
    other = group("OneOf", leaf("HorizontalFlip", 0.3), leaf("NoOp", 0.1))
    for nodes in ([node], [other, node], [group("OneOf", group("Sequential", node), group("Sequential", other))]):
        with pytest.raises(FaaError) as raised:
            read(*nodes)
        assert words in str(raised.value)


def test_a_oneof_that_does_not_always_pick_is_a_layer() -> None:
    """Of transforms, with the identity for the rest; around the whole policy as in it."""
    node = group("OneOf", leaf("InvertImg", 0.5), leaf("HorizontalFlip", 0.5), p=0.3)
    for root in (group("Compose", node), node):
        policy = albumentations.parse(json.dumps({"transform": root}))
        assert isinstance(policy, Layers)
        chances = [(policy.table[one.op].base, pytest.approx(one.probability)) for one in policy.layers[0]]
        assert [("Invert", 0.15), ("Flip", 0.15), ("Identity", 0.7)] == chances
        assert policy.layers[0][-1].magnitude == 0.0  # as of every other use of it, so that documents are the same


def test_what_does_nothing_at_all() -> None:
    """Not even the nearest is anything but nothing."""
    text = json.dumps({"transform": group("Compose", leaf("InvertImg"), p=0)})
    for leeway in (Leeway(), Leeway(nearest=True)):
        with pytest.raises(
            FaaError, match=r"Compose\.p = 0 around the whole policy, so that it does nothing; use the policy"
        ):
            albumentations.parse(text, leeway=leeway)
    with pytest.raises(FaaError, match="A policy cannot express this: a transform without __class_fullname__"):
        read({"p": 1.0})


def test_compositions_around_everything() -> None:
    """A Sequential is a Compose, a OneOf of sub-policies is read as if a Compose had it; others are refused."""
    one, two = leaf("InvertImg", 0.4), leaf("HorizontalFlip", 0.4)
    both = albumentations.parse(json.dumps({"transform": group("Sequential", one, two)}))
    assert read(one, two) == both
    assert read(group("OneOf", one, two)) == albumentations.parse(json.dumps({"transform": group("OneOf", one, two)}))
    with pytest.raises(FaaError, match=r"^A policy cannot express this: SomeOf inside a sub-policy or layer\."):
        albumentations.parse(json.dumps({"transform": group("SomeOf", one, two)}))
