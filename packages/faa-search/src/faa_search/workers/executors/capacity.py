"""How many workers suit this machine, and what each gets of it."""

import loky

from faa_core import FaaError
from faa_search.workers.executors.protocol import ExecutorOptions


def gpus(options: ExecutorOptions) -> int:
    """Return how many GPUs may be used.

    Raises:
        FaaError: If CUDA is asked for and there is none.
    """
    if options.device == "cpu":
        return 0
    import torch  # noqa: PLC0415 Ray's workers come by here, and tasks may do without it

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if options.device == "cuda" and not count:
        raise FaaError("--device cuda: torch sees no CUDA device here; use --device auto or cpu.")
    return count


def devices(options: ExecutorOptions) -> list[str]:
    """Return the device of each worker of this machine: one for each GPU or, without any, for each core.

    Raises:
        FaaError: If there is no such device, or fewer than one worker is asked for.
    """
    there = gpus(options)
    count = (there or cores()) if options.processes is None else options.processes
    if count < 1:
        raise FaaError(f"--num-processes {count}: there must be at least 1.")
    return [f"cuda:{number % there}" if there else "cpu" for number in range(count)]


def cores() -> int:
    """Return how many cores this process may use."""
    count: int = loky.cpu_count()
    return count


def threads_each(options: ExecutorOptions, *, workers: int, among: int) -> int:
    """Return the CPU threads of each worker.

    Args:
        options: What was asked for.
        workers: How many there are.
        among: Cores that they have together.

    Raises:
        FaaError: If fewer than one is asked for.
    """
    if options.threads is None:
        return max(1, among // workers)
    if options.threads < 1:
        raise FaaError(f"--threads {options.threads}: there must be at least 1.")
    return options.threads


def thread_variables(threads: int) -> dict[str, str]:
    """Return what the environment of a process must set for torch to use so many threads."""
    return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
