"""What is not read of a data set, in words."""

from collections.abc import Sequence

from faa_core.text import counted
from faa_search.data.classes import some
from faa_search.data.walking import Skipped

NAMED = 3  # examples of each reason


def words_of(skipped: Sequence[Skipped]) -> str:
    """Return how many files and folders are skipped, and why, with some of their names; "" for none."""
    if not skipped:
        return ""
    reasons: dict[str, list[str]] = {}
    for one in skipped:
        reasons.setdefault(one.why, []).append(one.name)
    parts = [f"{why}: {_shown(sorted(names))}" for why, names in sorted(reasons.items())]
    return f"{counted(len(skipped), 'file or folder', 'files or folders')} skipped ({'; '.join(parts)})"


def _shown(names: Sequence[str]) -> str:
    if len(names) <= NAMED + 1:
        return some(names)
    return f"{some(names[:NAMED])} and {len(names) - NAMED:,} more"
