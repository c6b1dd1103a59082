"""Published policies, which come with the package as data."""

from importlib.resources import files

from faa_core.policies.loading import parse_policy
from faa_core.policies.policy import Policy


def fa_reduced_cifar10() -> Policy:
    """Return the published Fast AutoAugment policy for CIFAR-10 (493 sub-policies)."""
    return _published("fa-reduced-cifar10")


def fa_reduced_imagenet() -> Policy:
    """Return the published Fast AutoAugment policy for ImageNet (498 sub-policies)."""
    return _published("fa-reduced-imagenet")


def fa_reduced_svhn() -> Policy:
    """Return the published Fast AutoAugment policy for SVHN (497 sub-policies)."""
    return _published("fa-reduced-svhn")


def _published(name: str) -> Policy:
    resource = files("faa_core.policies").joinpath("data", f"{name}.json")
    return parse_policy(resource.read_text(encoding="utf-8"), source=name)
