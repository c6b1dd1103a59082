"""Run a script of timm with our policies: ``python -m faa_search.timm train.py --aa faa:policy.json ...``.

The networks of installed plugins, such as faa-models, are registered, too.
"""

import runpy
import sys
from pathlib import Path

from faa_core import FaaError
from faa_core.text import safe
from faa_search.timm import policies_in_timm
from faa_search.training.models import register_models

HELP = """\
Usage: python -m faa_search.timm SCRIPT [ARGUMENTS...]

Runs a script of timm, such as its train.py or validate.py, with the arguments behind it:

  --aa faa:NAME_OR_FILE   takes a policy of faa: its name, a policy's file of any format, or a timm string
  --model NAME            takes the networks of installed plugins too, such as faa-models

Everything else is the script's own; python -m faa_search.timm SCRIPT --help shows it.
"""


def main() -> None:
    """Run the script that the first argument names, with the arguments behind it."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        sys.stdout.write(HELP)
        return
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        given = f"'{safe(sys.argv[1])}' is not a file" if len(sys.argv) > 1 else "no script given"
        sys.exit(f"{given}; usage: python -m faa_search.timm SCRIPT [ARGUMENTS...]")
    for plugin in register_models():
        sys.stderr.write(f"The plugin {plugin.name} does not load: {safe(plugin.error or '')}\n")
    sys.argv = sys.argv[1:]
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)  # as Python does for a script
    try:
        with policies_in_timm():
            runpy.run_path(sys.argv[0], run_name="__main__")
    except FaaError as error:
        sys.stderr.write(f"{safe(error)}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
