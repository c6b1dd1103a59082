"""Keeping a policy in a folder or on the Hugging Face Hub, by the names that its other objects have for that."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faa_core.policies.policy import Policy

PUBLISHING = "faa_core.publishing.policies"  # named, not imported: it builds on policies


class Shared:
    """What a policy does with the Hub."""

    def save_pretrained(self, folder: str | Path, *, license: str | None = None) -> None:  # noqa: A002 the Hub's word
        """Write ``policy.json`` and a card, ``README.md``, into a folder; it is made if it is not there.

        Args:
            folder: Where.
            license: Of the policy, by the Hub's name, such as "mit".

        Raises:
            FaaError: If the licence is not one, or the system refuses.
        """
        publishing = import_module(PUBLISHING)
        publishing.save_policy(self, folder, publishing.CardFacts(licence=license))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str | None = None,
        private: bool | None = None,
        revision: str | None = None,
        license: str | None = None,  # noqa: A002 the Hub's word
        token: str | None = None,
    ) -> str:
        """Upload ``policy.json`` and a card to a repository of the Hub, which is made if it is not there.

        Args:
            repo_id: OWNER/NAME.
            commit_message: Of the commit.
            private: Whether a repository that is made is private.
            revision: Branch to write to; None for the main one.
            license: Of the policy, by the Hub's name, such as "mit".
            token: In place of the one that the user is logged in with.

        Returns:
            The address of the repository.

        Raises:
            FaaError: If the Hub refuses or fails; then none of the files is visible there.
        """
        publishing = import_module(PUBLISHING)
        facts = publishing.CardFacts(repository=repo_id, licence=license)
        done = publishing.push_policy(
            self, facts, message=commit_message, private=private, revision=revision, token=token
        )
        return str(done.address)

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | Path, *, revision: str | None = None, token: str | None = None
    ) -> "Policy":
        """Return the policy of a folder, or of a repository of the Hub.

        Args:
            name_or_folder: A folder with a ``policy.json``; OWNER/NAME, or hf://OWNER/NAME.
            revision: Branch, tag or commit; None for the newest.
            token: In place of the one that the user is logged in with.

        Raises:
            FaaError: If there is none, or it cannot be read.
        """
        found: Policy = import_module(PUBLISHING).pretrained(name_or_folder, revision=revision, token=token)
        return found
