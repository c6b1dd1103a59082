"""What the Hub refuses, or fails to do, in plain words and with what to do next."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faa_core.errors import FaaError
from faa_core.paths import refusal
from faa_core.text import one_line, safe

INSTALL = "The Hub needs the package huggingface_hub: pip install 'faa-core[hub]'."
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
STATUS = {  # of an answer: the reason, and what to do
    400: ("the Hub did not accept the request", "Check the name and what is sent"),
    401: ("the Hub does not know who asks", f"To see a private repository, or to upload, {LOG_IN}"),
    403: ("the token has no right to that", "Use a token with write access to this owner's repositories"),
    409: ("somebody else changed the repository at the same time", "Give the same command again"),
    413: ("a file is larger than the Hub allows", "Leave it out"),
    429: ("too many requests; the Hub asks to wait", "Wait some minutes, and give the same command again"),
}


def import_hub() -> Any:
    """Return the package huggingface_hub.

    Raises:
        FaaError: If it is not installed.
    """
    try:
        import huggingface_hub  # noqa: PLC0415 optional, and slow to import
    except ImportError as error:
        raise FaaError(INSTALL) from error
    return huggingface_hub


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise what the Hub's library raises in the block as one sentence with a remedy; no token is ever in it.

    Args:
        what: Begins the sentence, such as "'hf://a/b' cannot be read".

    Raises:
        FaaError: If something fails.
    """
    try:
        yield
    except FaaError:
        raise
    except Exception as error:  # its transport has errors of its own, which differ between versions
        explanation = _explanation(error)
        if explanation is None:
            raise
        reason, remedy = explanation
        raise FaaError(f"{what}: {reason}. {remedy}.") from error


def _explanation(error: Exception) -> tuple[str, str] | None:
    """Return the reason of a failure and what to do; None if it is not one of the Hub."""
    from huggingface_hub import errors  # noqa: PLC0415 optional

    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):  # around that of a large file
        return _explanation(error.__cause__)
    missing = f"Check the name; a private one needs a token: {LOG_IN}"
    kinds: list[tuple[type[Exception], tuple[str, str]]] = [
        (errors.GatedRepoError, ("its owner lets in only who was accepted", "Ask for access on its page, and log in")),
        (errors.RepositoryNotFoundError, ("the Hub has no such repository, or does not show it", missing)),
        (errors.RevisionNotFoundError, ("the repository has no such revision", "Check the branch, tag or commit")),
        (errors.LocalEntryNotFoundError, _unreachable()),
        (errors.OfflineModeIsEnabled, ("HF_HUB_OFFLINE is set", "Unset it to use the Hub")),
        (errors.EntryNotFoundError, ("the repository has no such file", "Check what stands behind : and the revision")),
        (errors.HFValidationError, ("the Hub allows no such name", "Check it")),
    ]
    for kind, explanation in kinds:
        if isinstance(error, kind):
            return explanation
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return _of_status(status)
    return _of_others(error)


def _unreachable() -> tuple[str, str]:
    if _is_offline():
        return "it is not in the cache, and HF_HUB_OFFLINE is set", "Unset it, and give the same command again"
    return (
        "the Hub cannot be reached, and the cache has no copy",
        "Check the connection, and give the same command again",
    )


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON")


def _of_status(status: int) -> tuple[str, str]:
    if status >= 500:
        return f"the Hub failed (status {status})", "Give the same command again later"
    return STATUS.get(status, (f"the Hub refused it (status {status})", "Check the name and your token"))


def _of_others(error: Exception) -> tuple[str, str] | None:
    """Return the explanation of what the transport raises."""
    name, module = type(error).__name__, type(error).__module__
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return "the Hub does not answer in time", "Give the same command again later"
    if isinstance(error, ConnectionError) or module.partition(".")[0] in ("httpx", "httpx2", "httpcore", "requests"):
        return "the connection to the Hub failed", "Check it, and give the same command again"
    if isinstance(error, OSError) and error.errno is not None:
        reason, _dot, remedy = str(refusal(error, "")).removeprefix(": ").partition(". ")
        return reason, remedy.rstrip(".")
    return _of_answers(error)


def _of_answers(error: Exception) -> tuple[str, str] | None:
    """Return the explanation of an answer that the Hub would not give."""
    if isinstance(error, OSError) and "onsistency" in str(error):
        return "what came is not what was announced", "Give the same command again; if it stays so, tell the owner"
    if "JSON" in type(error).__name__ or isinstance(error, LookupError | TypeError | AttributeError):
        return "what answers does not answer as the Hub does", "Check HF_ENDPOINT and whether the network wants a login"
    if isinstance(error, OSError | ValueError):
        return safe(one_line(error, most=200)).rstrip("."), "Give the same command again"
    return None


def shown_name(name: object) -> str:
    """Return a name as it stands in messages."""
    return f"'{safe(name)}'"
