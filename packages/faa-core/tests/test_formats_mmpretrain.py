"""mmpretrain's tables and configs, in the shapes of public files; the numbers are ours."""

import pytest

from faa_core import FaaError, Parametric, Policy, SubPolicies, formats

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
        ("ops = [dict(type='Invert'), dict(type='Rotate', magnitude_range=(0, 30))]", "lists the operations of a"),
        ("x = dict(type='Resize')", "no AutoAugment or RandAugment, and no table"),
        ("a = [[dict(type='Invert')]]\nb = [[dict(type='Equalize')]]", r"several policies, which differ: a, b\. Name"),
        ("p = [[dict(type='GaussianBlur', radius=1)]]", "A policy cannot express this: GaussianBlur"),
        ("p = [[dict(type='Rotate', angle=3, center=(1, 2))]]", r"Rotate.center \(1, 2\)"),
        ("p = [[dict(type='Invert', prob=0.2, prob=0.3)]]", "has the argument 'prob' twice; keep one"),
        ("p = [[dict(type='Invert', prob=2)]]", "Invert.prob must lie in 0 … 1"),
        ("p = [[dict(type='Rotate', angle=ANGLE)]]", "angle is not a number that can be read without .*: ANGLE"),
    ],
)  # fmt: skip
def test_configs_that_say_what_a_policy_cannot(text: str, words: str) -> None:
    """In one sentence that is true."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "mmpretrain")


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
    with pytest.raises(FaaError, match=r"cannot be followed: line \d .* may change it"):
        formats.parse(text, "mmpretrain")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"p = [dict(type='RandomApply', transforms=[{RA}], prob=0.5)]", "inside RandomApply.transforms"),
        (f"ra = {RA}\np = [dict(type='RandomApply', transforms=ra, prob=0.5)]", "inside RandomApply.transforms"),
        (f"p = [dict(type=RandomChoice, transforms=[[{RA}], [{INVERT}]])]", "inside RandomChoice.transforms"),
        (f"p = [dict(type='Compose', otherwise=[{RA}])]", "inside Compose.otherwise"),
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


def test_a_compose_always_does_what_it_holds() -> None:
    """The same policy as without it."""
    alone, held = (
        formats.parse(f"p = [{node}]", "mmpretrain") for node in (RA, f"dict(type='Compose', transforms=[{RA}])")
    )
    assert isinstance(alone, Parametric)
    assert alone == held


def with_level(level: int) -> str:
    """Return a RandAugment at a level of ten."""
    return RA.replace("magnitude_level=5", f"magnitude_level={level}")


@pytest.mark.parametrize(
    ("text", "level", "notes"),
    [
        (f"train_pipeline = [{RA}]\ntest_pipeline = [dict(type='X'), {RA}]", 5,
         ["the same policy is in train_pipeline[0] and test_pipeline[1], and is read once"]),
        (f"test_pipeline = [{with_level(7)}]\ntrain_pipeline = [{RA}]", 5,
         ["the policy of train_pipeline[0] is read, not that of test_pipeline[0], which differs"]),
        (f"data = dict(val=dict(p=[{with_level(7)}]), train=dict(p=[{RA}]), other=[{RA}])", 5,
         ["the same policy is in data.train.p[0] and data.other[0], and is read once",
          "the policy of data.train.p[0] is read, not that of data.val.p[0], which differs"]),
        (f"test_pipeline = [{with_level(7)}]", 7, []),
        (f"ra = {RA}\ntrain_pipeline = [ra]\ntest_pipeline = [ra]", 5, []),  # one, by several names
    ],
)  # fmt: skip
def test_sections_that_have_a_policy_each(text: str, level: int, notes: list[str]) -> None:
    """That of training is read, and the others are told; a list that has several names is one."""
    policy = formats.parse(text, "mmpretrain")
    assert isinstance(policy, Parametric)
    assert level / 10 == pytest.approx(policy.magnitude[1])
    assert notes == list(policy.provenance.get("notes", ()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"train_pipeline = [{RA}]\nfine_pipeline = [{with_level(7)}]",
            "differ: train_pipeline[0], fine_pipeline[0].",
        ),
        (f"test = [{RA}]\nval = [{with_level(7)}]", "several policies, which differ: test[0], val[0]."),
        (f"[[{RA}], [{RA}]]", "The list of the file has several transforms AutoAugment or RandAugment"),
        (f"d = dict(p=[[{RA}], [{RA}]])", "The list d.p has several transforms"),
        (f"ra = [{RA}]\np = [ra, [ra]]", "The list p has several transforms"),
    ],
)
def test_policies_of_which_none_is_the_one_that_is_meant(text: str, words: str) -> None:
    """Sections that differ, and a list that does it twice; the places are told."""
    with pytest.raises(FaaError) as raised:
        formats.parse(text, "mmpretrain")
    assert words in str(raised.value)


def test_tables_that_are_alike() -> None:
    """Two of them are told; one by two names is one, and a list without a name has no table to choose."""
    two = f"a = [[{INVERT}]]\nb = dict(c=[[{INVERT}]])"
    assert "the same policy is in a and c, and is read once" in formats.parse(two, "mmpretrain").provenance["notes"]
    one = formats.parse(f"a = b = [[{INVERT}]]", "mmpretrain")
    assert ("a", 1) == (one.name, len(one.provenance["notes"]))
    with pytest.raises(FaaError, match="leave out the table 'policies'"):
        formats.parse(f"[[{INVERT}]]", "mmpretrain", table="policies")
