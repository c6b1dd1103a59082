"""Pictures as data are drawn: bars on each other, bands, shared colours, legends; and those of policies of layers."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faa_cli.pictures import PALETTE, save_picture
from faa_core import Choice, FaaError, Layers
from faa_search.runs.records.pictures import Panel, Picture, Trace

BARS = [
    Trace(kind="bars", x=[1, 2, 3], y=[1.0, 0.0, 2.0], label="under", colour=0),
    Trace(kind="bars", x=[1, 2, 3], y=[3.0, 4.0, 2.0], label="over", colour=1),
]


def drawn(tmp_path: Path, *panels: Panel, **given: object) -> np.ndarray:
    """Return the pixels of a picture, int ``[H, W, 3]``."""
    save_picture(tmp_path / "a.png", Picture(name="a", title="", panels=panels, **given))
    return np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)


def share_of(pixels: np.ndarray, number: int) -> int:
    """Return how many pixels have a colour of the palette."""
    return int((np.abs(pixels - np.round(255 * np.array(PALETTE[number][:3]))).max(axis=-1) <= 1).sum())


def test_bars_lie_on_those_before_them(tmp_path: Path) -> None:
    """All of them are seen, in the ratio of their heights: 3 to 9."""
    pixels = drawn(tmp_path, Panel(traces=[Trace(**{**vars_of(one), "label": ""}) for one in BARS]))
    assert 3 == pytest.approx(share_of(pixels, 1) / share_of(pixels, 0), rel=0.1)
    rows = np.flatnonzero((np.abs(pixels - np.round(255 * np.array(PALETTE[1][:3]))).max(axis=-1) <= 1).any(axis=1))
    alone = drawn(tmp_path, Panel(traces=[Trace(kind="bars", x=[1, 2, 3], y=[4.0, 4.0, 4.0], colour=1)]))
    top = np.flatnonzero((np.abs(alone - np.round(255 * np.array(PALETTE[1][:3]))).max(axis=-1) <= 1).any(axis=1))
    assert abs(rows[0] - top[0]) <= 1


def vars_of(trace: Trace) -> dict[str, object]:
    """Return what a trace was made with."""
    return {name: getattr(trace, name) for name in ("x", "y", "kind", "label", "colour")}


def test_a_bar_without_height_is_not_drawn(tmp_path: Path) -> None:
    """The axis reaches beyond the highest bar, as without it."""
    with_it = [*BARS, Trace(kind="bars", x=[1, 2, 3], y=[0.0, 0.0, 0.0], colour=2)]
    assert np.array_equal(drawn(tmp_path, Panel(traces=BARS)), drawn(tmp_path, Panel(traces=with_it)))


def test_panels_share_a_legend_or_have_their_own(tmp_path: Path) -> None:
    """A shared one names each label once, beside the panels."""
    panels = [Panel(traces=BARS, title=f"Panel {number}") for number in range(3)]
    for title, times in (("all of them", 1), ("", 3)):
        save_picture(tmp_path / "a.svg", Picture(name="a", title="T", panels=panels, columns=3, legend_title=title))
        text = (tmp_path / "a.svg").read_text()
        assert [times, times] == [len(re.findall(f"<!-- {label} -->", text)) for label in ("under", "over")]
        assert ("<!-- all of them -->" in text) == bool(title)


def test_an_svg_is_the_same_each_time(tmp_path: Path) -> None:
    """It holds no date, and no names drawn at random."""
    for name in ("a.svg", "b.SVG"):
        save_picture(tmp_path / name, Picture(name="a", title="T", panels=[Panel(traces=BARS, borders=[1.5])]))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.SVG").read_bytes()


def test_ticks_bands_and_borders_are_drawn(tmp_path: Path) -> None:
    """Each changes the picture; many long ticks stand upright."""
    line = Trace(kind="line", x=[0, 1, 2], y=[0.0, 2.0, 1.0], colour=3)
    band = Trace(kind="band", x=[0, 1, 2], y=[0.0, 2.0, 1.0], spread=[0.5, 0.1, 0.3], colour=3)
    ticks = [(0, "first"), (2, "last")]
    pictures = [
        drawn(tmp_path, Panel(traces=[line])),
        drawn(tmp_path, Panel(traces=[band, line])),
        drawn(tmp_path, Panel(traces=[line], borders=[0.5])),
        drawn(tmp_path, Panel(traces=[line], x_ticks=ticks)),
        drawn(tmp_path, Panel(traces=[line], y_label="height")),
        drawn(tmp_path, Panel(traces=[line], x_ticks=[(0, "a" * 20), (2, "b" * 20)])),
    ]
    contents = {picture.tobytes() for picture in pictures}
    assert len(contents) == len(pictures)


def test_panels_have_their_own_range_where_that_is_said(tmp_path: Path) -> None:
    """Else the lower one would hardly be seen."""
    low, high = (Panel(traces=[Trace(kind="bars", x=[1, 2, 3], y=[top] * 3, colour=number)])
                 for number, top in enumerate((0.1, 100.0)))  # fmt: skip
    shared, apart = (drawn(tmp_path, low, high, columns=2, shared_y=both) for both in (True, False))
    assert share_of(shared, 0) < share_of(shared, 1) / 50
    assert share_of(apart, 0) == pytest.approx(share_of(apart, 1), rel=0.1)


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        (Trace(x=[1, 2, 3], y=[1.0, 2.0]), "3 places and 2 values"),
        (Trace(x=[1], y=[1.0], kind="pie"), "kind 'pie'; there are points, line"),  # type: ignore[arg-type]
        (Trace(x=[1, 2], y=[1.0, 2.0], kind="band", spread=[1.0]), "a wrong spread"),
        (Trace(x=[1, 2], y=[1.0, 2.0], kind="band", spread=[1.0, -1.0]), "never negative"),
        (Trace(x=[1, 2], y=[1.0, 2.0], kind="line", spread=[1.0, 1.0]), "a wrong spread"),
        (Trace(x=[1], y=[1.0], shade=1.5), "shade 1.5; give 0 … 1"),
        (Trace(x=[1], y=[1.0], colour=-1), "colour -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, trace: Trace, words: str) -> None:
    """With the picture's name, and nothing is written."""
    with pytest.raises(FaaError, match=f"The picture 'mine' has a trace.*{words}"):
        save_picture(tmp_path / "a.png", Picture(name="mine", title="", panels=[Panel(traces=[trace])]))
    assert not list(tmp_path.iterdir())


def layers() -> Layers:
    """Return a policy of three layers."""
    shares = (("Rotate", 0.0, 0.2), ("Rotate", 1.0, 0.5), ("Flip", 0.0, 0.3))
    one = tuple(Choice(op=op, magnitude=magnitude, probability=p) for op, magnitude, p in shares)
    return Layers(name="mine", layers=(one, one[::-1], one))


def test_policy_show_draws_what_layers_pick(faa, tmp_path):
    layers().save(tmp_path / "mine.json")
    shown = faa("policy", "show", "mine.json", "--picture", "new/mine.svg")
    assert (shown.code, "Wrote new/mine.svg" in shown.out, "mine: layers, 3 layers" in shown.out) == (0, True, True)
    assert "<!-- mine: what each layer picks -->" in (tmp_path / "new" / "mine.svg").read_text()
    assert faa("policy", "show", "mine.json", "--picture", "all").code == 0
    names = {f"{name}.{suffix}" for name in ("operations", "magnitudes", "together") for suffix in ("png", "svg")}
    assert {path.name for path in (tmp_path / "all").iterdir()} == names
    assert (tmp_path / "all" / "together.png").read_bytes().startswith(b"\x89PNG")


def test_policy_show_refuses_what_it_cannot_draw(faa, tmp_path):
    layers().save(tmp_path / "mine.json")
    for arguments, words in (
        (("mine.json", "--picture", "a.jpg"), "'a.jpg' ends in none of .png, .svg"),
        (("mine.json", "--picture", "a.png", "--json"), "--json prints the document and nothing else"),
        (("trivialaugment", "--picture", "a.png"), "'trivialaugment' is of kind parametric"),
    ):
        refused = faa("policy", "show", *arguments)
        assert (refused.code, words in refused.err) == (2, True), refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
