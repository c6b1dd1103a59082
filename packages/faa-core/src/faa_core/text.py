"""Texts for people: outside text made safe to show, sentences, counts with their noun, and times."""

import re

# Invisible, but part of how words are written (Persian, Indic scripts, emoji), or a space that is wider than others.
ALLOWED = frozenset("\u200c\u200d\u00a0\u202f\u3000")

DOUBLED = re.compile(r"(?<=\w)\.\.(?!\S)")  # full stops; neither a path such as a/.. nor three dots
ENDS = (".", "?", "!", "…")
UNFINISHED = " \t\r\n:;,"  # at the end of a text: what an exception without words leaves


def safe(text: object) -> str:
    r"""Return a text as one line that acts on no terminal and changes the order of no letters.

    Controls (ESC, BEL, newlines, tabs), bidirectional marks and other invisible characters, and the stand-ins for
    bytes that are not UTF-8, become escapes such as ``\x1b``. Everything from outside (names, paths, values,
    exceptions) goes through here before it is shown or logged.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() or letter in ALLOWED else escape(letter) for letter in line)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters: of a longer one, the middle is left out."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def one_line(error: BaseException, *, most: int = 300) -> str:
    """Return the message of an exception of somebody's, in one line of at most so many characters."""
    return shortened(" ".join(str(error).split()), most)


def sentence(text: object) -> str:
    """Return a text that ends in one full stop, as messages are put together from others', with or without one."""
    whole = DOUBLED.sub(".", str(text).rstrip(UNFINISHED))
    return whole if whole.endswith(ENDS) else f"{whole}."


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, such as "1 epoch", "2,000 epochs" or, with its plural given, "3 classes"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Return a time such as "45 s", "12 min", "2 h 45 min" or "3 days 4 h"; less than a second is written as such."""
    if seconds < 59.5:
        return "under 1 s" if seconds < 0.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes_left} min" if minutes_left else f"{hours} h"
    return f"{days} days {hours_left} h" if hours_left else f"{days} days"


def escape(letter: str) -> str:
    r"""Return a letter as Python writes it in ASCII, such as ``\x1b`` or ``\u65e5``."""
    return letter.encode("unicode_escape").decode("ascii")
