"""Listening for the processes of a run, and for nothing else: at one address, from those who know the run's key."""

import multiprocessing.context
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any

from faa_core import FaaError

LOOPBACK = "127.0.0.1"
SECONDS_BETWEEN_LOOKS = 0.2


def listening(host: str) -> socket.socket:
    """Return a socket that listens at the address that the user named, and at no other.

    Raises:
        FaaError: If this machine does not have the address, or others do not reach it.
    """
    try:
        server = socket.create_server((host, 0))
        there = str(server.getsockname()[0])
        if host == LOOPBACK or not ip_address(there).is_loopback:
            return server
        server.close()
        reason = f"here it means {there}, which other machines do not reach"
    except OSError as error:
        reason = str(error)
    raise FaaError(
        f"The main process cannot listen at MASTER_ADDR={host} ({reason}). Give the launcher the address of this "
        "machine's network interface that the other machines reach."
    )


@contextmanager
def admitting(server: socket.socket, key: bytes) -> "Iterator[queue.SimpleQueue[Connection[Any, Any]]]":
    """Take connections of those who know a key while the block runs, and put them into a queue."""
    arrived: queue.SimpleQueue[Connection[Any, Any]] = queue.SimpleQueue()
    over = threading.Event()
    server.settimeout(SECONDS_BETWEEN_LOOKS)
    thread = threading.Thread(target=_accept, args=(server, key, over, arrived), daemon=True)
    thread.start()
    try:
        yield arrived
    finally:
        over.set()
        thread.join()


def _accept(
    server: socket.socket, key: bytes, over: threading.Event, arrived: "queue.SimpleQueue[Connection[Any, Any]]"
) -> None:
    while not over.is_set():
        with suppress(OSError):  # nobody came, or has gone again
            one, _address = server.accept()
            one.setblocking(True)
            connection: Connection[Any, Any] = Connection(one.detach())
            # In a separate thread, so that a client that sends nothing does not delay others.
            threading.Thread(target=_admit, args=(connection, key, arrived), daemon=True).start()


def _admit(connection: "Connection[Any, Any]", key: bytes, arrived: "queue.SimpleQueue[Connection[Any, Any]]") -> None:
    try:
        deliver_challenge(connection, key)
        answer_challenge(connection, key)
    except (multiprocessing.context.AuthenticationError, EOFError, OSError):
        connection.close()  # a stranger
    else:
        arrived.put(connection)
