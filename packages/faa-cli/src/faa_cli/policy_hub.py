"""`faa policy push`, `pull` and `search`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from faa_cli.given import number_of
from faa_cli.options import PrivateOption, RepositoryArgument
from faa_cli.outputs import check_outputs
from faa_cli.reporting import make_reporter
from faa_cli.showing import say, say_starting, show_table
from faa_core import FaaError, Policy
from faa_core.files import write_text
from faa_core.formats import read_hub_policy
from faa_core.hub import HubName, is_hub_name, parse_name
from faa_core.hub.listing import MOST, list_repositories
from faa_core.hub.names import check_repository
from faa_core.policies.describing import policy_kind, policy_size
from faa_core.publishing.card import TAG, CardFacts, check_licence
from faa_core.publishing.policies import push_policy
from faa_search.settings import DataConfig
from faa_search.settings.numbers import whole_number

PUSH_EXAMPLES = """
Publish the policy that a search has found, with its controls in the card:
faa policy push runs/search/policy.json OWNER/NAME --license mit
With a comparison of trainings, and only for those who may see it:
faa policy push runs/search/policy.json OWNER/NAME --comparison runs/comparison --private
"""
PULL_EXAMPLES = """
faa policy pull OWNER/NAME
A revision of it, into a file of another name:
faa policy pull hf://OWNER/NAME@v1 theirs.json
"""
SEARCH_EXAMPLES = """
See all policies on the Hub:
faa policy search
Those of one owner with cifar in their names:
faa policy search cifar --author OWNER
"""
PICTURE = "policy.png"
USUAL = {TAG, "faa", "image-classification"}  # tags that all of them have


def push(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="Built-in name, policy file, or timm string.")],
    repository: RepositoryArgument,
    *,
    license: Annotated[  # noqa: A002 the Hub's word
        str | None, typer.Option(metavar="NAME", help="Licence of the policy, such as mit or cc-by-4.0.")
    ] = None,
    private: PrivateOption = None,
    comparison: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="A finished `faa compare`, whose tables the card gets.")
    ] = None,
    revision: Annotated[str | None, typer.Option(metavar="NAME", help="Branch to write to. (default: main)")] = None,
) -> None:
    """Publish a policy on the Hugging Face Hub: policy.json, a card, and a picture on scikit-learn's digits.

    Log in with `hf auth login` first, or set HF_TOKEN. If the connection breaks, none of the files is visible, and
    the same command does it again. None of your images is uploaded.
    """
    check_repository(repository)
    check_licence(license)
    loaded = Policy.load(policy)
    say_starting()
    from faa_search.runs import publishing  # noqa: PLC0415 torch is slow to import
    from faa_search.runs.opening import SearchRun  # noqa: PLC0415

    run = publishing.run_of_policy(policy) if not is_hub_name(policy) and Path(policy).is_file() else None
    sections = publishing.sections_of([
        publishing.controls_section(run) if isinstance(run, SearchRun) else None,
        None if comparison is None else publishing.comparison_section(comparison),
    ])  # fmt: skip
    facts = CardFacts(
        repository=repository,
        licence=license,
        picture=PICTURE,
        command=None if run is None else publishing.command_of(run),
        hardware=None if run is None else publishing.hardware_of(run),
        sections=sections,
    )
    done = push_policy(loaded, facts, more={PICTURE: _picture(loaded)}, private=private, revision=revision)
    say(f"Pushed {policy_kind(loaded)}, {policy_size(loaded)}: {done.address}")
    say(f"Revision {done.revision}; load it with Policy.load('hf://{repository}@{done.revision[:7]}')")


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="OWNER/NAME, or hf://OWNER/NAME@REVISION:FILE.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")] = Path("policy.json"),
) -> None:
    """Fetch a policy from the Hugging Face Hub into a file.

    `--policy hf://OWNER/NAME` uses one without that. Nothing that is fetched is executed.
    """
    check_outputs({"OUT .json": target})
    if target.exists():
        raise FaaError(f"OUT: '{target}' is there already; choose another name, or remove it.")
    wanted = parse_name(name) if is_hub_name(name) else HubName(repository=check_repository(name))
    loaded = read_hub_policy(wanted)
    write_text(target, loaded.to_json())
    say(f"Wrote {target} ({loaded.name}: {policy_kind(loaded)}, {policy_size(loaded)})")


def search(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="In the repository's name.")] = None,
    *,
    author: Annotated[str | None, typer.Option(metavar="OWNER", help="Only this owner's.")] = None,
    limit: Annotated[
        int, typer.Option(parser=number_of("--limit", whole_number, least=1, most=MOST), metavar="N", help="At most.")
    ] = 50,
) -> None:
    """List the augmentation policies on the Hugging Face Hub, the most downloaded first."""
    found = list_repositories(tag=TAG, text=text, author=author, most=limit)
    if not found:
        say("The Hub has no such policy.")
        return
    rows = [
        (
            one.repository,
            ", ".join(tag for tag in one.tags if tag not in USUAL) or "–",
            ", ".join(one.datasets) or "–",
            one.licence or "–",
            f"{one.downloads:,}",
        )
        for one in found
    ]
    show_table(("repository", "tags", "data set", "licence", "downloads"), rows)


def _picture(policy: Policy) -> bytes:
    """Return a PNG of what a policy makes of some digits, which everybody may see."""
    from faa_cli.plots import save_preview  # noqa: PLC0415 matplotlib and torch are slow to import
    from faa_search.data import open_data  # noqa: PLC0415

    reporter = make_reporter()
    data = open_data(DataConfig(dataset="digits", img_size=32), model_size=32, note=lambda _note: None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, PICTURE)
        save_preview(path, policy, data, images=6, draws=9, seed=0, reporter=reporter)
        return path.read_bytes()
