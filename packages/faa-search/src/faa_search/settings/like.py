"""Finding a policy again: its settings, from where it says it comes from, and what another search came to beside it."""

import json
from collections.abc import Mapping
from typing import Any

from faa_core import FaaError, Policy
from faa_core.text import counted, safe
from faa_search.settings import DECIDING, SharedSearchConfig
from faa_search.settings.algorithms import settings_said
from faa_search.settings.resolving import Layer


def settings_of(policy: Policy, source: str) -> Layer:
    """Return every setting that decided a found policy; of the data's place only the name of the data set.

    Args:
        policy: Found by a search.
        source: What it is called in messages.

    Raises:
        FaaError: If its provenance lacks settings, as that of a policy from elsewhere does.
    """
    needed = _deciding(policy)
    missing = sorted(needed - policy.provenance.keys())
    if missing:
        raise FaaError(
            f"--like '{safe(source)}': the policy does not say how it was found. {_what(len(missing), len(needed))} "
            f"missing in its provenance ({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}). Give the "
            "config.yaml of its run as --config, or a policy that this version of faa search found."
        )
    return Layer(source, {name: policy.provenance[name] for name in (*sorted(needed), "dataset")})


def _deciding(policy: Policy) -> frozenset[str]:
    """Return the settings that a search for a policy like this is decided by.

    Raises:
        UnknownNameError: If the policy was found by an algorithm that is not installed.
    """
    shared = SharedSearchConfig.names(*DECIDING)
    if not shared <= policy.provenance.keys():  # of a policy from elsewhere, "algorithm" may say anything
        return shared
    return settings_said(policy.provenance).names(*DECIDING)


def compared(asked: Policy, found: Policy) -> str:
    """Return whether a search found again what another one had found, and what is known of the reason if not."""
    name = safe(asked.name)
    if _content(asked) == _content(found):
        return f"It is the same policy as '{name}'."
    before, now = asked.provenance, found.provenance
    changed = [key for key in sorted(_deciding(found)) if before.get(key) != now.get(key)]
    reasons = [
        *(["the images are others"] if before.get("data") != now.get("data") else []),
        *(f"{key} was {before.get(key)!r:.40}, now {now.get(key)!r:.40}" for key in changed),
        *(["it was made of fewer or more trials"] if before.get("trials") != now.get("trials") else []),
        *(["versions of packages differ"] if before.get("versions") != now.get("versions") else []),
        *(["the device is another"] if before.get("device") != now.get("device") else []),
    ]
    return f"It is another policy than '{name}': {'; '.join(reasons) or 'the processors or threads may differ'}."


def _content(policy: Policy) -> Mapping[str, Any]:
    """Return what a policy does, as its file says it: only there every operation is spelt out."""
    return {key: value for key, value in json.loads(policy.to_json()).items() if key not in ("name", "provenance")}


def _what(missing: int, of: int) -> str:
    return f"{counted(missing, 'setting')} of {of} {'are' if missing > 1 else 'is'}"
