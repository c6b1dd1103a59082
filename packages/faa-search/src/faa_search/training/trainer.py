"""The loop: a network, an optimizer, a schedule, update after update."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from faa_core import FaaError
from faa_core.randomness import key_of, seed_of
from faa_core.text import one_line
from faa_search.keyed_torch import torch_seeded
from faa_search.settings import FitConfig
from faa_search.training.checkpoint import EpochPart, Progress, TrainingState
from faa_search.training.losses import make_mixing
from faa_search.training.network import Network
from faa_search.training.objectives import make_objectives, outputs_of
from faa_search.training.optimisation import add_decay, make_average, make_optimizer, make_scheduler, ways_to_converge
from faa_search.training.plan import Plan
from faa_search.training.views import Batch
from faa_search.workers.processes import Processes


class EpochTally:
    """Figures of the current epoch; they stay on the device until asked for."""

    def __init__(self, device: torch.device, part: EpochPart, *, copies: int = 0) -> None:
        """Begin an epoch, or go on with it.

        Args:
            device: Where the sums are.
            part: What is done of it.
            copies: How many copies' losses are counted, each by itself.
        """
        uncounted = math.nan if part.updates else 0.0  # by a version that did not count copies
        sums = (*part.sums, *(uncounted for _copy in range(3 + copies - len(part.sums))))
        self.updates = part.updates
        self.told = part.told
        self.sums = torch.tensor(sums, dtype=torch.float64, device=device)  # losses, right answers, images; by copy
        self.waited = part.waited
        self.seconds = part.seconds
        self.started = time.perf_counter()

    def add(self, counted: Tensor, copies: range) -> None:
        """Count a forward pass: the summed loss, right answers and images of each of its copies, float64 ``[K, 3]``."""
        self.sums[:3] += counted.sum(dim=0)
        if len(self.sums) > 3:
            self.sums[3 + copies.start : 3 + copies.stop] += counted[:, 0]

    def part(self) -> EpochPart:
        """Return what is done so far."""
        sums = tuple(self.sums.tolist())
        seconds = self.seconds + time.perf_counter() - self.started
        return EpochPart(updates=self.updates, sums=sums, told=self.told, waited=self.waited, seconds=seconds)


class Trainer:
    """Fits one network on a stream of batches; its state can be kept and restored after any update."""

    def __init__(
        self, network: Network, config: FitConfig, accelerator: Processes, *, plan: Plan, classes: int
    ) -> None:
        self.network = network
        self.config = config
        self.accelerator = accelerator
        self.plan = plan
        self.optimizer = make_optimizer(network.model, config, images=plan.images_per_update)
        self.scheduler = make_scheduler(self.optimizer, config, steps_per_epoch=plan.updates)
        self.average = make_average(network.model, config)
        scales = config.amp and config.amp_dtype == "float16"
        self.scaler = torch.amp.GradScaler(network.device.type, enabled=scales)
        self.objectives = make_objectives(config)
        self.mixing = make_mixing(config, classes=classes)
        # Not Accelerate's prepare, backward and clip_grad: they follow settings of the environment.
        self.applied: nn.Module = network.applied
        if accelerator.num_processes > 1:
            self.applied = DistributedDataParallel(network.applied)

    def fit_epoch(
        self, batches: Iterator[Batch], epoch: int, tally: EpochTally, after_update: Callable[[], None]
    ) -> dict[str, float | None]:
        """Take the rest of an epoch from the stream; return its mean loss, accuracy, last rate and times.

        Args:
            batches: The stream, where the tally left it.
            epoch: Counted from 0.
            tally: Of this epoch; empty, or restored.
            after_update: Called after every update.

        Raises:
            FaaError: If the loss is no longer a number.
        """
        self.network.model.train()
        for update in range(tally.updates, self.plan.updates):
            self.update(batches, epoch, update, tally)
            after_update()
        losses, right, images, *_by_copy = self.sums_of_all(tally, epoch)
        rate = float(self.optimizer.param_groups[0]["lr"])
        return {"epoch": epoch + 1, "lr": rate, "train_loss": losses / images, "train_top1": right / images}

    def sums_of_all(self, tally: EpochTally, epoch: int) -> tuple[float, ...]:
        """Return the tally's sums over all processes; waits for the device.

        Raises:
            FaaError: If the loss is no longer a number.
        """
        sums = tuple(self.accelerator.reduce(tally.sums, reduction="sum").tolist())
        if not math.isfinite(sums[0]):
            raise FaaError(f"The training loss of epoch {epoch + 1} is {sums[0]}; try {ways_to_converge(self.config)}.")
        return sums

    def costs_by_copy(self, sums: Sequence[float], *, since: Sequence[float] = ()) -> list[float]:
        """Return the mean loss of each copy that was counted.

        Args:
            sums: Of all processes, from `sums_of_all`.
            since: Earlier sums of the same epoch, which do not count; empty for the whole epoch.
        """
        begun = since or (0.0,) * len(sums)
        _losses, _right, images, *by_copy = (now - then for now, then in zip(sums, begun, strict=True))
        return [losses * self.plan.copies / images for losses in by_copy]

    def best_network(self) -> Network:
        """Return the network to evaluate: with the averaged weights where an average is kept."""
        if self.average is None:
            return self.network
        return self.network.with_model(self.average.module)

    def state(self, progress: Progress) -> TrainingState:
        """Return everything to go on from."""
        return TrainingState(
            progress=progress,
            modules={name: module.state_dict() for name, module in self._modules().items()},
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            images_per_update=self.plan.images_per_update,
        )

    def restore(self, state: TrainingState) -> None:
        """Go on from a state.

        Raises:
            FaaError: If it is of another model or another number of processes.
        """
        if state.images_per_update != self.plan.images_per_update:
            raise FaaError(
                f"The run was made with {state.images_per_update} images per update, this launch has "
                f"{self.plan.images_per_update}; start as many processes as before."
            )
        try:
            for name, module in self._modules().items():
                module.load_state_dict(dict(state.modules[name]))
            self.optimizer.load_state_dict(dict(state.optimizer))
            self._lay_out()
            self.scaler.load_state_dict(dict(state.scaler))
        except (KeyError, RuntimeError, ValueError) as error:
            raise FaaError(f"The saved state is of another model or optimizer ({one_line(error)}).") from error

    def update(self, batches: Iterator[Batch], epoch: int, update: int, tally: EpochTally) -> None:
        """Update the weights once, with the next batches of the stream, and count it."""
        self.scheduler.step_update(num_updates=epoch * self.plan.updates + update)
        rank, own = self.accelerator.process_index, self.plan.own_copies
        # Dropout and its like draw from torch's generator: keyed here, so that a resumed update draws the same.
        with torch_seeded(seed_of("layers", self.config.seed, epoch, update, rank), device=self.network.device):
            for number in range(self.plan.passes):
                asked = time.perf_counter()
                batch = next(batches)
                tally.waited += time.perf_counter() - asked
                with self._alone_until(number == self.plan.passes - 1):
                    # Each copy is mixed by itself, by the same draws however many are shown at once.
                    first = number * self.plan.at_once
                    keys = [
                        key_of("mixing", self.config.seed, epoch, update, rank, first + copy)
                        for copy in range(self.plan.at_once)
                    ]
                    tally.add(self._accumulate(batch, epoch, keys), own[number % len(own)])
        self._apply_gradients(epoch * self.plan.updates + update + 1)
        tally.updates += 1

    def _accumulate(self, batch: Batch, epoch: int, keys: Sequence[int]) -> Tensor:
        """Add a batch's part to the gradients.

        Args:
            batch: Its rows hold every image in all copies of the pass, one after the other.
            epoch: From 0.
            keys: Of the mixing of each copy.

        Returns:
            Summed loss, right answers and images of each copy, float64 ``[K, 3]``.
        """
        images = self.network.prepared(batch[0])
        labels = batch[1].to(self.network.device, non_blocking=True)
        copies = len(keys)
        targets = [labels[copy::copies] for copy in range(copies)]
        if self.mixing is not None:
            mixed = [
                self.mixing(images[copy::copies], targets[copy], key=key, epoch=epoch) for copy, key in enumerate(keys)
            ]
            images = torch.stack([of_copy for of_copy, _targets in mixed], dim=1).flatten(0, 1)
            targets = [soft for _images, soft in mixed]
        outputs = outputs_of(self.network.outputs(images, self.applied, **self.objectives.options))
        parts = [outputs.of_copy(copy, copies) for copy in range(copies)]
        losses_K = torch.stack([self.objectives(part, wanted) for part, wanted in zip(parts, targets, strict=True)])
        self.scaler.scale(losses_K.mean() / self.plan.passes).backward()  # type: ignore[no-untyped-call]
        right = (outputs.logits_BC.detach().argmax(dim=1) == labels).view(-1, copies).sum(dim=0)
        images_K = torch.full_like(losses_K, len(labels) // copies, dtype=torch.float64)
        return torch.stack((losses_K.detach().double() * images_K, right.double(), images_K), dim=1)

    def _apply_gradients(self, updates: int) -> None:
        self.scaler.unscale_(self.optimizer)
        if self.config.decay_before_clip:
            add_decay(self.optimizer)
        if self.config.clip_grad > 0:
            nn.utils.clip_grad_norm_(self.network.model.parameters(), self.config.clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.network.model, step=updates)

    def _lay_out(self) -> None:
        """Give the optimizer's tensors the memory layout of their weights, beside which they are faster."""
        for parameter, values in self.optimizer.state.items():
            for key, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    values[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)

    def _alone_until(self, last: bool) -> AbstractContextManager[None]:
        """Keep the processes' gradients apart until the last pass of an update."""
        alone = isinstance(self.applied, DistributedDataParallel) and not last
        return self.applied.no_sync() if alone else nullcontext()  # type: ignore[operator]

    def _modules(self) -> dict[str, nn.Module]:
        average = {} if self.average is None else {"average": self.average.module}
        return {"model": self.network.model, **average}
