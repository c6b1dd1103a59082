"""What is reported of a data set once it is open: how many images of which classes, and what is not read of it."""

from collections.abc import Sequence

from faa_core.text import counted
from faa_search.data.classes import some


def summary(
    *, images: int, of: int, class_names: Sequence[str], test_images: int | None, has_test: bool, remarks: str
) -> str:
    """Return one sentence.

    Args:
        images: Training images.
        of: Before a subset was drawn.
        class_names: All classes.
        test_images: If that is known.
        has_test: Whether there is a test split.
        remarks: Of what was opened, or "".
    """
    count = counted(images, "image") if images == of else f"{images:,} of {counted(of, 'image')}"
    said = [f"{count}, {counted(len(class_names), 'class', 'classes')}: {some(class_names)}"]
    if test_images is not None:
        said.append(counted(test_images, "test image"))
    elif has_test:
        said.append("a test split")
    if remarks:
        said.append(remarks)
    return "; ".join(said) + "."
