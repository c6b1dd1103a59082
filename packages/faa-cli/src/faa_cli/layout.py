"""Texts brought into lines of some width: paragraphs and tables. No word is ever cut."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len

GAP = 2  # columns between those of a table


def wrap(text: str, width: int) -> list[str]:
    """Return a text as lines that break between words; a word longer than the width has a line for itself."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def table_lines(headers: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> list[str]:
    """Return a table in lines: its cells wrapped where they do not fit beside each other, or else stacked.

    Args:
        headers: One per column.
        rows: Cells, each one line of text; those of the first column are never wrapped.
        width: Columns of the terminal; None for as many as it takes.
    """
    table = [tuple(headers), *(tuple(row) for row in rows)]
    columns = list(zip(*table, strict=True))
    whole = [max(map(cell_len, column)) for column in columns]
    narrowest = [whole[0], *(_longest_word(column) for column in columns[1:])]
    room = sum(whole) if width is None else width - GAP * (len(whole) - 1)
    if sum(narrowest) > room:
        return _stacked(table[0], table[1:], width or 0)
    widths = _fitted(whole, narrowest, room)
    return [line for row in table for line in _beside(row, widths)]


def _longest_word(column: Iterable[str]) -> int:
    return max(cell_len(word) for cell in column for word in cell.split(" "))


def _fitted(whole: Sequence[int], narrowest: Sequence[int], room: int) -> list[int]:
    """Return the columns' widths: the widest give way first, none beyond its narrowest."""
    widths = list(whole)
    while sum(widths) > room:
        at = max((at for at in range(len(widths)) if widths[at] > narrowest[at]), key=lambda at: widths[at])
        widths[at] -= 1
    return widths


def _beside(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return a row's lines: one, or as many as its most wrapped cell has."""
    cells = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = zip_longest(*cells, fillvalue="")
    return [
        (" " * GAP)
        .join(part + " " * (width - cell_len(part)) for part, width in zip(line, widths, strict=True))
        .rstrip()
        for line in lines
    ]


def _stacked(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return a block per row: its first cell, and each other with its header below."""
    lines = []
    for row in rows:
        lines.append(f"{headers[0]}: {row[0]}")
        for header, cell in zip(headers[1:], row[1:], strict=True):
            first, *more = wrap(f"{header}: {cell}", width - 2)
            lines += [f"  {first}", *(f"    {part}" for part in more)]
    return lines
