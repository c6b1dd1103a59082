"""AutoAlbument's documents, in the shapes in which people have them; the numbers are ours."""

import json
from typing import Any

import pytest

from faa_core import FaaError, LayeredSubPolicies, Layers, formats
from faa_core.formats import Leeway

MODULE = "albumentations.augmentations.transforms"


def leaf(kind: str, p: float, **fields: Any) -> dict[str, Any]:
    """Return a transform as AutoAlbument's files have it."""
    return {"__class_fullname__": f"{MODULE}.{kind}", "always_apply": False, "p": p, **fields}


def group(kind: str, *transforms: dict[str, Any], p: float = 1) -> dict[str, Any]:
    """Return a composition."""
    return {"__class_fullname__": f"albumentations.core.composition.{kind}", "p": p, "transforms": list(transforms)}


def contrast(p: float, limit: float) -> dict[str, Any]:
    """Return a contrast of albumentations, which is our brightness."""
    ends = {"brightness_limit": [0, 0], "contrast_limit": [limit, limit]}
    return leaf("RandomBrightnessContrast", p, **ends, brightness_by_max=True)


def autoalbument(*layers: tuple[dict[str, Any], ...], before: tuple[dict[str, Any], ...] = ()) -> str:
    """Return a document in AutoAlbument's shape: two sub-policies of the same layers, the second's turned round."""
    subs = [
        group("Sequential", *(group("OneOf", *layer) for layer in order), p=0.5) for order in (layers, layers[::-1])
    ]
    after = [
        leaf("Normalize", 1.0, mean=[0.5] * 3, std=[0.2] * 3, max_pixel_value=255),
        {"__class_fullname__": "albumentations.pytorch.transforms.ToTensorV2", "always_apply": True, "p": 1.0},
    ]
    root = group("Compose", *before, group("OneOf", *subs), *after, p=1.0)
    return json.dumps({"__version__": "0.5.2", "transform": root})


FLIP, NOTHING = leaf("HorizontalFlip", 0.3), leaf("NoOp", 0.1)
SOLARIZED = (leaf("Solarize", 0.6, threshold=[200, 200]), contrast(0.2, 0.5), leaf("NoOp", 0.2))
SHIFT = leaf(
    "ShiftScaleRotate", 0.2, shift_limit_x=[0.4, 0.4], shift_limit_y=[0, 0], scale_limit=[0.0, 0.0],
    rotate_limit=[0, 0],
    interpolation=1, border_mode=4, value=None, mask_value=None,
)  # fmt: skip
RESIZE = leaf("Resize", 1, height=32, width=32, interpolation=1)


def test_autoalbuments_layers_inside_sub_policies() -> None:
    """Each OneOf is a layer; what makes tensors, and what brings to size, is left out with a note."""
    policy = formats.parse(autoalbument((FLIP, NOTHING), SOLARIZED, before=(RESIZE,)), "albumentations")
    assert isinstance(policy, LayeredSubPolicies)
    first, second = policy.sub_policies
    assert first == second[::-1]
    assert [("Flip", 0.75), ("Identity", 0.25)] == [
        (policy.table[one.op].base, pytest.approx(one.probability)) for one in first[0]
    ]
    arguments = [policy.table[one.op].argument(one.magnitude) for one in first[1][:2]]
    assert [200.0, 1.5] == pytest.approx(arguments)
    notes = policy.provenance["notes"]
    assert ("Resize left out: no part of a policy", "Normalize and ToTensorV2 left out: no part of a policy") == notes
    assert policy.to_json() == formats.parse(policy.to_json(), "faa").to_json()


def test_what_autoalbument_has_and_we_have_not_is_one_sentence() -> None:
    """Of every kind, how often; the nearest is read if that is wanted."""
    shift = leaf("RGBShift", 0.1, r_shift_limit=[-9, -9])
    holes = leaf("CoarseDropout", 0.1, max_holes=4, max_height=5, max_width=5, min_holes=4, min_height=5, min_width=5)
    text = autoalbument((FLIP, shift, SHIFT, holes), SOLARIZED)
    with pytest.raises(FaaError) as raised:
        formats.parse(text, "albumentations")
    message = str(raised.value)
    for part in ("RGBShift (2×)", "border_mode 4, where ours is 0", "shift_limit_x 0.4 (2×)", "CoarseDropout (2×)"):
        assert part in message
    assert message.endswith(
        "`faa policy convert --nearest` takes the nearest that there is, and names each difference."
    )
    leeway = Leeway(nearest=True)
    policy = formats.parse(text, "albumentations", leeway=leeway)
    assert isinstance(policy, LayeredSubPolicies)
    used = {
        policy.table[one.op].base: policy.table[one.op].argument(one.magnitude) for one in policy.sub_policies[0][0]
    }
    assert {"Flip": -1.0, "Identity": 0.0, "TranslateX": -0.4, "CutoutAbs": 10.0} == pytest.approx(used)
    assert "RGBShift (2×): left out" in leeway.notes
    assert policy.provenance["notes"] == tuple(leeway.notes)


def test_documents_in_yaml_and_layers_that_do_not_always_apply() -> None:
    """``A.save(…, data_format="yaml")``; a OneOf with p is a layer with the identity."""
    text = """
__version__: 1.3.0
transform:
  __class_fullname__: Compose
  p: 1.0
  transforms:
  - __class_fullname__: OneOf
    p: 0.5
    transforms:
    - {__class_fullname__: HorizontalFlip, p: 0.6}
    - {__class_fullname__: InvertImg, p: 0.2}
  - {__class_fullname__: ToGray, p: 0.25}
"""
    assert "albumentations" == formats.guess_format(text.encode()).name
    policy = formats.parse(text, "albumentations")
    assert isinstance(policy, Layers)
    assert [[0.375, 0.125, 0.5], [0.25, 0.75]] == [
        [pytest.approx(one.probability) for one in layer] for layer in policy.layers
    ]
