"""How the runs in this folder were made: once, by commit 5313f79, on one CPU thread.

`python make.py .` there, in an empty folder, wrote them. Later versions never make them anew: they open them, and go on
from those that were stopped, as `test_golden_runs.py` shows.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The same arithmetic on every x86 processor: no instructions that only some have.
PORTABLE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "1"}

NETWORK = {"model": "pyramidnet", "model_kwargs": {"depth": 8, "alpha": 1}, "device": "cpu"}
DATA = {"dataset": "digits", "train_subset": 120, "img_size": 8}
COMMON = NETWORK | DATA | {"batch_size": 16, "lr": 0.05, "seed": 3}
TRAIN = COMMON | {
    "epochs": 4, "policy": "trivialaugment", "val_fraction": 0.25, "model_ema": True, "mixup": 0.2, "cutout": 3,
    "warmup_epochs": 1, "checkpoint_hist": 1,
}  # fmt: skip
SEARCH = COMMON | {"epochs": 3, "folds": 2, "width": 2, "depth": 5, "top": 2, "views": 2, "sub_policies": 2}
PHOTOS = NETWORK | {
    "dataset": "photos", "test_fraction": 0.25, "img_size": 8, "batch_size": 6, "lr": 0.05, "seed": 3, "epochs": 3,
    "policy": "uniform-random",
}  # fmt: skip
COMPARE = COMMON | {"epochs": 2, "policies": ("none", "trivialaugment", "uniform-random"), "seeds": 2}


@contextmanager
def stopping_after(updates: int) -> Iterator[None]:
    """Send this process SIGTERM after so many updates of any network, which stops what is under way."""
    from faa_search.training.trainer import Trainer

    original, done = Trainer.update, 0

    def update(self: Trainer, *arguments: object) -> None:
        nonlocal done
        original(self, *arguments)  # type: ignore[arg-type]
        done += 1
        if done == updates:
            os.kill(os.getpid(), signal.SIGTERM)

    Trainer.update = update  # type: ignore[method-assign, assignment]
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        Trainer.update = original  # type: ignore[method-assign]


class StopsAfter:
    """A reporter that sends this process SIGTERM after so many trials."""

    def __init__(self, trials: int) -> None:
        self.trials = trials

    def note(self, message: str) -> None:
        """Drop the line."""

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[object]:
        """Count."""

        def advance(detail: str = "") -> None:
            nonlocal done
            done += 1
            if what == "Trials" and done == self.trials:
                os.kill(os.getpid(), signal.SIGTERM)

        yield advance


def save_photos(folder: Path) -> None:
    """Write digits as a folder of classes whose names sort otherwise by letter, by number and by case."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for digit, name in enumerate(("b10", "Ant", "b2", "cow")):
        (folder / name).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(digits.target == digit)[:11]):
            pixels = np.round(digits.images[index] * (255 / 16)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"image{number}.png")


def probe() -> str:
    """Return what this machine's arithmetic makes of a small computation that is none of ours, as a digest."""
    import hashlib

    import numpy as np
    import torch
    from torch.nn.functional import conv2d, cross_entropy

    torch.backends.mkldnn.enabled = False
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(16, 16, 8, 8, generator=generator).to(memory_format=torch.channels_last)
    kernel = torch.randn(16, 16, 3, 3, generator=generator).requires_grad_()
    for _step in range(20):
        features = torch.batch_norm(
            conv2d(images, kernel, padding=1), None, None, None, None, True, 0.1, 1e-5, False
        ).relu()
        loss = cross_entropy(features.mean((2, 3)), torch.arange(16) % 10)
        (gradient,) = torch.autograd.grad(loss, kernel)
        kernel = (kernel - 0.1 * gradient).detach().requires_grad_()
    numbers = np.random.default_rng(0).normal(size=1000)
    others = np.log(np.abs(numbers)) + np.exp(numbers) + np.sin(numbers) + numbers @ np.outer(numbers, numbers)
    return hashlib.sha256(kernel.detach().numpy().tobytes() + others.tobytes()).hexdigest()


def make(folder: Path) -> None:
    """Make every run, finished and stopped."""
    import torch

    import faa_search
    from faa_search.comparison import compare
    from faa_search.config import CompareConfig, SearchConfig, TrainConfig
    from faa_search.training import train

    torch.backends.mkldnn.enabled = False  # its kernels are chosen by processor
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "arithmetic.txt").write_text(probe() + "\n", encoding="utf-8")
    train(TrainConfig(**TRAIN), folder / "train-finished")
    with stopping_after(13):  # five updates an epoch: within the third
        train(TrainConfig(**TRAIN), folder / "train-stopped")
    save_photos(Path("photos"))
    train(TrainConfig(**PHOTOS), folder / "photos-finished")
    with stopping_after(11):  # five updates an epoch, two thrown away: within the second
        train(TrainConfig(**PHOTOS), folder / "photos-stopped")
    faa_search.search(SearchConfig(**SEARCH), folder / "search-finished")
    with stopping_after(18):  # four updates an epoch, two of them thrown away: within the second fold
        faa_search.search(SearchConfig(**SEARCH), folder / "search-stopped-in-folds")
    with suppress(KeyboardInterrupt):
        faa_search.search(SearchConfig(**SEARCH), folder / "search-stopped-in-trials", reporter=StopsAfter(11))
    compare(CompareConfig(**COMPARE), folder / "compare-finished")
    with stopping_after(75):  # sixteen a run, two of them thrown away: within the fifth
        compare(CompareConfig(**COMPARE), folder / "compare-stopped")


if __name__ == "__main__":
    os.environ.update(PORTABLE)
    make(Path(sys.argv[1]))
