"""All that the command line shows goes through here: made safe, and in letters that the output can take.

Text from outside may hold anything (names of classes, paths, exceptions): none of it is read as markup, acts on the
terminal or fails to be encoded.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TextIO

from faa_cli.layout import table_lines
from faa_core.text import safe, shortened

# How the letters that we write ourselves look where the output cannot show them; of others, an escape is shown.
PLAINER = {"…": "...", "–": "-", "−": "-", "×": "x", "±": "+-", "→": "->", "λ": "lambda", "Δ": "delta", "α": "alpha"}


class Limit(NamedTuple):
    """How many characters are shown; names and notes from outside may have thousands."""

    word: int
    line: int


IN_LINES = Limit(word=400, line=4000)
IN_CELLS = Limit(word=200, line=1000)


def say(text: object, *, err: bool = False, whole: bool = False) -> None:
    """Show one line on standard output, or on standard error; whatever the text holds, it stays one line.

    Args:
        text: What to show.
        err: Whether it goes to standard error.
        whole: Whether a long text is shown whole, as a command that is to be copied.
    """
    stream = sys.stderr if err else sys.stdout
    print(shown(text, stream, whole=whole), file=stream, flush=True)


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table: as wide as it takes where the output is not a terminal, else wrapped or stacked to fit."""
    cells = [[shown(_limited(safe(cell), IN_CELLS), sys.stdout) for cell in row] for row in rows]
    titles = [shown(header, sys.stdout) for header in headers]
    for line in table_lines(titles, cells, terminal_width() if sys.stdout.isatty() else None):
        say(line)


def write_data(text: str) -> None:
    """Write a document to standard output as it is, but for letters that would act on a terminal or cannot be encoded.

    Those become JSON escapes, which a reader of the document turns back into the letters.
    """
    sys.stdout.write("".join(letter if _is_plain(letter) else _json_escape(letter) for letter in text))
    sys.stdout.write("" if text.endswith("\n") else "\n")
    sys.stdout.flush()


def say_starting() -> None:
    """Show a sign of life before torch is imported, which takes seconds; in processes of a launcher, nothing."""
    if "torch" not in sys.modules and "WORLD_SIZE" not in os.environ:
        say("Starting: loading torch …", err=True)


def shown(text: object, stream: TextIO, *, whole: bool = False) -> str:
    """Return a text as the one line that a stream can show of it; unless it must be whole, the long is shortened."""
    line = safe(text) if whole else _limited(safe(text), IN_LINES)
    return line if _can_encode(line, stream) else "".join(_plainer(letter, stream) for letter in line)


def terminal_width() -> int:
    """Return the columns of the terminal: as in COLUMNS, as it reports itself, else 80."""
    return shutil.get_terminal_size().columns


def _limited(line: str, limit: Limit) -> str:
    """Return a line without the middle of words that are very long, nor its own middle if it is."""
    if len(line) <= limit.word:
        return line
    return shortened(" ".join(shortened(word, limit.word) for word in line.split(" ")), limit.line)


def _plainer(letter: str, stream: TextIO) -> str:
    if _can_encode(letter, stream):
        return letter
    return PLAINER.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii")


def _can_encode(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_plain(letter: str) -> bool:
    return letter in "\n\t" or (letter.isprintable() and _can_encode(letter, sys.stdout))


def _json_escape(letter: str) -> str:
    """Return a letter as JSON writes it in ASCII: one escape, or two for what is beyond 16 bits."""
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
