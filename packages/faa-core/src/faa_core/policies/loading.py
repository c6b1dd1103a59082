"""From a name or a file to a policy, with errors that say what to mend."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from faa_core import plugins
from faa_core.errors import FaaError
from faa_core.policies.kinds import Layers, Parametric, SubPolicies
from faa_core.policies.policy import Policy

MOST_BYTES = 1 << 22  # of a file; the largest published policy has 0.1 MB
OTHERS = "`faa policy convert` reads other tools' formats."
Document = Annotated[SubPolicies | Parametric | Layers, Field(discriminator="kind")]


def load_policy(name_or_path: str | Path) -> Policy:
    """Return the policy of a built-in name (or a plugin's), or of a JSON file.

    Raises:
        UnknownNameError: If it is neither a known name nor a file.
        FaaError: If the file is no valid policy document.
    """
    given = str(name_or_path)
    if given.startswith("hf://"):
        raise FaaError(f"'{given}' is on the Hub, which this version does not read; download its policy.json first.")
    if given not in plugins.names("faa.policies"):
        path = Path(given)
        if path.is_file():
            return parse_policy(_read(path), source=given)
        if path.suffix == ".json" or len(path.parts) > 1:
            raise FaaError(f"There is no policy file '{given}'.")
    build = plugins.load("faa.policies", given, kind="policy", hint=f"A path to a policy file is allowed too; {OTHERS}")
    policy = build()
    if not isinstance(policy, Policy):
        raise FaaError(f"The plugin '{given}' of group faa.policies must return a Policy, not {policy!r}.")
    return policy


def parse_policy(text: str, *, source: str) -> Policy:
    """Return the policy of a JSON document.

    Args:
        text: The document.
        source: Where it came from, for messages.

    Raises:
        FaaError: If it is no JSON, or breaks the schema; every fault is named.
    """
    try:
        fields = json.loads(text)
    except RecursionError as error:
        raise FaaError(f"{source} is no JSON of a policy: it is nested too deeply.") from error
    except ValueError as error:  # also for a number of too many digits
        raise FaaError(f"{source} is no JSON: {error}. {OTHERS}") from error
    if not isinstance(fields, dict) or "kind" not in fields:
        raise FaaError(
            f"{source} is no policy document: "
            'it must be an object with "kind": "sub-policies", "parametric" or "layers". '
            f"{OTHERS}"
        )
    try:
        return TypeAdapter[Policy](Document).validate_json(text, strict=True)
    except ValidationError as error:
        raise FaaError(f"{source} is no valid policy: {'; '.join(_faults(error))}.") from error
    except FaaError as error:
        raise FaaError(f"{source}: {error}") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of policy documents, as published in ``faa_core/schema``."""
    schema = TypeAdapter[Policy](Document).json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "faa-policy/1"} | schema


def read_content(path: Path) -> bytes:
    """Return the content of a policy's file, in any format.

    Raises:
        FaaError: If it cannot be read, or has more than 4 MiB.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        size = path.stat().st_size
    except OSError as error:
        raise FaaError(f"The policy file '{path}' cannot be read: {error}.") from error
    if len(content) > MOST_BYTES:
        raise FaaError(f"'{path}' has {size >> 20} MiB; no policy needs more than {MOST_BYTES >> 20}.")
    return content


def _read(path: Path) -> str:
    try:
        return read_content(path).decode()
    except UnicodeDecodeError as error:
        raise FaaError(f"The policy file '{path}' cannot be read: {error}. {OTHERS}") from error


def _faults(error: ValidationError) -> list[str]:
    """Return each fault as "where: what (given …)"; at most five.

    A list that pydantic calls too short because its items are faulty is not a fault of its own.
    """
    details = error.errors()
    inner = {fault["loc"][:depth] for fault in details for depth in range(1, len(fault["loc"]))}
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'][1:]) or 'kind'}: {fault['msg']}"
        + ("" if isinstance(fault["input"], dict) else f" (given {fault['input']!r:.80})")
        for fault in details
        if fault["loc"] not in inner
    ]
    return faults[:5] + ([f"and {len(faults) - 5} more"] if len(faults) > 5 else [])
