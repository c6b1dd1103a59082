"""The policy that a run was started with, kept in its directory."""

from pathlib import Path

from faa_core import FaaError, Policy
from faa_core.errors import NewerRecordError
from faa_core.reading import read_content
from faa_core.text import safe
from faa_search.runs.files import POLICY, write_file


def keep_policy(directory: Path, policy: Policy) -> None:
    """Write the policy beside the run, so that the run still means the same when the file it came from changes.

    Raises:
        FaaError: As `check_policy`.
    """
    check_policy(directory, policy)
    if not (directory / POLICY).is_file():
        write_file(directory, POLICY, policy.to_json())


def check_policy(directory: Path, policy: Policy) -> None:
    """Refuse another policy than a run was started with, if it was.

    Raises:
        NewerRecordError: If a newer version wrote what is kept of it.
        FaaError: If it is another, or what is kept of it is damaged.
    """
    path = directory / POLICY
    if not path.is_file() or read_content(path) == policy.to_json().encode():
        return
    try:
        before = Policy.load(path)
    except NewerRecordError:
        raise
    except FaaError as error:
        raise FaaError(
            f"The policy that the run in '{safe(directory)}' was started with is damaged: {error} If it was "
            f"'{safe(policy.name)}' as it is now, delete that file, and the same command writes it again. Else put "
            "back a copy of it, or choose another --output."
        ) from error
    if before.to_json() != policy.to_json():
        raise FaaError(
            f"The policy '{safe(policy.name)}' is not the one that the run in '{safe(directory)}' was started with, "
            f"which is '{safe(path)}'. Give that file as the policy, or choose another --output."
        )
