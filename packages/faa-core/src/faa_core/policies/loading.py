"""From a name or a file to a policy, with errors that name what to correct."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from faa_core import plugins
from faa_core.errors import FaaError
from faa_core.paths import refuse_address
from faa_core.policies.kinds import Layers, Parametric, SubPolicies
from faa_core.policies.layered import LayeredSubPolicies
from faa_core.policies.policy import Policy
from faa_core.policies.search_free import with_strength
from faa_core.reading import as_text, faults, parse_json, read_content, refuse_newer
from faa_core.text import safe

MOST_BYTES = 1 << 22  # of a file; the largest published policy has 0.1 MB
SCHEMA = "faa-policy/1"
FILE = "policy.json"  # what a run calls its policy
OTHERS = "Other tools' formats are read too; `faa policy convert --help` lists them."
HINT = "randaugment-m0 … -m30, a policy's file and a timm string such as rand-m9-n2 are allowed too."
Document = Annotated[SubPolicies | Parametric | Layers | LayeredSubPolicies, Field(discriminator="kind")]


def load_policy(name_or_path: str | Path) -> Policy:
    """Return the policy of a built-in name (or a plugin's), or of a document of ours; `Policy.load` takes more.

    Raises:
        UnknownNameError: If it is neither a known name nor a file.
        FaaError: If the file is not a valid policy document.
    """
    given = as_given(name_or_path)
    if (own := with_strength(given)) is not None:
        return own
    if not is_name(given):
        path = Path(given)
        if os.path.isfile(path / FILE):  # noqa: PTH113 a path that no system allows is not a file, and no error
            raise FaaError(f"'{safe(given)}' is a folder; the policy in it is '{safe(path / FILE)}', so give that.")
        refuse_address(given)
        if os.path.lexists(path) or path.suffix == ".json" or path.name != given:
            return parse_policy(_read(path), source=given)
    build = plugins.load("faa.policies", given, kind="policy", hint=HINT)
    policy = build()
    if not isinstance(policy, Policy):
        raise FaaError(f"The plugin '{given}' of group faa.policies must return a Policy, not {policy!r}.")
    return policy


def is_name(given: str) -> bool:
    """Return whether a text names an installed policy, or one that has its strength in its name."""
    return given in plugins.names("faa.policies") or with_strength(given) is not None


def as_given(name_or_path: Any) -> str:
    """Return a policy's name or path as a text.

    Raises:
        FaaError: If it is neither a text nor a path, or is blank.
    """
    if not isinstance(name_or_path, str | Path) or not str(name_or_path).strip():
        raise FaaError(
            "A policy is given as its name, the path of its file or a timm string, such as 'trivialaugment'; not as "
            f"{safe(repr(name_or_path)):.80}."
        )
    return str(name_or_path)


def parse_policy(text: str, *, source: str) -> Policy:
    """Return the policy of a JSON document.

    Args:
        text: The document.
        source: Where it came from, for messages.

    Raises:
        NewerRecordError: If it is of a newer schema than this version knows.
        FaaError: If it is not JSON, or breaks the schema; every fault is named.
    """
    try:
        fields = parse_json(text, finite=False)  # below, what is not finite is named by its place
    except FaaError as error:
        raise FaaError(f"{source} cannot be read: {error}. {OTHERS}") from error
    if isinstance(fields, dict):
        refuse_newer(fields.get("schema"), SCHEMA, source=source, packages="faa-core")
    if not isinstance(fields, dict) or "kind" not in fields:
        raise FaaError(
            f"{source} is not a policy document: "
            'it must be an object with "kind": "sub-policies", "parametric", "layers" or "layered-sub-policies". '
            f"{OTHERS}"
        )
    try:
        policy = TypeAdapter[Policy](Document).validate_json(text, strict=True)
        parse_json(text)  # of the provenance, which may hold anything, JSON must be able to write it again
    except ValidationError as error:
        raise FaaError(f"{source} is not a valid policy: {'; '.join(faults(error, skip=1))}.") from error
    except FaaError as error:
        raise FaaError(f"{source}: {error}") from error
    return policy


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of policy documents, as published in ``faa_core/schema``."""
    schema = TypeAdapter[Policy](Document).json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA} | schema


def _read(path: Path) -> str:
    content = read_content(path, most=MOST_BYTES)
    try:
        return as_text(content)
    except FaaError as error:
        raise FaaError(f"The policy file '{safe(path)}' cannot be read: {error}. {OTHERS}") from error
