"""A small part of `nox -s fuzz`: whatever ever failed, every sample, and a few changed ones."""

import warnings

import pytest

from fuzz import running
from fuzz.targets import TARGETS

SEED = 1  # another than the session's
CHANGED = 40


@pytest.fixture(autouse=True)
def _no_failures_are_kept(tmp_path, monkeypatch) -> None:
    """Nor is a decoder's warning of a damaged image an error here."""
    monkeypatch.setattr(running, "FAILURES", tmp_path)
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_cases_are_read_or_refused_in_words(target):
    number = len(target.kept()) + CHANGED
    outcome = running.run(target, number, seed=SEED)
    assert outcome.failures == []
    assert (outcome.cases, outcome.accepted + outcome.refused) == (number, number)
    assert outcome.accepted
    assert outcome.refused


def test_a_case_is_made_again_by_its_number():
    target = TARGETS[0]
    once, again = (list(running.cases(target, 60, seed=3)) for _ in range(2))
    assert once == again
    assert len({content for _name, content in once}) > 50
    assert once != list(running.cases(target, 60, seed=4))


@pytest.mark.parametrize("raised", [ValueError("x"), MemoryError(), RecursionError(), AssertionError("wrong")])
def test_anything_else_is_a_failure(raised):
    def read(_content, _folder):
        raise raised

    target = running.Target(name="settings", pieces=("words",), read=read)
    outcome = running.run(target, 5, seed=0)
    assert 5 <= outcome.cases == len(outcome.failures)


def test_a_case_that_does_not_end_is_a_failure(monkeypatch):
    def read(_content, _folder):
        while True:
            pass

    monkeypatch.setattr(running, "SECONDS", 0.05)
    outcome = running.run(running.Target(name="settings", pieces=("words",), read=read), 1, seed=0)
    assert "TookTooLong" in outcome.failures[0]
