"""How lists are written in texts: parts with commas between them.

A part may hold commas inside brackets or quotes: ``RandAugment(num_ops=2, magnitude=9),none`` has two
parts.
"""

import itertools

CLOSING = {"(": ")", "[": "]", "{": "}"}
QUOTES = "\"'"


def parts_of(text: str) -> tuple[str, ...]:
    """Return the parts of a text, without spaces around them; empty ones are left out.

    A comma inside brackets or quotes separates nothing. If a bracket or quote has no end, every comma separates. A part
    that is in quotes as a whole loses them, so that a file may have a comma in its name.
    """
    ends = (-1, *_separators(text), len(text))
    parts = (text[start + 1 : end].strip() for start, end in itertools.pairwise(ends))
    return tuple(bare for part in parts if (bare := _bare(part)))


def _separators(text: str) -> list[int]:
    """Return the places of the commas that separate parts."""
    commas = [at for at, letter in enumerate(text) if letter == ","]
    outside = []
    waiting: list[str] = []  # for what closes the brackets and quotes that are open
    for at, letter in enumerate(text):
        if waiting and letter == waiting[-1]:
            waiting.pop()
        elif waiting and waiting[-1] in QUOTES:
            continue
        elif letter in CLOSING:
            waiting.append(CLOSING[letter])
        elif letter in QUOTES and not text[at - 1 : at].isalnum():  # behind a letter it is an apostrophe
            waiting.append(letter)
        elif letter == "," and not waiting:
            outside.append(at)
    return commas if waiting else outside


def _bare(part: str) -> str:
    """Return a part without the quotes around it."""
    quoted = len(part) > 1 and part[0] in QUOTES and part.find(part[0], 1) == len(part) - 1
    return part[1:-1] if quoted else part
