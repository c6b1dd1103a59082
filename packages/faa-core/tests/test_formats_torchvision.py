"""torchvision's objects and texts as policies, and back."""

from pathlib import Path

import pytest
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import autoaugment as v1

from faa_core import FaaError, Parametric, Policy, formats, random_policy
from faa_core.formats.torchvision import from_torchvision, to_torchvision

NAMES = ["autoaugment-cifar10", "autoaugment-svhn", "autoaugment-imagenet", "trivialaugment", "randaugment"]
TRANSFORMS = [
    *(
        (f"autoaugment-{which.value}", (module.AutoAugment, (which,)))
        for module in (v1, v2)
        for which in v1.AutoAugmentPolicy
    ),
    *(("randaugment", (module.RandAugment, ())) for module in (v1, v2)),
    *(("trivialaugment", (module.TrivialAugmentWide, ())) for module in (v1, v2)),
]


def document(policy: Policy) -> str:
    """Return what a policy does, without its name."""
    return policy.model_copy(update={"name": "", "provenance": {}}).to_json()


@pytest.mark.parametrize(("name", "made"), TRANSFORMS)
def test_the_objects_are_the_built_in_policies(name: str, made: tuple[type, tuple[object, ...]]) -> None:
    """Both generations of torchvision's transforms."""
    kind, arguments = made
    assert document(Policy.load(name)) == document(from_torchvision(kind(*arguments)))


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_policy_is_torchvisions_object(name: str) -> None:
    """And that object is the policy again."""
    transform = to_torchvision(Policy.load(name))
    assert type(transform).__module__.startswith("torchvision.transforms.v2")
    assert document(Policy.load(name)) == document(from_torchvision(transform))


@pytest.mark.parametrize("module", [v1, v2])
def test_settings_are_kept(module: object) -> None:
    """Number, magnitude, filter and fill, both ways."""
    transform = module.RandAugment(3, 4, 11, interpolation=InterpolationMode.BILINEAR, fill=[1, 2, 3])
    policy = from_torchvision(transform)
    assert isinstance(policy, Parametric)
    assert (3, (0.4, 0.4), "bilinear", (1, 2, 3)) == (
        policy.num_ops,
        policy.magnitude,
        policy.interpolation,
        policy.fill,
    )
    again = to_torchvision(policy)
    assert (3, 0.4) == (again.num_ops, again.magnitude / (again.num_magnitude_bins - 1))
    assert (InterpolationMode.BILINEAR, [1, 2, 3]) == (again.interpolation, again.fill)
    assert 16 == from_torchvision(module.TrivialAugmentWide(16)).bins
    assert (7, 7, 7) == from_torchvision(module.TrivialAugmentWide(fill=7)).fill


class Mine(v2.RandAugment):
    """May do anything."""


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (v2.AugMix(), "AugMix has no counterpart"),
        (Mine(), "Mine has no counterpart"),
        (3, "builtins.int has no counterpart"),
        (v2.RandAugment(num_ops=0), "num_ops must be at least 1"),
        (v2.RandAugment(magnitude=31), "magnitude one of the bins"),
        (v2.RandAugment(magnitude=3, num_magnitude_bins=9), "posterizes by 1.5 bits"),
        (v2.TrivialAugmentWide(5), "posterizes by 1.5 bits"),
        (v2.TrivialAugmentWide(1), "at least 2"),
        (v2.RandAugment(interpolation=InterpolationMode.LANCZOS), "interpolation 'lanczos'"),
        (v2.RandAugment(fill=[0.5, 0.5, 0.5]), "fill [0.5, 0.5, 0.5]"),
    ],
)
def test_what_has_no_counterpart_is_named(transform: object, words: str) -> None:
    """Subclasses, other transforms and settings."""
    with pytest.raises(FaaError) as raised:
        from_torchvision(transform)
    assert words in str(raised.value)


def test_half_bits_that_round_alike_are_kept() -> None:
    """Only the bin that is used matters to RandAugment: 0.5 removed bits give 8 both ways."""
    assert (1 / 8, 1 / 8) == from_torchvision(v2.RandAugment(magnitude=1, num_magnitude_bins=9)).magnitude


@pytest.mark.parametrize("name", ["none", "uniform-random", "fa-reduced-svhn"])
def test_other_policies_have_a_transform_all_the_same(name: str) -> None:
    """The error says which."""
    with pytest.raises(FaaError, match=r"Use policy\.transform\(\)"):
        to_torchvision(Policy.load(name))
    with pytest.raises(FaaError):
        to_torchvision(random_policy(5, seed=0))


def test_a_policy_beside_torchvisions_rounding_is_none_of_its_objects() -> None:
    """Ours removes 1.5 bits where torchvision removes 2; the error is the one about transforms."""
    for update in ({"magnitude": (0.375, 0.375)}, {"bins": 13, "num_ops": 1, "magnitude": (0.0, 1.0)}):
        base = Policy.load("trivialaugment" if "bins" in update else "randaugment")
        with pytest.raises(FaaError, match=r"Use policy\.transform\(\)"):
            to_torchvision(base.model_copy(update=update))


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
        ("RandAugment(num_ops=n)", "'n' is not a value that can be read"),
        ("RandAugment(ops=2)", "torchvision has no such RandAugment"),
        ("RandAugment(num_ops=0)", "num_ops must be at least 1"),
        ("RandAugment(num_ops=2, num_ops=3)", "has the argument 'num_ops' twice; keep one"),
        ("RandAugment(num_ops=True)", "True is not an argument that torchvision's transforms take"),
        ("TrivialAugmentWide(interpolation=InterpolationMode.LANCZOS)", "interpolation 'lanczos' has no counterpart"),
        ("AutoAugment(__import__('os'))", "is not a value that can be read"),
    ],
)
def test_torchvisions_text_that_is_refused(text: str, words: str) -> None:
    """Nothing of it is executed."""
    with pytest.raises(FaaError, match=words):
        formats.parse(text, "torchvision")


def test_its_scripts_names_sample_bilinear() -> None:
    """As ``--auto-augment ta_wide`` does."""
    assert ("bilinear", "bilinear") == (Policy.load("ra").interpolation, Policy.load("ta_wide").interpolation)
