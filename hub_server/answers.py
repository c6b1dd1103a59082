"""What is asked, what is answered, and how something is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request, as the protocol sees it.

    Attributes:
        method: GET, HEAD, POST, PUT or DELETE.
        path: As it was sent, percent signs and all, without the query.
        query: All values of each name.
        headers: Those of the request; names in any case.
        body: Its whole body.
        user: Whose token came with it; None without one.
        url: Where the Hub is.
        elsewhere: The same server under another host's name, where large files are.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    user: str | None
    url: str
    elsewhere: str

    def value(self, name: str) -> str | None:
        """Return the first value of a name in the query."""
        return self.query.get(name, [None])[0]

    def flag(self, name: str) -> bool:
        """Tell whether a name in the query is true, in any client's spelling."""
        return (self.value(name) or "").lower() in ("1", "true")

    def json(self) -> dict[str, Any]:
        """Return the body's JSON object; a request without one is refused."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise RefusalError(400, "The body is not JSON") from error
        if not isinstance(value, dict):
            raise RefusalError(400, "The body is not a JSON object")
        return value


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes:
        status: The HTTP status.
        body: The content.
        headers: All headers but Content-Length.
        length: The Content-Length, if that is not the body's; where it is more, the connection ends early.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


class RefusalError(Exception):
    """A request that is refused.

    Args:
        status: The HTTP status.
        message: Why, in words.
        code: The Hub's word for it, by which clients choose the exception, such as RepoNotFound.
        headers: More headers.
    """

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.answer = refusal(status, message, code, headers)


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer of JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status, json.dumps(value).encode(), {**kind, **(headers or {})})


def refusal(status: int, message: str, code: str | None, headers: Mapping[str, str] | None = None) -> Answer:
    """Return what the Hub answers when it refuses something."""
    named = {"X-Error-Code": code} if code else {}
    return as_json({"error": message}, status, {**named, "X-Error-Message": message, **(headers or {})})
