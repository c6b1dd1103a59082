"""timm's training transform with our policy: in timm's own place, with timm's options, loaders and data sets."""

import inspect
import pickle  # noqa: TID251 a DataLoader that starts its workers afresh pickles the transform
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm.data
import torch
from PIL import Image
from timm.data.dataset import AugMixDataset
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData

import faa_search
from faa_core import FaaError, Op, Policy, SubPolicies, UnknownNameError
from faa_core.applying.transform import PolicyTransform
from faa_search import create_transform

INVERT = SubPolicies(name="invert", sub_policies=((Op(op="Invert", p=1, magnitude=0),),))
WHOLE: dict[str, Any] = {"scale": (1, 1), "ratio": (1, 1), "hflip": 0, "mean": (0.0,) * 3, "std": (1.0,) * 3}
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
OPTIONS: list[dict[str, Any]] = [
    {},
    {"color_jitter": 0.4, "color_jitter_prob": 0.8},
    {"vflip": 0.5, "hflip": 0.0, "interpolation": "random"},
    {"grayscale_prob": 0.2, "gaussian_blur_prob": 0.1},
    {"re_prob": 0.25, "re_mode": "pixel"},
    {"train_crop_mode": "rkrc", "scale": (0.8, 1.0)},
    {"use_prefetcher": True, "re_prob": 0.25},
    {"normalize": False},
    {"is_training": True, "no_aug": False, "auto_augment": None, "tf_preprocessing": False},
]


def names(transform: Any) -> list[str]:
    """Return what a transform is made of, one name for whatever augments by itself."""
    augment = ("RandAugment", "PolicyTransform")
    return ["augment" if type(part).__name__ in augment else repr(part) for part in transform.transforms]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "none")
def test_the_policy_is_where_timm_puts_its_own(options: dict[str, Any]) -> None:
    """Stage by stage the same transforms as with one of timm's strings, colour jitter off."""
    given = {**options, "is_training": True, "auto_augment": "rand-m9"}
    expected = timm.data.create_transform((3, 20, 24), **given)
    assert names(expected) == names(create_transform((3, 20, 24), policy=INVERT, **options))
    stages = create_transform((3, 20, 24), policy=INVERT, separate=True, **options)
    apart = timm.data.create_transform((3, 20, 24), separate=True, **given)
    assert [names(stage) for stage in apart] == [names(stage) for stage in stages]
    assert "augment" == names(stages[1])[0]


def test_pixels() -> None:
    """With nothing else at random: the image, inverted once, brought to [0, 1]."""
    expected = (255 - torch.from_numpy(np.array(IMAGE)).permute(2, 0, 1)) / 255
    assert torch.allclose(expected, create_transform(16, policy=INVERT, **WHOLE)(IMAGE), atol=1e-6)
    primary, secondary, final = create_transform(16, policy=INVERT, separate=True, **WHOLE)
    assert torch.allclose(1 - expected, final(primary(IMAGE)), atol=1e-6)
    assert torch.allclose(expected, final(secondary(primary(IMAGE))), atol=1e-6)


@pytest.mark.parametrize("size", [24, (24, 24), (3, 24, 24), (3, 20, 28)])
def test_sizes(size: Any) -> None:
    """One side, (H, W) or (C, H, W), as timm's."""
    shape = (24, 24) if isinstance(size, int) else size[-2:]
    assert (3, *shape) == tuple(create_transform(size, policy="trivialaugment")(IMAGE).shape)


def test_a_policy_by_name_path_and_itself(tmp_path: Path) -> None:
    """All three are the same policy."""
    policy = Policy.load("fa-reduced-cifar10")
    policy.save(tmp_path / "policy.json")
    for given in (policy, "fa-reduced-cifar10", tmp_path / "policy.json", str(tmp_path / "policy.json")):
        (found,) = (part for part in create_transform(16, policy=given).transforms if isinstance(part, PolicyTransform))
        assert policy == found.policy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auto_augment": "rand-m9"}, "auto_augment='rand-m9' and a policy .* give one"),
        ({"no_aug": True}, "no_aug=True leaves no place"),
        ({"tf_preprocessing": True, "use_prefetcher": True}, "tf_preprocessing=True leaves no place"),
        ({"is_training": False}, "for training"),
    ],
)
def test_options_that_leave_no_place(options: dict[str, Any], message: str) -> None:
    """Are refused before timm takes one and drops the other."""
    with pytest.raises(FaaError, match=message):
        create_transform(16, policy=INVERT, **options)


def test_unknown_names() -> None:
    """An option that timm lacks, with the closest it has; a policy that nobody offers."""
    with pytest.raises(UnknownNameError, match=r"option of timm\.data\.create_transform is called 'hflp'.*hflip"):
        create_transform(16, policy=INVERT, hflp=0.1)
    with pytest.raises(UnknownNameError, match="No policy is called 'trivialagment'"):
        create_transform(16, policy="trivialagment")


def test_the_policy_must_be_named() -> None:
    """By keyword, so that no timm option slides into its place."""
    parameters = inspect.signature(create_transform).parameters
    assert inspect.Parameter.KEYWORD_ONLY == parameters["policy"].kind
    assert "create_transform" in faa_search.__all__


def test_a_pickled_transform_draws_the_same() -> None:
    """As a worker that is started afresh receives it."""
    transform = create_transform(16, policy="trivialaugment", **WHOLE)
    again = pickle.loads(pickle.dumps(transform))  # noqa: S301 our own bytes
    drawn = []
    for each in (transform, again):
        torch.manual_seed(0)
        drawn.append(torch.stack([each(IMAGE) for _ in range(8)]))
    assert torch.equal(*drawn)
    assert len({image.numpy().tobytes() for image in drawn[0]}) > 1


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine with one core
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12 and later, where fork is used
def test_in_a_data_loader_with_workers() -> None:
    """Workers draw differently from one another, and the same again with the loader's seed."""
    data = FakeData(8, (3, 16, 16), transform=create_transform(16, policy="trivialaugment", **WHOLE))

    def images(seed: int) -> torch.Tensor:
        loader = DataLoader(data, batch_size=2, num_workers=2, generator=torch.Generator().manual_seed(seed))
        return torch.cat([batch for batch, _label in loader])

    assert (8, 3, 16, 16) == tuple(images(0).shape)
    assert torch.equal(images(0), images(0))
    assert not torch.equal(images(0), images(1))


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("prefetcher", [True, False])
def test_with_timms_data_set_and_loader(prefetcher: bool, tmp_path: Path) -> None:
    """The loader makes a transform of its own; ours takes its place, in uint8 where the loader normalises."""
    for number in range(4):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        IMAGE.save(tmp_path / f"{number % 2}" / f"{number}.png")
    data = timm.data.create_dataset("", str(tmp_path))
    loader = timm.data.create_loader(
        data, (3, 16, 16), batch_size=2, is_training=True, num_workers=1, use_prefetcher=prefetcher,
        mean=WHOLE["mean"], std=WHOLE["std"], device=torch.device("cpu"), persistent_workers=False, pin_memory=False,
    )  # fmt: skip
    data.transform = create_transform((3, 16, 16), policy=INVERT, use_prefetcher=prefetcher, **WHOLE)
    expected = (255 - torch.from_numpy(np.array(IMAGE)).permute(2, 0, 1)) / 255
    batches = [images for images, _labels in loader]
    assert 2 == len(batches)
    assert all(torch.allclose(expected.expand(2, -1, -1, -1), images, atol=1e-6) for images in batches)


def test_with_timms_augmentation_splits() -> None:
    """The first split is clean, the others augmented."""
    data = AugMixDataset(FakeData(2, (3, 16, 16)), num_splits=3)
    data.transform = create_transform(16, policy=INVERT, separate=True, **WHOLE)
    (clean, second, third), _label = data[0]
    assert torch.allclose(clean, 1 - second, atol=1e-6)
    assert torch.equal(second, third)
