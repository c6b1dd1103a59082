"""timm's loaders with our policies: while a block lasts, timm takes ``auto_augment="faa:NAME_OR_FILE"``.

timm asks no plugin for its augmentations. So one function of timm is replaced, here and nowhere else: the one that
builds every training transform. For every other value of `auto_augment` it does what it did; where timm refuses
one that is a policy of ours, it shows how that is written.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any

from timm.data import transforms_factory

from faa_core import FaaError, plugins
from faa_core.formats import read_policy
from faa_core.text import safe
from faa_search.timm.transforms import with_policy

PREFIX = "faa:"


@contextmanager
def policies_in_timm() -> Iterator[None]:
    """Let timm's `create_transform`, `create_loader` and `create_naflex_loader` take policies of ours.

    Inside the block their `auto_augment` may be ``faa:`` and a policy's name, the path of a policy's file in any format
    that is read, or a timm string. At the end timm is as it was; what was made inside goes on working, also in loader
    processes, which get the transform with the data set. Its draws come from torch's generator, which each loader
    process has with its own seed. As with timm's own strings there is no colour jitter then, unless it is forced.

    In the block, timm's functions raise:
        UnknownNameError: If there is neither a policy nor a file of that name.
        FaaError: If the file is faulty, the policy cannot be used there, or ``faa:`` is missing before it.
    """
    timms_own = transforms_factory.transforms_imagenet_train
    transforms_factory.transforms_imagenet_train = _taking_policies(timms_own)
    try:
        yield
    finally:
        transforms_factory.transforms_imagenet_train = timms_own


def _taking_policies(build: Callable[..., Any]) -> Callable[..., Any]:
    """Return timm's function that builds a training transform, with policies of ours."""

    @wraps(build)
    def build_with_policy(*args: Any, **options: Any) -> Any:
        bound = signature(build).bind(*args, **options)
        bound.apply_defaults()
        given = bound.arguments
        named = given["auto_augment"]
        if not (isinstance(named, str) and named.startswith(PREFIX)):
            try:
                return build(*args, **options)
            except AssertionError as error:  # so timm refuses a text that it does not know
                _say_prefix(named, error)
                raise
        policy = read_policy(named.removeprefix(PREFIX))
        jitter = given["color_jitter"] if given["force_color_jitter"] else None
        stages = build(**given | {"auto_augment": None, "color_jitter": jitter, "separate": True})
        return with_policy(policy, stages, separate=given["separate"])

    return build_with_policy


def _say_prefix(named: object, error: AssertionError) -> None:
    """Tell how a policy of ours is written, if that is what timm did not know.

    Raises:
        FaaError: If it is one.
    """
    given = named if isinstance(named, str) else ""
    if given in plugins.names("faa.policies"):
        what = "the name of a policy of faa"
    elif os.path.isfile(given):  # noqa: PTH113 a path that no system allows is not a file, and no error
        what = "a file"
    else:
        return
    raise FaaError(
        f"timm knows no auto-augment '{safe(given)}'. It is {what}: write it as {PREFIX}{safe(given)}."
    ) from error
