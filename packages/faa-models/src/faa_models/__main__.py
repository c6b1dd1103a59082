"""Run a script with the networks registered: ``python -m faa_models validate.py --model wrn40_2 ...``."""

import runpy
import sys
from pathlib import Path

HELP = """\
Usage: python -m faa_models SCRIPT [ARGUMENTS...]

Runs a script, such as timm's train.py or validate.py, with the arguments behind it. timm then knows the networks of
faa-models by their names, such as --model wrn40_2.
"""


def main() -> None:
    """Run the script that the first argument names, with the arguments behind it."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        sys.stdout.write(HELP)
        return
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        given = f"'{sys.argv[1]}' is not a file" if len(sys.argv) > 1 else "no script given"
        sys.exit(f"{given}; usage: python -m faa_models SCRIPT [ARGUMENTS...]")
    sys.argv = sys.argv[1:]
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)  # as Python does for a script
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
