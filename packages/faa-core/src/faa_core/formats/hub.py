"""A policy of a repository on the Hub, in any format; it may lie beside the weights that it trained."""

from faa_core.errors import FaaError
from faa_core.hub import HubName, fetch
from faa_core.policies.loading import FILE, MOST_BYTES
from faa_core.reading import as_text, parse_json, read_content
from faa_core.text import safe

NEEDS = "needs"  # in the provenance: which packages bring the operations that are plugins', by operation


def fetch_policy(name: HubName, *, token: str | None = None) -> bytes:
    """Return the content of a policy's file, which is judged by whoever reads it.

    Raises:
        FaaError: If it cannot be fetched, or is too large for a policy.
    """
    return read_content(fetch(name, name.file or FILE, most=MOST_BYTES, token=token).path, most=MOST_BYTES)


def explain_unknown(error: FaaError, content: bytes) -> FaaError:
    """Return the error about an unknown operation, with the package that brings it where the author wrote it down."""
    needs = _needs(content)
    if not needs:
        return error
    listed = ", ".join(f"'{safe(name)}' from the package {safe(package):.60}" for name, package in needs.items())
    return FaaError(f"{error} Its author had {listed}; install that only if you trust it.")


def _needs(content: bytes) -> dict[str, str]:
    try:
        document = parse_json(as_text(content))
    except FaaError:
        return {}
    provenance = document.get("provenance") if isinstance(document, dict) else None
    needs = provenance.get(NEEDS) if isinstance(provenance, dict) else None
    if not isinstance(needs, dict):
        return {}
    return {name: package for name, package in list(needs.items())[:10] if isinstance(package, str)}
