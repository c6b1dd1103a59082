"""The contracts for samplers, executors, data sets and networks: ours keep them, and each fault is found."""

import dataclasses
import itertools
import random  # noqa: TID251 a sampler that draws from it is the fault
from concurrent.futures import Future
from contextlib import nullcontext
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from faa_search.data import ArraySource
from faa_search.searching.samplers.uniform import suggest as uniform
from faa_search.testing import DatasetContract, ExecutorContract, ModelContract, SamplerContract
from faa_search.testing.tasks import Bench
from faa_search.workers.executors.local import Local
from faa_search.workers.executors.protocol import ExecutorOptions
from faa_search.workers.executors.ray_cluster import ray_cluster

needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra optuna is not installed")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")


class TestOurSamplers(SamplerContract):
    """Every sampler that comes with the package keeps the contract."""

    @pytest.fixture(autouse=True, params=["tpe", "random", pytest.param("optuna", marks=needs_optuna)])
    def _choose(self, request):
        self.name = request.param


@pytest.fixture(scope="module")
def _ray():
    """One cluster for all, as starting one takes long."""
    with ray_cluster(ExecutorOptions(device="cpu", processes=2, threads=1)):
        yield


@pytest.mark.filterwarnings("ignore:unclosed file.*ray:ResourceWarning")
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
class TestOurExecutors(ExecutorContract):
    """Each that needs no launcher; tests/test_distributed.py has the one that does."""

    @pytest.fixture(autouse=True, params=["local", "processes", pytest.param("ray", marks=needs_ray)])
    def _choose(self, request):
        self.name = request.param
        self.processes = 1 if self.name == "local" else 2
        if self.name == "ray":
            request.getfixturevalue("_ray")


class TestDigits(DatasetContract):
    """The data set that comes with scikit-learn keeps the contract."""

    name = "digits"


class TestOurModels(ModelContract):
    """A small network of each family keeps the contract."""

    @pytest.fixture(autouse=True, params=["wrn10_1", "shakeshake26_2x32d", "skipnet"])
    def _choose(self, request):
        self.name = request.param


class TestOneOfTimms(ModelContract):
    """So does one that is built for one size of images."""

    name = "vit_tiny_patch16_224"


def found(contract, test, message="Not kept: "):
    """Run a contract's test, which must find the fault."""
    with pytest.raises(AssertionError, match=message):
        getattr(contract, test)()


class Sampled:
    """A sampler that counts its calls."""

    calls = 0

    def __call__(self, space, history, seed):
        self.calls += 1
        return uniform(space, history, seed + self.calls)


def integral(space, history, seed):
    return {name: 1 if name.startswith("p_") else value for name, value in uniform(space, history, seed).items()}


def typed(space, history, seed):
    return {name: np.float32(0.5) if name.startswith("p_") else v for name, v in uniform(space, history, seed).items()}


def doubled(space, history, seed):
    return {name: np.float64(v) if name.startswith("p_") else v for name, v in uniform(space, history, seed).items()}


def emptying(space, history, seed):
    if isinstance(history, list):
        history.clear()
    return uniform(space, history, seed)


def foreign(space, history, seed):
    return uniform(space, history, seed) | {f"op_{space.uses()[0]}": "Posterize"}


def outside(space, history, seed):
    return uniform(space, history, seed) | {f"p_{space.uses()[0]}": 1.25}


def verbose(space, history, seed):
    return uniform(space, history, seed) | {"why": 0.5}


def global_draw(space, history, _seed):
    return uniform(space, history, random.randrange(1000))  # noqa: S311


def numpys_draw(space, history, _seed):
    return uniform(space, history, int(np.random.randint(1000)))  # noqa: NPY002


def torchs_draw(space, history, seed):
    torch.rand(1)
    return uniform(space, history, seed)


def clearing(space, history, seed):
    if isinstance(history, list):
        history.sort(key=lambda scored: scored.reward)
    return uniform(space, history, seed)


def unseeded(space, history, _seed):
    return uniform(space, history, len(history))


def hashed(space, history, _seed):
    return uniform(space, history, hash("a word") % 1000)


class Remembering:
    """Keeps the proposal of each length of a history, whatever is in it."""

    def __init__(self):
        self.kept = {}

    def __call__(self, space, history, seed):
        key = (space, len(history), seed)
        if key not in self.kept:
            self.kept[key] = history[0].params if history else uniform(space, history, seed)
        return self.kept[key]


def intolerant(space, history, seed):
    return uniform(space, history, seed + int(sum(scored.reward for scored in history)))


@pytest.mark.parametrize(
    ("sampler", "test", "message"),
    [
        (foreign, "test_its_proposals_are_of_the_space", "op_0_0 is 'Posterize'"),
        (outside, "test_its_proposals_are_of_the_space", "p_0_0 is 1.25"),
        (integral, "test_its_proposals_are_of_the_space", "p_0_0 is 1"),
        (verbose, "test_its_proposals_are_of_the_space", "'why'"),
        (typed, "test_its_proposals_can_be_written", "p_0_0 is of a type of Python's, not float32"),
        (doubled, "test_its_proposals_can_be_written", "p_0_0 is of a type of Python's, not float64"),
        (emptying, "test_it_changes_nothing", "the history"),
        (Sampled(), "test_it_depends_on_its_arguments_alone", "the same space, history and seed"),
        (global_draw, "test_it_depends_on_its_arguments_alone", "the same space, history and seed"),
        (numpys_draw, "test_it_changes_nothing", "of numpy"),
        (global_draw, "test_it_changes_nothing", "of Python"),
        (torchs_draw, "test_it_changes_nothing", "of torch"),
        (clearing, "test_it_changes_nothing", "the history"),
        (unseeded, "test_its_seed_counts", "more than one proposal"),
        (Sampled(), "test_resuming_is_as_going_on", "goes on from its journal"),
    ],
)
def test_the_sampler_contract_finds(sampler, test, message):
    """Each fault by the test that is for it."""
    found(type("Broken", (SamplerContract,), {"name": "random", "sampler": lambda _self: sampler})(), test, message)


@pytest.mark.parametrize("sampler", [hashed, Remembering()])
def test_the_sampler_contract_looks_into_another_process(sampler):
    """There nothing is kept, and Python hashes words in another order."""
    contract = type("Broken", (SamplerContract,), {"name": "random", "sampler": lambda _self: sampler})()
    found(contract, "test_another_process_proposes_the_same", "another process")


def test_a_sampler_that_fails_on_nan_is_found():
    """With the error that it raises."""
    contract = type("Broken", (SamplerContract,), {"name": "random", "sampler": lambda _self: intolerant})()
    with pytest.raises(ValueError, match="NaN"):
        contract.test_it_gets_over_trials_without_a_reward()


class Swapping(Local):
    """Gives each future the result of the task before."""

    last = None

    def submit(self, task):
        future, own = Future(), super().submit(task)
        if own.exception() is not None:
            return own
        future.set_result(self.last)
        self.last = own.result()
        return future


class Telling(Local):
    """Turns exceptions into texts."""

    def submit(self, task):
        own = super().submit(task)
        if own.exception() is None:
            return own
        future = Future()
        future.set_exception(RuntimeError(str(own.exception())))
        return future


class Cutting(Local):
    """Shares a part."""

    def share(self, name, content):
        super().share(name, content[:1000])


class Keeping(Local):
    """Keeps the first content of a name."""

    names = ()

    def share(self, name, content):
        if name not in self.names:
            super().share(name, content)
            self.names = (*self.names, name)


class Anew(Local):
    """Calls the setup for each task."""

    def submit(self, task):
        return super().submit(lambda bench: task(Bench(bench.place)))


class Elsewhere(Local):
    """Says that it works elsewhere."""

    in_process = False


class Deaf(Local):
    """Goes on after stop."""

    def stop(self):
        pass


@pytest.mark.parametrize(
    ("kind", "test", "message"),
    [
        (Swapping, "test_its_tasks_come_out_as_anywhere", "result of its task"),
        (Telling, "test_its_tasks_come_out_as_anywhere", "FaaError"),
        (Cutting, "test_its_tasks_come_out_as_anywhere", "arrive whole"),
        (Keeping, "test_its_tasks_come_out_as_anywhere", "shared again"),
        (Anew, "test_its_tasks_come_out_as_anywhere", "once in each worker"),
        (Elsewhere, "test_its_tasks_come_out_as_anywhere", "in_process"),
        (Deaf, "test_stop_drops_what_waits", "after stop"),
    ],
)
def test_the_executor_contract_finds(kind, test, message):
    """Each fault by the test that is for it."""
    start = lambda _self: nullcontext(kind(Bench, "cpu"))  # noqa: E731
    found(type("Broken", (ExecutorContract,), {"start": start})(), test, message)


def opened(**changes):
    """Return the digits with changes, anew each time."""

    class Changed(DatasetContract):
        name = "digits"

        def open(self, request=None):
            splits = super().open(request)
            return dataclasses.replace(splits, **{key: change(splits) for key, change in changes.items()})

    return Changed()


def train_with(**changes):
    """Return the digits with another training split."""

    def change(splits):
        made = {field: make(splits.train) for field, make in changes.items()}
        return dataclasses.replace(splits.train, **made)

    return opened(train=change)


class Turning(ArraySource):
    """Other images each time."""

    calls = itertools.count()

    def image(self, index):
        return super().image((index + next(self.calls)) % len(self))


class Backwards(ArraySource):
    """A subset that sorts."""

    def subset(self, indices):
        return super().subset(np.sort(indices))


class Grey(ArraySource):
    """Images of mode L."""

    def image(self, index):
        return super().image(index).convert("L")


def as_kind(kind):
    def change(splits):
        train = splits.train
        return kind(train.stored, train.labels, train.class_names, train.positions)

    return change


@pytest.mark.parametrize(
    ("contract", "test", "message"),
    [
        (train_with(labels=lambda train: train.labels + 1), "test_its_labels_are_of_its_classes", "0 to 9"),
        (train_with(labels=lambda train: train.labels.astype(np.int32)), "test_its_labels_are_of_its_classes", "int64"),
        (train_with(labels=lambda train: train.labels.clip(max=8)), "test_its_labels_are_of_its_classes", "none .*9"),
        (
            train_with(class_names=lambda train: ("0", *train.class_names[:9])),
            "test_its_labels_are_of_its_classes",
            "its own name",
        ),
        (opened(native_size=lambda _splits: 9), "test_its_images_are_rgb", "native size 9"),
        (opened(train=as_kind(Grey)), "test_its_images_are_rgb", "mode RGB, not L"),
        (opened(train=as_kind(Turning)), "test_it_gives_the_same_images_again", "asked for again"),
        (opened(train=as_kind(Backwards)), "test_its_subsets_keep_the_order", "in order"),
        (opened(open_test=lambda splits: splits.train), "test_its_test_split_is_opened_by_calling", "a function"),
        (opened(test_images=lambda _splits: 999), "test_its_test_split_is_opened_by_calling", "999, not 1000"),
    ],
)
def test_the_data_set_contract_finds(contract, test, message):
    """Each fault by the test that is for it."""
    found(contract, test, message)


def test_a_data_set_that_fails_on_a_wrong_request_is_found():
    """Where it should say what was wrong."""

    class Failing(DatasetContract):
        name = "digits"

        def open(self, request=None):
            if request is not None and request.data_dir:
                raise FileNotFoundError(request.data_dir)
            return super().open(request)

    found(Failing(), "test_it_refuses_in_words", "FileNotFoundError")
