"""Every command in the documentation runs, and every Python example does, in an empty directory.

Commands that would take long run on a smaller budget: flags win over recipes.
"""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import faa_models
from faa_core import Policy
from faa_search.settings.recipes import load_recipe
from forked import run_python

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    path
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("packages/*/README.md")])
    if "```" in path.read_text()
]
SMALL = {
    "search": ["--epochs", "1", "--warmup-epochs", "0", "--folds", "2", "--width", "1", "--depth", "4", "--top", "1"],
    "train": ["--epochs", "1", "--warmup-epochs", "0"],
    "compare": ["--epochs", "1", "--seeds", "2"],
}
SMALL_DEEP = ["--epochs", "1", "--warmup-epochs", "0", "--layers", "1", "--updates", "1", "--triples", "1"]
FEW = ["--train-subset", "150", "--img-size", "16"]
SET_UP = ("pip ", "nox ", "python -m venv", "accelerate ", "torchrun ")  # install or start what other tests start


AS_TIMMS_SCRIPTS = """# timm's scripts are not in its package: this stands for what they do with these options
import argparse
import importlib

import timm

parser = argparse.ArgumentParser()
parser.add_argument("--data-dir")
parser.add_argument("--model")
parser.add_argument("--num-classes", type=int)
parser.add_argument("--img-size", type=int)
parser.add_argument("--aa")
parser.add_argument("--device-modules", nargs="+")
arguments = parser.parse_args()
for module in arguments.device_modules or ():
    importlib.import_module(module)
assert timm.create_model(arguments.model, num_classes=arguments.num_classes).num_classes == 2
if arguments.aa:
    transform = timm.data.create_transform(arguments.img_size, is_training=True, auto_augment=arguments.aa)
    assert "PolicyTransform" in repr(transform)
"""


def write_old_checkpoint(path: Path) -> None:
    """Write the weights of a small Wide-ResNet under the original code's names."""
    names = {"stem": "conv1", "norm.0": "bn1", "head.fc": "linear", "shortcut": "shortcut.0"}
    state = {}
    for key, value in faa_models.WideResNet(10, 1).state_dict().items():
        staged = re.sub(r"^stages\.(\d)", lambda found: f"layer{int(found[1]) + 1}", key)
        state[re.sub(r"(^stem|^norm\.0|^head\.fc|shortcut)(?=\.)", lambda found: names[found[1]], staged)] = value
    torch.save({"epoch": 200, "model": {f"module.{key}": value for key, value in state.items()}}, path)


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_documented_commands_run(path, faa, faa_here, photos, tmp_path, environment):
    commands = [line for block in blocks(path, "console") for line in block.splitlines() if line.strip()]
    (tmp_path / "settings.yaml").write_text("lr: 0.02\n")
    write_old_checkpoint(tmp_path / "old.pth")
    for script in ("train.py", "validate.py"):
        (tmp_path / script).write_text(AS_TIMMS_SCRIPTS)
    for command in commands:
        if command.startswith(SET_UP):
            continue
        words = shlex.split(command, comments=True)
        if words[0] == "python":
            run_python(words[1:], directory=tmp_path, environment=environment).check_returncode()
            continue
        assert words[0] == "faa", command
        run = faa if "--num-processes" in words else faa_here
        few = FEW if words[1] in SMALL and "photos" not in words else []  # of the photos there are no more
        deep = words[1] == "search" and any("deep" in word for word in words)
        run(*words[1:], *(SMALL_DEEP if deep else SMALL.get(words[1], [])), *few)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if blocks(path, "python")], ids=name)
def test_documented_python_runs(path, tmp_path, environment):
    Policy.load("trivialaugment").save(tmp_path / "my-policy.json")
    code = "\n".join(blocks(path, "python"))
    done = run_python(["-c", code], directory=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr


def test_commands_in_recipes_run(faa_here, tmp_path):
    """The commands that recipes tell, on a few images in place of the data sets."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(40) % 10
    np.savez(tmp_path / "few.npz", images=pixels, labels=labels, test_images=pixels, test_labels=labels)
    small = ["--dataset", "few.npz", "--train-subset", "40", "--batch-size", "20", "--model", "wrn16_1", "--no-amp"]
    for name in ("digits/wrn16_1", "cifar10/wrn16_1_small", "cifar10/wrn40_2"):  # the others' have the same words
        stem = f"{tmp_path}/{name.replace('/', '-')}"
        for command in load_recipe(name).facts.command:
            paths = command.replace("DIR", ".").replace("SEARCH", f"{stem}-search").replace("RUN", f"{stem}-run")
            words = shlex.split(paths)
            faa_here(*words[1:], *SMALL[words[1]], *small)


def test_the_quickstart_runs_and_says_what_it_found(tmp_path, environment):
    script = shutil.copy(ROOT / "examples/quickstart.py", tmp_path)
    arguments = ["--seeds", "2", "--epochs", "1", "--depth", "2"]
    done = run_python([script, *arguments], directory=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    for policy in ("none", "uniform-random", "found"):
        assert re.search(rf"^{policy} +\d", done.stdout, re.MULTILINE)
    assert len(re.findall(r"against .*: (better|worse|no significant difference)", done.stdout)) == 3
    for picture in ("policy.png", "comparison.png"):
        assert (tmp_path / "quickstart" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_example_of_skipnet_runs(tmp_path, environment):
    script = shutil.copy(ROOT / "examples/skipnet.py", tmp_path)
    done = run_python([script, "--epochs", "1"], directory=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    for stage in ("straight-through", "reinforcement"):
        assert re.search(
            rf"^{stage}: test error [\d.]+ %, [\d.]+ % of the multiply-adds; % per gate", done.stdout, re.MULTILINE
        )
