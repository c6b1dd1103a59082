"""What changes no pixel of a batch: its split, order, layout, threads, processes, copies of the module, the compiler.

Shapes: B images, C channels, H × W pixels.
"""

import copy
import pickle  # noqa: TID251 data loaders pickle what they send to their workers
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from faa_core import FaaError, Policy, random_policy
from faa_core.applying import Baseline, Normalize, PolicyBatch
from faa_core.operations import operation_names

EVERY = tuple(operation_names())
COUNT = 96
ENGINES = (
    "torch",
    "pillow",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
NORMALIZE = Normalize(mean=(0.49, 0.48, 0.45), std=(0.25, 0.24, 0.26))


def images_of(count: int = COUNT, channels: int = 3, height: int = 19, width: int = 23) -> Tensor:
    """Return noise, uint8 ``[B, C, H, W]``."""
    pixels = np.random.default_rng(4).integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    return torch.from_numpy(pixels)


def module_of(engine: str, *, normalize: Normalize | None = None, own: Policy | None = None) -> PolicyBatch:
    """Return a module with every operation the engine has, partners to mix in, and a baseline."""
    usual = tuple(name for name in EVERY if engine != "numba" or name != "RandomResizedCrop")
    policy = own or random_policy(400, seed=8, num_ops=3, ops=usual)
    baseline = Baseline(pad=4, hflip=0.5, cutout=7, fill=(120, 5, 77))
    return policy.to_batch(engine=engine, baseline=baseline, normalize=normalize, partners=images_of(5).flip(0))


def run(module: PolicyBatch, images: Tensor, indices: Tensor, *, seed: int = 3, epoch: int = 2) -> Tensor:
    """Return the augmented batch."""
    return module(images, seed=seed, epoch=epoch, indices=indices)


INDICES = torch.arange(COUNT) * 37 % 1009


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_with_plain_torch(engine: str) -> None:
    """Policy, partners, baseline and normalisation together, to the bit; and the images do change."""
    usual = random_policy(400, seed=8, num_ops=3, ops=tuple(name for name in EVERY if name != "RandomResizedCrop"))
    for normalize in (None, NORMALIZE):
        results = [
            run(module_of(name, normalize=normalize, own=usual), images_of(), INDICES) for name in ("torch", engine)
        ]
        assert results[0].dtype == (torch.float32 if normalize else torch.uint8)
        assert torch.equal(*results)
    changed_B = (run(module_of(engine, own=usual), images_of(), INDICES) != images_of()).flatten(1).any(1)
    assert changed_B.sum() == COUNT  # the cutout alone changes all of them


@pytest.mark.parametrize("normalize", [None, NORMALIZE])
@pytest.mark.parametrize("engine", ENGINES)
def test_splits_order_and_repetition_change_nothing(engine: str, normalize: Normalize | None) -> None:
    """An image's result depends on the image and its index alone: halves, thirds, singles, shuffled, twice."""
    module, images = module_of(engine, normalize=normalize), images_of()
    whole = run(module, images, INDICES)
    for size in (48, 31, 1):
        parts = zip(images.split(size), INDICES.split(size), strict=True)
        assert torch.equal(whole, torch.cat([run(module, *part) for part in parts]))
    order = torch.from_numpy(np.random.default_rng(0).permutation(COUNT))
    assert torch.equal(whole[order], run(module, images[order], INDICES[order]))
    twice = torch.tensor([5, 5, 90, 5, 0, 90])
    assert torch.equal(whole[twice], run(module, images[twice], INDICES[twice]))


@pytest.mark.parametrize("engine", ENGINES)
def test_layout_changes_nothing_and_the_input_stays(engine: str) -> None:
    """Channels last, strides, views into a larger tensor and expanded images; the result is new and contiguous."""
    module, images = module_of(engine), images_of()
    expected = run(module, images, INDICES)
    padded = torch.zeros(COUNT, 3, 25, 29, dtype=torch.uint8)
    padded[:, :, 3:22, 2:25] = images
    layouts = {
        "channels last": images.contiguous(memory_format=torch.channels_last),
        "transposed": images.transpose(2, 3).contiguous().transpose(2, 3),
        "batch last": images.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
        "part of a larger one": padded[:, :, 3:22, 2:25],
        "every second": torch.stack([images, images], dim=1).flatten(0, 1)[::2],
    }
    for name, given in layouts.items():
        before = given.clone()
        result = run(module, given, INDICES)
        assert torch.equal(expected, result), name
        assert result.is_contiguous(), name
        assert torch.equal(before, given), name
        assert result.data_ptr() != given.data_ptr(), name
    strided = torch.stack([INDICES, -INDICES], dim=1)[:, 0]
    assert torch.equal(expected, run(module, images, strided))
    same = images[:1].expand(COUNT, -1, -1, -1)
    assert torch.equal(run(module, same.contiguous(), INDICES), run(module, same, INDICES))
    partners = images_of(5).flip(0)
    assert torch.equal(partners, module.partners)


@pytest.mark.parametrize("engine", ENGINES)
def test_doing_nothing_gives_a_copy(engine: str) -> None:
    """With the policy `none` the pixels come back in a tensor of their own."""
    images = images_of()
    result = run(Policy.load("none").to_batch(engine=engine), images, INDICES)
    assert torch.equal(images, result)
    result.zero_()
    assert images.any()


@pytest.mark.parametrize("normalize", [None, NORMALIZE])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_batch_is_one(engine: str, normalize: Normalize | None) -> None:
    """No images give no images, of the type the others have."""
    for own in (None, Policy.load("none")):
        module = module_of(engine, normalize=normalize, own=own)
        result = run(module, images_of(0), INDICES[:0])
        assert ((0, 3, 19, 23), run(module, images_of(1), INDICES[:1]).dtype) == (result.shape, result.dtype)


@pytest.mark.parametrize("engine", ENGINES)
def test_seed_and_epoch_change_the_draw(engine: str) -> None:
    """And the module keeps none of them: the first draw comes back."""
    module, images = module_of(engine), images_of()
    first = run(module, images, INDICES)
    for seed, epoch in ((4, 2), (3, 3), (2, 3)):
        other = run(module, images, INDICES, seed=seed, epoch=epoch)
        assert (other != first).flatten(1).any(1).sum() > COUNT - 3
    assert torch.equal(first, run(module, images, INDICES))


@pytest.mark.parametrize("engine", ENGINES)
def test_copies_of_a_module_do_the_same(engine: str) -> None:
    """Pickled, copied, moved, in evaluation mode; nothing of it goes into a state dict."""
    module, images = module_of(engine, normalize=NORMALIZE), images_of()
    expected = run(module, images, INDICES)
    for other in (
        pickle.loads(pickle.dumps(module)),  # noqa: S301 our own bytes
        copy.deepcopy(module),
        module.to("cpu"),
        module.eval(),
    ):
        assert torch.equal(expected, run(other, images, INDICES))
    assert module.state_dict() == {}
    assert list(module.parameters()) == []
    assert engine in repr(module)


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "pillow"])
def test_other_devices_around_change_nothing(engine: str) -> None:
    """A default device elsewhere, or a module that was moved there without partners, does not matter to the images."""
    for normalize in (None, NORMALIZE):
        module = module_of(engine, normalize=normalize)
        expected = run(module, images_of(), INDICES)
        with torch.device("meta"):
            got = run(module, images_of(), INDICES)
        assert torch.equal(expected, got)
        alone = Policy.load("fa-reduced-cifar10").to_batch(engine=engine, normalize=normalize)
        expected = run(alone, images_of(), INDICES)
        assert torch.equal(expected, run(alone.to("meta"), images_of(), INDICES))


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_at_the_same_time(engine: str) -> None:
    """Eight calls of one module on four threads, with different images and epochs, give what they give one by one."""
    module = module_of(engine, normalize=NORMALIZE)
    calls = [(images_of(COUNT, 3, 19 + at, 23 + at % 3), at) for at in range(8)]

    def one(call: tuple[Tensor, int]) -> Tensor:
        images, epoch = call
        own = module_of(engine, own=module.policy, normalize=NORMALIZE)  # partners have to be of the images' size
        own.partners = images[:5]
        return run(own, images, INDICES, epoch=epoch)

    expected = [one(call) for call in calls]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert all(map(torch.equal, expected, pool.map(one, calls)))
        shared = list(pool.map(lambda epoch: run(module, images_of(), INDICES, epoch=epoch), range(8)))
    for epoch, result in enumerate(shared):
        assert torch.equal(result, run(module, images_of(), INDICES, epoch=epoch))


class Indices(Dataset[int]):
    """A data set of nothing but its indices."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> int:
        return index


@dataclass(frozen=True)
class Collate:
    """Augments the images of a batch where the loader collates them: in its worker processes."""

    module: PolicyBatch

    def __call__(self, indices: list[int]) -> Tensor:
        """Return the batch of some indices."""
        at = torch.tensor(indices)
        return run(self.module, images_of()[at], INDICES[at])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("engine", ENGINES)
def test_loader_workers_change_nothing(engine: str) -> None:
    """In this process, or in two that are forked after the module has been used."""
    collate = Collate(module_of(engine))
    expected = run(collate.module, images_of(), INDICES)
    for size, workers in ((17, 0), (17, 2), (40, 1)):
        context = "fork" if workers else None
        loader = DataLoader(
            Indices(), batch_size=size, num_workers=workers, collate_fn=collate, multiprocessing_context=context
        )
        assert torch.equal(expected, torch.cat(list(loader))), (size, workers)


def test_fresh_processes_change_nothing() -> None:
    """A process that gets the modules pickled, and imports everything anew, gives the same bits."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for module in (module_of("torch", normalize=NORMALIZE), module_of("auto"), module_of("pillow")):
            there = pool.submit(module, images_of(), seed=3, epoch=2, indices=INDICES).result()
            assert torch.equal(run(module, images_of(), INDICES), there)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("threads", [2, 3, 200])
def test_threads_change_nothing(engine: str, threads: int) -> None:
    """However the images of a batch are shared among them, normalised or not; also of one image and of none."""
    usual = random_policy(400, seed=8, num_ops=3, ops=tuple(name for name in EVERY if name != "RandomResizedCrop"))
    for normalize in (None, NORMALIZE):
        parts = {"normalize": normalize, "partners": images_of(5), "baseline": Baseline(pad=4, hflip=0.5)}
        alone, shared = (usual.to_batch(engine=engine, threads=count, **parts) for count in (1, threads))
        for count in (COUNT, 7, 1, 0):
            images, indices = images_of()[:count], INDICES[:count]
            assert torch.equal(run(alone, images, indices), run(shared, images, indices))


@pytest.mark.parametrize("threads", [0, -1, 1025, 1.5, None, "2"])
def test_threads_that_there_cannot_be(threads: object) -> None:
    with pytest.raises(FaaError, match="`threads` must be a whole number from 1 to 1,024"):
        Policy.load("none").to_batch(threads=threads)  # type: ignore[arg-type]
