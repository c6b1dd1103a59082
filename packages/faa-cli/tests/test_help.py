"""Help is whole at any width and in pipes, its examples are real, and it is quick."""

import inspect
import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from faa_cli.layout import wrap
from faa_cli.main import app
from faa_search.settings import CompareConfig, EvalConfig, SearchConfig, TrainConfig

ROOT = get_command(app)
SETTINGS = {"search": SearchConfig, "train": TrainConfig, "eval": EvalConfig, "compare": CompareConfig}


def pages(command=ROOT, names=()):
    """Return every command's words and the command itself, groups and the root included."""
    found = [(names, command)]
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            found += pages(command.get_command(None, name), (*names, name))
    return found


PAGES = pages()


def examples(command) -> list[str]:
    return [line for line in inspect.cleandoc(command.epilog or "").splitlines() if line.startswith("faa ")]


def test_all_commands_are_there():
    words = {" ".join(names) for names, _command in PAGES}
    assert {"", "search", "train", "eval", "compare", "doctor", "policy", "policy convert", "model list"} <= words
    assert {"policy list", "policy show", "policy preview", "model convert", "recipe show", "recipe schema"} <= words


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize(("names", "command"), PAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_page_is_whole_at_any_width(faa, monkeypatch, names, command, width):
    """Every option's name stands in it, no word is cut or broken, and only single words are wider."""
    wide = faa(*names, "--help")
    monkeypatch.setenv("COLUMNS", str(width))
    page = faa(*names, "--help")
    assert (page.code, page.err) == (0, "")
    for parameter in command.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            if name.startswith("--"):
                assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page.out), name
    plain = [text.replace(" \\\n", " ") for text in (page.out, wide.out)]
    first, second = (re.sub(r"^ +# ", " ", text, flags=re.MULTILINE).split() for text in plain)
    assert first == second
    for line in page.out.splitlines():
        assert len(line) <= width or len(line.split()) <= 3, line  # a flag and its other form, or a default
    assert page.out.isascii() or not set("╭│╰─") & set(page.out)


@pytest.mark.parametrize(("names", "command"), PAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_page_says_what_it_is_for_with_two_examples(names, command):
    assert len(inspect.cleandoc(command.help).split()) >= 6
    shown = examples(command)
    assert len(shown) >= 2
    own = [line for line in shown if line.split()[1 : len(names) + 1] == list(names)]
    assert len(own) >= min(2, len(shown))


@pytest.mark.parametrize("example", sorted({line for _names, command in PAGES for line in examples(command)}), ids=str)
def test_examples_are_accepted(example):
    """Each is parsed as it would be, and settings are resolved, but nothing is run."""
    words = shlex.split(re.split(r" [|>] ", example)[0])[1:]
    command, context = ROOT, ROOT.make_context("faa", words[:1], resilient_parsing=True)
    while hasattr(command, "list_commands"):
        command = command.get_command(context, words.pop(0))
        assert command is not None, example
    parsed = command.make_context(command.name, words, parent=context)
    if command.name in SETTINGS:
        fields = SETTINGS[command.name].model_fields
        given = {name: value for name, value in parsed.params.items() if name in fields and value is not None}
        SETTINGS[command.name](**given)


def test_the_quick_examples_run(faa, tmp_path):
    quick = ("faa policy", "faa recipe")  # `faa model list` and `faa doctor` run in tests of their own
    ran = 0
    for names, command in PAGES:
        for line in examples(command):
            words = shlex.split(re.split(r" [|>] ", line)[0])[1:]
            on_the_hub = "OWNER" in line or words[:2] == ["policy", "search"]  # see tests/test_hub_policies.py
            own = line.startswith(quick) and not on_the_hub
            if own and not any(word.startswith("runs/") for word in words) and names:
                done = faa(*words)
                assert done.code == 0, (line, done.err)
                ran += 1
    assert ran >= 10


def test_options_are_grouped_with_their_defaults(faa):
    page = faa("train", "--help").out
    headings = [line for line in page.splitlines() if re.fullmatch(r"[A-Z][\w ]*:", line)]
    assert headings[:4] == ["Examples:", "Options:", "Training:", "Data:"]
    assert page.index("Updates:") < page.index("--epochs N") < page.index("Loss:")
    assert re.search(r"--epochs N +Passes over the training images\. \(default: 30\)", page)
    assert re.search(r"One of shuffle, spread, balanced\.\s+\(default: shuffle\)", page)


def test_words_are_not_broken():
    assert wrap("a long-hyphenated-word here", 10) == ["a", "long-hyphenated-word", "here"]
    assert wrap("ab cd ef", 5) == ["ab cd", "ef"]
    assert wrap("日本 日本", 8) == ["日本", "日本"]


def test_help_and_mistakes_do_not_import_torch_and_signs_of_life_come_before_it(tmp_path):
    """In one interpreter: help, a mistake, and the first line of a training, all before torch is there."""
    code = """
import sys
from faa_cli.main import main
def run(*words):
    sys.argv = ["faa", *words]
    try: main()
    except SystemExit: pass
    print("torch" in sys.modules, file=sys.stderr)
for words in (["-h"], ["train", "-h"], ["policy", "show", "none"], ["train", "--epochs", "x"], ["trian"]): run(*words)
class Loaded(Exception): pass
class Finder:
    def find_spec(self, name, *rest):
        if name == "torch": raise Loaded
sys.meta_path.insert(0, Finder())
for words in (["train"], ["search"], ["compare"], ["eval", "--model", "x"], ["policy", "preview", "none"], ["doctor"]):
    try: run(*words)
    except Loaded: print("loaded", file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120
    )
    lines = done.stderr.splitlines()
    assert [line for line in lines if line == "False"] == ["False"] * 5
    assert lines[-12:] == ["Starting: loading torch …", "loaded"] * 6, done.stderr


def test_a_preview_says_how_many_it_draws(faa):
    """Unless more or fewer are asked for."""
    page = " ".join(faa("policy", "preview", "--help").out.split())
    assert "spread over the data set. (default: 6)" in page
    assert "Columns: draws of each image. (default: 9)" in page
    assert "Seed of the draws. (default: 0)" in page
