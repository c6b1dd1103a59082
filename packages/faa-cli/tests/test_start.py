"""How signals are answered: the first in order, the second at once."""

import os
import signal

import pytest

from faa_cli.start import Answer, Interrupted


class Ended(Exception):  # noqa: N818 it stands for the end of the process
    """What ends the process here."""


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Return the handler of a process that a test survives, with a command at work."""

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    made = Answer("Stopped.")
    made.tidy = True
    return made


def test_the_first_signal_interrupts_the_command_and_the_second_ends_the_process(answer: Answer) -> None:
    """With the signal's number both times."""
    with pytest.raises(Interrupted) as first:
        answer(signal.SIGTERM, None)
    assert first.value.number == signal.SIGTERM
    with pytest.raises(Ended, match=str(128 + signal.SIGINT)):
        answer(signal.SIGINT, None)


def test_a_signal_that_somebody_else_answered_counts_as_the_first(answer: Answer) -> None:
    """A training finishes its step then; who asks again does not want to wait for it."""
    answer.note(signal.SIGTERM)
    with pytest.raises(Ended):
        answer(signal.SIGTERM, None)


def test_without_a_command_at_work_the_first_ends_the_process(answer: Answer) -> None:
    """Nothing has to be put in order."""
    answer.tidy = False
    with pytest.raises(Ended):
        answer(signal.SIGTERM, None)
