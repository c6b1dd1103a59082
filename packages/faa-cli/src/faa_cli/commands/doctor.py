"""`faa doctor`."""

import platform
import sys

import typer
from rich.console import Console

from faa_cli.showing import show_table
from faa_core import plugins

app = typer.Typer(add_completion=False)


@app.command()
def doctor() -> None:
    """Show versions, devices and plugins, with the error of any plugin that fails to load; exit code 1 if one does."""
    import torch  # noqa: PLC0415 slow to import

    from faa_search.run_directory import versions  # noqa: PLC0415

    console = Console(highlight=False)
    console.print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name, version in versions().items():
        console.print(f"  {name} {version}")
    console.print(f"CPU: {torch.get_num_threads()} torch threads")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            console.print(f"GPU {number}: {torch.cuda.get_device_name(number)}")
    else:
        console.print("GPU: none that torch can use")
    statuses = [status for group in plugins.GROUPS for status in plugins.status(group)]
    show_table(
        ("group", "name", "package", "state"),
        [
            (one.group, one.name, one.distribution, f"does not load: {one.error}" if one.error else "ok")
            for one in statuses
        ],
    )
    if any(status.error for status in statuses):
        sys.exit(1)
