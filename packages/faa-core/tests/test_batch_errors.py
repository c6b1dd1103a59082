"""Mistakes with batches are named, and which engine carries one out where something is missing."""

import pickle  # noqa: TID251 loader processes get modules so
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from faa_core import FaaError, Op, Policy, SubPolicies, random_policy
from faa_core.applying import Baseline, EngineStatus, Normalize, PolicyBatch, engine_statuses
from faa_core.engines import choosing
from faa_core.engines.choosing import engine_for, missing_for
from faa_core.policies.document import OperationRow

Install = Callable[..., None]
AUGMENT = SimpleNamespace(stats=SimpleNamespace(cache_path="somewhere"))
INVERT = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
PAIRING = SubPolicies(name="pairs", sub_policies=((Op(op="SamplePairing", p=1.0, magnitude=1.0),),))
CROP = SubPolicies(sub_policies=((Op(op="RandomResizedCrop", p=1.0, magnitude=1.0),),))
SMOOTH = SubPolicies(sub_policies=((Op(op="Rotate", p=1.0, magnitude=1.0),),), interpolation="bilinear")
HALVE = """
from faa_core import Operation

def halve(image, argument, canvas):
    return image.point(lambda value: value // 2)

HALVE = Operation(name="Halve", kernel=halve, base="Halve")
"""


def images_of(*shape: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Return black images."""
    return torch.zeros(shape or (4, 3, 8, 8), dtype=dtype)


def mistake(module: torch.nn.Module, images: Tensor, indices: object = None) -> str:
    """Return what the module says about a batch."""
    indices = torch.arange(len(images)) if indices is None else indices
    with pytest.raises(FaaError) as caught:
        module(images, seed=0, epoch=0, indices=indices)
    return str(caught.value)


def available(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let only these optional modules be found, whatever is installed."""
    monkeypatch.setattr(choosing, "find_spec", lambda name: name if name in names else None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.int8, torch.bool])
def test_other_types_of_images(dtype: torch.dtype) -> None:
    """Floating point has to be converted first; the message says what a batch is."""
    text = mistake(INVERT.to_batch(), images_of(4, 3, 8, 8, dtype=dtype))
    remedy = " Of numbers in 0 … 1, give (images * 255).round().to(torch.uint8)." if dtype.is_floating_point else ""
    assert f"A batch is uint8 or uint16 [B, C, H, W], not {dtype} [4, 3, 8, 8].{remedy}" == text


@pytest.mark.parametrize("shape", [(4, 32, 32, 3), (4, 8, 5, 1), (2, 224, 180, 4)])
def test_channels_that_come_last(shape: tuple[int, ...]) -> None:
    """They are not taken for 32 channels of images three pixels wide; the remedy works."""
    images = images_of(*shape)
    text = mistake(INVERT.to_batch(), images)
    assert (
        f"A batch is [B, C, H, W], and {list(shape)} looks like [B, H, W, C]. Give images.permute(0, 3, 1, 2)." == text
    )
    moved = images.permute(0, 3, 1, 2)
    assert INVERT.to_batch()(moved, seed=0, epoch=0, indices=torch.arange(len(images))).shape == moved.shape


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (1, 4, 3, 8, 8)])
def test_other_numbers_of_axes(shape: tuple[int, ...]) -> None:
    """One image needs a batch of one, a video is none."""
    text = mistake(INVERT.to_batch(), images_of(*shape))
    remedy = " Of one image, give images[None]." if len(shape) == 3 else ""
    assert f"A batch is uint8 or uint16 [B, C, H, W], not torch.uint8 {list(shape)}.{remedy}" == text


@pytest.mark.parametrize("shape", [(2, 0, 8, 8), (2, 3, 0, 8), (2, 3, 8, 0), (1, 1, 8193, 1), (1, 1, 1, 8193)])
def test_images_without_pixels_or_too_large(shape: tuple[int, ...]) -> None:
    """Sides of 1 to 8,192."""
    text = mistake(INVERT.to_batch(), images_of(*shape))
    assert f"Images need a channel and sides of 1 to 8,192 pixels, not {list(shape[1:])}." == text


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_the_longest_side_works(engine: str) -> None:
    """8,192 pixels, in either direction, and far more channels than that has none of these limits."""
    for shape in ((1, 3, 8192, 2), (1, 1, 2, 8192), (1, 9000, 1, 1)):
        result = INVERT.to_batch(engine=engine)(images_of(*shape), seed=0, epoch=0, indices=torch.tensor([0]))
        assert (result == 255).all()


@pytest.mark.parametrize(
    ("indices", "given"),
    [
        (torch.arange(3), "torch.int64 [3] on cpu"),
        (torch.arange(4).reshape(4, 1), "torch.int64 [4, 1] on cpu"),
        (torch.tensor(0), "torch.int64 [] on cpu"),
        (torch.arange(4, dtype=torch.int32), "torch.int32 [4] on cpu"),
        (torch.arange(4.0), "torch.float32 [4] on cpu"),
        (torch.arange(4, device="meta"), "torch.int64 [4] on meta"),
    ],
)
def test_other_indices(indices: Tensor, given: str) -> None:
    """One whole number for each image, on the host."""
    text = mistake(INVERT.to_batch(), images_of(), indices)
    assert "`indices` must be int64 [4] on the CPU, where the draws are made without waiting for the device" in text
    assert text.endswith(f"; not {given}.")


def test_an_unknown_engine() -> None:
    """Answered with all there are."""
    expected = "There is no engine 'cuda'; there are triton, numba, torch, pillow and auto."
    with pytest.raises(FaaError, match=f"^{re.escape(expected)}$"):
        INVERT.to_batch(engine="cuda")


def test_sample_pairing_needs_partners() -> None:
    """When the module is made, with the policy's name and what to give."""
    expected = (
        "The policy 'pairs' mixes in other images (SamplePairing). Only `faa train` and `faa compare` give it some; "
        "take a policy without elsewhere. In Python, give `partners`, uint8 [M, C, H, W]."
    )
    for partners in (None, images_of(0, 3, 8, 8)):
        with pytest.raises(FaaError, match=f"^{re.escape(expected)}$"):
            PAIRING.to_batch(partners=partners)


@pytest.mark.parametrize(
    ("partners", "given"),
    [
        (images_of(2, 3, 8, 9), "torch.uint8 [2, 3, 8, 9] on cpu"),
        (images_of(2, 1, 8, 8), "torch.uint8 [2, 1, 8, 8] on cpu"),
        (images_of(3, 8, 8), "torch.uint8 [3, 8, 8] on cpu"),
        (images_of(2, 3, 8, 8, dtype=torch.float32), "torch.float32 [2, 3, 8, 8] on cpu"),
        (images_of(2, 3, 8, 8).to("meta"), "torch.uint8 [2, 3, 8, 8] on meta"),
    ],
)
def test_partners_must_be_like_the_images(partners: Tensor, given: str) -> None:
    """In shape, type and device."""
    text = mistake(PAIRING.to_batch(partners=partners), images_of())
    assert f"`partners` must be like the images, torch.uint8 [M, 3, 8, 8] on cpu, not {given}." == text


@pytest.mark.parametrize(("channels", "given"), [(3, 1), (1, 3)])
def test_normalize_must_have_the_images_channels(channels: int, given: int) -> None:
    """Nothing is broadcast."""
    normalize = Normalize(mean=(0.5,) * given, std=(0.5,) * given)
    text = mistake(INVERT.to_batch(normalize=normalize), images_of(2, channels, 8, 8))
    assert f"Normalize has {given} channels, the images {channels}." == text


LIMITS = [
    (CROP, "it has no RandomResizedCrop"),
    (SMOOTH, "it only samples the nearest pixel, the policy asks for bilinear"),
]


@pytest.mark.parametrize(("policy", "reason"), LIMITS)
def test_what_the_compiled_engine_cannot(policy: Policy, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said when it is asked for by name; "auto" takes plain torch."""
    available(monkeypatch, "numba")
    text = mistake(policy.to_batch(engine="numba"), images_of())
    assert f"The engine 'numba' cannot augment this batch: {reason}. Use engine='auto'." == text
    assert "torch" == engine_for("auto", missing_for(policy), images_of())
    module = policy.to_batch()
    assert module(images_of(), seed=0, epoch=0, indices=torch.arange(4)).shape == (4, 3, 8, 8)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (images_of(2, 4, 8, 8), "it takes 1 or 3 channels, not 4"),
        (images_of(2, 3, 8, 8, dtype=torch.uint16), "it takes uint8, not torch.uint16"),
        (images_of(2, 3, 8, 8).to("meta"), "the images are on meta"),
    ],
)
@pytest.mark.parametrize("engine", ["numba", "pillow"])
def test_images_for_plain_torch(engine: str, images: Tensor, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More channels, 16 bits and other devices are for plain torch, which "auto" takes."""
    available(monkeypatch, "numba")
    text = mistake(INVERT.to_batch(engine=engine), images)
    assert f"The engine '{engine}' cannot augment this batch: {reason}. Use engine='auto'." == text
    assert "torch" == engine_for("auto", missing_for(INVERT), images)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain torch is taken; who asks for numba is told how to install it."""
    available(monkeypatch)
    module = INVERT.to_batch()
    assert (module(images_of(), seed=0, epoch=0, indices=torch.arange(4)) == 255).all()
    assert "torch" == engine_for("auto", missing_for(INVERT), images_of())
    text = mistake(INVERT.to_batch(engine="numba"), images_of())
    missing = "numba is not installed: pip install 'faa-core[fast]'"
    assert f"The engine 'numba' cannot augment this batch: {missing}. Use engine='auto'." == text
    assert missing in {status.missing for status in engine_statuses() if status.name == "numba"}


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_with_numba() -> None:
    """It is taken for what is usual, without being asked for."""
    assert "numba" == engine_for("auto", missing_for(INVERT), images_of())


def test_triton_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device, the package, or that the images are elsewhere, in this order."""
    for found, device, reason in (
        (("triton",), False, "there is no CUDA device"),
        ((), True, "triton is not installed"),
        (("triton",), True, "the images are on cpu"),
    ):
        available(monkeypatch, *found)
        monkeypatch.setattr(torch.cuda, "is_available", lambda device=device: device)
        text = mistake(INVERT.to_batch(engine="triton"), images_of())
        assert f"The engine 'triton' cannot augment this batch: {reason}. Use engine='auto'." == text


def test_the_list_of_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which "auto" tries them, with their devices; the last two are always there."""
    available(monkeypatch, "numba", "triton")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(choosing, "import_module", lambda name: SimpleNamespace(augment=AUGMENT))
    kept = "compiled code is kept in somewhere"
    assert engine_statuses() == tuple(
        EngineStatus(name, device, "", note)
        for name, device, note in (
            ("triton", "cuda", ""), ("numba", "cpu", kept), ("torch", "any", ""), ("pillow", "cpu", "")
        )
    )  # fmt: skip


def test_pixels_of_their_own(install: Install) -> None:
    """A plugin's kernel only exists image by image: "auto" does that, the others say which operation it is."""
    install(
        "throwaway-halve",
        group="faa.ops",
        entries={"Halve": "throwaway_halve:HALVE"},
        modules={"throwaway_halve": HALVE},
    )
    policy = SubPolicies(sub_policies=(tuple(Op(op=op, p=1.0, magnitude=0.0) for op in ("Invert", "Halve")),))
    images = torch.from_numpy(np.arange(4 * 3 * 64, dtype=np.uint8).reshape(4, 3, 8, 8))
    for engine in ("auto", "pillow"):
        result = policy.to_batch(engine=engine)(images, seed=0, epoch=0, indices=torch.arange(4))
        assert torch.equal((255 - images) // 2, result)
    own = "the operation 'Halve' has its own pixels"
    text = mistake(policy.to_batch(engine="torch"), images)
    assert f"The engine 'torch' cannot augment this batch: {own}. Use engine='auto'." == text
    none = f"No engine can augment this batch. torch: {own}; pillow: it takes 1 or 3 channels, not 4."
    assert none == mistake(policy.to_batch(), images_of(4, 4, 8, 8))


@pytest.mark.parametrize(
    "wrong",
    [{"pad": -1}, {"pad": 1.5}, {"cutout": -2}, {"hflip": 1.5}, {"hflip": -0.1}, {"fill": (300, 0, 0)}],
    ids=str,
)
def test_a_baseline_out_of_range(wrong: dict[str, float]) -> None:
    """Every fault names what is allowed."""
    with pytest.raises(FaaError, match="pad and cutout must be whole numbers from 0 to 8,192, hflip from 0 to 1"):
        Baseline(**wrong)


@pytest.mark.parametrize(
    "mean_and_std",
    [
        ((0.5,), (0.0,)),
        ((0.5,), (-1.0,)),
        ((float("nan"),), (1.0,)),
        ((0.5,), (float("inf"),)),
        ((0.5, 0.5), (1.0,)),
        ((), ()),
    ],
)
def test_a_normalisation_that_is_none(mean_and_std: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    """A zero would divide, and lengths that differ would leave a channel out."""
    with pytest.raises(FaaError, match="one finite number per channel, and std must be positive"):
        Normalize(mean=mean_and_std[0], std=mean_and_std[1])


def test_sixteen_bits_are_normalised_by_their_own_top() -> None:
    """X and 257·x come out alike."""
    images = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)
    module = Policy.load("none").to_batch(normalize=Normalize(mean=(0.5,) * 3, std=(0.25,) * 3))
    keys = {"seed": 0, "epoch": 0, "indices": torch.zeros(1, dtype=torch.int64)}
    wide = module(images.to(torch.int32).mul(257).to(torch.uint16), **keys)
    assert torch.allclose(module(images, **keys), wide, atol=1e-6)


@pytest.mark.parametrize("kernel", ["ShearX", "ShearY"])
def test_maps_that_reach_too_far_for_fixed_point_are_pillows(kernel: str) -> None:
    """Coordinates beyond 32,768 would wrap around; Pillow's engine takes over, and the others say why they do not."""
    policy = SubPolicies(
        operations={"Far": OperationRow(kernel=kernel, low=0, high=50.0, unit="fraction")},
        sub_policies=((Op(op="Far", p=1.0, magnitude=1.0),),),
    )
    images, keys = images_of(), {"seed": 0, "epoch": 0, "indices": torch.arange(len(images_of()))}
    done = policy.to_batch()(images, **keys)
    pictures = [policy.apply(to_pil_image(image), seed=0, epoch=0, index=at) for at, image in enumerate(images)]
    assert torch.equal(torch.stack([pil_to_tensor(picture) for picture in pictures]), done)
    with pytest.raises(FaaError, match="'torch' cannot augment this batch: the operation 'Far' shears by more than 3"):
        policy.to_batch(engine="torch")(images, **keys)


def test_an_installed_engine_that_does_not_load_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba refuses to load beside a numpy that is too new for it; plain torch takes over, and the reason is shown."""
    available(monkeypatch, "numba")

    def refuse(_module: str) -> None:
        raise ImportError("Numba needs NumPy 2.2 or less")

    monkeypatch.setattr(choosing, "import_module", refuse)
    assert "numba does not load: Numba needs NumPy 2.2 or less" in [status.missing for status in engine_statuses()]
    assert "torch" == engine_for("auto", missing_for(INVERT), images_of())


def test_what_is_missing_is_looked_up_again_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module pickled where numba is runs where it is not, and a transform too."""
    pickled = [pickle.dumps(made) for made in (INVERT.to_batch(), INVERT.transform())]
    available(monkeypatch)
    module, transform = (pickle.loads(made) for made in pickled)  # noqa: S301 our own bytes
    black, keys = images_of(1, 3, 4, 4), {"seed": 0, "epoch": 0, "indices": torch.zeros(1, dtype=torch.int64)}
    assert "numba is not installed" in mistake(INVERT.to_batch(engine="numba"), black)
    assert torch.equal(255 - black, module(black, **keys))
    assert torch.equal(255 - black[0], transform(black[0]))
    monkeypatch.setitem(sys.modules, "numba", None)
    assert torch.equal(255 - black, module(black, **keys))


@pytest.mark.parametrize("wrong", [{"seed": 2**63}, {"epoch": -(2**63) - 1}])
def test_keys_beyond_64_bits(wrong: dict[str, int]) -> None:
    """They would fail only where the compiler sees them."""
    with pytest.raises(FaaError, match="seed and epoch must fit in 64 bits"):
        INVERT.to_batch()(images_of(), **{"seed": 0, "epoch": 0, "indices": torch.arange(4)} | wrong)


@pytest.mark.parametrize(
    ("kernel", "axis", "message"),
    [
        ("RandomResizedCrop", {"low": 0.0, "high": 1.0, "unit": "fraction"}, "must keep between 0 and 1 of the area"),
        ("RandomResizedCrop", {"low": 0.5, "high": 1.0, "unit": "fraction", "mirrored": True}, "without mirroring"),
        ("Sharpness", {"low": 1.0, "high": 1e300, "unit": "factor"}, "from 1 to 1e\\+300 factor; ±10000 is allowed"),
    ],
)
def test_axes_on_which_kernels_would_fail(kernel: str, axis: dict[str, object], message: str) -> None:
    """They are refused where the document is read."""
    with pytest.raises(FaaError, match=message):
        SubPolicies(
            operations={"Odd": OperationRow(kernel=kernel, **axis)},
            sub_policies=((Op(op="Odd", p=1.0, magnitude=1.0),),),
        )


@pytest.mark.parametrize(
    "indices",
    [
        [7, 0, 3, 12],
        (7, 0, 3, 12),
        np.array([7, 0, 3, 12]),
        np.array([7, 0, 3, 12], dtype=np.int16),
        np.array([7, 0, 3, 12], dtype=np.uint64),
        [np.int64(7), 0, 3, 12],
    ],
)
def test_whole_numbers_name_images_in_a_list_too(indices: object) -> None:
    """They give the draws that the same tensor gives."""
    policy = random_policy(60, seed=1, ops=("Rotate", "Color", "Invert", "Solarize"))
    module = policy.to_batch(engine="torch")
    images = torch.arange(4 * 3 * 8 * 8, dtype=torch.uint8).view(4, 3, 8, 8)
    expected = module(images, seed=5, epoch=2, indices=torch.tensor([7, 0, 3, 12]))
    assert not torch.equal(expected, module(images, seed=5, epoch=2, indices=[0, 3, 7, 12]))
    assert torch.equal(expected, module(images, seed=5, epoch=2, indices=indices))
    drawn = module.instructions(images, seed=5, epoch=2, indices=indices)
    assert torch.equal(module.instructions(images, seed=5, epoch=2, indices=torch.tensor([7, 0, 3, 12])), drawn)


def test_no_images_and_an_empty_list() -> None:
    """A batch may be empty."""
    images = images_of(0, 3, 8, 8)
    assert images.shape == INVERT.to_batch()(images, seed=0, epoch=0, indices=[]).shape


@pytest.mark.parametrize(
    "indices",
    [
        [0.0, 1, 2, 3],
        ["a"] * 4,
        5.5,
        [[0], [1, 2]],
        {"a": 1},
        [True] * 4,
        [2**64, 0, 0, 0],
        [2**63, 0, 0, 0],
        "0123",
        object(),
    ],
)
def test_indices_that_are_no_whole_numbers(indices: object) -> None:
    """They are refused in words, whatever they are."""
    text = mistake(INVERT.to_batch(), images_of(), indices)
    assert text.startswith("`indices` must be whole numbers, the number of each image in its data set; not ")


@pytest.mark.parametrize(("indices", "shape"), [([0, 1, 2], "[3]"), ([[0, 1, 2, 3]], "[1, 4]"), (5, "[]")])
def test_lists_of_other_lengths(indices: object, shape: str) -> None:
    """One number for each image, in one axis."""
    text = mistake(INVERT.to_batch(), images_of(), indices)
    assert text.startswith("`indices` must be int64 [4] on the CPU")
    assert f"not torch.int64 {shape} on" in text


@pytest.mark.parametrize("images", [np.zeros((4, 3, 8, 8), np.uint8), [[0]], "photo.png", 3])
def test_what_is_no_tensor_is_no_batch(images: object) -> None:
    """Its type is named, and what to do with arrays and PIL images."""
    for call in (INVERT.to_batch(), INVERT.to_batch().eval()):
        with pytest.raises(FaaError, match=rf"A batch is a tensor, .* not of type {type(images).__name__}\. Of an arr"):
            call(images)


@pytest.mark.parametrize("key", [0.5, "0", None, torch.tensor(1.5), [1]])
@pytest.mark.parametrize("name", ["seed", "epoch"])
def test_keys_that_are_no_whole_numbers(name: str, key: object) -> None:
    """A half seed would be rounded by nobody."""
    keys = {"seed": 0, "epoch": 0, name: key}
    words = "A draw has three keys" if key is None else f"`{name}` must be a whole number, not "
    with pytest.raises(FaaError, match=words):
        INVERT.to_batch()(images_of(), indices=range(4), **keys)
    same = INVERT.to_batch()(images_of(), indices=range(4), **{"seed": 0, "epoch": 0, name: np.int64(3)})
    assert torch.equal(same, INVERT.to_batch()(images_of(), indices=range(4), **{"seed": 0, "epoch": 0, name: 3}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"baseline": {"pad": 4}}, r"`baseline` must be a Baseline, .* not \{'pad': 4\}"),
        ({"normalize": True}, "`normalize` must be a Normalize, .* not True"),
        ({"partners": [1]}, "`partners` must be a tensor, .* not of type list"),
        ({"engine": None}, "There is no engine 'None'"),
        ({"engine": ["torch"]}, "There is no engine"),
    ],
)
def test_a_module_of_something_else(options: dict[str, object], words: str) -> None:
    """Each part is named."""
    with pytest.raises(FaaError, match=words):
        INVERT.to_batch(**options)
    with pytest.raises(FaaError, match=r"PolicyBatch takes a Policy, not 'trivialaugment'; Policy\.load"):
        PolicyBatch("trivialaugment")
    with pytest.raises(FaaError, match="`instructions` must be a tensor"):
        INVERT.to_batch(engine="torch").carry_out(images_of(), [[0]])
    augment = INVERT.to_batch(engine="torch")
    instructions = augment.instructions(images_of(), seed=0, epoch=0, indices=range(4))
    with pytest.raises(FaaError, match="float32"):  # images are looked at here as they are elsewhere
        augment.carry_out(images_of(dtype=torch.float32), instructions)
