"""The contract for networks finds each fault, by the test that is for it."""

import pytest
import timm
import torch
from torch import nn

from faa_search.testing import ModelContract


class Net(nn.Module):
    """A network as timm's are, sound so far."""

    def __init__(self, num_classes=7, in_chans=3):
        super().__init__()
        self.num_features = 6
        self.stem = nn.Conv2d(in_chans, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.reset_classifier(num_classes)

    def get_classifier(self):
        return self.fc

    def reset_classifier(self, num_classes):
        self.num_classes = num_classes
        self.fc = nn.Linear(6, num_classes) if num_classes else nn.Identity()

    def forward_features(self, x):
        return self.norm(self.stem(x)).relu()

    def forward_head(self, x, pre_logits=False):
        pooled = x.mean((2, 3))
        return pooled if pre_logits else self.fc(pooled)

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


class Seven(Net):
    """Has seven classes, whatever is asked for."""

    def reset_classifier(self, num_classes):
        super().reset_classifier(7)


class Coloured(Net):
    """Takes images of three channels only."""

    def __init__(self, num_classes=7, in_chans=3):
        super().__init__(num_classes)


class Blind(Net):
    """Has a parameter that nothing uses."""

    def __init__(self, **options):
        super().__init__(**options)
        self.spare = nn.Parameter(torch.zeros(3))


class Exploding(Net):
    """Has no finite logits in training."""

    def forward(self, x):
        return super().forward(x) * (float("inf") if self.training else 1)


class Scaled(Net):
    """Does more than its parts."""

    def forward(self, x):
        return 2 * super().forward(x)


class Whole(Net):
    """Has no features before the classifier."""

    def forward_head(self, x, pre_logits=False):
        return super().forward_head(x)


class Drawing(Net):
    """Draws in evaluation."""

    def forward(self, x):
        return super().forward(x) + torch.rand(1)


class Neighbourly(Net):
    """Looks at the first image of the batch."""

    def forward(self, x):
        return super().forward(x) + x[:1].mean()


class Hidden(Net):
    """Has a weight that its state does not hold."""

    def __init__(self, **options):
        super().__init__(**options)
        self.shift = torch.rand(1)

    def forward(self, x):
        return super().forward(x) + self.shift


class Unseeded(Net):
    """Draws its weights from a generator of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.stem.weight.data = torch.randn(self.stem.weight.shape, generator=torch.Generator().manual_seed(id(self)))


class Constant(Net):
    """Begins with the same weights, whatever the seed."""

    def __init__(self, **options):
        super().__init__(**options)
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.5)


@pytest.mark.parametrize(
    ("kind", "test", "message"),
    [
        (Seven, "test_its_head_can_be_replaced", "num_classes follows"),
        (Coloured, "test_it_takes_other_channels", "become logits, not RuntimeError"),
        (Blind, "test_it_trains", "spare gets a gradient"),
        (Exploding, "test_it_trains", "loss of a training step is finite"),
        (Scaled, "test_its_forward_has_two_parts", "one after the other"),
        (Whole, "test_its_forward_has_two_parts", "pre_logits"),
        (Drawing, "test_it_is_deterministic_in_evaluation", "again in evaluation"),
        (Neighbourly, "test_it_is_deterministic_in_evaluation", "whatever else"),
        (Hidden, "test_its_weights_are_its_state", "the state of another"),
        (Unseeded, "test_its_weights_are_its_state", "the same seed"),
        (Constant, "test_its_weights_are_its_state", "another seed"),
    ],
)
def test_it_finds(monkeypatch, kind, test, message):
    """A network that timm knows by a name only here; the sound one passes the same test."""
    for made, faulty in ((Net, False), (kind, True)):
        monkeypatch.setitem(timm.models._registry._model_entrypoints, "faulty", entry(made))
        contract = type("Of", (ModelContract,), {"name": "faulty", "size": 12})()
        monkeypatch.setattr(timm, "is_model", lambda _name: True)
        if not faulty:
            getattr(contract, test)()
            continue
        with pytest.raises(AssertionError, match=f"Not kept: .*{message}"):
            getattr(contract, test)()


def test_a_name_that_timm_does_not_know_is_found():
    """With the modules that do not load."""
    with pytest.raises(AssertionError, match="registers 'no_such_network' with timm"):
        type("Of", (ModelContract,), {"name": "no_such_network"})().test_it_is_registered()


def entry(kind):
    """Return what timm calls to make a network."""

    def make(pretrained=False, **options):
        taken = {name: value for name, value in options.items() if name in ("num_classes", "in_chans")}
        return kind(**taken)

    return make
