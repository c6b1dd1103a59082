"""`faa policy convert`: every way in and out, and files that mean harm."""

import json
import os
from pathlib import Path

import numpy as np

from faa_core import Layers, Policy, formats


def test_there_and_back(faa, tmp_path):
    said = faa("policy", "convert", "fa-reduced-cifar10", "policy.py", "--to", "legacy")
    assert "Wrote policy.py (legacy: sub-policies, 493 sub-policies)" in said.out
    assert faa("policy", "convert", "policy.py", "back.json", "--name", "mine").code == 0
    back, original = Policy.load(tmp_path / "back.json"), Policy.load("fa-reduced-cifar10")
    assert (back.name, back.sub_policies) == ("mine", original.sub_policies)


def test_the_terminal_gets_the_document(faa):
    assert faa("policy", "convert", "randaugment", "-").out == Policy.load("randaugment").to_json()
    assert len(json.loads(faa("policy", "convert", "fa-reduced-svhn", "-", "--to", "legacy").out)) == 497
    assert faa("policy", "convert", "rand-m9-n2", "-", "--to", "timm").out.startswith("rand-m9")


def test_layers_go_through_an_archive_and_are_shown(faa, tmp_path):
    layer = [
        {"op": "Identity", "magnitude": 0, "probability": 0.75},
        {"op": "Rotate", "magnitude": 1, "probability": 0.25},
    ]
    (tmp_path / "mine.json").write_text(json.dumps({"kind": "layers", "layers": [layer, layer]}))
    assert "(deepaa: layers, 2 layers)" in faa("policy", "convert", "mine.json", "mine.npz").out
    assert faa("policy", "convert", "mine.npz", "again.json").code == 0
    again = Policy.load(tmp_path / "again.json")
    assert isinstance(again, Layers)
    assert [choice.probability for choice in again.layers[0] if choice.probability] == [0.75, 0.25]
    shown = faa("policy", "show", "mine.json").out
    assert "unnamed: layers, 2 layers" in shown
    assert any(line.split()[-3:] == ["2", "0.25", "1.00"] for line in shown.splitlines())
    refused = faa("policy", "convert", "mine.json", "-", "--to", "deepaa")
    assert (refused.code, "is not text for the terminal" in refused.err) == (2, True)


def test_a_python_file_of_several_lists(faa, tmp_path):
    (tmp_path / "archive.py").write_text("a = [[['Invert', 1, 0]]]\ndef b():\n    return [[['Color', 0.5, 0.5]]] + a\n")
    asked = faa("policy", "convert", "archive.py", "-")
    assert asked.code == 2
    assert "holds several lists: a, b" in asked.err
    assert "--table" in asked.err
    assert faa("policy", "convert", "archive.py", "b.json", "--table", "b").code == 0
    assert (Policy.load(tmp_path / "b.json").name, len(Policy.load(tmp_path / "b.json").sub_policies)) == ("b", 2)


def test_harmful_files_do_none(faa, tmp_path):
    (tmp_path / "calls.py").write_text("import pathlib\np = pathlib.Path('harm').touch()\n")
    np.savez(tmp_path / "pickle.npz", policy_probs=np.array([{}], dtype=object))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "large.py").write_bytes(b"[" * (5 << 20))
    for name in ("calls.py", "pickle.npz", "deep.json", "large.py"):
        outcome = faa("policy", "convert", name, "out.json")
        assert outcome.code == 2
        assert name in outcome.err
        assert "Traceback" not in outcome.err
    assert not (tmp_path / "out.json").exists()
    assert not (tmp_path / "harm").exists()


def test_a_pipe_is_not_replaced(faa, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    outcome = faa("policy", "convert", "none", "pipe")
    assert (outcome.code, "is not a regular file" in outcome.err, "Traceback" in outcome.err) == (2, True, False)
    assert (tmp_path / "pipe").is_fifo()


def test_whatever_convert_reads_is_a_policy_everywhere(faa, tmp_path):
    (tmp_path / "list.json").write_text('[[["Invert", 1, 0]], [["Color", 0.5, 0.5]]]')
    (tmp_path / "config.py").write_text("p = [[dict(type='Rotate', angle=30 / 9 * 3, prob=0.7)]]")
    (tmp_path / "deep.json").write_text("[" * 200_000 + "\n")
    (tmp_path / "run").mkdir()
    assert "list: sub-policies, 2 sub-policies" in faa("policy", "show", "list.json").out
    assert "leaves fill and filter to what uses it" in faa("policy", "show", "config.py").out
    assert "rand-m9-n2: parametric" in faa("policy", "show", "rand-m9-n2").out
    assert json.loads(faa("policy", "show", "ra", "--json").out)["interpolation"] == "bilinear"
    assert faa("policy", "preview", "rand-m9-n2", "--images", "1", "--draws", "1", "--output", "a.png").code == 0
    assert "Traceback" not in faa("policy", "show", "deep.json").err
    refused = faa("policy", "convert", "list.json", "-", "--table", "nope")
    assert (refused.code, "'nope'" in refused.err) == (2, True)
    unknown = faa("policy", "show", "rand9")
    assert "a timm string such as rand-m9-n2" in " ".join(unknown.err.split())


def test_the_nearest_is_told_on_standard_error(faa, tmp_path):
    strict = faa("policy", "convert", "fa-reduced-svhn", "a.json", "--to", "albumentations")
    assert (strict.code, "--nearest" in strict.err, (tmp_path / "a.json").exists()) == (2, True, False)
    near = faa("policy", "convert", "fa-reduced-svhn", "a.json", "--to", "albumentations", "--nearest")
    assert (near.code, "Wrote a.json" in near.out) == (0, True)
    told = [line.removeprefix("Note: ").removesuffix(".") for line in near.err.splitlines()]
    assert told == json.loads((tmp_path / "a.json").read_text())["notes"]
    assert any(line.startswith("'ShearX' at ") and line.endswith("sheared about the centre") for line in told)
    (tmp_path / "config.py").write_text("p = [[dict(type='Invert', prob=0.7), dict(type='GaussianBlur', radius=1)]]")
    assert "GaussianBlur" in faa("policy", "convert", "config.py", "b.json").err
    read = faa("policy", "convert", "config.py", "b.json", "--nearest")
    assert "Note: GaussianBlur: left out." in read.err
    assert "GaussianBlur: left out" in Policy.load(tmp_path / "b.json").provenance["notes"]


def test_trials_are_exported(faa, tmp_path):
    run = Path(__file__).parents[3] / "tests" / "golden_runs" / "search-finished"
    done = faa("trials", "export", run, "trials.json", "--to", "hyperopt")
    assert (done.code, "Wrote trials.json (20 trials for hyperopt)" in done.out) == (0, True)
    assert len(json.loads((tmp_path / "trials.json").read_text())) == 20
    again = faa("trials", "export", run, "trials.json", "--to", "hyperopt")
    assert (again.code, "is there already, and is not replaced" in again.err) == (2, True)
    assert faa("trials", "export", run, "trials.db", "--to", "optuna").code == 0


def test_every_text_format_is_written_to_the_terminal(faa, tmp_path):
    (tmp_path / "one.json").write_text(
        '{"kind": "sub-policies", "sub_policies": [[{"op": "Invert", "p": 1, "magnitude": 0}]]}'
    )
    for name in ("faa", "legacy", "albumentations", "kornia"):
        text = faa("policy", "convert", "one.json", "-", "--to", name).out
        assert formats.guess_format(text.encode()).name == name
        (tmp_path / "two").write_text(text)
        assert formats.read_policy(tmp_path / "two").table.keys() == {"Invert"}


SCRIPT = "import os\np = [[['Invert', 1, 0]]]\nprint(p)\n"
OTHERS = {
    "train.py": SCRIPT,
    "config.yaml": "Train:\n  transform_ops:\n  - TimmAutoAugment:\n      prob: 1.0\n",
    "config.py": "p = [[dict(type='Invert', prob=1.0)]]\n",
    "search.log": "[a] [b] [INFO] [[['Invert', 1, 0]], [['Color', 1, 0]]]\n",
    "params.json": json.dumps({"policy_0_0": 1, "prob_0_0": 0.5, "level_0_0": 0.5}),
    "package.json": "{}",
    "data.json": "[1, 2]",
    "notes.txt": "Buy milk.\n",
    "big.json": "[" * (5 << 20),
}


def test_only_policies_are_replaced(faa, tmp_path):
    """A script, a config or a log may have a policy in it and is more than one; nothing of it is lost."""
    for name, text in OTHERS.items():
        (tmp_path / name).write_text(text)
        for options in ((), ("--to", "legacy")):
            refused = faa("policy", "convert", "fa-reduced-svhn", name, *options)
            assert refused.code == 2
            assert f"'{name}' is there already, and is not replaced, as this command has not written it" in refused.err
        assert (tmp_path / name).read_text() == text
    (tmp_path / "empty.json").touch()
    assert faa("policy", "convert", "none", "empty.json").code == 0


def test_whatever_the_command_wrote_it_replaces(faa, tmp_path):
    """In every format, the nearest too."""
    written = {
        "faa": "fa-reduced-svhn", "legacy": "fa-reduced-svhn", "albumentations": "fa-reduced-svhn",
        "kornia": "fa-reduced-svhn", "timm": "uniform-random", "torchvision": "randaugment",
    }  # fmt: skip
    (tmp_path / "layers.json").write_text(
        '{"kind": "layers", "layers": [[{"op": "Rotate", "magnitude": 0.51, "probability": 1}]]}'
    )
    for name, policy in (*written.items(), ("deepaa", "layers.json")):
        for target in (f"out.{name}", "OUT.NPZ" if name == "deepaa" else f"out.{name}", "same"):
            done = faa("policy", "convert", policy, target, "--to", name, "--nearest")
            assert (done.code, f"Wrote {target} ({name}: " in done.out) == (0, True), (name, done.err)


def test_the_suffix_tells_the_format(faa, tmp_path):
    """In any case of letters; other suffixes want --to, and get nothing without it."""
    assert "Wrote A.JSON (faa: " in faa("policy", "convert", "none", "A.JSON").out
    refused = faa("policy", "convert", "none", "mytrain.py")
    assert (refused.code, "belongs to no format" in refused.err, (tmp_path / "mytrain.py").exists()) == (2, True, False)
    assert json.loads(faa("policy", "convert", "none", "-").out)["name"] == "none"
