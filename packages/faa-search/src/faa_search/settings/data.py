"""Which images."""

from typing import Annotated, ClassVar

from pydantic import Field

from faa_search.settings.base import MOST_SIDE, Count, Settings, Share, Text, Whole
from faa_search.settings.roles import Role


class DataConfig(Settings):
    """Which images."""

    of_what: ClassVar[str] = "a data set"
    role: ClassVar[Role] = Role.NETWORK

    dataset: Annotated[Text, Role.PLACE] = Field(
        default="digits",
        description="digits, reduced_cifar10, torch/NAME, hfds/OWNER/NAME, FILE.npz, or a folder of class folders.",
    )
    data_dir: Annotated[Text | None, Role.PLACE] = Field(default=None, description="Folder that holds the data set.")
    dataset_download: Annotated[bool, Role.PACE] = Field(
        default=False, description="Download the data set if it is missing."
    )
    train_split: Text | None = Field(default=None, description="Name of the training split (default: the usual ones).")
    test_split: Annotated[Text | None, Role.RESULT] = Field(
        default=None, description="Name of the test split (default: the usual ones)."
    )
    input_key: Annotated[Text | None, Role.PLACE] = Field(
        default=None,
        description="Column of the images, for hfds/… data sets with several.",
        json_schema_extra={"formerly": None},
    )
    target_key: Annotated[Text | None, Role.PLACE] = Field(
        default=None,
        description="Column of the labels, for hfds/… data sets with several.",
        json_schema_extra={"formerly": None},
    )
    test_fraction: Annotated[Share, Role.RESULT] = Field(
        default=0.0, description="Fraction of the training images to hold out as the test split, if there is none."
    )
    train_subset: Count | None = Field(default=None, description="Use a stratified subset of this many images.")
    img_size: Annotated[Whole, Field(ge=4, le=MOST_SIDE)] | None = Field(
        default=None, description="Side in pixels (default: the images' own if small, else the model's)."
    )
