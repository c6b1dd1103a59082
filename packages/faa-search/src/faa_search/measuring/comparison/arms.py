"""What a comparison trains: settings with a policy, or with a controller that chooses policies."""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faa_core import FaaError, Policy
from faa_search.settings import CompareConfig, TrainConfig
from faa_search.settings.adversarial import ControllerConfig
from faa_search.settings.commands import CONTROLLERS, PoliciesConfig
from faa_search.settings.resolving import Layer, resolve
from faa_search.training.baseline import as_given_before, brings_own


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What trainings of several seeds have in common.

    Attributes:
        config: Their settings; the seed is replaced.
        policy: Their policy; None where a controller decides.
    """

    config: TrainConfig
    policy: Policy | None = None

    @property
    def brings_own(self) -> bool:
        """Whether its policy has its own baseline."""
        return self.policy is not None and brings_own(self.policy)

    def as_given_before(self, before: Mapping[str, Any]) -> "Arm":
        """Return it with the settings of the baseline as a comparison was started with them."""
        return Arm(config=as_given_before(self.config, before), policy=self.policy)


def make_arms(config: CompareConfig) -> dict[str, Arm]:
    """Return what a comparison trains, by name.

    Raises:
        FaaError: If there is no such policy, or a controller cannot have these settings.
    """
    own = {*PoliciesConfig.model_fields, *ControllerConfig.model_fields}
    shared = config.model_dump(exclude=own, exclude_unset=True)
    controller = config.model_dump(include=set(ControllerConfig.model_fields), exclude_unset=True)
    frozen_only = controller.pop("controller_freeze_epoch", 0)
    arms = {}
    policies = _load([name for name in config.policies if name not in CONTROLLERS])
    for name in config.policies:
        if name in policies:
            arms[name] = Arm(config=TrainConfig(**shared, policy=name), policy=policies[name])
            continue
        mode = CONTROLLERS[name]
        settings = {**shared, **controller, "adversarial": True, "controller": mode}
        settings |= {"batch_aug": config.batch_aug}  # equal for all: as many copies as fixed policies have
        settings |= {"controller_freeze_epoch": frozen_only} if mode == "frozen" else {}
        try:
            arms[name] = Arm(config=resolve(TrainConfig, [Layer("its settings", settings)]))
        except FaaError as error:
            raise FaaError(f"'{name}' of --policies: {error}") from error
    return arms


def arms_of(config: TrainConfig, policies: Mapping[str, Policy]) -> dict[str, Arm]:
    """Return arms with the same settings and policies that were given.

    Raises:
        FaaError: If the settings have a controller.
    """
    if config.adversarial:
        raise FaaError("`policies` are compared under settings without `adversarial`; `compare` takes controllers.")
    return {
        name: Arm(config=config.model_copy(update={"policy": name}), policy=policy) for name, policy in policies.items()
    }


def _load(names: Sequence[str]) -> dict[str, Policy]:
    """Return policies by name; on the command line a comma always separates, also where it is part of a file's name."""
    try:
        return {name: Policy.load(name) for name in names}
    except FaaError as error:
        spans = itertools.combinations(range(len(names) + 1), 2)
        joined = (comma.join(names[start:stop]) for start, stop in spans if stop - start > 1 for comma in (",", ", "))
        file = next(filter(os.path.isfile, joined), None)
        if file is None:
            wrong = next((name for name in names if name.startswith("adversarial")), None)
            hint = "" if wrong is None else f" Controllers are called {', '.join(CONTROLLERS)}."
            raise FaaError(f"{error}{hint}") from error
        raise FaaError(
            f"{error} To name the file '{file}', which has a comma, give policies as a list in a YAML file (-c)."
        ) from error
