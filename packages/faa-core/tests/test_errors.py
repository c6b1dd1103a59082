"""Errors: what they say, and that they survive a trip between processes."""

import pickle  # noqa: TID251 process pools pickle the errors of their workers
from importlib.metadata import version

import pytest

import faa_core
from faa_core import FaaError, UnknownNameError


def test_one_class_catches_all() -> None:
    """Every mistake in what was given is a FaaError."""
    assert issubclass(UnknownNameError, FaaError)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Rotat", "No op is called 'Rotat'; did you mean Rotate? Look."),
        ("zzz", "No op is called 'zzz'; known: Color, Invert, Rotate. Look."),
    ],
)
def test_unknown_names_are_answered(given: str, expected: str) -> None:
    """With what is close, or with all there is, sorted."""
    assert expected == str(UnknownNameError("op", given, ["Rotate", "Invert", "Color"], hint="Look."))


def test_unknown_names_without_any_known() -> None:
    """An empty list is called none, and no hint leaves no space."""
    assert "No op is called 'x'; known: none." == str(UnknownNameError("op", "x", []))


@pytest.mark.parametrize("error", [UnknownNameError("op", "x", ["y"], hint="Look."), FaaError("plain")])
def test_errors_cross_process_borders(error: FaaError) -> None:
    """Type and message arrive; a worker that names an unknown operation does not break its pool."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes
    assert (type(error), str(error)) == (type(again), str(again))


def test_the_front_door() -> None:
    """What the package exports is there, and its version is the distribution's."""
    assert all(hasattr(faa_core, name) for name in faa_core.__all__)
    assert version("faa-core") == faa_core.__version__
