"""Files in the shapes in which people have them: each is read, or refused in one true sentence.

The shapes are those of public files; the numbers are ours.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from faa_core import FaaError, LayeredSubPolicies, Layers, Parametric, Policy, SubPolicies, formats
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


CHAINED = """
BASE = DEFAULT = [[("Rotate", 0.2, 0.8), ("Invert", 0.4, 0.1)], [("Color", 0.6, 0.3)]]
names = ["a", "b"]
"""
GROWN = """
policies = [[("Rotate", 0.2, 0.8)]]
same = policies
policies.append([("Color", 0.5, 0.5)])
policies += [[("Invert", 1, 0)]]
print(len(policies))
if __name__ == "__main__":
    policies = make(policies)
"""


def test_chained_assignments_are_one_list() -> None:
    """By any of their names; lists of names are no tables."""
    policy = formats.parse(CHAINED, "legacy")
    assert isinstance(policy, SubPolicies)
    assert [2, 1] == [len(sub) for sub in policy.sub_policies]
    assert policy.sub_policies == formats.parse(CHAINED, "legacy", table="DEFAULT").sub_policies
    with pytest.raises(FaaError, match="is called 'names'"):
        formats.parse(CHAINED, "legacy", table="names")


def test_lists_that_grow_are_whole_or_unknown() -> None:
    """What a loop may change is not read half made."""
    for table in ("policies", "same"):
        grown = formats.parse(GROWN, "legacy", table=table)
        assert isinstance(grown, SubPolicies)
        assert ["Rotate", "Color", "Invert"] == [sub[0].op for sub in grown.sub_policies]
    for line in ("for x in y: p.append(x)", "p[0] = 3", "p.pop()", "random.shuffle(p)", "del p[0]"):
        with pytest.raises(FaaError, match="assigns or returns no list of literals"):
            formats.parse(f"p = [[('Invert', 1, 0)]]\n{line}\n", "legacy")


BEST = "[[('Invert', 0.1, 0.2), ('Color', 0.3, 0.4)], [('Invert', 0.5, 0.6), ('Color', 0.7, 0.8)]]"
NEXT = "[[('Rotate', 0.9, 0.4), ('Cutout', 0.2, 0.6)], [('Solarize', 0.1, 0.1), ('Invert', 1, 0)]]"
LINES = (f"loss=-0.31 top1_valid=0.9 {BEST}", f"loss=-0.35 top1_valid=0.8 {NEXT}")
HEAD = "[2019-07-01 10:00:00,123] [Fast AutoAugment] [INFO] "
LOG = "".join(f"{HEAD}{line}\n" for line in ("search augmentation policies, dataset=x", *LINES))
WHOLE = f'{HEAD}[[["Color", 0.25, 0.5], ["Invert", 0.75, 1]], [["Rotate", 1.0, 0.0], ["Cutout", 0.5, 0.5]]]\n'


def test_a_searchs_log_tells_its_policy() -> None:
    """The whole log, one line of it, and a log of a search that was stopped."""
    for text in (LOG + WHOLE + f"{HEAD}final_policy=2\n", WHOLE):
        assert "legacy" == formats.guess_format(text.encode()).name
        policy = formats.parse(text, "legacy")
        assert isinstance(policy, SubPolicies)
        assert [("Color", 0.25, 0.5), ("Rotate", 1.0, 0.0)] == [
            (sub[0].op, sub[0].p, sub[0].magnitude) for sub in policy.sub_policies
        ]
        assert "notes" not in policy.provenance
    for line in (LINES[0], HEAD + LINES[0]):
        one = formats.parse(line, "legacy")
        assert isinstance(one, SubPolicies)
        assert 2 == len(one.sub_policies)
    stopped = formats.parse(LOG, "legacy")
    assert isinstance(stopped, SubPolicies)
    assert [0.1, 0.9, 0.1] == [sub[0].p for sub in stopped.sub_policies]  # of a trial's alike, the first
    assert ("the log has no line of the whole policy; joined from its 2 best trials",) == stopped.provenance["notes"]
    with pytest.raises(FaaError, match="tells several policies"):
        formats.parse(WHOLE + WHOLE.replace("0.25", "0.3"), "legacy")


def parameters(**changes: Any) -> dict[str, Any]:
    """Return a trial's parameters as Ray keeps them, of two sub-policies."""
    fields: dict[str, Any] = {"cv_fold": 1, "num_op": 2, "num_policy": 2, "save_path": "x.pth"}
    for at, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        fields |= {f"policy_{i}_{j}": (4, 14, 0, 11)[at], f"prob_{i}_{j}": at / 4, f"level_{i}_{j}": 1 - at / 5}
    return fields | changes


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(parameters()),
        json.dumps({"config": parameters(), "top1_valid": 0.9}),
        "\n".join(json.dumps({"config": parameters(), "training_iteration": n}) for n in (1, 2, 3)),
    ],
    ids=["params.json", "one result", "result.json"],
)
def test_rays_parameters_are_a_policy(text: str) -> None:
    """Operations by their number in the release's list, in order."""
    assert "legacy" == formats.guess_format(text.encode()).name
    policy = formats.parse(text, "legacy")
    assert isinstance(policy, SubPolicies)
    uses = [(use.op, use.p, pytest.approx(use.magnitude)) for sub in policy.sub_policies for use in sub]
    assert [("Rotate", 0.0, 1.0), ("Cutout", 0.25, 0.8), ("ShearX", 0.5, 0.6), ("Color", 0.75, 0.4)] == uses
    assert "unit" == policy.provenance["levels"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({key: value for key, value in parameters().items() if key != "prob_1_0"}), "'prob_1_0' is missing"),
        (json.dumps(parameters(policy_0_1=15)), "'policy_0_1' must be the number of an operation, 0 … 14, not 15"),
        (json.dumps(parameters(policy_0_1=1.0)), "not 1.0"),
        (json.dumps(parameters(level_0_1=1.5)), "level must lie in 0 … 1, not be 1.5"),
        ("\n".join(json.dumps(parameters(prob_0_0=p)) for p in (0.1, 0.2)), "parameters of several trials"),
    ],
)
def test_parameters_that_are_no_policy(text: str, words: str) -> None:
    """Missing ones, numbers beyond the list, and several trials."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "legacy")


TABLE = """
# as mmpretrain has it
policy_mine = [
    [dict(type='Posterize', bits=5, prob=0.3), dict(type='Rotate', angle=30 / 9 * 3, prob=0.7)],
    [
        dict(type='Solarize', thr=256 / 9 * 4, prob=0.2),
        dict(type='Shear', magnitude=0.3 / 9 * 5, prob=0.9, direction='vertical'),
        dict(type='ColorTransform', magnitude=0.4),
    ],
]
"""
CONFIG = """
_base_ = ['x.py']
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], to_rgb=True)
bgr_mean = data_preprocessor['mean'][::-1]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(
        type=RandAugment,
        policies=POLICIES,
        num_policies=3,
        total_level=10,
        magnitude_level=LEVEL,
        magnitude_std=0.5,
        hparams=dict(pad_val=[round(x) for x in bgr_mean], interpolation='bilinear')),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=64, dataset=dict(type=ImageNet, pipeline=train_pipeline))
"""


def arguments_of(policy: Policy) -> list[list[tuple[str, float, float, bool]]]:
    """Return base, p, argument and whether a sign is drawn of each use."""
    assert isinstance(policy, SubPolicies)
    rows = policy.table
    return [
        [(rows[u.op].base, u.p, round(rows[u.op].argument(u.magnitude), 9), rows[u.op].mirrored) for u in sub]
        for sub in policy.sub_policies
    ]


def test_mmpretrains_tables() -> None:
    """``dict(…)`` calls with sums in them, or the same printed as literals."""
    assert "mmpretrain" == formats.guess_format(TABLE.encode()).name
    policy = formats.parse(TABLE, "mmpretrain")
    first, second = arguments_of(policy)
    assert ("Rotate", 0.7, 10.0, True) == (*first[1][:2], abs(first[1][2]), first[1][3])
    assert ("Solarize", 0.2, round(256 / 9 * 4, 9), False) == second[0]
    assert ("ShearY", 0.9, round(0.3 / 9 * 5, 9), True) == (*second[1][:2], abs(second[1][2]), second[1][3])
    assert ("Color", 0.5, 1.4, True) == second[2]
    posterize = policy.sub_policies[0][0] if isinstance(policy, SubPolicies) else None
    assert posterize is not None
    assert 5 == int(policy.table[posterize.op].argument(posterize.magnitude))  # bits are whole
    assert ("policy_mine", (128, 128, 128), "nearest") == (policy.name, policy.fill, policy.interpolation)
    assert "leaves fill and filter to what uses it" in policy.provenance["notes"][0]
    literal = "p = [[{'type': 'Invert', 'prob': 0.6}, {'type': 'Equalize', 'prob': 1.0}]]"
    assert [[("Invert", 0.6, 0.0, False), ("Equalize", 1.0, 0.0, False)]] == arguments_of(
        formats.parse(literal, "mmpretrain")
    )


def test_mmpretrains_configs() -> None:
    """A RandAugment deep in a pipeline: levels, noise, fill in red, green, blue."""
    text = CONFIG.replace("POLICIES", "'timm_increasing'").replace("LEVEL", "7")
    policy = formats.parse(text, "mmpretrain")
    assert isinstance(policy, Parametric)
    assert (3, 15, (0.5, 0.5), (0.7, 0.7), 0.05) == (
        policy.num_ops, len(policy.ops), policy.p, policy.magnitude, policy.magnitude_std,
    )  # fmt: skip
    assert ((124, 116, 104), "bilinear") == (policy.fill, policy.interpolation)
    shown = {row.base: row.argument(0.7) for row in policy.table.values()}
    wanted = {"Solarize": 256 * 0.3, "Brightness": 1.63, "SolarizeAdd": 77.0, "Posterize": 4 * 0.3 + 1}
    assert wanted == pytest.approx({base: shown[base] for base in wanted}, abs=1e-8)
    assert 21.0 == pytest.approx(abs(shown["Rotate"]))
    assert policy.table[policy.ops[policy.ops.index("mm.Rotate")]].mirrored


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CONFIG.replace("POLICIES", "{{_base_.policies}}"), r"from elsewhere \({{_base_.policies}}\)"),
        (CONFIG.replace("POLICIES", "'timm'"), "collection of RandAugment's policies is called 'timm'; known: simple"),
        (CONFIG.replace("POLICIES", "'timm_increasing'").replace("LEVEL", "x()"), "level must be a number"),
        (CONFIG.replace("'bilinear'", "'bicubic'").replace("POLICIES", "'timm_increasing'").replace("LEVEL", "7"),
         r"interpolation 'bicubic' \(OpenCV's\)"),
        ("ops = [dict(type='Invert'), dict(type='Rotate', magnitude_range=(0, 30))]", "of a RandAugment alone"),
        ("x = dict(type='Resize')", "no AutoAugment or RandAugment, and no table"),
        ("a = [[dict(type='Invert')]]\nb = [[dict(type='Equalize')]]", "several tables: a, b"),
        ("p = [[dict(type='GaussianBlur', radius=1)]]", "No operation of ours does: GaussianBlur"),
        ("p = [[dict(type='Rotate', angle=3, center=(1, 2))]]", r"Rotate.center \(1, 2\)"),
        ("p = [[dict(type='Invert', prob=2)]]", "Invert.prob must lie in 0 … 1"),
        ("p = [[dict(type='Rotate', angle=ANGLE)]]", "angle is no number that can be read without .*: ANGLE"),
    ],
)  # fmt: skip
def test_configs_that_say_what_a_policy_cannot(text: str, words: str) -> None:
    """In one sentence that is true."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "mmpretrain")


def paddle(transform: str) -> str:
    """Return a config of PaddleClas with a transform among others."""
    return f"""
Global:
  epochs: 120
DataLoader:
  Train:
    dataset:
      name: ImageNetDataset
      transform_ops:
        - DecodeImage:
            to_rgb: True
{transform}
        - NormalizeImage:
            scale: 1.0/255.0
            order: ''
  Eval:
    dataset:
      transform_ops:
        - ResizeImage:
            resize_short: 256
"""


TIMM = """
        - TimmAutoAugment:
            config_str: rand-m7-mstd0.5-inc1
            interpolation: bicubic
            img_size: 224
            mean: [0.5, 0.4, 0.3]
"""
V3 = """
        - RandAugmentV3:
            num_layers: 3
            magnitude: 6
            interpolation: bilinear
"""


def test_paddleclas_configs() -> None:
    """The timm string with the fill of its mean; a RandAugment at one level."""
    assert "paddleclas" == formats.guess_format(paddle(TIMM).encode()).name
    policy = formats.parse(paddle(TIMM), "paddleclas")
    plain = formats.read_policy("rand-m7-mstd0.5-inc1")
    assert isinstance(policy, Parametric)
    assert isinstance(plain, Parametric)
    assert (policy.ops, policy.magnitude, policy.magnitude_std) == (plain.ops, plain.magnitude, plain.magnitude_std)
    assert ((128, 102, 76), "bicubic") == (policy.fill, policy.interpolation)
    third = formats.parse(paddle(V3), "paddleclas")
    assert isinstance(third, Parametric)
    assert (3, (1.0, 1.0), 14, "bilinear") == (third.num_ops, third.p, len(third.ops), third.interpolation)
    shown = {row.base: (row.argument(0.0), row.mirrored) for row in third.table.values() if row.unit != "none"}
    assert (18.0, True) == shown["Rotate"]
    assert (6.0, False) == shown["Posterize"]  # 8 less two whole bits of 2.4
    assert {"Solarize": 102.0, "Color": 1.54, "ShearX": 0.18} == pytest.approx(
        {base: shown[base][0] for base in ("Solarize", "Color", "ShearX")}
    )


@pytest.mark.parametrize(
    ("transform", "words", "near"),
    [
        ("        - AutoAugment:", "shears sampled bicubic, turns and shifts at the nearest pixel", SubPolicies),
        ("        - RandAugment:\n            magnitude: 7", "RandAugment .shears sampled bicubic", Parametric),
        (TIMM.replace("bicubic", "random"), r"interpolation 'random' \(drawn afresh\)", Parametric),
        (TIMM + "            prob: 0.8", "TimmAutoAugment.prob 0.8, by which all is applied or nothing", Parametric),
        (TIMM + "            prob: 0.0", "has prob 0 here, so it does nothing", None),
        (TIMM.replace("rand-m7-mstd0.5-inc1", "null"), "config_str must be a text", None),
        ("        - RandAugmentV2:\n            num_layers: 2", "has a cutout of its own", None),
        (TIMM + V3, "several such transforms, which differ", None),
        (V3 + "            odd: 3", "has no setting 'odd' that is known", None),
    ],
)
def test_paddleclas_configs_that_say_what_a_policy_cannot(transform: str, words: str, near: Any) -> None:
    """In one sentence; the nearest is read where there is one."""
    with pytest.raises(FaaError, match=words):
        formats.parse(paddle(transform), "paddleclas")
    if near is not None:
        leeway = Leeway(nearest=True)
        assert isinstance(formats.parse(paddle(transform), "paddleclas", leeway=leeway), near)
        assert 1 == len(leeway.notes)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TrivialAugmentWide()", "trivialaugment"),
        (
            "v2.TrivialAugmentWide(num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None)",
            "trivialaugment",
        ),
        ("transforms.RandAugment(2, 9)", "randaugment"),
        ("AutoAugment(policy=AutoAugmentPolicy.SVHN, fill=None)", "autoaugment-svhn"),
    ],
)
def test_torchvisions_text(text: str, name: str, tmp_path: Path) -> None:
    """As its transforms print themselves, or are written in code; back again as text."""
    policy, known = Policy.load(text), Policy.load(name)
    assert known.to_json() == policy.model_copy(update={"name": name}).to_json()
    (tmp_path / "aug.txt").write_text(f"{text}\n")
    assert name == Policy.load(tmp_path / "aug.txt").name
    again = formats.parse(str(formats.render(policy, "torchvision")), "torchvision")
    assert known.to_json() == again.model_copy(update={"name": name}).to_json()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RandAugment(num_ops=n)", "'n' is no value that can be read"),
        ("RandAugment(ops=2)", "torchvision has no such RandAugment"),
        ("RandAugment(num_ops=0)", "num_ops must be at least 1"),
        ("TrivialAugmentWide(interpolation=InterpolationMode.LANCZOS)", "interpolation 'lanczos' has no counterpart"),
        ("AutoAugment(__import__('os'))", "is no value that can be read"),
    ],
)
def test_torchvisions_text_that_is_refused(text: str, words: str) -> None:
    """Nothing of it is executed."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "torchvision")


def test_its_scripts_names_sample_bilinear() -> None:
    """As ``--auto-augment ta_wide`` does."""
    assert ("bilinear", "bilinear") == (Policy.load("ra").interpolation, Policy.load("ta_wide").interpolation)


@pytest.mark.parametrize(
    "text",
    [
        "a = [1]\nb = [a, a]\n"
        + "".join(f"{new} = [{old}] * 1 + [{old}, {old}]\n" for old, new in zip("bcdef", "cdefg", strict=True)),
        "a = [[1]]\n" + "a = [a, a]\n" * 60,
        "p = [[x for x in range(10 ** 9)]]",
        "p = [[9 ** 9 ** 9]]",
        "n = 10\n" + "n = n * n\n" * 40 + "p = [[n]]",
        "p = [[round('x'), list(3), dict(3)]]",
        "p = [[x for x in a for y in b], *p]\np.append(p)",
        "loss=1 top1_valid=1 [[(((" + "\n" + "[a] " * 10_000 + "[[x]]",
        "policy_0_0 = 3",
        *("a = [[1]]\n" + "a = [a]\n" * deep + last for deep in (900, 3000) for last in ("", "a.pop()", "b = f(a)")),
    ],
)
def test_python_that_grows_or_means_nothing(text: str) -> None:
    """An error in words, soon."""
    for name in ("legacy", "kornia", "mmpretrain"):
        with pytest.raises(FaaError):
            formats.parse(text, name)


ROWS = 'R = [["Invert", 1, 0], ["Rotate", 0.5, 0.2]]\nC = [["Color", 0.5, 0.5]]\nx = ["Invert", 1, 0]\nA = [R, C]\n'
CHANGES = [
    "A[0].append(x)",
    "for p in A: p.append(x)",
    "for p in A: p[0][1]=0.9",
    "for p in A: print(p)\np.append(x)",
    "x=A\nx.pop()",
    "x=A[0][0]\nx[1]=0.9",
    "_ = A.append(C)",
    "x=[A.pop()]",
    "x=[A.pop(), 1][1]",
    "x=A * 2\nx[0].pop()",
    "x=[[A.pop(), 1][1] for y in [1]]",
    "f=A.append\nf(C)",
    'subs=dict(a=A)\nsubs["a"].append(C)',
    "class K: A.append(C)",
    "class K:\n    def f(self): A.append(C)\nK().f()",
    "def f(): A.append(C)\nf()",
    "def f():\n    global A\n    A = []\nf()",
    "def f():\n    exec('A=[]', g)\nf()",
    "def print(x): x.pop()\nprint(A)",
    "x=(A:=[C])",
    'exec("A=[]")',
    'globals()["A"]=[]',
    "if y: A = [C]",
    "from y import *",
    "with read_base():\n    from y import *",
    "if __name__ != '__main__': A.pop()",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_a_statement_may_change_is_refused(change: str) -> None:
    """By its name and without one; the line is told, and what to do."""
    for table in ("A", None):
        with pytest.raises(
            FaaError, match=r"since line \d+ .* may change it .* give a file whose table is written out"
        ):
            formats.parse(ROWS + change, "legacy", table=table)


def test_what_defines_a_function_first_may_change_a_table_later() -> None:
    """The table is unknown wherever the function stands; one that nothing runs changes nothing."""
    late = "def f(): A.append(1)\n" + ROWS
    assert isinstance(formats.parse(late, "legacy", table="A"), SubPolicies)
    with pytest.raises(FaaError, match=r"line 1 .def f"):
        formats.parse(late + "f()", "legacy", table="A")
    for other in ("f = lambda: A.pop()\n", "if y:\n    def f(): A.pop()\n", "f = (A.pop() for _ in y)\n"):
        with pytest.raises(FaaError, match=r"line 1 .* may change it"):
            formats.parse(other + ROWS + "f()", "legacy", table="A")


@pytest.mark.parametrize(
    "looks",
    ["print(A[0], len(A))", "assert len(A) == 2", "for p in A: print(p)", "if len(A) != 2: raise ValueError(1)"],
)
def test_what_only_looks_at_a_table_leaves_it(looks: str) -> None:
    """It is read as before."""
    policy = formats.parse(ROWS + looks, "legacy", table="A")
    assert isinstance(policy, SubPolicies)
    assert [2, 1] == [len(sub) for sub in policy.sub_policies]


@pytest.mark.parametrize(
    "body",
    [
        "p[0].append(x)\n    return p",
        "q=p\n    q.pop()\n    return p",
        "g(p)\n    return p",
        "def g(): p.pop()\n    g()\n    return p",
    ],
)
def test_functions_that_change_the_table_they_return(body: str) -> None:
    """Are refused as modules are."""
    text = f"def f():\n    x = ['Invert', 1, 0]\n    p = [[['Color', 0.5, 0.5]], [['Invert', 1, 0]]]\n    {body}\n"
    for table in ("f", None):
        with pytest.raises(FaaError, match=r"since line \d+ .* may change it"):
            formats.parse(text, "legacy", table=table)


INVERT = "dict(type='Invert', prob=1.0)"
RA = (
    f"dict(type='RandAugment', policies=[{INVERT}], num_policies=1, total_level=10, magnitude_level=5, "
    "magnitude_std=0.5)"
)


@pytest.mark.parametrize(
    "text",
    [
        f"policies = [[{INVERT}], [{INVERT}]]\npolicies[0].pop()",
        f"P = [[{INVERT}]]\nP[0].append({INVERT})",
        f"P = [[{INVERT}]]\nfor p in P: p.append({INVERT})",
        f"P = [[{INVERT}]]\nq = dict(type='AutoAugment', policies=P)\nfor p in P: p.append({INVERT})",
        f"train_pipeline = [{RA}]\ntrain_pipeline[0].update(magnitude_level=20)",
        f"ra = {RA}\ntrain_pipeline=[ra]\nra['magnitude_level']=20",
    ],
)
def test_mmpretrains_files_that_change_what_they_hold(text: str) -> None:
    """Nothing half read."""
    with pytest.raises(FaaError, match=r"since line \d .* may change it"):
        formats.parse(text, "mmpretrain")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"p = [dict(type='RandomApply', transforms=[{RA}], prob=0.5)]", "inside RandomApply.transforms"),
        (f"ra = {RA}\np = [dict(type='RandomApply', transforms=ra, prob=0.5)]", "inside RandomApply.transforms"),
        (f"p = [dict(type=RandomChoice, transforms=[[{RA}], [{INVERT}]])]", "inside RandomChoice.transforms"),
        (f"p = [{RA}, {RA}]", "several transforms AutoAugment or RandAugment"),
        (f"ra = {RA}\np = [ra, dict(type='Compose', transforms=[ra])]", "several transforms"),
    ],
)
def test_mmpretrains_wrappers_are_refused(text: str, words: str) -> None:
    """What holds a transform by chance, and a pipeline that has two."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "mmpretrain")
    assert isinstance(
        formats.parse(f"p = [{RA}]\nd = dict(type='X', dataset=dict(pipeline=p))", "mmpretrain"), Parametric
    )


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (TIMM + TIMM, "several such transforms"),
        (
            "        - RandomApply:\n            transforms:\n            - TimmAutoAugment:\n               prob: 1",
            "TimmAutoAugment is inside RandomApply",
        ),
    ],
)
def test_paddleclas_wrappers_are_refused(transform: str, words: str) -> None:
    """The same in YAML."""
    with pytest.raises(FaaError, match=words):
        formats.parse(paddle(transform), "paddleclas")
