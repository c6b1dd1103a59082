"""What every operation and every policy has to keep, as test classes for authors of one.

Subclass one in a test file and set what it is about; pytest collects the inherited tests, and any other runner may call
them. They need no pytest, and a failure is an AssertionError that states what was expected::

    class TestSepia(OperationContract):
        operation = SEPIA
"""

import math
from itertools import product
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from PIL.Image import Resampling

from faa_core.engines.choosing import Engine, missing_for
from faa_core.operations import Canvas, Operation
from faa_core.policies import Policy, parse_policy
from faa_core.policies.document import operation_of, row_of
from faa_core.testing.expecting import expect
from faa_core.testing.images import from_pillow, images, to_pillow

PLACES = ((0.0, 0.0), (0.3, 0.6), (0.999, 0.999))
FILL = (200, 10, 30)
INDICES = np.arange(64)


class OperationContract:
    """What every `Operation` keeps; subclass it and set `operation`."""

    operation: ClassVar[Operation]

    def test_its_axis_is_sound(self) -> None:
        """Both ends are finite, and the identity, if it has one, lies on the axis."""
        row = self.operation
        finite = math.isfinite(row.low) and math.isfinite(row.high)
        expect(finite, f"low and high are finite, not {row.low} and {row.high}")
        expect(row.identity is None or 0 <= row.identity <= 1, f"the identity is a λ of 0 to 1, not {row.identity}")

    def test_it_can_be_written(self) -> None:
        """A policy document can carry its axis under its own name, and gives the same operation back."""
        row = self.operation
        back = operation_of(row.name, row_of(row))
        expect(back.kernel is row.kernel, f"a document finds the kernel of '{row.name}' by its base '{row.base}'")
        expect(row_of(back) == row_of(row), f"a document gives '{row.name}' back as {row_of(row)}, not {row_of(back)}")

    def test_it_keeps_size_and_mode(self) -> None:
        """At both ends and between, reflected or not, everywhere, on one pixel, 37 × 53, RGB and L."""
        for name, image in _pictures().items():
            for argument, canvas in product(self.arguments(), self.canvases(image)):
                done = self.operation.kernel(image, argument, canvas)
                given = f"'{name}' at {argument}"
                expect(isinstance(done, Image.Image), f"{given} becomes a Pillow image, not {type(done).__name__}")
                expect(done.size == image.size, f"{given} keeps its size {image.size}, not {done.size}")
                expect(done.mode == image.mode, f"{given} keeps its mode {image.mode}, not {done.mode}")

    def test_it_is_deterministic(self) -> None:
        """The same argument and the same canvas give the same pixels: everything random was drawn before."""
        for name, image in _pictures().items():
            for argument, canvas in product(self.arguments(), self.canvases(image)):
                once, again = (self.operation.kernel(image, argument, canvas).tobytes() for _ in range(2))
                expect(once == again, f"'{name}' at {argument} becomes the same pixels a second time")

    def test_it_leaves_its_input_alone(self) -> None:
        """A new image is returned; the one given, and the partner, stay what they were."""
        for name, image in _pictures().items():
            for argument, canvas in product(self.arguments(), self.canvases(image)):
                inputs = [given for given in (image, canvas.partner) if given is not None]
                before = [given.tobytes() for given in inputs]
                self.operation.kernel(image, argument, canvas)
                expect(before == [given.tobytes() for given in inputs], f"'{name}' at {argument} is left as it was")

    def test_its_identity_changes_nothing(self) -> None:
        """At its identity λ, if it has one, every pixel stays; reflected too if it is mirrored."""
        row = self.operation
        if row.identity is None:
            return
        for name, image in _pictures().items():
            for reflected, canvas in product((False, row.mirrored), self.canvases(image)):
                done = row.kernel(image, row.argument(row.identity, reflected=reflected), canvas)
                expect(done.tobytes() == image.tobytes(), f"'{name}' stays as it is at λ = {row.identity}")

    def test_its_matrix_is_six_numbers(self) -> None:
        """A geometric operation has, for every argument and place, a finite map by which its pixels move."""
        if self.operation.matrix is None:
            return
        for argument, canvas in product(self.arguments(), self.canvases(to_pillow(images()["noise"]))):
            matrix = self.operation.matrix(argument, 37, 53, canvas.drawn)
            sound = len(matrix) == 6 and all(math.isfinite(entry) for entry in matrix)
            expect(sound, f"the matrix at {argument} is six finite numbers, not {matrix}")

    def arguments(self) -> list[float]:
        """Return the arguments that are tried."""
        row, magnitudes = self.operation, (0.0, 0.3, 0.5, 0.8, 1.0)
        return sorted({row.argument(at, reflected=turned) for at in magnitudes for turned in (False, row.mirrored)})

    def canvases(self, image: PILImage) -> list[Canvas]:
        """Return the places, with a fill, a filter and a partner, that are tried."""
        fill, partner = self.operation.fill or FILL, image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return [Canvas(fill, Resampling.NEAREST, place, place[::-1], partner) for place in PLACES]


class PolicyContract:
    """What every `Policy` keeps; subclass it and set `policy`."""

    policy: ClassVar[Policy]

    def test_it_comes_back_from_json(self) -> None:
        """Written and read, it is the same policy: the same document and the same draws."""
        text = self.policy.to_json()
        back = parse_policy(text, source="its own document")
        expect(back.to_json() == text, "what is read from its document is written as the same document")
        same = back.draw(seed=0, epoch=0, indices=INDICES) == self.policy.draw(seed=0, epoch=0, indices=INDICES)
        expect(same, "what is read from its document draws the same")

    def test_its_draws_are_keyed(self) -> None:
        """An index's draw depends on seed, epoch and index, not on what else is in the batch or its order."""
        drawn = self.policy.draw(seed=3, epoch=5, indices=INDICES)
        turned = self.policy.draw(seed=3, epoch=5, indices=INDICES[::-1])[::-1]
        alone = [self.policy.draw(seed=3, epoch=5, indices=INDICES[at : at + 1])[0] for at in range(len(INDICES))]
        expect(turned == drawn, "the order of a batch changes no draw")
        expect(alone == drawn, "an image's neighbours in a batch change no draw")
        if any(own != drawn[0] for own in drawn):
            for seed, epoch in ((4, 5), (3, 6)):
                other = self.policy.draw(seed=seed, epoch=epoch, indices=INDICES)
                expect(other != drawn, f"seed {seed} and epoch {epoch} draw something else than seed 3 and epoch 5")

    def test_its_number_of_slots_is_constant(self) -> None:
        """Every draw reads the same number of uniform numbers, and none behind them."""
        slots = self.policy.slots
        for value in (0.0, 0.5, 1 - 2**-53):
            steps = self.policy.steps([value] * slots)
            expect(self.policy.slots == slots, f"it has {slots} slots after a draw as before, not {self.policy.slots}")
            for behind in (0.0, 0.75):
                longer = self.policy.steps([value] * slots + [behind] * 8)
                expect(longer == steps, f"numbers behind its {slots} slots change nothing")
        known = int(self.policy.stages().whole_3[0])
        expect(known == slots, f"its stages have {slots} slots too, not {known}")

    def test_it_draws_from_its_table(self) -> None:
        """Every step is of one of its operations, and its argument on their axis, reflected or not."""
        table = self.policy.table
        for own in self.policy.draw(seed=0, epoch=0, indices=INDICES):
            for row, argument, *_draws in own:
                expect(table.get(row.name) == row, f"'{row.name}' is in its table")
                ends = [row.argument(at, reflected=turned) for at in (0.0, 1.0) for turned in (False, row.mirrored)]
                on_axis = min(ends) - 1e-9 <= argument <= max(ends) + 1e-9
                expect(on_axis, f"an argument of '{row.name}' is {min(ends):g} to {max(ends):g}, not {argument}")

    def test_it_keeps_size_mode_and_input(self) -> None:
        """On one pixel, 37 × 53, RGB and L."""
        for name, image in _pictures().items():
            before, partners = image.tobytes(), [image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
            for own in self.policy.draw(seed=0, epoch=0, indices=INDICES):
                done = self.policy.apply_steps(image, own, partners=partners)
                expect((done.size, done.mode) == (image.size, image.mode), f"'{name}' keeps its size and mode")
                expect(image.tobytes() == before, f"'{name}' is left as it was")

    def test_a_batch_has_the_same_pixels(self) -> None:
        """As a batch every image has the pixels that it has alone."""
        image = to_pillow(images()["scene"])
        partner = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        image_CHW, partner_CHW = (torch.from_numpy(from_pillow(given)).permute(2, 0, 1) for given in (image, partner))
        images_BCHW = image_CHW.expand(len(INDICES), -1, -1, -1).contiguous()
        engine: Engine = "pillow" if missing_for(self.policy)["torch"] else "torch"
        module = self.policy.to_batch(engine=engine, partners=partner_CHW[None].contiguous())
        batch = module(images_BCHW, seed=1, epoch=2, indices=torch.from_numpy(INDICES))
        steps = self.policy.draw(seed=1, epoch=2, indices=INDICES)
        for index, own, done in zip(INDICES, steps, batch.permute(0, 2, 3, 1).numpy(), strict=True):
            alone = from_pillow(self.policy.apply_steps(image, own, partners=[partner]))
            expect(bool((alone == done).all()), f"index {index} has the same pixels in a batch as alone")


def _pictures() -> dict[str, PILImage]:
    """Return the images that are tried: those of the golden set, and one pixel of each mode."""
    pictures = {name: to_pillow(pixels) for name, pixels in images().items()}
    pixel = Image.new("RGB", (1, 1), (7, 99, 201))
    return {**pictures, "one pixel": pixel, "one grey pixel": pixel.convert("L")}
