"""Letters that the usual font of pictures lacks: taken from other installed fonts; where none has one, an escape."""

from collections.abc import Iterable
from functools import cache

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from faa_core.text import escape, safe

BOXES = "Last Resort"  # matplotlib's own font, which has a box for each letter there is


def drawable(text: object) -> str:
    """Return a text as one safe line; letters that no installed font has are escapes."""
    line = safe(text)
    _families, lacking = _fonts_for(line)
    return "".join(escape(letter) if ord(letter) in lacking else letter for letter in line)


def take_fonts(figure: Figure) -> None:
    """Have each text of a figure drawn in the fonts that its letters need."""
    texts = figure.findobj(Text)
    families, _lacking = _fonts_for(letter for text in texts for letter in text.get_text())
    for text in texts if families else ():
        text.set_fontfamily([*rcParams["font.family"], *families])


def _fonts_for(letters: Iterable[str]) -> tuple[list[str], set[int]]:
    """Return families that have the letters which the usual font lacks, and the numbers of those that none has."""
    lacking = {ord(letter) for letter in letters if letter != "\n"} - _letters(findfont(FontProperties()))
    families: list[str] = []
    for name in sorted({font.name for font in fontManager.ttflist} if lacking else ()):
        found = set() if name.startswith(BOXES) else lacking & _letters(findfont(FontProperties(family=name)))
        if found:
            families.append(name)
            lacking -= found
    return families, lacking


@cache
def _letters(path: str) -> frozenset[int]:
    """Return the numbers of the letters that a font has."""
    return frozenset(get_font(path).get_charmap())
