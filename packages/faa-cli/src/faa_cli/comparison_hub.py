"""Adding the tables of a comparison to a card on the Hub."""

import shlex

from faa_cli.showing import say
from faa_core import FaaError
from faa_core.hub import HubName, fetch, upload
from faa_core.reading import as_text, read_content
from faa_core.text import safe, sentence

CARD, MOST_OF_A_CARD = "README.md", 1 << 20  # bytes


def push_comparison(directory: str, repository: str, *, command: list[str]) -> None:
    """Add a finished comparison to the card of a repository, in place of the one that was added before.

    Args:
        directory: Of the comparison.
        repository: OWNER/NAME, which is there and has a card.
        command: That does it again, as words.

    Raises:
        FaaError: If there is no such repository or card, or the Hub refuses or fails; the comparison is as it was.
    """
    from faa_search.runs.publishing import comparison_section, with_comparison  # noqa: PLC0415 torch is slow to import

    section = comparison_section(directory)
    try:
        card = as_text(read_content(fetch(HubName(repository=repository), CARD, most=MOST_OF_A_CARD).path))
        files = {CARD: with_comparison(card, section).encode()}
        done = upload(files, repository, message="A comparison of trainings")
    except FaaError as error:
        raise FaaError(
            f"{sentence(error)} The comparison in '{safe(directory)}' is whole; `{shlex.join(command)}` adds it to the "
            "card."
        ) from error
    say(f"Added to the card of {done.address}, revision {done.revision}")
