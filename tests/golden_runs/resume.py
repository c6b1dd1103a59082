"""Open or resume, in the working folder, every run that is there: `python resume.py` beside a copy of the runs."""

import os
from pathlib import Path

from make import COMPARE, PHOTOS, PORTABLE, SEARCH, TRAIN, probe


def resume() -> None:
    """Give the command of every run again."""
    import torch

    import faa_search
    from faa_search.measuring.comparison import compare
    from faa_search.settings import CompareConfig, SearchConfig, TrainConfig
    from faa_search.training import train

    torch.backends.mkldnn.enabled = False  # as when they were made
    Path("arithmetic-now.txt").write_text(probe() + "\n", encoding="utf-8")
    for end in ("finished", "stopped"):
        train(TrainConfig(**TRAIN), f"train-{end}")
        train(TrainConfig(**PHOTOS), f"photos-{end}")
        compare(CompareConfig(**COMPARE), f"compare-{end}")
    for end in ("finished", "stopped-in-folds", "stopped-in-trials"):
        faa_search.search(SearchConfig(**SEARCH), f"search-{end}")


if __name__ == "__main__":
    os.environ.update(PORTABLE)
    resume()
