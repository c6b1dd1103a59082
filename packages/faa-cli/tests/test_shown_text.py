"""Whatever a text from outside holds, it is shown as one harmless line, in any terminal and any encoding."""

import ast
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

import faa_cli
from faa_cli import comparison_plot, fonts, plots
from faa_cli.layout import table_lines
from faa_cli.main import main
from faa_cli.next_training import training_command
from faa_cli.reporting import Live, Plain, make_reporter
from faa_cli.showing import say, show_table, shown, write_data
from faa_core import Policy

SOURCES = sorted(Path(faa_cli.__file__).parent.rglob("*.py"))
NASTY = "a\x1b[2J\x07\r\n\u202eb[/x][red]:smile:\ud800$x$\x9b31m"
SAFE = "a\\x1b[2J\\x07\\r\\n\\u202eb[/x][red]:smile:\\ud800$x$\\x9b31m"


def test_only_one_module_writes_lines():
    """Nothing else prints, echoes, or has a console, so nothing is shown that was not made safe."""
    for path in SOURCES:
        if path.name == "showing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert not re.search(r"^(print|(typer\.)?s?echo|.*std(out|err)\.write)$", called), f"{path}:{node.lineno}"
            if called.endswith("Console"):
                assert path.name == "reporting.py"


def test_outside_text_is_one_harmless_line(capsys):
    say(NASTY)
    say(NASTY, err=True)
    show_table(["name", NASTY], [[NASTY, "1"]])
    captured = capsys.readouterr()
    assert captured.err == f"{SAFE}\n"
    assert captured.out == f"{SAFE}\nname{' ' * (len(SAFE) - 2)}{SAFE}\n{SAFE}  1\n"


@pytest.mark.parametrize("reporter", [Plain, Live])
def test_progress_shows_outside_text_harmlessly(capsys, monkeypatch, reporter):
    monkeypatch.setenv("COLUMNS", "400")
    told = reporter()
    told.note(NASTY)
    with told.track(NASTY, 2) as advance:
        advance(NASTY)
        advance(NASTY)
    captured = capsys.readouterr().err
    assert captured.splitlines()[0] == SAFE
    assert captured.count(SAFE) == 3
    assert not {"\x07", "\u202e", "\x9b"} & set(captured)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "λ … – × ± → é 日 ━ 🙂"),
        ("cp1252", "lambda … – × ± -> é \\u65e5 \\u2501 \\U0001f642"),
        ("latin-1", "lambda ... - × ± -> é \\u65e5 \\u2501 \\U0001f642"),
        ("ascii", "lambda ... - x +- -> \\xe9 \\u65e5 \\u2501 \\U0001f642"),
    ],
)
def test_letters_that_the_output_cannot_show_are_replaced(encoding, expected):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    text = shown("λ … – × ± → é 日 ━ 🙂", stream)
    assert text == expected
    stream.write(text)
    stream.flush()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_commands_run_where_the_output_is_not_utf8(tmp_path, monkeypatch, encoding):
    """Help, tables, notes, a training's figures and a refusal: nothing fails to be encoded, nothing is left out."""
    monkeypatch.chdir(tmp_path)
    for at, name in enumerate(["λ", "日本", "é"]):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(8):
            pixels = np.full((8, 8, 3), 30 * at + number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"photos/{name}/{number}.png")
    tiny = "--dataset photos --test-fraction 0.4 --img-size 8 --batch-size 8 --epochs 1 --model wrn10_1".split()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    for words in (
        ["train", "--help"], ["policy", "show", "trivialaugment"], ["recipe", "show", "cifar10/wrn40_2"],
        ["train", *tiny, "--output", "run λ"], ["eval", "--checkpoint", "run λ"], ["policy", "show", "λ日本"],
    ):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["faa", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code in ((None, 0) if words[-1] != "λ日本" else (2,))
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in (sys.stdout, sys.stderr))
    assert "lambda is the position on an operation's axis" in out
    assert "Weights, settings and figures are in run lambda" in out
    rows = [line.split()[0] for line in out.splitlines() if re.search(r"\d\.\d % +\d+$", line)]
    assert sorted(rows) == sorted(["lambda", "\\u65e5\\u672c", "\\xe9" if encoding == "ascii" else "é"])
    assert "lambda\\u65e5\\u672c" in err


def test_the_c_locale_ends_in_no_traceback(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C", "PYTHONUTF8": "0", "NO_COLOR": "1"}
    code = "import sys\nfrom faa_cli.main import main\nsys.argv = ['faa', *sys.argv[1:]]\nmain()"
    for words, expected in ((["policy", "show", "randaugment"], 0), (["recipe", "show", "é"], 2), (["train", "-h"], 0)):
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path, check=False)
        assert (done.returncode, b"Traceback" in done.stderr) == (expected, False)
        (done.stdout + done.stderr).decode("ascii")


def test_documents_keep_their_letters_as_json_escapes(capsys, monkeypatch):
    document = {"name": "日 \x9b \u202e 🙂 é", "lines": ["a", "b"]}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    write_data(text)
    printed = capsys.readouterr().out
    assert json.loads(printed) == document
    assert "日" in printed
    assert not {"\x9b", "\u202e"} & set(printed)
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    write_data(text)
    assert json.loads(ascii_only.buffer.getvalue()) == document


HEADERS = ("policy", "mean error, %", "95 % interval", "what it is")
ROWS = [
    ("found-policy-with-a-long-name", "12.34", "10.00 … 14.68", "one that a search found on these very images"),
    ("none", "15.00", "13.00 … 17.00", "the images as they are"),
]


@pytest.mark.parametrize("width", [None, 200, 80, 60, 40, 20, 1, 0])
def test_tables_wrap_or_stack_and_nothing_is_cut(width):
    lines = table_lines(HEADERS, ROWS, width)
    words = " ".join(lines).split()
    for row in ROWS:
        for cell in row:
            assert all(word in words for word in cell.split())
    assert "found-policy-with-a-long-name" in words or "found-policy-with-a-long-name" in " ".join(words)
    if width is None or width == 200:
        assert len(lines) == 3
    elif width >= 40:
        assert max(map(len, lines)) <= width
    assert lines[0].startswith("policy" if width is None or width >= 80 else ("policy", "policy: found"))


def test_long_texts_are_shown_without_their_middle(capsys):
    """Of names, notes and lines; what is to be copied, and documents, stay whole."""
    name, note = "a" * 3000 + "z", " ".join(["word"] * 5000)
    say(f"The policy '{name}' is damaged.")
    say(note, err=True)
    say(name, whole=True)
    show_table([name, "p"], [[f"b{name}", note], ["c", "  ".join(["12.34"] * 100)]])
    write_data(json.dumps(name))
    captured = capsys.readouterr()
    line, copied, _head, long, short, document = captured.out.splitlines()
    assert line == f"The policy '{'a' * 199}…{'a' * 197}z' is damaged."
    assert (copied, json.loads(document)) == (name, name)
    assert long.split()[0] == f"b{'a' * 99}…{'a' * 98}z"
    assert len(captured.err) == 4001
    assert captured.err.startswith("word word")
    assert long.count("word") == pytest.approx(200, abs=2)
    assert short.count("12.34") == 100


def test_columns_of_wide_letters_line_up():
    assert table_lines(("a", "b"), [("日本", "1"), ("cd", "2")], None) == ["a     b", "日本  1", "cd    2"]


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({"TERM": "xterm", "COLUMNS": "100"}, True, Live),
        ({"TERM": "dumb", "COLUMNS": "100"}, True, Plain),
        ({"TERM": "xterm", "COLUMNS": "40"}, True, Plain),
        ({"TERM": "xterm", "COLUMNS": "100"}, False, Plain),
    ],
)
def test_a_bar_is_drawn_only_where_it_can_be(monkeypatch, environment, terminal, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert isinstance(make_reporter(), expected)


def test_pictures_of_any_names_are_drawn_without_a_warning(tmp_path):
    """Mathtext, markup, controls, other scripts and stand-ins for bytes: warnings are errors here."""
    names = ["$a", "a$b$c", "\\frac{", NASTY, "日本", "سلام", "हिन्दी", "x" * 5000]
    count = len(names)
    plots.save_confusion(tmp_path / "c.png", np.eye(count, dtype=int).tolist(), names, title=f"$ {NASTY}\nסלום")
    figure = comparison_plot.Figure()
    plots.set_heading(figure, f"$\\frac {NASTY}")
    plots.save_figure(figure, tmp_path / "h.png")
    for name in ("c.png", "h.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 300


def test_letters_are_drawn_in_installed_fonts_and_else_as_escapes(tmp_path, monkeypatch):
    """Not as boxes: 日 is in one font alone, 本 in none."""
    glyphs = [".notdef", "A", "sun"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap({ord("A"): "A", ord("日"): "sun"})
    pen = TTGlyphPen(None)
    for place in ((100, 0), (900, 0), (900, 700), (100, 700)):
        (pen.moveTo if place == (100, 0) else pen.lineTo)(place)
    pen.closePath()
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Zz One Letter", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "one.ttf")
    assert fonts.drawable("λ日本 A") == "λ\\u65e5\\u672c A"
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    font_manager.fontManager.addfont(tmp_path / "one.ttf")
    assert fonts.drawable("λ日本 A") == "λ日\\u672c A"
    figure = comparison_plot.Figure()
    axis = figure.subplots()
    axis.set_xticks([0, 1], [plots.short("日本"), "b"])
    plots.set_title(axis, "日")
    plots.save_figure(figure, tmp_path / "a.png")
    for text in (axis.title, *axis.get_xticklabels()):
        assert text.get_fontfamily()[-1] == "Zz One Letter"
    assert axis.get_xticklabels()[0].get_text() == "日\\u672c"


def test_a_path_of_markup_is_printed_as_it_is(faa, tmp_path):
    """[/x] once ended in a traceback after all the work, [red] and :smile: in a wrong path."""
    tiny = "--train-subset 40 --img-size 8 --batch-size 20 --epochs 1 --hflip 0 --device cpu --model wrn10_1".split()
    for output in ("runs/[/x]", "mk[red]a", ":smile:", "a\nb"):
        done = faa("train", *tiny, "--output", output)
        assert done.code == 0
        assert done.out.splitlines()[-1] == f"Weights, settings and figures are in {output}".replace("\n", "\\n")
        assert (tmp_path / output / "result.json").is_file()
    errors = faa("train", *tiny, "--lr", 0.5, "--output", "a\nb").err
    assert errors.splitlines()[-1].startswith("Error: 'a\\nb'")


def test_names_of_classes_and_policies_are_harmless_in_tables(faa, tmp_path):
    nasty = "b\x1b]0;x\x07\u202e"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(40) % 4
    for at, name in enumerate(["a", "日本", "[x]:smile:", nasty]):
        for number in np.flatnonzero(labels == at):
            folder = tmp_path / "photos" / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[number]).save(folder / f"{number}.png")
    policy = json.loads(Policy.load("fa-reduced-cifar10").to_json())
    policy |= {"name": f"p{nasty}[/x]", "provenance": {"note": nasty, "made": {"by": nasty}}}
    (tmp_path / "p.json").write_text(json.dumps(policy))
    tiny = "--dataset photos --test-fraction 0.4 --img-size 8 --batch-size 8 --epochs 1 --model wrn10_1".split()
    trained = faa("train", *tiny, "--policy", "p.json", "--output", "run")
    assert trained.code == 0, trained.err
    evaluated = faa("eval", "--checkpoint", "run", "--confusion", "c.png")
    shown_policy = faa("policy", "show", "p.json")
    refused = faa("train", *tiny, "--model", f"m{nasty}")
    assert (evaluated.code, shown_policy.code, refused.code) == (0, 0, 2)
    for text in (trained.out, trained.err, evaluated.out, shown_policy.out, refused.err):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[x]:smile:" in evaluated.out
    assert "日本" in evaluated.out
    assert "correct  error    predicted as it" in re.sub(" +error +", "  error    ", evaluated.out)
    for command in (("show", "p.json", "--json"), ("convert", "p.json", "-")):
        document = faa("policy", *command).out
        assert json.loads(document)["name"] == policy["name"]
        assert not {"\x1b", "\x07", "\u202e"} & set(document)


def test_a_broken_plugin_is_one_line_in_doctor(faa, tmp_path, monkeypatch):
    info = tmp_path / "site/broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[faa.policies]\nshatter = shattering:policy\n")
    (tmp_path / "site/shattering.py").write_text("raise ImportError('one\\n\\x1b[2Jtwo [/x]')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    report = faa("doctor")
    assert report.code == 1
    (line,) = [line for line in report.out.splitlines() if "shatter" in line]
    assert "one\\n\\x1b[2Jtwo [/x]" in line


def test_a_suggested_training_repeats_what_decides_it():
    given = {
        "dataset": "my photos", "epochs": 7, "amp": False, "pretrained": True, "batch_size": 64, "lr": 0.05, "seed": 3,
        "scale": (0.2, 1.0), "decay_milestones": [30, 60], "model": "wrn", "model_kwargs": {"depth": 10, "width": 2},
        "depth": 20, "folds": 3, "budget": "30m", "reward": "mean-loss", "data_dir": None,
    }  # fmt: skip
    words = training_command("cifar10/wrn40_2", given, "my run/policy.json")
    assert words.startswith("faa train --recipe cifar10/wrn40_2 --dataset 'my photos' ")
    assert words.endswith(" --policy 'my run/policy.json'")
    for part in (
        "--epochs 7", "--no-amp", "--pretrained", "--batch-size 64", "--lr 0.05", "--seed 3", "--scale 0.2 1.0",
        "--decay-milestones 30,60", "--model wrn", "--model-kwargs depth=10,width=2",
    ):  # fmt: skip
        assert f" {part} " in words
    for name in ("--depth", "--folds", "--budget", "--reward", "--data-dir"):
        assert name not in words


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_take_nothing_and_break_nothing(tmp_path, closed):
    """What would be written there is lost; no file of ours gets the stream's number."""
    shell = ["/bin/sh", "-c", f'"$0" -m faa_cli recipe show digits/wrn16_1 {closed}', sys.executable]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
