"""Writing the pictures of a policy of layers, and of the policies that a controller chose."""

from pathlib import Path

from faa_cli.outputs import check_outputs
from faa_cli.pictures import save_picture
from faa_cli.showing import say
from faa_core import FaaError, Layers, Policy
from faa_core.policies.describing import policy_kind
from faa_core.text import safe, sentence
from faa_search.adversarial.pictures import run_pictures
from faa_search.runs.files import POLICIES
from faa_search.searching.deep.pictures import policy_pictures

SUFFIXES = (".png", ".svg")


def save_policy_pictures(place: Path, policy: Policy) -> list[Path]:
    """Write what each layer picks, into a file, or all pictures into a folder; return the files.

    Args:
        place: A file that ends in .png or .svg, or a folder, where each picture is written as both.
        policy: Of layers.

    Raises:
        FaaError: If the policy is of another kind, or a file cannot be written.
    """
    if not isinstance(policy, Layers):
        raise FaaError(
            f"--picture draws policies of layers, as Deep AutoAugment finds them; '{safe(policy.name)}' is of kind "
            f"{policy_kind(policy)}. `faa policy preview` shows what it makes of images."
        )
    first, *more = policy_pictures(policy)
    if place.suffix.lower() in SUFFIXES and not place.is_dir():
        files = {place: first}
    elif place.suffix and not place.is_dir():
        raise FaaError(
            f"--picture: '{safe(place)}' ends in none of {', '.join(SUFFIXES)}; give a file that does, or a folder."
        )
    else:
        files = {place / f"{picture.name}{suffix}": picture for picture in (first, *more) for suffix in SUFFIXES}
    for path in files:
        check_outputs({f"--picture {path.suffix.lower()}": path})
    for path, picture in files.items():
        save_picture(path, picture)
    return list(files)


def save_controller_pictures(run: Path) -> list[str]:
    """Draw what a training's controller chose into the run's directory; return the names of the files.

    The training is finished, so what cannot be drawn is only told.
    """
    journal, names = run / POLICIES, []
    if not journal.is_file():
        say(
            f"'{safe(journal)}' is not there, so the controller's pictures are not drawn. Put back a copy of it, and "
            "the same command draws them."
        )
        return []
    try:
        for picture in run_pictures(run):
            save_picture(run / f"{picture.name}.png", picture)
            names.append(f"{picture.name}.png")
    except FaaError as error:
        say(f"Not all pictures are drawn: {sentence(error)}")
    return names
