"""The settings of a training run."""

from pydantic import Field

from faa_search.config import DataConfig, FitConfig, Share


class TrainConfig(DataConfig, FitConfig):
    """`faa train`: data, network, and the policy it is trained with."""

    policy: str = Field(default="none", description="Built-in name or policy file.")
    val_fraction: Share = Field(
        default=0.0, description="Hold this part of the training images out to keep the best epoch in best/."
    )
