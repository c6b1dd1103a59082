"""Adversarial AutoAugment (Zhang et al. 2020): a controller that is trained against the network."""

from typing import TYPE_CHECKING

from faa_search.lazily import names_of
from faa_search.settings.adversarial import ControllerConfig

if TYPE_CHECKING:
    from faa_search.adversarial.adversary import Adversary
    from faa_search.adversarial.steps import ControllerStep, policy_of_epoch, read_steps

__all__ = ["Adversary", "ControllerConfig", "ControllerStep", "policy_of_epoch", "read_steps"]

HOMES = {
    "Adversary": "faa_search.adversarial.adversary",
    "ControllerStep": "faa_search.adversarial.steps",
    "policy_of_epoch": "faa_search.adversarial.steps",
    "read_steps": "faa_search.adversarial.steps",
}

__getattr__, __dir__ = names_of(__name__, HOMES)
