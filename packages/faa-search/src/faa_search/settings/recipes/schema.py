"""The content of a recipe's file."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from faa_search.settings import SearchConfig, Settings, SharedSearchConfig, TrainConfig

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]


class RecipeFile(Settings):
    """A recipe: six facts for its reader, then the settings of one command or of both.

    Settings that are left out are the command's defaults.
    """

    model_config = ConfigDict(strict=True)
    of_what: ClassVar[str] = "a recipe"

    about: Text = Field(description="What it is, in a line.")
    source: Text = Field(description="Where its numbers come from.")
    command: Texts = Field(description="What to type; words in capitals stand for paths of yours.")
    hardware: Text = Field(description="What it is for, and how to run it on less or more.")
    expected_error: Texts = Field(description="Test errors, who published them, and whether we measured them.")
    deviations: Texts = Field(description="Where it leaves its source and why, and the options that bring it back.")
    train: TrainConfig | None = Field(default=None, description="Settings of faa train.")
    search: SearchConfig | SharedSearchConfig | None = Field(default=None, description="Settings of faa search.")

    @model_validator(mode="after")
    def _for_something(self) -> "RecipeFile":
        if self.train is None and self.search is None:
            raise ValueError("it needs settings under train, search or both")
        return self


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe's file."""
    return RecipeFile.model_json_schema()
