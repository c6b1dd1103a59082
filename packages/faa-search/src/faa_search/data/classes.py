"""Classes from a data set's labels: names that can be written anywhere, and labels as their numbers."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.text import counted, safe

SHOWN = 10  # names that a list shows


@dataclass(frozen=True, slots=True)
class Labelling:
    """How the labels of a data set become class numbers.

    Attributes:
        values: The labels that occur, one for each class, in the order of the classes.
        notice: What the user should be told of it, or "".
    """

    values: tuple[Any, ...]
    notice: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names: the labels as text."""
        return tuple(as_text(value) for value in self.values)

    def numbers(self, labels: NDArray[Any], *, where: str) -> NDArray[np.int64]:
        """Return the class number of each label.

        Args:
            labels: Shape ``[N]``.
            where: Which images, for the message.

        Raises:
            FaaError: If a label is of no class.
        """
        distinct, inverse = np.unique(labels, return_inverse=True)
        number = {value: place for place, value in enumerate(self.values)}
        strange = [as_text(value) for value in distinct.tolist() if value not in number]
        if strange:
            raise FaaError(f"{where}: labels that no training image has: {some(strange)}.")
        return np.array([number[value] for value in distinct.tolist()], dtype=np.int64)[inverse.reshape(-1)]


def labelling(*labels: NDArray[Any]) -> Labelling:
    """Return one class for each label that occurs: sorted, named by the labels.

    Args:
        labels: Each of shape ``[N]``, integers (of any width) or texts.
    """
    distinct = sorted(set().union(*(np.unique(array).tolist() for array in labels)))
    numbers = distinct and not isinstance(distinct[0], str)
    if not numbers or distinct == list(range(len(distinct))):
        return Labelling(tuple(distinct))
    return Labelling(
        tuple(distinct),
        f"The labels are {some(distinct)}: each is one class, named by its number "
        f"({counted(len(distinct), 'class', 'classes')}).",
    )


def class_names(given: Iterable[object], *, where: str) -> tuple[str, ...]:
    r"""Return names of classes as text that can be written anywhere; what is not UTF-8 becomes visible, as ``\xff``.

    Args:
        given: Texts, bytes, or anything else that has a text.
        where: Of which data set, for the message.

    Raises:
        FaaError: If a name is empty or there twice.
    """
    names = tuple(as_text(name) for name in given)
    if any(not name.strip() for name in names):
        raise FaaError(f"{where}: class {next(n for n, name in enumerate(names) if not name.strip())} has no name.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FaaError(f"{where}: the name '{safe(twice[0])}' is that of two classes; give each class its own.")
    return names


def check_known(test: NDArray[Any], train: NDArray[Any], names: Sequence[str], *, where: str) -> None:
    """Refuse test images of classes that nothing is learnt about.

    Args:
        test: Shape ``[N]``, class numbers.
        train: Shape ``[M]``, class numbers.
        names: Of all classes.
        where: Which test images, for the message.

    Raises:
        FaaError: If a class has test images and no training image; it is named.
    """
    strange = np.setdiff1d(test, train)
    if strange.size:
        raise FaaError(
            f"{where} has classes that the training images do not: {some([names[int(one)] for one in strange])}."
        )


def as_text(name: object) -> str:
    """Return a name as text that can be encoded as UTF-8."""
    if isinstance(name, bytes):
        return name.decode("utf-8", "backslashreplace")
    text = str(name)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")  # bytes of a path
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def some(names: Sequence[object], *, at_most: int = SHOWN) -> str:
    """Return the first names of a list, safe to show, with "…" where there are more."""
    shown = [safe(name) for name in names[:at_most]]
    cut = [name if len(name) <= 40 else f"{name[:39]}…" for name in shown]
    return ", ".join([*cut, "…"] if len(names) > at_most else cut)


def close_to(name: str, there: Iterable[str]) -> str:
    """Return what a name that is not there may have meant, as words to end a message with, or all there is."""
    names = sorted(there)
    folded = [other for other in names if other.casefold() == name.casefold()]
    close = folded or difflib.get_close_matches(name, names, n=2)
    if close:
        return f"; did you mean {' or '.join(safe(other) for other in close)}?"
    return f"; it has: {some(names)}." if names else "."
