"""Writing Markdown with texts of anybody's making: what they hold is shown, and never taken as markup."""

import re
from collections.abc import Iterable, Sequence

from faa_core.text import safe

MARKUP = re.compile(r"([\\`*_{}\[\]<>|~&$#]|:(?=//)|(?<=www)\.)")  # the last two begin links


def literal(text: object) -> str:
    """Return a text as Markdown that shows just that, on one line."""
    return MARKUP.sub(r"\\\1", " ".join(safe(text).split()))


def code(text: object) -> str:
    """Return a text as code within a line."""
    plain = " ".join(safe(text).split())
    fence = "`" * (max((len(run) for run in re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def block(language: str, lines: str) -> str:
    """Return a block of code of our own."""
    return f"```{language}\n{lines.strip()}\n```"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; what cells hold is shown as it is."""
    lines = [[literal(cell) for cell in row] for row in rows]
    head = [literal(header) for header in headers]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))
