"""Reading a policy, or all policies that a controller drew for an epoch of a training."""

import os
from pathlib import Path

from faa_core import FaaError, Policy, formats
from faa_core.text import safe
from faa_search.adversarial.steps import policy_of_epoch, read_steps
from faa_search.runs.files import POLICIES, POLICY


def read_policy(
    source: str, *, epoch: int | None, read_as: str | None, table: str | None, name: str | None, leeway: formats.Leeway
) -> Policy:
    """Return what is to be converted.

    Args:
        source: Name, file or string of a policy; or the directory of a training with a controller.
        epoch: Of that training, counted from 1; None for a policy.
        read_as: Format of the policy's file.
        table: Which list of a file that holds several.
        name: Of the policy returned; None for its own.
        leeway: How exact reading must be.

    Raises:
        FaaError: If there is no such policy or epoch.
    """
    if epoch is None:
        try:
            return formats.read_policy(source, format=read_as, table=table, name=name, leeway=leeway)
        except FaaError as error:
            if _has_epochs(source):
                raise FaaError(_which(source)) from error
            raise
    if read_as is not None or table is not None:
        raise FaaError("--epoch reads a training's directory, and --from and --table are for files; leave them out.")
    policy = _of_epoch(source, epoch)
    return policy if name is None else policy.model_copy(update={"name": name})


def _of_epoch(source: str, epoch: int) -> Policy:
    """Return all policies of an epoch as one."""
    if not _has_epochs(source):
        if Path(source).name in (POLICIES, POLICY) and _has_epochs(str(Path(source).parent)):
            raise FaaError(f"--epoch reads a training's folder, so give '{safe(Path(source).parent)}' as IN.")
        raise FaaError(
            f"--epoch is for the directory of a training with --adversarial, and '{safe(source)}' is none, as it has "
            f"no file {POLICIES}; give such a directory as IN, or leave --epoch out."
        )
    return policy_of_epoch(Path(source), epoch)


def _has_epochs(source: str) -> bool:
    """Return whether something is the directory of a training with a controller."""
    return os.path.isfile(Path(source) / POLICIES)  # noqa: PTH113 a path that no system allows is not a file


def _which(source: str) -> str:
    """Return how to choose among the policies of a training's directory, in words."""
    known = [step.epoch for step in read_steps(Path(source))]
    choose = f"give --epoch N, {min(known)} to {max(known)}, for the policies of an epoch" if known else ""
    own = Path(source) / POLICY
    last = f"the policy in it is '{safe(own)}', so give that" if own.is_file() else ""
    ways = "; or ".join(filter(None, (last, choose))) or "it has no policy yet; its own command goes on"
    return f"'{safe(source)}' is a folder; {ways}."
