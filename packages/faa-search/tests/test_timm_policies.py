"""`faa:` in timm's own functions and scripts: the same pixels as our transform, in every loader, undone afterwards."""

import multiprocessing
import pickle  # noqa: TID251 loader processes that are spawned get data sets so
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm.data
import torch
from PIL import Image
from timm.data import transforms_factory

from faa_core import FaaError, Op, SubPolicies, UnknownNameError
from faa_search import create_transform
from faa_search.timm import __main__ as runner
from faa_search.timm import policies_in_timm

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of timm's data sets
INVERT = SubPolicies(name="invert", sub_policies=((Op(op="Invert", p=1, magnitude=0),),))
WHOLE: dict[str, Any] = {"scale": (1, 1), "ratio": (1, 1), "hflip": 0, "mean": (0.0,) * 3, "std": (1.0,) * 3}
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
PIXELS = torch.from_numpy(np.array(IMAGE)).permute(2, 0, 1) / 255
OPTIONS: list[dict[str, Any]] = [
    {},
    {"color_jitter": 0.4, "color_jitter_prob": 0.8, "grayscale_prob": 0.2},
    {"interpolation": "random", "vflip": 0.5},
    {"re_prob": 0.25, "use_prefetcher": True},
    {"train_crop_mode": "rkrc", "normalize": False},
]
# What timm's train.py does with its options; `__main__` is guarded, since loaders that spawn run it again.
SCRIPT = """
import argparse
import multiprocessing
import sys

import timm
import torch
from timm.data import create_dataset, create_loader


def of_script(image):  # processes that are spawned have to find it again
    return image


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--aa", default=None, type=str)
    parser.add_argument("--start", default="fork")
    args = parser.parse_args()
    if args.start != "none":
        multiprocessing.set_start_method(args.start, force=True)
    print(timm.is_model(args.model))
    data = create_dataset("", args.data_dir, transform=None, target_transform=of_script)
    loader = create_loader(
        data, (3, 16, 16), batch_size=2, is_training=True, num_workers=0 if args.start == "none" else 2, hflip=0,
        scale=(1, 1), ratio=(1, 1), mean=(0.0,) * 3, std=(1.0,) * 3, auto_augment=args.aa, persistent_workers=False,
        device=torch.device("cpu"),
    )
    torch.manual_seed(0)
    for images, _labels in loader:
        print(round(images.mean().item(), 4))


if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, ten times the same, with policy files and a script; its name says "3a", as one of timm's."""
    place = tmp_path_factory.mktemp("timm 3a")
    for number in range(10):
        (place / "photos" / f"{number % 2}").mkdir(parents=True, exist_ok=True)
        IMAGE.save(place / "photos" / f"{number % 2}" / f"{number}.png")
    INVERT.save(place / "policy.json")
    (place / "original.py").write_text("policy = [[('Invert', 1.0, 0.0)]]\n")
    (place / "train.py").write_text(SCRIPT)
    return place


def names(transform: Any) -> list[str]:
    """Return what a transform is made of; a policy by its name."""
    return [repr(part) for part in transform.transforms]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "none")
def test_timms_transform_with_a_policy_is_ours(options: dict[str, Any], place: Path) -> None:
    """In one and in three stages, by name and by file; colour jitter stays away whatever letters the path has."""
    for given, policy in (("trivialaugment", "trivialaugment"), (str(place / "policy.json"), place / "policy.json")):
        with policies_in_timm():
            whole, apart = (
                timm.data.create_transform(
                    (3, 20, 24), is_training=True, auto_augment=f"faa:{given}", separate=separate, **options
                )
                for separate in (False, True)
            )
        assert names(create_transform((3, 20, 24), policy=policy, **options)) == names(whole)
        assert sum("PolicyTransform" in name for name in names(whole)) == 1
        stages = create_transform((3, 20, 24), policy=policy, separate=True, **options)
        assert [names(stage) for stage in stages] == [names(stage) for stage in apart]


def test_what_a_policy_may_be(place: Path) -> None:
    """A name, a file of ours, another tool's file, and a timm string."""
    with policies_in_timm():
        for given in (place / "policy.json", place / "original.py"):
            transform = timm.data.create_transform(16, is_training=True, auto_augment=f"faa:{given}", **WHOLE)
            assert torch.allclose(1 - PIXELS, transform(IMAGE), atol=1e-6)
        transform = timm.data.create_transform(16, is_training=True, auto_augment="faa:rand-m9-mstd0.5")
        assert "PolicyTransform(policy='rand-m9-mstd0.5')" in names(transform)


def test_forced_colour_jitter_follows_the_policy() -> None:
    """As it follows timm's own augmentations."""
    with policies_in_timm():
        forced = transforms_factory.transforms_imagenet_train(
            16, auto_augment="faa:trivialaugment", color_jitter=0.3, force_color_jitter=True
        )
    kinds = [type(part).__name__ for part in forced.transforms]
    assert kinds.index("ColorJitter") == kinds.index("PolicyTransform") + 1


def test_timm_is_as_it_was() -> None:
    """Outside the block, after an error too; inside, for everything that is none of ours."""
    before = transforms_factory.transforms_imagenet_train
    with policies_in_timm():
        for own in ("rand-m9-mstd0.5", "original", "augmix-m3", None):
            torch.manual_seed(0)
            inside = timm.data.create_transform(16, is_training=True, auto_augment=own)
            assert names(inside) == names(before(16, auto_augment=own, interpolation="bilinear"))
        evaluating = timm.data.create_transform(16, auto_augment="faa:no such policy")  # read for training only
        with policies_in_timm():
            pass
        timm.data.create_transform(16, is_training=True, auto_augment="faa:trivialaugment")
    assert names(timm.data.create_transform(16)) == names(evaluating)
    with pytest.raises(ZeroDivisionError), policies_in_timm():
        _ = 1 // 0
    assert transforms_factory.transforms_imagenet_train is before


def test_mistakes_are_named(tmp_path: Path) -> None:
    """Before any image is read."""
    pairs = SubPolicies(name="pairs", sub_policies=((Op(op="SamplePairing", p=1, magnitude=1),),))
    pairs.save(tmp_path / "pairs.json")
    (tmp_path / "damaged.json").write_text("{")
    cases = {
        "trivialagment": "No policy is called 'trivialagment'; did you mean trivialaugment",
        "no/such.json": "'no/such.json' cannot be read: there is no such file",
        "": "A policy is given as its name, the path of its file or a timm string, such as 'trivialaugment'; not as ''",
        f"{tmp_path}/damaged.json": "damaged.json",
        f"{tmp_path}/pairs.json": "The policy 'pairs' mixes in other images",
    }
    with policies_in_timm():
        for given, message in cases.items():
            with pytest.raises(FaaError, match=message):
                timm.data.create_transform(16, is_training=True, auto_augment=f"faa:{given}")
    with pytest.raises(FaaError, match="mixes in other images"):
        create_transform(16, policy=pairs)
    with pytest.raises(FaaError, match="A policy is given as its name"):
        create_transform(16, policy=None)  # type: ignore[call-overload]
    assert issubclass(UnknownNameError, FaaError)


def test_a_policy_without_its_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What timm itself does not know, and is a policy of ours or a file, is told as it is written; no other text is."""
    monkeypatch.chdir(tmp_path)
    INVERT.save("own.json")
    cases = {
        "trivialaugment": "It is the name of a policy of faa: write it as faa:trivialaugment.",
        "fa-reduced-cifar10": "write it as faa:fa-reduced-cifar10.",
        "own.json": "It is a file: write it as faa:own.json.",
    }
    with policies_in_timm():
        for given, message in cases.items():
            with pytest.raises(FaaError) as raised:
                timm.data.create_transform(16, is_training=True, auto_augment=given)
            assert str(raised.value).startswith(f"timm knows no auto-augment '{given}'. ")
            assert str(raised.value).endswith(message)
        for unknown in ("nonsense", "original-x1"):
            with pytest.raises(AssertionError):
                timm.data.create_transform(16, is_training=True, auto_augment=unknown)
        INVERT.save("original")  # timm's own text wins over a file
        assert any(
            "AutoAugment" in name
            for name in names(timm.data.create_transform(16, is_training=True, auto_augment="original"))
        )


def loaded(place: Path, *, splits: int = 0, policy: str = "faa:trivialaugment", seed: int = 0, **options: Any) -> Any:
    """Return the batches of timm's loader with a policy, as timm's train.py makes it."""
    data = timm.data.create_dataset("", str(place / "photos"))
    if splits:
        data = timm.data.AugMixDataset(data, num_splits=splits)
    chosen = {"num_workers": 2, "worker_seeding": "all", "use_prefetcher": True} | options
    with policies_in_timm():
        loader = timm.data.create_loader(
            data, (3, 16, 16), batch_size=5, is_training=True, auto_augment=policy, num_aug_splits=splits,
            device=torch.device("cpu"), persistent_workers=False, pin_memory=False, **WHOLE, **chosen,
        )  # fmt: skip
    torch.manual_seed(seed)
    return torch.stack([images for images, _labels in loader])


@pytest.fixture
def quiet(recwarn: pytest.WarningsRecorder) -> None:
    """No warnings about one core, or about fork where threads are."""
    warnings.filterwarnings("ignore", "This DataLoader will create")
    warnings.filterwarnings("ignore", ".*use of fork")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    "options", [{}, {"worker_seeding": "part"}, {"num_workers": 0}, {"use_prefetcher": False}], ids=str
)
def test_draws_are_seeded_as_timms_own(options: dict[str, Any], place: Path) -> None:
    """Ten times one image: workers and batches draw differently, and all of it repeats with the seed alone."""
    images = loaded(place, **options)
    assert (2, 5, 3, 16, 16) == tuple(images.shape)
    assert not torch.equal(images[0], images[1])  # of the two workers
    assert len(torch.unique(images.flatten(0, 1).flatten(1), dim=0)) > 5
    assert torch.equal(images, loaded(place, **options))
    assert not torch.equal(images, loaded(place, seed=1, **options))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("re_split", [False, True])
def test_augmentation_splits(re_split: bool, place: Path) -> None:
    """The first split is clean, the others are augmented; with --resplit the erasing leaves the first alone, too."""
    given = f"faa:{place / 'policy.json'}"
    batches = loaded(place, splits=3, policy=given, re_split=re_split, re_prob=1.0 * re_split, num_workers=1)
    clean, *augmented = batches.unflatten(1, (3, 5)).transpose(0, 1)
    assert torch.allclose(PIXELS.expand_as(clean), clean, atol=1e-6)
    for split in augmented:
        if re_split:
            assert 0.4 < torch.isclose(split, 1 - PIXELS, atol=1e-6).float().mean() < 0.99
        else:
            assert torch.allclose((1 - PIXELS).expand_as(split), split, atol=1e-6)


@pytest.mark.usefixtures("quiet")
def test_loaders_of_several_sizes(place: Path) -> None:
    """The NaFlex loader and its schedules of sizes make several transforms, each with the policy."""
    data = timm.data.create_dataset("", str(place / "photos"))
    shared: dict[str, Any] = {
        "batch_size": 4, "is_training": True, "auto_augment": f"faa:{place / 'policy.json'}", "num_workers": 1,
        "device": torch.device("cpu"), "persistent_workers": False, "pin_memory": False, **WHOLE,
    }  # fmt: skip
    with policies_in_timm():
        loader = timm.data.create_naflex_loader(data, patch_size=(8, 8), train_seq_lens=(4,), max_seq_len=4, **shared)
    patches = torch.cat([batch["patches"] for batch, _labels in loader])
    expected = timm.data.patchify_image(1 - PIXELS, (8, 8))[0].flatten(1)
    assert len(patches) >= 4
    assert torch.allclose(expected.expand_as(patches.flatten(2)), patches.flatten(2), atol=1e-6)
    if hasattr(timm.data, "ScheduledBatchSampler"):
        with policies_in_timm():
            loader = timm.data.create_loader(data, (3, 16, 16), input_size_choices=[(3, 16, 16)], **shared)
        batches = [images for images, _labels in loader]
        assert all(torch.allclose((1 - PIXELS).expand_as(images), images, atol=1e-6) for images in batches)


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[Any, ...]:
    """Return the exit code, output and errors of the runner, in this process."""
    monkeypatch.setattr(sys, "argv", ["faa_search.timm", *map(str, arguments)])
    monkeypatch.setattr(sys, "path", [*sys.path])
    code: Any = 0
    try:
        runner.main()
    except SystemExit as end:
        code = end.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.usefixtures("quiet")
def test_a_script_takes_policies_and_networks(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As timm's own training script is: a policy by file, our networks by name, mistakes in one line."""
    monkeypatch.setattr(multiprocessing, "set_start_method", lambda *_args, **_options: None)
    script, data = place / "train.py", ("--data-dir", place / "photos")
    inverted = round((1 - PIXELS).mean().item(), 4)
    before = transforms_factory.transforms_imagenet_train
    given = ("--aa", f"faa:{place / 'policy.json'}", "--model", "wrn10_1")
    assert (0, "\n".join(["True", *[f"{inverted}"] * 5]) + "\n", "") == run(monkeypatch, capsys, script, *data, *given)
    assert transforms_factory.transforms_imagenet_train is before
    code, _shown, said = run(monkeypatch, capsys, script, *data, "--aa", "faa:trivialagment\x1b", "--start", "none")
    assert code == 2
    assert said.startswith("No policy is called 'trivialagment\\x1b'; did you mean trivialaugment")
    assert said.count("\n") == 1
    assert transforms_factory.transforms_imagenet_train is before


def test_what_is_no_script_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    usage = "usage: python -m faa_search.timm SCRIPT [ARGUMENTS...]"
    for arguments, said in [((), "no script given"), (("missing.py",), "'missing.py' is not a file")]:
        code, _shown, _said = run(monkeypatch, capsys, *arguments)
        assert code == f"{said}; {usage}"


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_is_help(asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, said = run(monkeypatch, capsys, asked)
    assert (code, said) == (0, "")
    assert shown.startswith("Usage: python -m faa_search.timm SCRIPT [ARGUMENTS...]\n")
    assert "--aa faa:NAME_OR_FILE" in shown


def test_plugins_that_do_not_load_are_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one line; the script runs all the same."""
    from faa_core.plugins import PluginStatus  # noqa: PLC0415

    broken = PluginStatus(group="faa.models", name="theirs", value="x", distribution="x", error="ImportError: no\nx")
    monkeypatch.setattr(runner, "register_models", lambda: [broken])
    (place / "says.py").write_text("import sys; print(__name__, sys.argv[1:], sys.path[0])")
    code, shown, said = run(monkeypatch, capsys, place / "says.py", "--aa", "x")
    assert (code, shown) == (0, f"__main__ ['--aa', 'x'] {place}\n")
    assert said == "The plugin theirs does not load: ImportError: no\\nx\n"


def test_a_data_set_goes_to_workers_with_its_policy(place: Path) -> None:
    """As bytes, to a process that knows nothing of the block; spawned ones get it so."""
    data = timm.data.create_dataset("", str(place / "photos"))
    with policies_in_timm():
        timm.data.create_loader(
            data, (3, 16, 16), 2, is_training=True, auto_augment=f"faa:{place / 'policy.json'}", num_workers=0,
            device=torch.device("cpu"), use_prefetcher=False, **WHOLE,
        )  # fmt: skip
    images, _label = pickle.loads(pickle.dumps(data))[3]  # noqa: S301 our own bytes
    assert torch.allclose(1 - PIXELS, images, atol=1e-6)


@pytest.mark.slow
def test_workers_that_are_spawned(place: Path) -> None:
    """They find the script's own functions, and get the policy with the data set."""
    command = [sys.executable, "-m", "faa_search.timm", "train.py", "--data-dir", "photos", "--start", "spawn"]
    done = subprocess.run(
        [*command, "--aa", "faa:policy.json"], cwd=place, capture_output=True, text=True, check=False, timeout=200
    )
    inverted = round((1 - PIXELS).mean().item(), 4)
    assert (0, ["True", *[f"{inverted}"] * 5]) == (done.returncode, done.stdout.split()), done.stderr
