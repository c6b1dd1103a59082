"""Signals are requests, once: to all blocks that are open, and only while they are."""

import os
import signal
from collections.abc import Iterator

import pytest

from faa_search.workers.stopping import Stopped, stop_requests


@pytest.fixture(autouse=True)
def usual_handlers() -> Iterator[None]:
    """Start with Python's own handler of SIGINT, and leave things as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_request(number: signal.Signals) -> None:
    """It stops at the end of the block at the latest, and the handlers are those of before."""
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=number.name) as stopped, stop_requests() as request:  # noqa: PT012
        assert request.number is None
        os.kill(os.getpid(), number)
        assert number == request.number
    assert number == stopped.value.number
    assert before is signal.getsignal(number)


def test_the_second_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt) as stopped, stop_requests():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal did nothing")
    assert not isinstance(stopped.value, Stopped)
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_one_signal_is_a_request_to_all_blocks() -> None:
    """As when a search fits a network in its own process: the second signal acts at once there, too."""
    with pytest.raises(KeyboardInterrupt) as stopped, stop_requests() as outer:  # noqa: PT012
        with pytest.raises(Stopped), stop_requests() as inner:  # noqa: PT012
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.SIGINT == inner.number
            assert signal.SIGINT == outer.number
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal did nothing")
    assert not isinstance(stopped.value, Stopped)
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_an_inner_block_that_ended_is_asked_no_more() -> None:
    """The outer one still is."""
    with pytest.raises(Stopped), stop_requests() as outer:  # noqa: PT012
        with stop_requests() as inner:
            assert outer.number is None
        os.kill(os.getpid(), signal.SIGINT)
        assert (None, signal.SIGINT) == (inner.number, outer.number)


def test_a_block_that_is_opened_later_is_asked_too() -> None:
    """As when the signal comes between two fits; the second one acts at once there, too."""
    with pytest.raises(KeyboardInterrupt) as stopped, stop_requests():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        with stop_requests() as later:
            assert signal.SIGINT == later.number
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second signal did nothing")
    assert not isinstance(stopped.value, Stopped)
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_another_signal_is_no_second_one() -> None:
    """The last one is what the run says that it was stopped by."""
    with pytest.raises(Stopped, match="SIGINT"), stop_requests() as request:  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.SIGINT == request.number
