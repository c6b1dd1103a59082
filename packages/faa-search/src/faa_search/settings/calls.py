"""What is given in calls from Python: refused in words where it is something else."""

from pathlib import Path
from typing import Any

from faa_core import FaaError, Policy
from faa_core.paths import refuse_address
from faa_core.text import safe
from faa_search.settings import Settings


def check_settings(config: Any, kind: type[Settings]) -> None:
    """Refuse what are not settings of a kind.

    Args:
        config: What was given.
        kind: What it must be.

    Raises:
        FaaError: If it is something else, such as a dictionary of the same settings.
    """
    if isinstance(config, kind):
        return
    name = kind.__name__
    remedy = f"give {name}(**settings)" if isinstance(config, dict) else f"make one: {name}(dataset='digits', …)"
    raise FaaError(f"The settings must be of class {name}, not {type(config).__name__}; {remedy}.")


def directory_of(given: Any, *, written: bool = True) -> Path:
    """Return a directory that was given as a text or a path.

    Args:
        given: What was given.
        written: Whether something is to be written there.

    Raises:
        FaaError: If it is something else, an empty text, or an address; "." is the current folder.
    """
    if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
        raise FaaError(f"A directory must be a path, not {safe(repr(given)):.80}; '.' is the current folder.")
    refuse_address(str(given), written=written)
    return Path(given)


def check_policy_given(policy: Any, argument: str) -> None:
    """Refuse what is not a policy.

    Args:
        policy: What was given.
        argument: Its name, for the message.

    Raises:
        FaaError: If it is something else, such as the name of one.
    """
    if not isinstance(policy, Policy):
        raise FaaError(
            f"`{argument}` must be a Policy, not {safe(repr(policy)):.80}; Policy.load(NAME_OR_FILE) returns one."
        )
