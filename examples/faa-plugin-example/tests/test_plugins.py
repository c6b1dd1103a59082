"""What faa asks of each plugin, and what this package promises beyond it."""

from typing import ClassVar

from faa_plugin_example.sampler import FIRST, suggest
from faa_plugin_example.searcher import LAYERS
from PIL.Image import Resampling

from faa_cli.testing import CommandContract
from faa_core import Policy, operation
from faa_core.operations import Canvas
from faa_core.operations.geometry import inverted
from faa_core.testing import OperationContract, PolicyContract
from faa_search.searching.samplers import PolicySpace, Scored
from faa_search.searching.samplers.uniform import suggest as uniform
from faa_search.testing import SamplerContract, SearcherContract

SPACE = PolicySpace(ops=("Rotate", "Invert", "Color"), sub_policies=2, num_ops=2)


class TestZoom(OperationContract):
    """The operation."""

    operation = operation("Zoom")

    def test_it_enlarges_about_the_centre(self):
        """A point a pixel right of the centre and one below it lie 1.5 pixels away at λ = 1."""
        canvas = Canvas((0, 0, 0), Resampling.NEAREST, (0.5, 0.5), (0.5, 0.5), None)
        a, b, c, d, e, f = inverted(self.operation.matrix(self.operation.argument(1.0), 40, 20, canvas))
        x, y = 21, 11
        assert (round(a * x + b * y + c, 9), round(d * x + e * y + f, 9)) == (21.5, 11.5)


class TestZoomAndLight(PolicyContract):
    """The policy."""

    policy = Policy.load("zoom-and-light")


class TestNearby(SamplerContract):
    """The sampler."""

    name = "nearby"

    def test_it_changes_one_operation_of_the_best(self):
        """Of the trial with the highest reward, wherever it stands in the history."""
        history = [Scored(uniform(SPACE, [], seed), reward) for seed, reward in enumerate((1.0, 3.0, 9.0, 2.0, 4.0))]
        assert len(history) == FIRST
        for seed in range(100, 120):
            proposed, best = suggest(SPACE, history, seed), history[2].params
            changed = {label.partition("_")[2] for label, value in proposed.items() if best[label] != value}
            assert len(changed) == 1


class TestOneByOne(SearcherContract):
    """The search algorithm."""

    name = "one-by-one"
    settings: ClassVar = {"folds": 2, "views": 1, "keep": 3, "warmup_epochs": 0}

    def test_it_keeps_the_best(self):
        """As many as asked for, each as probable as the others, in both layers."""
        layers = self.found().policy.layers
        assert len(layers) == LAYERS
        assert layers[0] == layers[1]
        assert [choice.probability for choice in layers[0]] == [1 / 3] * 3
        assert len({choice.op for choice in layers[0]}) == 3


class TestAxes(CommandContract):
    """The command."""

    name = "axes"
