"""Policies: what one is, in Python and as a JSON document, and how it is drawn for an image.

A policy is frozen data. `Policy` is abstract; its kinds define how the steps of one image follow from uniform draws.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as PILImage
from PIL.Image import Resampling
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from faa_core.errors import FaaError
from faa_core.files import write_text
from faa_core.operations import Operation, Step, apply_steps, batched_of
from faa_core.operations.instructions import Code
from faa_core.policies.document import Fill, Fraction, OperationRow, operation_of, row_of
from faa_core.policies.frozen import FrozenDict, frozen
from faa_core.policies.sharing import Shared
from faa_core.policies.stages import Stages
from faa_core.randomness import check_keys, key_of, uniforms, whole_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from faa_core.applying import Baseline, Normalize, PolicyBatch
    from faa_core.applying.transform import PolicyTransform

ABOVE = "faa_core.applying"  # named, not imported: it builds on policies, and torch is slow to import


class Op(BaseModel):
    """One use of an operation: how likely it is applied, and where on its magnitude axis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: str = Field(description="Name of the operation.")
    p: Fraction = Field(description="Probability that it is applied when its sub-policy is drawn.")
    magnitude: Fraction = Field(description="λ: position on the operation's axis, from low (0) to high (1).")


class Policy(Shared, BaseModel):
    """A distribution over ways to augment an image.

    Every image gets its own draw. The draw of one image is a row of `slots` uniform numbers, which `steps` turns
    into operations with their arguments; the same numbers always give the same pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["faa-policy/1"] = Field(
        default="faa-policy/1", alias="schema", description="Version of the format."
    )
    name: str = Field(default="unnamed", description="For people; not an identity.")
    operations: Annotated[Mapping[str, OperationRow], AfterValidator(frozen)] = Field(
        default_factory=FrozenDict, description="Axis of every operation used; the standard table's when left out."
    )
    fill: Fill = Field(default=(0, 0, 0), description="RGB of pixels that come from outside the image.")
    interpolation: Literal["nearest", "bilinear", "bicubic"] = Field(
        default="nearest", description="Filter of the geometric operations."
    )
    provenance: Annotated[Mapping[str, Any], AfterValidator(frozen)] = Field(
        default_factory=FrozenDict, description="Where the policy comes from."
    )

    @model_validator(mode="after")
    def _operations_resolve(self) -> "Policy":
        for name in (*self.operation_names(), *self.operations):
            operation_of(name, self.operations.get(name))
        return self

    @abstractmethod
    def operation_names(self) -> tuple[str, ...]:
        """Return the names of the operations it can apply, each once, in order of first use."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many uniform numbers the draw of one image takes."""

    @abstractmethod
    def stages(self) -> Stages:
        """Return the arrays from which many images are drawn at once, as `steps` draws one."""

    @abstractmethod
    def steps(self, row: Sequence[float]) -> tuple[Step, ...]:
        """Return what happens to one image, given its `slots` uniform numbers in [0, 1)."""

    @cached_property
    def table(self) -> Mapping[str, Operation]:
        """The operations it can apply, by name."""
        return FrozenDict({name: operation_of(name, self.operations.get(name)) for name in self.operation_names()})

    def __hash__(self) -> int:
        """Return a hash of all but where the policy comes from, which may hold anything."""
        known = [name for name in type(self).model_fields if name not in ("operations", "provenance")]
        return hash((type(self), frozenset(self.operations.items()), *(getattr(self, name) for name in known)))

    @property
    def mixes_images(self) -> bool:
        """Whether an operation mixes in another image, a partner (SamplePairing)."""
        batched = (batched_of(row) for row in self.table.values())
        return any(one is not None and one.code == Code.MIX for one in batched)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields replaced, unchecked; what it caches is its own."""
        replaced = {name: frozen(value) for name, value in (update or {}).items()}
        copied = super().model_copy(update=replaced, deep=deep)
        for cached in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[cached]  # pydantic copies what is cached too
        return copied

    def draw(
        self, *, seed: int, epoch: int, indices: Sequence[int] | NDArray[np.integer[Any]]
    ) -> list[tuple[Step, ...]]:
        """Return the steps of each image of a batch, keyed by (seed, epoch, index).

        Args:
            seed: Of the run.
            epoch: Or view: any further number the draws depend on.
            indices: Shape ``[B]``, of the images in their data set.

        Raises:
            FaaError: If one of these is not a whole number, or the indices are not in one axis.
        """
        check_keys(seed, epoch)
        numbers_B = whole_numbers(indices)
        if numbers_B.ndim != 1:
            raise FaaError(f"`indices` must be in one axis, [B], not {list(numbers_B.shape)}: a list of whole numbers.")
        rows = uniforms(key_of("policy", seed, epoch), numbers_B, self.slots).tolist()
        return [self.steps(row) for row in rows]

    def apply_steps(self, image: PILImage, steps: tuple[Step, ...], *, partners: Sequence[PILImage] = ()) -> PILImage:
        """Return an RGB or L image after the steps, with the policy's fill and interpolation."""
        resample = Resampling[self.interpolation.upper()]
        return apply_steps(image, steps, fill=self.fill, resample=resample, partners=partners)

    def apply(
        self, image: PILImage, *, seed: int, epoch: int, index: int, partners: Sequence[PILImage] = ()
    ) -> PILImage:
        """Return one RGB or L image augmented by Pillow with the draw keyed by (seed, epoch, index)."""
        steps = self.draw(seed=seed, epoch=epoch, indices=[index])[0]
        return self.apply_steps(image, steps, partners=partners)

    def transform(self, *, partners: Sequence[PILImage] = ()) -> "PolicyTransform":
        """Return the policy as a torchvision v2 transform, of one image and what belongs to it.

        Args:
            partners: Images that SamplePairing mixes in.
        """
        made: PolicyTransform = import_module(f"{ABOVE}.transform").PolicyTransform(self, partners=partners)
        return made

    def to_batch(
        self,
        *,
        baseline: "Baseline | None" = None,
        normalize: "Normalize | None" = None,
        partners: "Tensor | None" = None,
        engine: 'Literal["auto", "triton", "numba", "torch", "pillow"]' = "auto",
        threads: int = 1,
    ) -> "PolicyBatch":
        """Return the policy as a module for batches, in which each image has its own draw.

        Args:
            baseline: Padded crop, flip and cutout after the policy; None for none.
            normalize: Gives float32 instead of uint8 images; None for uint8.
            partners: uint8 ``[M, C, H, W]``: images that SamplePairing mixes in; they move with the module.
            engine: What carries it out; "auto" takes the fastest that can, for every batch.
            threads: That share the images of a batch, where numba carries it out; they change no bit.

        Raises:
            FaaError: If there is no such engine, or partners are needed and missing.
        """
        made: PolicyBatch = import_module(ABOVE).PolicyBatch(
            self, baseline=baseline, normalize=normalize, partners=partners, engine=engine, threads=threads
        )
        return made

    def to_json(self) -> str:
        """Return the whole document: every default and every used operation's axis written out."""
        fields = self.model_dump(mode="json", by_alias=True)
        fields["operations"] = {
            name: row_of(row).model_dump(mode="json", exclude_none=True) for name, row in self.table.items()
        }
        if not fields.get("magnitude_std"):
            fields.pop("magnitude_std", None)  # documents without noise stay what they were
        last = [key for key in fields if key not in ("schema", "kind", "provenance")]
        return _pretty({key: fields[key] for key in ("schema", "kind", *last, "provenance")})

    def save(self, path: str | Path) -> None:
        """Write the document to a file, atomically."""
        write_text(Path(path), self.to_json())

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Policy":
        """Return the policy of a name, a file in any format, ``hf://OWNER/NAME``, or a timm or torchvision string.

        See `faa_core.formats.resolve_policy`.
        """
        found: Policy = import_module("faa_core.formats").resolve_policy(name_or_path)
        return found


def _pretty(document: dict[str, Any]) -> str:
    """Return JSON with one line per field, operation and sub-policy: readable, and short in a diff."""
    parts = []
    for key, value in document.items():
        if key == "sub_policies":
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            parts.append(f'"{key}": [\n{rows}\n ]')
        elif key == "layers":
            layers = (",\n  ".join(json.dumps(choice) for choice in layer) for layer in value)
            parts.append(f'"{key}": [\n ' + ",\n ".join(f"[\n  {layer}\n ]" for layer in layers) + "\n ]")
        elif key == "operations":
            rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in value.items())
            parts.append(f'"{key}": {{\n{rows}\n }}' if rows else f'"{key}": {{}}')
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"
