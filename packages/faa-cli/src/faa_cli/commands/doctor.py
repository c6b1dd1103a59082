"""`faa doctor`."""

import platform
import sys
from dataclasses import replace

import typer

from faa_cli.help_pages import Command
from faa_cli.showing import say, say_starting, show_table
from faa_core import FaaError, plugins

EXAMPLES = """
See whether everything that is installed works:
faa doctor
Keep its output, to send it with a bug report:
faa doctor > doctor.txt
"""
app = typer.Typer(add_completion=False)


@app.command(cls=Command, epilog=EXAMPLES)
def doctor() -> None:
    """Show versions, devices, engines and plugins, with the error of any plugin that fails to load.

    The exit code is 1 if one fails.
    """
    say_starting()
    import torch  # noqa: PLC0415 slow to import

    from faa_core.applying import engine_statuses  # noqa: PLC0415
    from faa_search.runs.environment import versions  # noqa: PLC0415

    say(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name, version in versions().items():
        say(f"  {name} {version}")
    say(f"CPU: {torch.get_num_threads()} torch threads")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            say(f"GPU {number}: {torch.cuda.get_device_name(number)}")
    else:
        say("GPU: none that torch can use")
    show_table(
        ("engine for batches", "device", "state"),
        [(engine.name, engine.device, engine.missing or "ready") for engine in engine_statuses()],
    )
    for engine in engine_statuses():
        if engine.note and not engine.missing:
            say(f"{engine.name}: {engine.note}")
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        taken = next(one.name for one in engine_statuses() if one.device in (device, "any") and not one.missing)
        say(f"Batches of usual policies on {device}: {taken}")
    statuses = [_checked(status) for group in plugins.GROUPS for status in plugins.status(group)]
    show_table(
        ("group", "name", "package", "state"),
        [
            (one.group, one.name, one.distribution, f"does not load: {one.error}" if one.error else "ok")
            for one in statuses
        ],
    )
    if any(status.error for status in statuses):
        sys.exit(1)


def _checked(status: plugins.PluginStatus) -> plugins.PluginStatus:
    """Return the status of a plugin; of a search algorithm, also with what it would be refused for in a search."""
    from faa_search.searching.protocol import load_searcher  # noqa: PLC0415 slow to import

    if status.group == "faa.searchers" and status.error is None:
        try:
            load_searcher(status.name)
        except FaaError as error:
            return replace(status, error=str(error))
    return status
