"""Finding a policy again: its settings, from its provenance, and what another search came to beside it."""

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any

from faa_core import FaaError, Policy, UnknownNameError
from faa_core.text import counted, safe, sentence
from faa_search.settings import DECIDING, SearchConfig, SharedSearchConfig
from faa_search.settings.algorithms import settings_said
from faa_search.settings.resolving import Layer

OF_FILES = ("warm_start", "init_models")  # settings that name a file: its content is not written down in the policy


def settings_of(policy: Policy, source: str) -> Layer:
    """Return every setting that decided a found policy; of the data's place only the name of the data set.

    Args:
        policy: Found by a search.
        source: What it is called in messages.

    Raises:
        FaaError: If its provenance lacks settings, as that of a policy from elsewhere does, or names an algorithm that
            is not installed.
    """
    kind, provenance = _kind(policy, source), policy.provenance
    needed = kind.names(*DECIDING) | {"dataset"}
    missing = sorted(needed - provenance.keys())
    if missing:
        raise FaaError(
            f"--like '{safe(source)}': the policy does not record how it was found. {_what(len(missing), len(needed))} "
            f"missing in its provenance ({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}). Give the "
            "policy.json of a run of this version of faa search; or, if a search of an earlier version found it, the "
            "config.yaml of its run as --config."
        )
    return Layer(source, {name: provenance[name] for name in sorted(needed)} | _as_by_default(kind, provenance))


def _as_by_default(kind: type[SharedSearchConfig], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that only follow from the algorithm as they are by default."""
    if not issubclass(kind, SearchConfig):
        return {}
    usual = kind.model_construct(algorithm=provenance["algorithm"])
    return {"sampler": None} if provenance["sampler"] == usual.proposer else {}


def _kind(policy: Policy, source: str) -> type[SharedSearchConfig]:
    """Return the class of the settings of a search for a policy like this.

    Raises:
        FaaError: If its algorithm is not a text, or is not installed.
    """
    if not SharedSearchConfig.names(*DECIDING) <= policy.provenance.keys():  # from elsewhere: it may say anything
        return SharedSearchConfig
    try:
        return settings_said(policy.provenance, f"--like '{safe(source)}'")
    except UnknownNameError as error:
        raise FaaError(
            f"--like '{safe(source)}': {sentence(error)} The policy was found by that one: install the package that "
            "offers it."
        ) from error


def naming_policy(error: FaaError, layers: Sequence[Layer], given: Container[str]) -> FaaError | None:
    """Return a mistake with the policy that it comes from and what to do, if it names a value of a policy.

    Args:
        error: That a search raised.
        layers: Of the policy; none without one.
        given: Settings that were given beside it.
    """
    said = str(error)
    for source, settings in layers:
        for name, value in settings.items():
            flag = f"--{name.replace('_', '-')}"
            texts = [text for text in (value if isinstance(value, list | tuple) else [value]) if isinstance(text, str)]
            if name not in given and any(f"'{text}'" in said or f"{flag} {text}" in said for text in texts):
                return FaaError(
                    f"{sentence(said)} This is from the policy: --like '{safe(source)}' has {name} "
                    f"{safe(', '.join(texts)):.80}. Give another {flag}, which takes precedence."
                )
    return None


def compared(asked: Policy, found: Policy) -> str:
    """Return whether a search found again what another one had found, and what is known of the reason if not."""
    name = safe(asked.name)
    if _content(asked) == _content(found):
        return f"It is the same policy as '{name}'."
    before, now = asked.provenance, found.provenance
    settings = sorted(_kind(found, name).names(*DECIDING))
    changed = [key for key in settings if before.get(key) != now.get(key)]
    reasons = [
        *(["the images are others"] if before.get("data") != now.get("data") else []),
        *(f"{key} was {before.get(key)!r:.40}, now {now.get(key)!r:.40}" for key in changed),
        *(["it was made of fewer or more trials"] if before.get("trials") != now.get("trials") else []),
        *(["versions of packages differ"] if before.get("versions") != now.get("versions") else []),
        *(["the device is another"] if before.get("device") != now.get("device") else []),
    ]
    return f"It is another policy than '{name}': {'; '.join(reasons) or _unknown(now)}."


def _unknown(provenance: Mapping[str, Any]) -> str:
    """Return what may be the reason where nothing that is written down differs."""
    files = [f"what {key} names ('{safe(provenance[key])}') has changed" for key in OF_FILES if provenance.get(key)]
    may_be = [*files, "the processors or threads differ", "the file of the policy was edited"]
    return f"the reason is not known; it may be that {', '.join(may_be[:-1])}, or {may_be[-1]}"


def _content(policy: Policy) -> Mapping[str, Any]:
    """Return what a policy does, as its file has it: only there every operation is spelt out."""
    return {key: value for key, value in json.loads(policy.to_json()).items() if key not in ("name", "provenance")}


def _what(missing: int, of: int) -> str:
    return f"{counted(missing, 'setting')} of {of} {'are' if missing > 1 else 'is'}"
