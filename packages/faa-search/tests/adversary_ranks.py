"""A script that every process of a training runs: it draws policies with a controller of its own, or trains.

Without settings, each process has another seed, so that their controllers would draw differently by themselves.
"""

import json
import sys
from pathlib import Path

import torch

from faa_search.adversarial import Adversary
from faa_search.progress import Silent
from faa_search.settings import TrainConfig
from faa_search.training import make_accelerator, train
from faa_search.training.adversarial import AdversarialPolicies
from faa_search.workers.processes import close


def draw(folder: Path) -> None:
    """Write down the policies of four steps: those that are used, and those that this process would have drawn."""
    accelerator = make_accelerator("cpu")
    rank = accelerator.process_index
    config = TrainConfig(adversarial=True, batch_aug=4, seed=rank)
    companion, alone = AdversarialPolicies(config, folder, accelerator, Silent()), Adversary(copies=4, seed=rank)
    used, own = [], []
    for step in range(4):
        used.append([policy.to_json() for policy in companion.source.policies])
        own.append([policy.to_json() for policy in alone.policies])
        losses = [1.0, 2.0, 3.0, 4.0 + step]
        companion.after_part(step, losses)
        alone.answer(losses, epoch=step)
    (folder / f"{rank}.json").write_text(json.dumps({"policies": used, "own": own}))
    close(accelerator)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        processes = make_accelerator("cpu")
        train(TrainConfig(**json.loads(sys.argv[2])), sys.argv[1], accelerator=processes)
        close(processes)
    else:
        draw(Path(sys.argv[1]))
