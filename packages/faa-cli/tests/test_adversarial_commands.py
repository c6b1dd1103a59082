"""`faa train --adversarial` draws what its controller chose; `faa policy convert` takes the policies of an epoch."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.main import get_command

from faa_cli.commands.policy import CONVERT_EXAMPLES
from faa_cli.main import app
from faa_cli.pictures import SHADES
from faa_core import Policy, formats
from faa_search.adversarial import policy_of_epoch, read_steps
from faa_search.settings import TrainConfig
from faa_search.settings.recipes import load_recipe
from faa_search.training.run import train

EPOCHS = 10  # the example takes the tenth
SETTINGS = {
    "dataset": "digits", "train_subset": 60, "img_size": 8, "model": "wrn10_1", "batch_size": 20, "hflip": 0,
    "epochs": EPOCHS, "batch_aug": 2, "controller_steps": 3,
}  # fmt: skip
TRAIN = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", value)]
PICTURES = ("levels.png", "operations.png", "curves.png")
WITH_PICTURES = "Weights, settings, figures, levels.png, operations.png and curves.png are in run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the directory of a training with a controller, which is not to be changed."""
    folder = tmp_path_factory.mktemp("adversarial") / "run"
    train(TrainConfig(**SETTINGS, adversarial=True), folder)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """Return a copy of it in the test's directory."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def ways_of(path: Path) -> int:
    """Return how many colours a picture has."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return len(np.unique(pixels, axis=0))


def uses_of(policy: Policy) -> list[tuple[str, float | None]]:
    """Return every use of an operation: its name and its argument, if it has one."""
    return [
        (axis.base, None if axis.unit == "none" else round(axis.argument(op.magnitude), 9))
        for ops in policy.sub_policies
        for op in ops
        for axis in [policy.table[op.op]]
    ]


def test_a_training_draws_what_its_controller_chose(faa, tmp_path):
    """At its end, and again if it is finished; the default directory says that a controller chose."""
    short = ["--epochs", 1, "--controller-steps", 1]
    done = faa("train", *TRAIN, *short, "--adversarial")
    where = "runs/train-digits-wrn10_1-adversarial-s0"
    assert (done.code, done.out.splitlines()[-1]) == (0, WITH_PICTURES.replace("in run", f"in {where}"))
    assert all(ways_of(tmp_path / where / name) > 10 for name in PICTURES)
    (tmp_path / where / "levels.png").unlink()
    again = faa("train", *TRAIN, *short, "--adversarial")
    assert (again.out, "is finished" in again.err) == (done.out, True)
    assert (tmp_path / where / "levels.png").is_file()


def test_the_pictures_are_in_colour(faa, run):
    """Ten levels from blue to red, all operations that were drawn."""
    assert faa("train", *TRAIN, "--adversarial", "--output", "run").out.splitlines()[-1] == WITH_PICTURES
    pixels = np.asarray(Image.open(run / "levels.png").convert("RGB")).astype(int)
    for level in range(10):
        shade = np.round(255 * np.array(SHADES(level / 9)[:3]))
        assert (np.abs(pixels - shade).max(axis=-1) <= 1).sum() > 2000
    names = {op for step in read_steps(run) for policy in step.policies for ops in policy for op, _level in ops}
    assert ways_of(run / "operations.png") > len(names) > 10


def test_a_finished_training_without_its_journal(faa, run):
    """It is shown all the same, and what is not drawn is said; so it is where the journal is damaged."""
    good = (run / "policies.jsonl").read_text()
    (run / "policies.jsonl").unlink()
    lost = faa("train", *TRAIN, "--adversarial", "--output", "run")
    first, last = lost.out.splitlines()[-2:]
    assert (lost.code, last) == (0, "Weights, settings and figures are in run")
    assert first.startswith("'run/policies.jsonl' is not there, so the controller's pictures are not drawn. Put back")
    (run / "policies.jsonl").write_text(f"nonsense\n{good}")
    damaged = faa("train", *TRAIN, "--adversarial", "--output", "run")
    assert (damaged.code, damaged.out.splitlines()[-1]) == (0, "Weights, settings and figures are in run")
    assert "Not all pictures are drawn: Line 1 of 'run/policies.jsonl' is not a valid" in damaged.out
    assert not list(run.glob("*.png"))
    (run / "policies.jsonl").write_text(good)
    (run / "operations.png").mkdir()
    refused = faa("train", *TRAIN, "--adversarial", "--output", "run")
    assert refused.out.splitlines()[-1] == "Weights, settings, figures and levels.png are in run"
    assert "Not all pictures are drawn: " in refused.out


@pytest.mark.parametrize("epoch", [1, 4, EPOCHS])
def test_the_policies_of_an_epoch(faa, tmp_path, run, epoch):
    """All of its steps, each sub-policy as often as it was drawn; the last epoch's are the run's policy."""
    done = faa("policy", "convert", "run", "policy.json", "--epoch", epoch)
    size = 3 * 2 * 5
    assert (done.code, done.out) == (0, f"Wrote policy.json (faa: sub-policies, {size} sub-policies)\n")
    document = (tmp_path / "policy.json").read_text()
    assert policy_of_epoch(run, epoch).to_json() == document
    assert (document == (run / "policy.json").read_text()) == (epoch == EPOCHS)
    assert f"adversarial-epoch-{epoch}: sub-policies" in faa("policy", "show", "policy.json").out
    named = json.loads(faa("policy", "convert", "run", "-", "--epoch", epoch, "--name", "mine").out)
    assert (named["name"], named["sub_policies"]) == ("mine", json.loads(document)["sub_policies"])


def test_other_formats_take_an_epoch(faa, tmp_path, run):
    """Fast AutoAugment's lists hold the very same operations; others only what is nearest, or nothing."""
    assert faa("policy", "convert", "run", "policy.py", "--to", "legacy", "--epoch", 2).code == 0
    assert uses_of(policy_of_epoch(run, 2)) == uses_of(Policy.load(tmp_path / "policy.py"))
    for name in ("albumentations", "kornia"):
        strict = faa("policy", "convert", "run", f"{name}.json", "--to", name, "--epoch", 2)
        assert (strict.code, "--nearest` takes the nearest" in strict.err) == (2, True)
        near = faa("policy", "convert", "run", f"{name}.json", "--to", name, "--epoch", 2, "--nearest")
        assert (near.code, f"Wrote {name}.json ({name}: " in near.out, "Note: " in near.err) == (0, True, True)
        assert formats.guess_format((tmp_path / f"{name}.json").read_bytes()).name == name
    for name, words in (("torchvision", "'adversarial-epoch-2' is none of torchvision's"), ("deepaa", "has no layers")):
        refused = faa("policy", "convert", "run", "other", "--to", name, "--epoch", 2)
        assert (refused.code, words in refused.err, (tmp_path / "other").exists()) == (2, True, False)


def test_an_epoch_that_is_not_there(faa, tmp_path, run):
    """Each refusal is a sentence that says what to do, and nothing is written."""
    (tmp_path / "empty").mkdir()
    Policy.load("none").save(tmp_path / "mine.json")
    needs = "give such a directory as IN, or leave --epoch out."
    for source, given, words in (
        ("run", (11,), "'run' has no policies of epoch 11; it has those of epochs 1 to 10."),
        ("run", (0,), "--epoch: it must be at least 1 (given 0)."),
        ("run/policies.jsonl", (1,), "--epoch reads a training's folder, so give 'run' as IN."),
        ("run/policy.json", (1,), "--epoch reads a training's folder, so give 'run' as IN."),
        ("run", ("last",), "--epoch: "),
        ("run", (1, "--from", "legacy"), "--from and --table are for files; leave them out."),
        ("run", (1, "--table", "a"), "--from and --table are for files; leave them out."),
        *((source, (1,), needs) for source in ("trivialaugment", "mine.json", "empty", "nowhere")),
    ):
        refused = faa("policy", "convert", source, "out.json", "--epoch", *given)
        assert (refused.code, words in refused.err) == (2, True), refused.err
        assert len(refused.err.splitlines()) == 1
    assert not (tmp_path / "out.json").exists()


def test_a_run_without_an_epoch(faa, run):
    """It says which there are; and that the last one's policy has a file, if it has."""
    which = "give --epoch N, 1 to 10, for the policies of an epoch."
    both = faa("policy", "convert", "run", "out.json")
    own = "'run' is a folder; the policy in it is 'run/policy.json', so give that; or "
    assert (both.code, f"Error: {own}{which}\n" == both.err) == (2, True), both.err
    (run / "policy.json").unlink()
    one = faa("policy", "convert", "run", "out.json")
    assert (one.code, f"Error: 'run' is a folder; {which}\n" == one.err) == (2, True), one.err
    (run / "policies.jsonl").write_text("")
    none = faa("policy", "convert", "run", "out.json")
    assert (none.code, none.err) == (2, "Error: 'run' is a folder; it has no policy yet; its own command goes on.\n")
    asked = faa("policy", "convert", "run", "out.json", "--epoch", 1)
    assert (asked.code, asked.err) == (2, "Error: 'run' has no policies of epoch 1; it has none yet.\n")


def test_a_name_is_taken_before_a_folder(faa, tmp_path, run):
    """As everywhere else; so is a run's policy by its file."""
    run.rename(tmp_path / "none")
    assert json.loads(faa("policy", "convert", "none", "-").out)["name"] == "none"
    assert json.loads(faa("policy", "convert", "none", "-", "--epoch", 3).out)["name"] == "adversarial-epoch-3"
    assert json.loads(faa("policy", "convert", "none/policy.json", "-").out)["name"] == "adversarial-epoch-10"


def test_the_example_runs(faa, tmp_path, finished):
    """On a run of the name that it has, which the example of `faa train` makes."""
    shutil.copytree(finished, tmp_path / "runs" / "adversarial")
    (example,) = [line for line in CONVERT_EXAMPLES.splitlines() if "--epoch" in line]
    done = faa(*shlex.split(example)[1:])
    assert (done.code, "Wrote policy.json (faa: " in done.out) == (0, True), done.err
    made = get_command(app).get_command(None, "train").epilog
    assert "--output runs/adversarial" in made


def test_only_layers_are_drawn_by_show(faa, run):
    refused = faa("policy", "show", "run/policy.json", "--picture", "a.png")
    assert (refused.code, "'adversarial-epoch-10' is of kind sub-policies" in refused.err) == (2, True)


SMALL = ("--train-subset", 40, "--img-size", 8, "--model", "wrn10_1", "--epochs", 1, "--batch-size", 8,
         "--controller-steps", 2)  # fmt: skip


def settings_of(run):
    """Return the settings that a run's file holds."""
    return yaml.safe_load(Path(run, "config.yaml").read_text())


def test_a_recipe_without_its_controller(faa, tmp_path):
    """The copies stay, which is the comparison that shows what the controller does; its settings go with it."""
    few = [word for word in SMALL if word not in ("--controller-steps", 2)]
    done = faa("train", "--recipe", "digits/wrn16_1_adversarial", *few, "--no-adversarial", "--policy",
               "trivialaugment-standard", "--output", "fixed")  # fmt: skip
    assert done.code == 0, done.err
    kept = settings_of(tmp_path / "fixed")
    recipe = load_recipe("digits/wrn16_1_adversarial").sections["train"]
    assert kept["batch_aug"] == recipe["batch_aug"] > 1
    assert (kept["adversarial"], kept["controller_steps"]) == (False, 1)


@pytest.mark.parametrize("names", ["none,randaugment", "none,adversarial,adversarial-uniform"])
def test_a_recipe_of_a_controller_is_compared(faa, tmp_path, names):
    """With controllers or without: the comparison names what decides, and the recipe gives the rest."""
    few = SMALL if "adversarial" in names else SMALL[:-2]
    done = faa("compare", "--recipe", "digits/wrn16_1_adversarial", *few, "--policies", names, "--seeds", 2,
               "--output", "all")  # fmt: skip
    assert done.code == 0, done.err
    recipe = load_recipe("digits/wrn16_1_adversarial").sections["train"]
    for name in names.split(","):
        kept = settings_of(tmp_path / f"all/{name}-0")
        assert kept["batch_aug"] == recipe["batch_aug"]
        assert kept["adversarial"] == name.startswith("adversarial")


def test_a_training_with_a_controller_is_evaluated(faa, run):
    """Like any other."""
    done = faa("eval", "--checkpoint", run)
    assert done.code == 0, done.err
    assert "error" in done.out
