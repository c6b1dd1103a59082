"""Where a policy comes from, in words."""

from collections.abc import Mapping
from typing import Any

from faa_core import FaaError
from faa_core.text import counted
from faa_search.settings import DECIDING, SharedSearchConfig
from faa_search.settings.algorithms import settings_said

LONG = 40  # characters of a fact from which it has a line for itself


def provenance_lines(provenance: Mapping[str, Any]) -> list[str]:
    """Return where a policy comes from: short facts together, long ones and those of several parts a line each.

    A found policy has every setting of its search; those that are the defaults are only counted.
    """
    usual = _usual_settings(provenance)
    provenance = {key: value for key, value in provenance.items() if key not in usual}
    told = {key: _shown(value) for key, value in provenance.items() if value not in (None, "", (), {})}
    short = [f"{key} {text}" for key, text in told.items() if not _is_long(provenance[key], text)]
    long = [f"  {key}: {text}" for key, text in told.items() if _is_long(provenance[key], text)]
    if usual:
        long.append(f"  {counted(len(usual), 'other setting')} as by default; --json shows all")
    return [f"From: {', '.join(short)}" if short else "From:", *long] if told else []


def _usual_settings(provenance: Mapping[str, Any]) -> set[str]:
    """Return the settings of a found policy that are the defaults; none of a policy from elsewhere."""
    if not SharedSearchConfig.names(*DECIDING) <= provenance.keys():
        return set()
    try:
        kind = settings_said(provenance, "the policy")
    except FaaError:  # of an algorithm that is not installed
        kind = SharedSearchConfig
    defaults = kind().model_dump(mode="json")
    return {name for name in kind.names(*DECIDING) if name in provenance and provenance[name] == defaults[name]}


def _is_long(value: Any, text: str) -> bool:
    return isinstance(value, Mapping | list | tuple) or len(text) > LONG or " " in text or "," in text


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return str(value)
