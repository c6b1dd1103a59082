"""What every network of ``faa.models`` keeps: timm's contract, as far as trainings and searches use it."""

from typing import Any, ClassVar

import timm
import torch
from torch import Tensor, nn

from faa_core.testing.expecting import expect
from faa_search.training.models import make_model, model_input, register_models

CLASSES = 7
BATCH = 4
TOLERANCE = 1e-4  # between sums of float32 in another order


class ModelContract:
    """What every network keeps; subclass it and set `name`.

    Attributes:
        name: timm's.
        options: More arguments of the model.
        unused: Names of parameters that need no gradient of the logits, as those that another loss trains.
    """

    name: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    unused: ClassVar[tuple[str, ...]] = ()

    def make(self, *, classes: int = CLASSES, seed: int = 0, **options: Any) -> Any:
        """Return the network, as trainings make it."""
        size = options.pop("size", self.size)
        every = self.options | options
        return make_model(self.name, classes=classes, pretrained=False, size=size, seed=seed, options=every)

    @property
    def size(self) -> int:
        """Side in pixels that its default configuration names."""
        return model_input(self.name).size

    def test_it_is_registered(self) -> None:
        """It is timm's once the packages' modules are imported, with a size, a mean and a standard deviation."""
        broken = [status.error for status in register_models()]
        known = timm.is_model(self.name)
        expect(known, f"importing the modules of faa.models registers '{self.name}' with timm; broken: {broken}")
        expected = model_input(self.name)
        sound = expected.size > 0 and all(0 < value < 1 for value in (*expected.mean, *expected.std))
        expect(sound, f"its default_cfg has an input size, and mean and std in 0 to 1, not {expected}")

    def test_it_has_as_many_outputs_as_classes(self) -> None:
        """Finite logits [B, num_classes] for its own size and, unless it is built for one, for another."""
        self._expect_logits(self.make(), self.size)
        config = timm.get_pretrained_cfg(self.name)
        other = 2 * self.size
        takes_size = config is not None and config.fixed_input_size
        self._expect_logits(self.make(size=other) if takes_size else self.make(), other)

    def test_it_takes_other_channels(self) -> None:
        """in_chans=1 makes a network for grey images."""
        grey = timm.create_model(self.name, num_classes=CLASSES, in_chans=1, **self.options)
        self._expect_logits(grey, self.size, channels=1)

    def test_its_head_can_be_replaced(self) -> None:
        """reset_classifier gives it another number of outputs, 0 leaves features; num_classes follows."""
        model = self.make()
        model.reset_classifier(CLASSES + 2)
        expect(model.num_classes == CLASSES + 2, f"num_classes follows reset_classifier, not {model.num_classes}")
        self._expect_logits(model, self.size, classes=CLASSES + 2)
        model.reset_classifier(0)
        self._expect_logits(model, self.size, classes=model.num_features)
        self._expect_logits(self.make(classes=0), self.size, classes=model.num_features)

    def test_its_forward_has_two_parts(self) -> None:
        """The same as forward_features, then forward_head; pre_logits=True ends before the classifier."""
        model, images = self.make().eval(), _images(self.size)
        with torch.no_grad():
            features = model.forward_features(images)
            whole, parts = model(images), model.forward_head(features)
            before = model.forward_head(features, pre_logits=True)
        expect(_close(whole, parts), "forward is forward_features and forward_head, one after the other")
        shape = (BATCH, getattr(model, "head_hidden_size", None) or model.num_features)
        expect(before.shape == shape, f"forward_head(…, pre_logits=True) has the shape {shape}, not {before.shape}")
        classifier = model.get_classifier()
        expect(isinstance(classifier, nn.Module), f"get_classifier returns the last layer, not {type(classifier)}")

    def test_it_trains(self) -> None:
        """A step of SGD has a finite loss and gradient everywhere, and changes the weights."""
        model = self.make().train()
        with torch.random.fork_rng():
            torch.manual_seed(0)  # of what is stochastic in training
            loss = nn.functional.cross_entropy(model(_images(self.size)), torch.arange(BATCH) % CLASSES)
            loss.backward()  # type: ignore[no-untyped-call]
        expect(bool(loss.isfinite()), f"the loss of a training step is finite, not {loss.item()}")
        before = model.get_classifier().weight.detach().clone()
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad or name in self.unused:
                continue
            expect(parameter.grad is not None, f"{name} gets a gradient; if it needs none, name it in `unused`")
            expect(bool(parameter.grad.isfinite().all()), f"the gradient of {name} is finite")
        torch.optim.SGD(model.parameters(), lr=0.1).step()
        expect(not torch.equal(before, model.get_classifier().weight), "a step changes the classifier's weights")

    def test_it_is_deterministic_in_evaluation(self) -> None:
        """The same images have the same logits again, and an image's neighbours do not count."""
        model, images = self.make().eval(), _images(self.size)
        with torch.no_grad():
            once, again, turned = model(images), model(images), model(images.flip(0)).flip(0)
        expect(torch.equal(once, again), "the same images have the same logits again in evaluation")
        expect(_close(once, turned), "an image has the same logits in evaluation whatever else is in the batch")

    def test_its_weights_are_its_state(self) -> None:
        """The seed keys them; loaded into another network of its kind they give the same logits."""
        model, same, other = self.make(seed=1), self.make(seed=1), self.make(seed=2)
        state, images = model.state_dict(), _images(self.size)
        for name, value in state.items():
            expect(isinstance(value, Tensor), f"state_dict holds tensors; {name} is {type(value).__name__}")
            expect(torch.equal(value, same.state_dict()[name]), f"the same seed gives the same {name}")
        differ = any(not torch.equal(value, other.state_dict()[name]) for name, value in state.items())
        expect(differ, "another seed gives other weights, as they are drawn from torch's generator")
        other.load_state_dict(state)
        with torch.no_grad():
            before, after = model.eval()(images), other.eval()(images)
        expect(torch.equal(before, after), "a network with the state of another gives its logits")

    def _expect_logits(self, model: Any, size: int, *, classes: int = CLASSES, channels: int = 3) -> None:
        given = f"images [{BATCH}, {channels}, {size}, {size}]"
        try:
            with torch.no_grad():
                logits = model.eval()(_images(size, channels))
        except Exception as error:
            raise AssertionError(f"Not kept: {given} become logits, not {type(error).__name__}: {error}.") from error
        expect(logits.shape == (BATCH, classes), f"{given} become [{BATCH}, {classes}], not {[*logits.shape]}")
        expect(bool(logits.isfinite().all()), f"{given} become finite numbers")


def _images(size: int, channels: int = 3) -> Tensor:
    """Return normalised images, always the same."""
    return torch.randn(BATCH, channels, size, size, generator=torch.Generator().manual_seed(0))


def _close(one: Tensor, other: Tensor) -> bool:
    return bool(torch.allclose(one, other, atol=TOLERANCE, rtol=TOLERANCE))
