"""The loop: a network, an optimizer, a schedule, epoch after epoch."""

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import cross_entropy

from faa_core import FaaError
from faa_core.randomness import seed_of
from faa_search.config import FitConfig
from faa_search.keyed_torch import torch_seeded
from faa_search.training.checkpoint import Progress, load_state, save_state
from faa_search.training.network import Network
from faa_search.training.optimisation import make_average, make_optimizer, make_scheduler
from faa_search.training.views import Batch


class Trainer:
    """Fits one network on a stream of batches; its state can be saved and restored after any epoch."""

    def __init__(self, network: Network, config: FitConfig, accelerator: Accelerator, *, steps_per_epoch: int) -> None:
        self.network = network
        self.config = config
        self.accelerator = accelerator
        self.steps_per_epoch = steps_per_epoch
        self.optimizer = make_optimizer(network.model, config)
        self.scheduler: Any = make_scheduler(self.optimizer, config, steps_per_epoch=steps_per_epoch)
        self.average = make_average(network.model, config)
        if accelerator.num_processes > 1:
            network.applied = accelerator.prepare_model(network.applied)

    def fit_epoch(self, batches: Iterator[Batch], epoch: int) -> dict[str, float]:
        """Take one epoch's batches from the stream and return its mean loss, accuracy (this process's) and last rate.

        Raises:
            FaaError: If the loss is no longer a number.
        """
        self.network.model.train()
        loss_sum = torch.zeros((), device=self.network.device)
        right = torch.zeros((), dtype=torch.int64, device=self.network.device)
        images = 0
        # Dropout and its like draw from torch's generator: keyed here, so that a resumed epoch draws the same.
        seed = seed_of("layers", self.config.seed, epoch, self.accelerator.process_index)
        with torch_seeded(seed, device=self.network.device):
            for step, batch in enumerate(islice(batches, self.steps_per_epoch)):
                loss, batch_right = self._step(batch, epoch * self.steps_per_epoch + step)
                loss_sum += loss * len(batch[1])
                right += batch_right
                images += len(batch[1])
        loss_mean = float(loss_sum) / images
        if not math.isfinite(loss_mean):
            raise FaaError(
                f"The training loss of epoch {epoch + 1} is {loss_mean}; try a smaller --lr (now {self.config.lr:g}) "
                "or a longer --warmup-epochs."
            )
        rate = float(self.optimizer.param_groups[0]["lr"])
        return {"epoch": epoch + 1, "lr": rate, "train_loss": loss_mean, "train_top1": int(right) / images}

    def best_network(self) -> Network:
        """Return the network to evaluate: with the averaged weights where an average is kept."""
        if self.average is None:
            return self.network
        return self.network.with_model(self.average.module)

    def save(self, path: Path, progress: Progress) -> None:
        """Write the state, by the main process."""
        if self.accelerator.is_main_process:
            save_state(path, progress, self._modules(), self.optimizer)

    def restore(self, path: Path) -> Progress:
        """Restore the state; return how far the run was."""
        return load_state(path, self._modules(), self.optimizer)

    def _step(self, batch: Batch, updates: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Update the weights once; return the detached mean loss and the count of right answers."""
        images, labels = batch[0], batch[1].to(self.network.device)
        self.scheduler.step_update(num_updates=updates)
        logits = self.network.logits(images)
        loss = cross_entropy(logits.float(), labels, label_smoothing=self.config.smoothing)
        loss.backward()  # type: ignore[no-untyped-call]  # Accelerate's would scale by settings of the environment
        if self.config.clip_grad > 0:
            nn.utils.clip_grad_norm_(self.network.model.parameters(), self.config.clip_grad)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.network.model, step=updates + 1)
        return loss.detach(), (logits.detach().argmax(dim=1) == labels).sum()

    def _modules(self) -> dict[str, nn.Module]:
        average = {} if self.average is None else {"average": self.average.module}
        return {"model": self.network.model, **average}
