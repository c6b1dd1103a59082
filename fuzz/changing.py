"""Changing a sample: bytes, words, lines, and pieces of the target's own grammar."""

import re
from collections.abc import Callable, Sequence

import numpy as np

Draw = np.random.Generator
WORD = re.compile(rb"[\w.+-]+")
MOST_CHANGES = 4
LONGEST = 1 << 20  # bytes of a case


def changed(samples: Sequence[bytes], pieces: Sequence[bytes], draw: Draw) -> bytes:
    """Return one of the samples, with no change, one, or some more."""
    content = _any(samples, draw)
    for _ in range(draw.integers(MOST_CHANGES)):
        change = CHANGES[draw.integers(len(CHANGES))]
        content = change(content, samples, pieces, draw)[:LONGEST]
    return content


def _any(parts: Sequence[bytes], draw: Draw) -> bytes:
    return parts[draw.integers(len(parts))]


def _cut(content: bytes, draw: Draw) -> tuple[int, int]:
    """Return the ends of a part, short ones being likelier."""
    start = int(draw.integers(len(content) + 1))
    return start, min(len(content), start + int(2 ** draw.uniform(0, 10)))


def _flip(content: bytes, _samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    found = bytearray(content)
    for _ in range(draw.integers(1, 4) if found else 0):
        found[draw.integers(len(found))] ^= 1 << int(draw.integers(8))
    return bytes(found)


def _poke(content: bytes, _samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    """Write a number that is often a limit over some bytes."""
    at, _stop = _cut(content, draw)
    number = [0, 1, 127, 128, 255, 256, 65535, 2**31 - 1, 2**31, 2**32 - 1][draw.integers(10)]
    width, order = (1, 2, 4, 8)[draw.integers(4)], ("big", "little")[draw.integers(2)]
    part = (number % 256**width).to_bytes(width, order)  # type: ignore[arg-type]
    return content[:at] + part + content[at + width :]


def _truncate(content: bytes, _samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    return content[: draw.integers(len(content) + 1)]


def _delete(content: bytes, _samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    start, stop = _cut(content, draw)
    return content[:start] + content[stop:]


def _repeat(content: bytes, _samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    start, stop = _cut(content, draw)
    return content[:stop] + content[start:stop] * int(2 ** draw.uniform(0, 8)) + content[stop:]


def _splice(content: bytes, samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    other = _any(samples, draw)
    return content[: draw.integers(len(content) + 1)] + other[draw.integers(len(other) + 1) :]


def _insert(content: bytes, _samples: Sequence[bytes], pieces: Sequence[bytes], draw: Draw) -> bytes:
    at, _stop = _cut(content, draw)
    return content[:at] + _any(pieces, draw) + content[at:]


def _word(content: bytes, _samples: Sequence[bytes], pieces: Sequence[bytes], draw: Draw) -> bytes:
    """Put a piece in the place of a word or number."""
    words = list(WORD.finditer(content))
    if not words:
        return content
    word = words[draw.integers(len(words))]
    return content[: word.start()] + _any(pieces, draw) + content[word.end() :]


def _line(content: bytes, samples: Sequence[bytes], _pieces: Sequence[bytes], draw: Draw) -> bytes:
    """Take a line out, or put one of a sample's in."""
    lines, others = content.splitlines(keepends=True), _any(samples, draw).splitlines(keepends=True)
    at = int(draw.integers(len(lines) + 1))
    if draw.random() < 0.3 or not others:
        return b"".join(lines[:at] + lines[at + 1 :])
    return b"".join([*lines[:at], others[draw.integers(len(others))], *lines[at:]])


CHANGES: tuple[Callable[[bytes, Sequence[bytes], Sequence[bytes], Draw], bytes], ...] = (
    _flip, _poke, _truncate, _delete, _repeat, _splice, _insert, _insert, _word, _word, _word, _line,
)  # fmt: skip
