"""Whether the classes that weights tell apart are those of the images, by their names.

Shapes: B = batch, C = classes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from faa_core import FaaError
from faa_search.measuring.evaluation.weights import Weights

SHOWN = 4  # names of a list that a message shows
LONGEST = 30  # characters of each


class Reordered(nn.Module):
    """A model with its outputs in another order."""

    order_C: Tensor

    def __init__(self, model: nn.Module, order: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("order_C", torch.tensor(order), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the model's outputs, ``[B, C]``, in the new order."""
        logits_BC: Tensor = self.model(images)
        return logits_BC.index_select(1, self.order_C)


def reorder_outputs(
    model: nn.Module, weights: Weights, names: tuple[str, ...], *, dataset: str, note: Callable[[str], None]
) -> nn.Module:
    """Return the model with its outputs in the order of the images' classes.

    Numbers in place of names, as data sets without names have, name nothing. Weights of the Hub may call their
    classes what their author likes: other names there are a note.

    Args:
        model: With as many outputs as there are names.
        weights: That it was made of.
        names: Of the images' classes.
        dataset: Where they are from, for messages.
        note: Told if outputs are reordered, or classes are compared by their numbers only.

    Raises:
        FaaError: If weights in a folder are of classes with other names.
    """
    own = weights.names
    if own is None or own == names or _is_numbers(own):
        return model
    if sorted(own) == sorted(names) and len(set(own)) == len(own):
        note(f"'{dataset}' has the classes of '{weights.name}' in another order; the outputs are put in that order.")
        return Reordered(model, [own.index(name) for name in names])
    differ = f"'{weights.name}' has the classes {_some(own)}, '{dataset}' has {_some(names)}"
    if _is_numbers(names) or weights.folder is None:
        note(f"{differ}: they are matched by their numbers.")
        return model
    raise FaaError(
        f"{differ}. Give the data set the weights were trained for, or name its classes as they do"
        + (" (each name once)." if len(set(own)) < len(own) else ".")
    )


def _is_numbers(names: tuple[str, ...]) -> bool:
    return names == tuple(map(str, range(len(names))))


def _some(names: tuple[str, ...]) -> str:
    shown = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    if len(names) > SHOWN + 1:
        shown = [*shown[:SHOWN], f"… ({len(names)} in all)"]
    return ", ".join(shown)
