"""What a test can switch on: which requests go wrong, how, and how many times."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from hub_server.answers import Answer, refusal

CODES = {404: ("EntryNotFound", "Entry not found")}
WORDS = {
    401: "Invalid username or password.",
    403: "You don't have the required permissions",
    409: "Conflict: another operation is in progress",
    429: "Too many requests",
    500: "Internal Server Error",
}


@dataclass
class Fault:
    """What becomes of the requests that match a pattern.

    Attributes:
        pattern: A glob for the path, percent signs resolved, without the query; or for the method, a space and the
            path. A star stands for slashes as well.
        times: How many requests more; None for all.
        answer: What is sent in place of the right answer, which is then never worked out.
        seconds: How long the answer waits.
        headers: What replaces headers of the right answer.
        cut: After how many bytes of the content the connection ends.
        cut_upload: After how many bytes of the request's body the connection ends.
        reset: Whether the connection then ends as when a machine fails, not as when a program ends.
        corrupt: Whether the content's bytes are others, as many as it should have.
        redirect: Where to the client is sent; "" for the same path at the other host.
        call: What happens once the answer is worked out and before it is sent.
    """

    pattern: str
    times: int | None = 1
    answer: Answer | None = None
    seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    cut_upload: int | None = None
    reset: bool = False
    corrupt: bool = False
    redirect: str | None = None
    call: Callable[[], object] | None = None

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is meant, and some are left."""
        return self.times != 0 and (fnmatchcase(path, self.pattern) or fnmatchcase(f"{method} {path}", self.pattern))


class Faults:
    """The faults that are switched on; of several that match a request, the first one that has any left happens.

    So `fail(x, status=429)` and then `fail(x, status=500)` is a 429, then a 500, then the right answer. What is to
    happen after an answer (`after`) happens besides.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._guard = threading.Lock()

    def fail(
        self,
        pattern: str,
        *,
        status: int,
        times: int | None = 1,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        code: str | None = None,
    ) -> None:
        """Answer with a status: as the Hub does, in JSON with `code` in X-Error-Code, or with a body as it is."""
        usual_code, message = CODES.get(status, (None, WORDS.get(status, "RefusalError")))
        answer = refusal(status, message, code or usual_code, headers)
        if body is not None:
            answer = Answer(status, body, {"Content-Type": "text/html", **(headers or {})})
        self._add(pattern, times, answer=answer)

    def slow(self, pattern: str, seconds: float, *, times: int | None = 1) -> None:
        """Answer rightly, after so many seconds."""
        self._add(pattern, times, seconds=seconds)

    def cut(self, pattern: str, after: int, *, times: int | None = 1, reset: bool = False) -> None:
        """End the connection after so many bytes of what is downloaded."""
        self._add(pattern, times, cut=after, reset=reset)

    def cut_upload(self, pattern: str, after: int, *, times: int | None = 1, reset: bool = False) -> None:
        """End the connection after so many bytes of what is uploaded; what was sent counts for nothing."""
        self._add(pattern, times, cut_upload=after, reset=reset)

    def corrupt(self, pattern: str, *, times: int | None = 1) -> None:
        """Send other bytes than those of the right answer, as many and with the same headers."""
        self._add(pattern, times, corrupt=True)

    def relabel(self, pattern: str, headers: Mapping[str, str], *, times: int | None = 1) -> None:
        """Send the right content with other headers, such as an ETag or X-Repo-Commit; "" leaves one out."""
        self._add(pattern, times, headers=headers)

    def redirect(self, pattern: str, location: str = "", *, times: int | None = 1) -> None:
        """Send the client to another address; without one, to the same path at the other host, which answers."""
        self._add(pattern, times, redirect=location)

    def after(self, pattern: str, call: Callable[[], object], *, times: int | None = 1) -> None:
        """Do something once the answer to a request is worked out and before the client has it."""
        self._add(pattern, times, call=call)

    def heal(self) -> None:
        """Switch everything off."""
        with self._guard:
            self._faults.clear()

    def take(self, method: str, path: str) -> tuple[Fault | None, list[Callable[[], object]]]:
        """Return what happens to a request, and what is to be done after it; both count as happened."""
        with self._guard:
            meant = [fault for fault in self._faults if fault.matches(method, path)]
            afterwards = [fault for fault in meant if fault.call is not None]
            first = [fault for fault in meant if fault.call is None][:1]
            for fault in [*first, *afterwards]:
                fault.times = fault.times and fault.times - 1
            return (first[0] if first else None), [fault.call for fault in afterwards if fault.call is not None]

    def _add(self, pattern: str, times: int | None, **what: Any) -> None:
        with self._guard:
            self._faults.append(Fault(pattern, times, **what))
