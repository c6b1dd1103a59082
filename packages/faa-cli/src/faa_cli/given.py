"""What is given on the command line, as it was typed: blank texts, and numbers."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from faa_core import FaaError

Number = TypeVar("Number", int, float)


def check_texts(parameters: Collection[Any], given: Mapping[str, Any], *, takes_dash: Collection[str]) -> None:
    """Refuse empty texts, which Python takes for the current folder or for nothing, and ``-`` where it means nothing.

    Args:
        parameters: Of a command.
        given: By name, what was typed for each: a text, or several.
        takes_dash: Names of those for which ``-`` is standard output.

    Raises:
        FaaError: If there is one; the message names the option.
    """
    for parameter in parameters:
        value = given.get(parameter.name)
        for text in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(text, str):  # a flag without a value, or not given
                continue
            if not text.strip():
                way = ", or leave it out" if parameter.param_type_name == "option" else ""
                raise FaaError(f"{name_of(parameter)} must not be empty; give a value{way}.")
            if text == "-" and parameter.name not in takes_dash:
                raise FaaError(
                    f"{name_of(parameter)}: '-' is not supported, as standard input and output are not used here; give "
                    "a name or a path (./- for a file of that name)."
                )


def name_of(parameter: Any) -> str:
    """Return what a parameter of a command is called in messages, such as ``--epochs`` or ``POLICY``."""
    is_option = parameter.param_type_name == "option"
    return str(max(parameter.opts, key=len) if is_option else parameter.metavar or parameter.name.upper())


def number_of(
    flag: str, read: Callable[[str], Number], *, least: Number | None = None, most: Number | None = None
) -> Callable[[Any], Number]:
    """Return what reads the number that a flag is given, for typer's `parser`.

    Args:
        flag: Its name.
        read: Reads the text; raises ValueError.
        least: The smallest that is allowed.
        most: The largest that is allowed.

    Returns:
        A function that raises FaaError if the text is not such a number; a default is returned as it is.
    """

    def number(given: Any) -> Number:
        if not isinstance(given, str):
            return given  # type: ignore[no-any-return]
        try:
            found = read(given)
        except ValueError as error:
            raise FaaError(f"{flag}: {error} (given {given!r:.80}).") from error
        if least is not None and found < least:
            raise FaaError(f"{flag}: it must be at least {least:,} (given {found}).")
        if most is not None and found > most:
            raise FaaError(f"{flag}: it must be at most {most:,} (given {found}).")
        return found

    return number
