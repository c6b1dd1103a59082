"""The card of a policy: what it does, where it comes from, how sure its benefit is, and how to use it.

A card is Markdown behind metadata in YAML, by which the Hub lists repositories.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from faa_core.errors import FaaError
from faa_core.policies.describing import operation_table, policy_lines
from faa_core.policies.policy import Policy
from faa_core.publishing.markdown import block, code, literal, table
from faa_core.text import counted, duration, safe

TAG = "augmentation-policy"
LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]{0,40}")
HUB_DATASET = re.compile(r"hfds/([\w.-]+(?:/[\w.-]+)?)|torch/([\w.-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a card that somebody else knows: a heading, and Markdown of our making."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What a card states beside the policy.

    Attributes:
        repository: OWNER/NAME on the Hub; None for a folder.
        licence: Of the policy, as the Hub calls it, such as mit; None to leave it open.
        picture: Name of a file in the repository that shows what the policy does; None for none.
        command: That made the policy; None where it is not known.
        hardware: That it was made on, in words; None where it is not known.
        sections: How it did: controls, a comparison.
    """

    repository: str | None = None
    licence: str | None = None
    picture: str | None = None
    command: str | None = None
    hardware: str | None = None
    sections: Sequence[Section] = ()


def check_licence(licence: str | None) -> None:
    """Refuse what is not the name of a licence on the Hub.

    Raises:
        FaaError: If it is not one.
    """
    if licence is not None and not LICENCE.fullmatch(licence):
        raise FaaError(
            f"'{safe(licence):.60}' is not a licence as the Hub calls them: give mit, apache-2.0, cc-by-4.0, or other."
        )


def metadata_of(policy: Policy, facts: CardFacts) -> dict[str, Any]:
    """Return the metadata of a policy's card, by the Hub's names."""
    provenance = policy.provenance
    algorithm = provenance.get("algorithm")
    tags = [TAG, "faa", "image-classification", *([_tag(algorithm)] if isinstance(algorithm, str) else [])]
    found = HUB_DATASET.fullmatch(str(provenance.get("dataset", "")))
    return {
        **({"license": facts.licence} if facts.licence else {}),
        "library_name": "faa",
        "tags": list(dict.fromkeys(tag for tag in tags if tag)),
        **({"datasets": [found[1] or found[2]]} if found else {}),
    }


def make_card(policy: Policy, facts: CardFacts) -> str:
    """Return the card of a policy, whole.

    Raises:
        FaaError: If the licence is not one.
    """
    check_licence(facts.licence)
    front = yaml.safe_dump(metadata_of(policy, facts), sort_keys=False, allow_unicode=True)
    _heading, *sentences = policy_lines(policy)
    parts = [
        f"# {literal(policy.name)}",
        " ".join(("An augmentation policy: it varies training images at random.", *map(literal, sentences))),
        *([f"![What it makes of some images]({facts.picture})"] if facts.picture else []),
        "## Use it",
        *_usage(facts.repository),
        "## Operations",
        table(*operation_table(policy)) if policy.table else "None: every image stays as it is.",
        *(part for section in facts.sections for part in (f"## {section.heading}", section.text)),
        "## Where it comes from",
        _origin(policy, facts),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


def _usage(repository: str | None) -> list[str]:
    name = f"hf://{repository}" if repository else "policy.json"
    return [
        "Train with it by the `faa` command:",
        block("console", f"faa train --dataset photos --policy {name}"),
        "As a transform of torchvision, in any `Dataset` and `DataLoader`:",
        block(
            "python",
            "from torch.utils.data import DataLoader\n"
            "from torchvision.datasets import ImageFolder\n"
            "from torchvision.transforms import v2\n"
            "from faa_core import Policy\n\n"
            f'policy = Policy.load("{name}")\n'
            "transform = v2.Compose([v2.Resize((224, 224)), policy.transform(), v2.PILToTensor()])\n"
            'loader = DataLoader(ImageFolder("photos", transform=transform), batch_size=32, shuffle=True)',
        ),
        "For a whole batch of uint8 images at once, each with its own draw:",
        block("python", "augment = policy.to_batch()\nbatch = augment(batch)"),
        "In timm's own `train.py`, unchanged:",
        block("console", f"python -m faa_search.timm train.py --data-dir photos --aa faa:{name}"),
    ]


def _origin(policy: Policy, facts: CardFacts) -> str:
    """Return where a policy comes from, as a list."""
    known = dict(policy.provenance)
    seconds: Any = known.get("seconds")
    rows = {
        "algorithm": known.get("algorithm"),
        "source": known.get("source"),
        "licence of the source": known.get("licence"),
        "data set": known.get("dataset"),
        "training images": known.get("train_subset"),
        "image size": known.get("img_size"),
        "network": known.get("model"),
        "cost": f"{duration(seconds)} on {known.get('device', 'an unknown device')}" if _is_number(seconds) else None,
        "hardware": facts.hardware,
        "seed": known.get("seed"),
    }
    lines = [f"* {what}: {literal(value)}" for what, value in rows.items() if value not in (None, "", ())]
    versions = known.get("versions")
    if isinstance(versions, Mapping):
        shown = ", ".join(f"{literal(name)} {literal(value)}" for name, value in versions.items())
        lines.append(f"* versions: {shown}")
    if facts.command:
        lines.append(f"* command: {code(facts.command)}")
    whole = f"`policy.json` has all {counted(len(known), 'fact')}." if known else "Nothing is known of it."
    return "\n".join([*lines, "", whole] if lines else [whole])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tag(algorithm: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", algorithm.lower()).strip("-")
