"""The HTTP side: reading requests, noting them, and sending answers, as they should be or as a fault has them."""

import socket
import struct
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_server import protocol
from hub_server.answers import Answer, Call, RefusalError
from hub_server.faults import Fault, Faults
from hub_server.store import Store

NO_FAULT = Fault("", 0)
OTHERS = bytes(reversed(range(256)))  # for every byte another


@dataclass
class Request:
    """What somebody sent.

    Attributes:
        method: GET, HEAD, POST, PUT or DELETE.
        path: Percent signs resolved, without the query.
        query: As it was sent.
        host: To whom, by the name and port that the client used.
        token: Whether a token came with it, right or wrong.
        range: Its Range header; "" without one.
        agent: Its User-Agent header.
        length: The body's size in bytes.
        status: What it was answered; 0 while or when it was not.
    """

    method: str
    path: str
    query: str
    host: str
    token: bool
    range: str
    agent: str
    length: int = 0
    status: int = 0


class Listener(ThreadingHTTPServer):
    """Listens at a free port of 127.0.0.1, with a thread per connection.

    Attributes:
        requests: All requests so far, in the order of their arrival.
        problems: What went wrong in the server itself.
        stopping: Set once no more is to be answered.
    """

    daemon_threads = False  # so that closing waits for them
    request_queue_size = 64

    def __init__(self, store: Store, faults: Faults, users: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store, self.faults, self.users = store, faults, users
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.elsewhere = f"http://localhost:{self.server_port}"
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.stopping = threading.Event()
        self._open: set[Any] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection's requests in a thread."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that went away; the rest is a problem."""
        error = traceback.format_exc()
        if not any(name in error for name in ("BrokenPipeError", "ConnectionResetError", "ConnectionAbortedError")):
            self.problems.append(error)

    def stop(self) -> None:
        """End all connections, and wait until nothing runs any more."""
        self.stopping.set()
        self.shutdown()
        with self._guard:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def log_message(self, *_: object) -> None:
        """Write nothing: `requests` has it."""

    def _handle(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        token = self.headers.get("Authorization")
        host, part, agent = (self.headers.get(name, "") for name in ("Host", "Range", "User-Agent"))
        noted = Request(self.command, path, url.query, host, token is not None, part, agent)
        self.server.requests.append(noted)
        fault, afterwards = self.server.faults.take(self.command, path)
        fault = fault or NO_FAULT
        if fault.cut_upload is not None:
            noted.length = len(self._body(fault.cut_upload))
            self._hang_up(reset=fault.reset)
            return
        body = self._body()
        noted.length = len(body)
        answer = fault.answer or self._redirected(fault) or self._right(url.path, url.query, body, token)
        for call in afterwards:
            call()
        self.server.stopping.wait(fault.seconds)
        noted.status = answer.status
        self._send(answer, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _right(self, path: str, query: str, body: bytes, token: str | None) -> Answer:
        user = self.server.users.get((token or "").removeprefix("Bearer "))
        if token is not None and user is None:
            return RefusalError(401, "Invalid credentials in Authorization header").answer
        places = (self.server.url, self.server.elsewhere)
        call = Call(self.command, path, parse_qs(query), self.headers, body, user, *places)  # type: ignore[arg-type]
        try:
            return protocol.answer(self.server.store, call)
        except Exception:  # noqa: BLE001 shown by the test that ends with it
            self.server.problems.append(traceback.format_exc())
            return RefusalError(500, "A fault of hub_server").answer

    def _redirected(self, fault: Fault) -> Answer | None:
        if fault.redirect is None:
            return None
        return Answer(307, headers={"Location": fault.redirect or f"{self.server.elsewhere}{self.path}"})

    def _body(self, limit: int | None = None) -> bytes:
        """Return the request's body, or as many bytes of it."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            length = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(length if limit is None else min(limit, length))
        parts = b""
        while limit is None or len(parts) < limit:
            size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
            parts += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                break
        return parts

    def _send(self, answer: Answer, fault: Fault) -> None:
        body = answer.body.translate(OTHERS) if fault.corrupt else answer.body
        length = len(body) if answer.length is None else answer.length
        self.send_response(answer.status)
        for name, value in _replaced(answer, fault).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = body if fault.cut is None else body[: fault.cut]
        self.wfile.write(sent)
        if len(sent) < length:
            self._hang_up(reset=fault.reset)

    def _hang_up(self, *, reset: bool) -> None:
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())  # at once, without the end that the server would send
        self.close_connection = True


def _replaced(answer: Answer, fault: Fault) -> dict[str, str]:
    """Return the headers, with those that a fault replaces, in any case."""
    given = {name.lower(): name for name in fault.headers}
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in given}
    return {name: value for name, value in {**kept, **fault.headers}.items() if value}
