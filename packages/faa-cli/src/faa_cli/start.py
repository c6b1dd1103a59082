"""Where the `faa` command begins: it answers SIGINT and SIGTERM from here on, so nothing heavy is imported before."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPED = "Stopped."
SIGNALS = (signal.SIGINT, signal.SIGTERM)
IMPORTING = "<frozen importlib._bootstrap>"
SHOW_CURSOR = "\x1b[?25h\n"


class Interrupted(KeyboardInterrupt):
    """A signal came that no other handler answers.

    Attributes:
        number: The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Answer:
    """The handler of signals that no other handler answers: the process shows that it was stopped, and ends.

    Attributes:
        words: The message; none by processes that a launcher has started, as the launcher speaks.
        tidy: Whether a command is at work, which must put things in order on its way out.
        noted: Whether there was a signal before; the second acts at once.
    """

    def __init__(self, words: str) -> None:
        self.words = words
        self.tidy = False
        self.noted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """End the process at once, or by an exception in the command that is at work.

        Raises:
            Interrupted: In the command.
        """
        if self.noted or not self.tidy or _is_importing(frame):
            self._end(number)
        self.note(number)
        raise Interrupted(number)

    def note(self, _number: int | None) -> None:
        """Remember that there was a signal, which somebody else answers."""
        self.noted = True

    def _end(self, number: int) -> None:
        with suppress(Exception):  # whatever its state is
            sys.stdout.flush()
        with suppress(OSError):
            os.write(2, f"{SHOW_CURSOR if os.isatty(2) else ''}{self.words}\n".encode() if self.words else b"")
        os._exit(128 + number)


@contextmanager
def answer_stop(words: str) -> Iterator[None]:
    """Say that a command was stopped, and end, if the block is interrupted.

    Args:
        words: The message.

    Raises:
        SystemExit: If it is interrupted, with 128 and the signal's number.
    """
    answer = signal.getsignal(signal.SIGTERM)
    before = answer.words if isinstance(answer, Answer) else STOPPED
    words = words if before else ""
    if isinstance(answer, Answer):
        answer.words, answer.tidy = words, True
    try:
        yield
    except KeyboardInterrupt as stop:
        if words:
            from faa_cli.showing import say  # noqa: PLC0415 loaded by the command that was interrupted

            say(words, err=True)
        raise SystemExit(128 + getattr(stop, "number", signal.SIGINT)) from None
    finally:
        if isinstance(answer, Answer):
            answer.words, answer.tidy = before, False


def open_closed_streams() -> None:
    """Let what is written to a closed standard stream go nowhere; else the next file opened would take its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 for good


def main() -> None:
    """Run the command line."""
    open_closed_streams()
    answer = Answer(STOPPED)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background of a shell
            signal.signal(number, answer)
    from faa_search.workers.following import follow_launcher  # noqa: PLC0415 only now is a signal answered

    if follow_launcher(os.environ):
        answer.words = ""
    from faa_cli.main import main as run  # noqa: PLC0415

    run()


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a module is being imported, where an exception may be lost."""
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            return True
        frame = frame.f_back
    return False
