"""`faa model push`."""

import shlex
from typing import Annotated

import typer

from faa_cli.options import PrivateOption, RepositoryArgument
from faa_cli.showing import say, say_starting
from faa_core import FaaError
from faa_core.hub import upload
from faa_core.hub.names import check_repository
from faa_core.publishing.card import check_licence
from faa_core.text import safe, sentence

PUSH_EXAMPLES = """
Publish the weights of a training, with its policy, settings and figures:
faa model push runs/train OWNER/NAME --license apache-2.0
Only for those who may see them:
faa model push runs/train OWNER/NAME --private
"""


def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished training.")],
    repository: RepositoryArgument,
    *,
    license: Annotated[  # noqa: A002 the Hub's word
        str | None, typer.Option(metavar="NAME", help="Licence of the weights, such as apache-2.0.")
    ] = None,
    private: PrivateOption = None,
) -> None:
    """Publish a training's weights on the Hugging Face Hub, as timm loads them, with a card.

    Log in with `hf auth login` first, or set HF_TOKEN. If the connection breaks, none of the files is visible, and
    the same command does it again. None of your images is uploaded.
    """
    check_repository(repository)
    check_licence(license)
    say_starting()
    push_run(run, repository, licence=license, private=private)


def push_run(run: str, repository: str, *, licence: str | None = None, private: bool | None = None) -> None:
    """Upload what a finished training left, and show where it is.

    Raises:
        FaaError: If it is not finished, or the Hub refuses or fails; the run is as it was.
    """
    from faa_search.runs.model_card import files_of_run  # noqa: PLC0415 torch is slow to import
    from faa_search.training.models import home_of, register_models  # noqa: PLC0415

    register_models()
    files = files_of_run(run, repository=repository, licence=licence, home_of=home_of)
    try:
        done = upload(files, repository, message="Weights of a training", private=private)
    except FaaError as error:
        again = shlex.join(["faa", "model", "push", run, repository])
        raise FaaError(f"{sentence(error)} The run in '{safe(run)}' is whole; `{again}` uploads it.") from error
    say(f"Pushed {done.address}")
    say(f"Revision {done.revision}; load it with timm.create_model('hf-hub:{repository}', pretrained=True)")
