"""Carrying out a run from the command line: in this process, in those of a launcher, or in separate processes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from faa_cli.options import use_threads
from faa_cli.reporting import make_reporter
from faa_search.progress import Reporter

if TYPE_CHECKING:
    from accelerate import Accelerator

Result = TypeVar("Result")


def carry_out(
    work: "Callable[[Reporter, Accelerator], Result]",
    show: Callable[[Result], None],
    *,
    device: str,
    threads: int | None,
    processes: int | None = None,
) -> None:
    """Do the work of a command; the process that speaks shows what came of it.

    Args:
        work: Done in each process.
        show: Called with what it returns.
        device: auto, cpu or cuda.
        threads: CPU threads of torch; None for its own choice.
        processes: How many are to be started, or to be there; None for as many as there are.
    """
    from faa_search.workers import launching  # noqa: PLC0415 torch is slow to import
    from faa_search.workers.processes import close, make_accelerator  # noqa: PLC0415

    if processes is not None and processes > 1 and not launching.is_launched():
        launching.launch(processes, device=device)
        return
    use_threads(threads)
    accelerator = make_accelerator(device, processes=processes)
    speaks = accelerator.is_main_process
    result = work(make_reporter(quiet=not speaks), accelerator)
    if speaks:
        show(result)
    close(accelerator)
