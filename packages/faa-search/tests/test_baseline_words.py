"""What a start says of the baseline: every part that there is, and when to leave flips out."""

import numpy as np
import pytest

from faa_search import TrainConfig
from faa_search.data import ArraySource
from faa_search.training.baseline import in_words


def source_of(side: int) -> ArraySource:
    """Return two images of a side."""
    images = np.zeros((2, side, side, 3), dtype=np.uint8)
    return ArraySource(stored=images, labels=np.array([0, 1]), class_names=("a", "b"))


@pytest.mark.parametrize(
    ("settings", "side", "said"),
    [
        ({}, 32, "padded by 4 pixels and cropped back to size, mirrored left to right with probability 0.5. If a mirr"),
        ({"hflip": 0.0}, 32, "Beside the policy each training image is padded by 4 pixels and cropped back to size."),
        ({"crop_pad": 0, "hflip": 0.0}, 32, "Beside the policy nothing is done to training images."),
        ({"hflip": 0.0}, 100, "is cropped to 8% of its area or more, and resized."),
        (
            {"crop_pad": 0, "hflip": 0.0, "color_jitter": 0.4, "cutout": 16},
            32,
            "is changed in brightness, contrast and colour by up to 0.4, covered by a square of 16 pixels.",
        ),
    ],
)
def test_every_part_is_said(settings: dict[str, float], side: int, said: str) -> None:
    """And nothing else."""
    words = in_words(TrainConfig(dataset="digits", **settings), source_of(side))
    assert said in words
    assert ("give --hflip 0" in words) == (settings.get("hflip") != 0.0)
