"""Finding repositories on the Hub by their tags."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from faa_core.hub.failures import explained, import_hub

MOST = 1000  # repositories that are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A repository as the Hub lists it; all texts are of anybody's making.

    Attributes:
        repository: OWNER/NAME.
        tags: Its tags, without those of the next two.
        datasets: That its card names.
        licence: That its card names; None for none.
        downloads: In the last month.
        private: Whether only some may see it.
    """

    repository: str
    tags: tuple[str, ...]
    datasets: tuple[str, ...]
    licence: str | None
    downloads: int
    private: bool


def list_repositories(*, tag: str, text: str | None = None, author: str | None = None, most: int = 50) -> list[Listed]:
    """Return the repositories that have a tag, the most downloaded first.

    Args:
        tag: That they have.
        text: In their names; None for any.
        author: Owner; None for any.
        most: How many at most.

    Raises:
        FaaError: If the Hub refuses or fails.
    """
    hub = import_hub()
    with explained("The Hub cannot be searched"):
        found = hub.HfApi().list_models(
            filter=tag, search=text or None, author=author, sort="downloads", limit=min(most, MOST)
        )
        return [_listed(model) for model in islice(found, min(most, MOST))]


def _listed(model: object) -> Listed:
    tags = [tag for tag in getattr(model, "tags", None) or () if isinstance(tag, str)]
    licences = list(_after("license:", tags))
    return Listed(
        repository=str(getattr(model, "id", "")),
        tags=tuple(tag for tag in tags if ":" not in tag),
        datasets=tuple(_after("dataset:", tags)),
        licence=licences[0] if licences else None,
        downloads=int(getattr(model, "downloads", None) or 0),
        private=bool(getattr(model, "private", False)),
    )


def _after(prefix: str, tags: list[str]) -> Iterator[str]:
    return (tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix))
