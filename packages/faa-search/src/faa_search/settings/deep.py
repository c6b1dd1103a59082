"""The settings of Deep AutoAugment, in the order of its stages. Defaults are those of the authors' released command."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from faa_search.settings.base import (
    Batch,
    Count,
    Epochs,
    NonNegative,
    Positive,
    Settings,
    Text,
    Whole,
)
from faa_search.settings.roles import Role
from faa_search.settings.search import Few, NetworksSearchConfig, OperationsConfig, Parts

PRETRAIN_IMAGES, VAL_IMAGES = 5_000, 10_000  # of CIFAR's 50,000, in the released code

DeepStageName = Literal["pretrain", "match", "controls"]


class PoolsConfig(Settings):
    """Which images the network is fitted on, and which ones gradients are matched on."""

    role: ClassVar[Role] = Role.NETWORK

    pretrain_size: Count | None = Field(
        default=None,
        description=f"Training images to fit the network on (default: {PRETRAIN_IMAGES:,}, at most half of all).",
    )
    val_size: Annotated[Count | None, Role.RESULT] = Field(
        default=None,
        description=f"Other images that give the gradient to match (default: {VAL_IMAGES:,}, at most half of the "
        "others); what is left is augmented.",
    )


class LayersConfig(OperationsConfig):
    """Which policies there are."""

    role: ClassVar[Role] = Role.RESULT

    levels: Annotated[Whole, Field(ge=3, le=101)] = Field(
        default=13, description="Magnitudes of an operation, an odd number; the middle one changes nothing."
    )
    layers: Annotated[Whole, Field(ge=1, le=20)] = Field(default=6, description="Layers at most, K.")
    keep_identity: Annotated[bool, Role.CHOICE] = Field(
        default=False, description="Keep a last layer that mostly changes nothing, as the released CIFAR policies do."
    )

    @field_validator("levels")
    @classmethod
    def _has_a_middle(cls, levels: int) -> int:
        if levels % 2 == 0:
            raise ValueError("it must be an odd number, so that the middle level changes nothing")
        return levels


class MatchingConfig(Settings):
    """How a layer is found."""

    role: ClassVar[Role] = Role.RESULT

    updates: Annotated[Whole, Field(ge=1, le=10**6)] = Field(default=1024, description="Updates of each layer.")
    policy_lr: Positive = Field(default=0.025, description="Adam's learning rate for a layer.")
    triples: Few = Field(
        default=16, description="Triples of an update: a class, images of it to match, an image of it to augment."
    )
    val_images: Few = Field(default=64, description="Images to match in a triple.")
    gradient_draws: Few = Field(
        default=4,
        description="Augmented draws behind a triple's mean gradient from layer 2 on, per transform of a layer.",
    )
    prefixes: Few = Field(
        default=16, description="Draws of the layers before, from layer 2 on, over which a reward is averaged."
    )
    penalty: NonNegative = Field(
        default=1.0, description="Standard deviations over the triples that are taken off a reward, from layer 2 on."
    )
    control_triples: Annotated[Whole, Field(ge=2, le=10**5), Role.CHOICE] = Field(
        default=64, description="Triples on which the found policy is compared with its controls."
    )
    match_batch_size: Batch | None = Field(
        default=None, description="Images per pass when matching (default: what suits device and image size)."
    )


class DeepSearchConfig(NetworksSearchConfig, PoolsConfig, LayersConfig, MatchingConfig):
    """`faa search --algorithm deep`: data, the network, and the search itself."""

    role: ClassVar[Role] = Role.RESULT

    algorithm: Text = Field(default="deep", description="Deep AutoAugment: layers by gradient matching.")
    epochs: Epochs = Field(default=45, description="Passes over the images that the network is fitted on.")
    stage: Annotated[DeepStageName | None, Role.PACE] = Field(
        default=None, description="Only fit the network, only match gradients, or only compare with the controls."
    )

    def parts(self, images: int) -> Parts:
        """Return how the images are divided: one network is fitted on some of them."""
        fitted = self.pretrain_size or min(PRETRAIN_IMAGES, images // 2)
        option = f"--pretrain-size {fitted}"
        return Parts(folds=1, held_out=images - fitted, option=option, flags="--pretrain-size")
