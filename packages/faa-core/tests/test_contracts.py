"""The contracts for operations and policies: ours keep them, and each fault is found by the test that is for it."""

import json

import pytest
from PIL import ImageChops

from faa_core import Layers, Operation, Policy, Step, operation, plugins, random_policy
from faa_core.operations import operation_names
from faa_core.testing import OperationContract, PolicyContract
from faa_core.testing.writing import layers, noisy, smooth


class TestOurOperations(OperationContract):
    """Every operation that is installed keeps the contract."""

    @pytest.fixture(autouse=True, params=operation_names())
    def _choose(self, request):
        self.operation = operation(request.param)


POLICIES = {
    **{name: name for name in plugins.names("faa.policies")},
    "random": random_policy(5, seed=1),
    "layers": layers(),
    "noisy": noisy(),
    "smooth": smooth(),
}


class TestOurPolicies(PolicyContract):
    """Every policy that is installed keeps the contract, and one of each further kind."""

    @pytest.fixture(autouse=True, params=list(POLICIES))
    def _choose(self, request):
        given = POLICIES[request.param]
        self.policy = Policy.load(given) if isinstance(given, str) else given


def grows(image, _argument, _canvas):
    return image.resize((image.width + 1, image.height))


def greys(image, _argument, _canvas):
    return image.convert("L")


def writes(image, _argument, _canvas):
    image.putpixel((0, 0), 0)
    return image


def counts(image, _argument, _canvas, calls=[0]):  # noqa: B006 the fault that is to be found
    calls[0] += 1
    return ImageChops.constant(image.convert("L"), calls[0] % 256).convert(image.mode)


def broken(**fields):
    """Return an operation with a fault."""
    return Operation(**{"name": "Invert", "base": "Invert", "kernel": operation("Invert").kernel} | fields)


@pytest.mark.parametrize(
    ("row", "test"),
    [
        (broken(kernel=grows), "test_it_keeps_size_and_mode"),
        (broken(kernel=greys), "test_it_keeps_size_and_mode"),
        (broken(kernel=writes), "test_it_leaves_its_input_alone"),
        (broken(kernel=counts), "test_it_is_deterministic"),
        (broken(identity=0.5), "test_its_identity_changes_nothing"),
        (broken(low=float("nan")), "test_its_axis_is_sound"),
        (broken(kernel=grows), "test_it_can_be_written"),
        (broken(matrix=lambda *_given: (1, 0, 0)), "test_its_matrix_is_six_numbers"),
    ],
)
def test_the_operation_contract_finds(row, test):
    """Each fault by the test that is for it."""
    contract = type("Broken", (OperationContract,), {"operation": row})()
    with pytest.raises(AssertionError, match="Not kept: "):
        getattr(contract, test)()


class Unkeyed(Layers):
    """Draws by the order of the calls, and reads behind its slots."""

    def draw(self, *, seed, epoch, indices):
        return [self.steps([at / 64] * self.slots) for at in range(len(indices))]

    def steps(self, row):
        steps = super().steps(row)
        return steps * 2 if len(row) > self.slots else steps

    def apply_steps(self, image, steps, *, partners=()):
        return super().apply_steps(image, steps[:1]).rotate(180).resize((9, 9))


@pytest.mark.parametrize(
    "test",
    [
        "test_its_draws_are_keyed",
        "test_its_number_of_slots_is_constant",
        "test_it_keeps_size_mode_and_input",
        "test_it_comes_back_from_json",
        "test_it_draws_from_its_table",
    ],
)
def test_the_policy_contract_finds(test):
    """Each fault by the test that is for it."""
    faulty = Unkeyed.model_validate(json.loads(layers().to_json()))
    if test == "test_it_draws_from_its_table":
        step = Step(operation("Rotate"), 31.0, (0.5, 0.5))
        faulty = type("Off", (Unkeyed,), {"draw": lambda *_a, **_k: [(step,)]}).model_validate(
            json.loads(layers().to_json())
        )
    contract = type("Broken", (PolicyContract,), {"policy": faulty})()
    with pytest.raises(AssertionError, match="Not kept: "):
        getattr(contract, test)()


def test_a_batch_with_other_pixels_is_found():
    """A policy whose single images are turned has other pixels than its batch."""

    class Turned(Layers):
        def apply_steps(self, image, steps, *, partners=()):
            return super().apply_steps(image, steps, partners=partners).rotate(180)

    policy = Turned.model_validate(json.loads(layers().to_json()))
    contract = type("Broken", (PolicyContract,), {"policy": policy})()
    with pytest.raises(AssertionError, match="same pixels in a batch"):
        contract.test_a_batch_has_the_same_pixels()
