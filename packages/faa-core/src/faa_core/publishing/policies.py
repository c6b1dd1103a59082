"""Keeping a policy in a folder or on the Hub, and getting it back."""

import os
from collections.abc import Mapping
from pathlib import Path

from faa_core import plugins
from faa_core.errors import FaaError
from faa_core.files import write_text
from faa_core.formats import read_hub_policy
from faa_core.formats.hub import NEEDS
from faa_core.hub import HubName, Uploaded, is_hub_name, parse_name, upload
from faa_core.hub.names import check_repository, is_revision
from faa_core.operations.table import GROUP, STANDARD
from faa_core.policies.loading import FILE, as_given
from faa_core.policies.policy import Policy
from faa_core.publishing.card import CardFacts, make_card
from faa_core.text import safe

CARD = "README.md"


def files_of(policy: Policy, facts: CardFacts) -> dict[str, bytes]:
    """Return the files of a policy's repository, by name: the document and the card.

    The document names the packages that its operations need, where they are plugins'.
    """
    bases = {operation.base for operation in policy.table.values()} - STANDARD.keys()
    needs = {base: package for base in sorted(bases) if (package := plugins.package_of(GROUP, base))}
    if needs:
        policy = policy.model_copy(update={"provenance": {**policy.provenance, NEEDS: needs}})
    return {FILE: policy.to_json().encode(), CARD: make_card(policy, facts).encode()}


def save_policy(policy: Policy, folder: str | Path, facts: CardFacts) -> None:
    """Write a policy and its card into a folder, which is made if it is not there.

    Raises:
        FaaError: If the system refuses, or something else is called so there.
    """
    place = Path(folder)
    for name, content in files_of(policy, facts).items():
        write_text(place / name, content.decode())


def push_policy(
    policy: Policy,
    facts: CardFacts,
    *,
    more: Mapping[str, bytes] | None = None,
    message: str | None = None,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Uploaded:
    """Upload a policy, its card and more files to the repository that the facts name, in one commit.

    Raises:
        FaaError: If no repository is named, or the Hub refuses or fails.
    """
    if facts.repository is None:
        raise FaaError("A policy is pushed to a repository: give OWNER/NAME.")
    return upload(
        {**files_of(policy, facts), **(more or {})},
        facts.repository,
        message=message or f"Policy {safe(policy.name):.60}",
        private=private,
        revision=revision,
        token=token,
    )


def pretrained(name_or_folder: str | Path, *, revision: str | None = None, token: str | None = None) -> Policy:
    """Return the policy of a folder with a policy.json, or of a repository: OWNER/NAME, or hf://OWNER/NAME.

    Raises:
        FaaError: If there is none, or it cannot be read.
    """
    given = as_given(name_or_folder)
    if os.path.isfile(Path(given, FILE)):  # noqa: PTH113 a path that no system allows is not a file, and no error
        if revision is not None:
            raise FaaError(f"'{safe(given)}' is a folder, which has no revisions; leave `revision` out.")
        return Policy.load(Path(given, FILE))
    if os.path.isdir(given):  # noqa: PTH112 the same; a folder is not looked up on the Hub
        raise FaaError(f"The folder '{safe(given)}' has no {FILE}; give one that has, or hf://OWNER/NAME.")
    name = parse_name(given) if is_hub_name(given) else HubName(repository=check_repository(given))
    if revision is not None:
        if not is_revision(revision) or name.revision is not None:
            raise FaaError(f"`revision` must be one branch, tag or commit, not '{safe(revision):.80}'.")
        name = HubName(repository=name.repository, revision=revision, file=name.file)
    return read_hub_policy(name, token=token)
