"""What a search comes to, and the files that say so."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import AfterValidator, Field, NonNegativeFloat, TypeAdapter

from faa_core import FaaError, Policy, SubPolicies
from faa_core.reading import as_text, parse_json_as, read_content
from faa_core.text import safe
from faa_search.runs.environment import versions
from faa_search.runs.files import write_file
from faa_search.runs.images import read_images
from faa_search.runs.journal import Natural
from faa_search.searching.audit import Audit
from faa_search.searching.controls import Control, check_control, in_words
from faa_search.searching.samplers.space import SubPolicy
from faa_search.settings import DECIDING, SearchConfig

RESULT = "result.json"
POLICY = "policy.json"
IN_FILES = {"none": "identity"}  # what a control has been called in results from the first version on


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of a found policy, as ``result.json`` has it.

    Attributes:
        reward: Its mean reward over the folds; it was chosen on the same images, which flatters it.
        controls: How it compares with policies that need no search.
        trials: How many were scored.
        planned: How many there were to be; a budget may end a search before.
        seconds: Of fitting and scoring, on all devices and in all processes' lifetimes together.
        fitting: The part of them that the folds took.
        budget: What it had.
    """

    reward: Annotated[float, Field(le=1)]  # the largest accuracy; a loss with its sign changed is at most 0
    controls: list[Annotated[Control, AfterValidator(check_control)]]
    trials: Annotated[Natural, Field(ge=1)]
    planned: Annotated[Natural, Field(ge=1)]
    seconds: NonNegativeFloat
    fitting: NonNegativeFloat
    budget: str | None = None

    @property
    def verdict(self) -> str:
        """How it compares with the controls, in a sentence."""
        return in_words([replace(row, name=f"'{row.name}'") for row in self.controls])

    @property
    def complete(self) -> bool:
        """Whether all trials there were to be were scored."""
        return self.trials >= self.planned


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult(Figures):
    """What a search came to.

    Attributes:
        policy: The found policy.
        audit: How well the rewards foretell the accuracy, if that was asked for.
    """

    policy: SubPolicies
    audit: Audit | None = None


def write_result(directory: Path, result: SearchResult) -> None:
    """Write a result beside its policy, which is there."""
    filed = [replace(row, name=IN_FILES.get(row.name, row.name)) for row in result.controls]
    known = asdict(replace(result, audit=None, controls=filed))
    document = {field.name: known[field.name] for field in fields(Figures)} | {"verdict": in_words(filed)}
    write_file(directory, RESULT, json.dumps(document, indent=1) + "\n")


def read_result(directory: Path) -> SearchResult | None:
    """Return the result of a finished search, else None.

    Raises:
        FaaError: If its files cannot be read.
    """
    path = directory / RESULT
    if not path.is_file() or not (directory / POLICY).is_file():
        return None
    try:
        policy = Policy.load(directory / POLICY)
        if not isinstance(policy, SubPolicies):
            raise FaaError("the policy beside it is no list of sub-policies")
        figures = parse_json_as(TypeAdapter(Annotated[Figures, AfterValidator(_agreeing)]), as_text(read_content(path)))
        if policy.provenance.get("trials") != figures.trials:
            raise FaaError(f"the policy beside it does not come from the {figures.trials} trials that it is about")
    except FaaError as error:
        raise FaaError(
            f"'{safe(path)}' holds no result ({error}). Delete it, and the same command makes it again from the "
            "trials, which are kept; that takes as long as comparing with the controls did."
        ) from error
    here = {there: name for name, there in IN_FILES.items()}
    controls = [replace(row, name=here.get(row.name, row.name)) for row in figures.controls]
    known = {field.name: getattr(figures, field.name) for field in fields(figures)} | {"controls": controls}
    return SearchResult(policy=policy, **known)


def _agreeing(figures: Figures) -> Figures:
    """Return figures that were read, once the differences are found to be those of the rewards.

    Raises:
        ValueError: If one is not.
    """
    for row in figures.controls:
        if not math.isclose(row.difference, figures.reward - row.reward, rel_tol=1e-6, abs_tol=1e-6):
            raise ValueError(f"the difference from '{row.name}' is not that of the two rewards")
    return figures


def found_policy(
    config: SearchConfig, directory: Path, sub_policies: Sequence[SubPolicy], *, seconds: float, trials: int
) -> SubPolicies:
    """Return the policy with where it comes from: with every setting that decides it, so that it can be found again.

    Args:
        config: The search's settings.
        directory: The run's.
        sub_policies: Found.
        seconds: Of all devices.
        trials: Scored so far.
    """
    settings, device = config.model_dump(mode="json"), device_kind(config)
    return SubPolicies(
        name=f"{Path(config.dataset).stem or 'images'}-{config.model}-{config.algorithm}",
        sub_policies=tuple(sub_policies),
        provenance={
            "dataset": _without_folders(config.dataset),
            "data": read_images(directory),
            **{name: _without_folders(settings[name]) for name in sorted(config.names(*DECIDING))},
            "sampler": config.sampler or "tpe",
            "trials": trials,
            "device": device,
            "seconds": seconds,
            "gpu_seconds": seconds if device == "cuda" else 0.0,
            "versions": versions(),
        },
    )


def _without_folders(setting: Any) -> Any:
    """Return a setting as it may be shared: where a path leads through on this machine concerns nobody else."""
    return Path(setting).name if isinstance(setting, str) and Path(setting).is_absolute() else setting


def device_kind(config: SearchConfig) -> str:
    """Return the kind of device that the search's work is done on: cpu or cuda."""
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"
