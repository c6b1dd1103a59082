"""The processes of a run: which device each has, what the first tells the others, and how they end together."""

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Protocol, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor

from faa_core import FaaError
from faa_core.text import one_line
from faa_search.workers.meeting import meet, stay_on_this_machine
from faa_search.workers.ranks import Rank

Value = TypeVar("Value")


class Processes(Protocol):
    """The processes that fit one network together, as an `Accelerator` has them."""

    @property
    def device(self) -> torch.device:
        """This process's."""

    @property
    def num_processes(self) -> int:
        """How many there are."""

    @property
    def process_index(self) -> int:
        """Which this one is."""

    @property
    def is_main_process(self) -> bool:
        """Whether it is the first."""

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        """Return what the tensors of all processes come to together."""

    def wait_for_everyone(self) -> None:
        """Return when all processes have come here."""


class Alone:
    """A process that fits a network by itself, whatever others there are."""

    num_processes = 1
    process_index = 0
    is_main_process = True

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        """Return the tensor: there is no other."""
        return tensor

    def wait_for_everyone(self) -> None:
        """Return at once: this process is alone."""


class _Setting(NamedTuple):
    """Something that a launcher sets and a run sets for itself."""

    what: str
    neutral: str
    flag: str
    option: str


IGNORED = {  # by variable of the environment
    "ACCELERATE_MIXED_PRECISION": _Setting("the precision", "no", "--amp", "--mixed_precision"),
    "ACCELERATE_DYNAMO_BACKEND": _Setting("the compiler", "no", "--torchcompile", "--dynamo_backend"),
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": _Setting(
        "accumulation", "1", "--grad-accum-steps", "--gradient_accumulation_steps"
    ),
}


def make_accelerator(device: str, *, processes: int | None = None) -> Accelerator:
    """Return the processes and the device: ``auto`` takes a GPU if there is one.

    Args:
        device: auto, cpu or cuda.
        processes: How many there must be; None for as many as were launched.

    Raises:
        FaaError: If CUDA is asked for and there is none, or there are not the processes that were asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise FaaError("--device cuda: torch sees no CUDA device here; use --device auto or cpu.")
    gpu = device != "cpu" and torch.cuda.is_available()
    stay_on_this_machine()
    meet(os.environ, gpu=gpu)
    # Without CUDA the CPU: Accelerate would take Apple's MPS, which lacks float64 and keyed generators. Precision is
    # ours to set; left out, it would come from the environment and a run would not repeat.
    accelerator = Accelerator(cpu=not gpu, mixed_precision="no")
    there = accelerator.num_processes
    if there == 1 and launched_alone(os.environ):
        raise FaaError(
            "accelerate launch was asked for several processes and started one: on CPUs it does so without a message. "
            "Use faa's own --num-processes N, or torchrun, or accelerate launch --multi_gpu."
        )
    for name, setting in IGNORED.items():
        if os.environ.get(name, setting.neutral).lower() != setting.neutral:
            raise FaaError(
                f"Accelerate is set to {setting.what} {os.environ[name]}, which is a setting of the run here: give "
                f"{setting.flag}, and launch with {setting.option} {setting.neutral}."
            )
    if accelerator.device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # images of one size: the fastest convolutions are worth a search
    if processes not in (None, there):
        raise FaaError(
            f"--num-processes {processes}, but the launcher started {there}; leave it out, or make them agree."
        )
    return accelerator


def launched_alone(environment: Mapping[str, str]) -> bool:
    """Return whether `accelerate launch` prepared for several processes but did not start them.

    Its simple launcher, which serves CPUs, sets the address that processes meet at without starting any but this one.
    """
    return {"ACCELERATE_MIXED_PRECISION", "MASTER_ADDR"} <= environment.keys() and "WORLD_SIZE" not in environment


def rank_of(accelerator: Processes) -> Rank:
    """Return which of the processes this one is."""
    return Rank(index=accelerator.process_index, count=accelerator.num_processes)


def from_main(accelerator: Processes, value: Value) -> Value:
    """Return the main process's value in every process: what it finds on its disk counts for all."""
    if accelerator.num_processes == 1:
        return value
    received: list[Value] = broadcast_object_list([value])
    return received[0]


def any_process(accelerator: Processes, here: bool) -> bool:
    """Return whether it is so in any of the processes; all must ask at the same time."""
    if accelerator.num_processes == 1:
        return here
    return bool(accelerator.reduce(torch.tensor(int(here), device=accelerator.device), reduction="sum").item())


@torch.no_grad()
def share(accelerator: Processes, tensors: Iterable[Tensor]) -> None:
    """Give every process the main process's values of some tensors, in place."""
    if accelerator.num_processes > 1:
        for tensor in tensors:
            torch.distributed.broadcast(tensor, src=0)


@contextmanager
def together(accelerator: Accelerator) -> Iterator[None]:
    """Say in words that another process is gone, where the block's collective calls fail for that.

    Raises:
        FaaError: If they do.
    """
    try:
        yield
    except RuntimeError as error:
        # gloo raises plain RuntimeErrors, NCCL's are a subclass
        gone = isinstance(error, torch.distributed.DistError) or "onnection" in str(error)
        if accelerator.num_processes == 1 or not gone:
            raise
        raise FaaError(
            f"Another process of this run is gone ({one_line(error)}). The same command goes on from the last saved "
            "state."
        ) from error


def close(accelerator: Accelerator) -> None:
    """End a distributed job in order; a gloo job that only exits aborts now and then."""
    if accelerator.num_processes > 1:
        accelerator.wait_for_everyone()
        accelerator.free_memory()
        gc.collect()
        accelerator.end_training()
