"""Deep AutoAugment's files: the 139 transforms, both data sets, signs, and archives that mean harm."""

import io
import json
import os
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from faa_core import Choice, FaaError, Layers, Policy
from faa_core.formats import deepaa
from faa_core.policies.loading import parse_policy

NAMES = (
    "Identity ShearX ShearY TranslateX TranslateY Rotate AutoContrast Invert Equalize Solarize Posterize Contrast "
    "Color Brightness Sharpness RandFlip RandCutout RandCrop"
).split()
LEVELS = {name: [6] for name in NAMES} | {
    name: [level for level in range(13) if level != (12 if name in ("Solarize", "Posterize") else 6)]
    for name in NAMES[1:6] + NAMES[9:15]
}
ENGINES = (
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
TRANSFORMS = [(name, level) for name in NAMES for level in LEVELS[name]]
RANGES = {
    **dict.fromkeys(("ShearX", "ShearY"), (-0.3, 0.3)),
    **dict.fromkeys(("TranslateX", "TranslateY"), (-0.45, 0.45)),
    **dict.fromkeys(("Contrast", "Color", "Brightness", "Sharpness"), (0.1, 1.9)),
    "Rotate": (-30, 30),
    "Solarize": (0, 256),
    "Posterize": (4, 8),
}


@pytest.fixture
def shared_policies() -> Path:
    """Return the folder of published policies that are not part of the repository."""
    folder = Path(os.environ.get("FAA_TEST_DATA", "nowhere")).parent / "policies"
    if not folder.is_dir():
        pytest.skip("there is no folder of policies beside FAA_TEST_DATA")
    return folder


def archive(*, names: list[str] = NAMES, **changed: Any) -> bytes:
    """Return a file as Deep AutoAugment writes it, of two layers drawn at random, with arrays replaced."""
    weights = np.random.default_rng(0).random((2, 139))
    arrays: dict[str, Any] = {
        "policy_probs": (weights / weights.sum(1, keepdims=True)).astype(np.float32),
        "l_ops": 18,
        "l_mags": 13,
        "ops": np.array([[NAMES.index(name)] for name, _level in TRANSFORMS], np.int32),
        "mags": np.array([[level] for _name, level in TRANSFORMS], np.int32),
        "op_names": np.array([f"{name}:(0,,1)" for name in names]),
    } | changed
    stream = io.BytesIO()
    np.savez(stream, **{name: value for name, value in arrays.items() if value is not None})
    return stream.getvalue()


def imagenet() -> bytes:
    """Return a file for ImageNet."""
    return archive(names=[*NAMES[:17], "RandResizeCrop_imagenet"])


def test_every_transform_has_its_argument() -> None:
    """139 of them in each layer, at lo + (hi − lo)·level/12, with the float32 probabilities as they are."""
    policy = deepaa.parse(archive())
    assert (2, 139, 139) == (len(policy.layers), len(policy.layers[0]), len(TRANSFORMS))
    with np.load(io.BytesIO(archive())) as stored:
        assert stored["policy_probs"].astype(float).tolist() == [
            [choice.probability for choice in layer] for layer in policy.layers
        ]
    for (name, level), choice in zip(TRANSFORMS, policy.layers[0], strict=True):
        if name in RANGES:
            low, high = RANGES[name]
            assert choice.op == name
            assert low + (high - low) * level / 12 == pytest.approx(policy.table[name].argument(choice.magnitude))
    bits = [int(policy.table["Posterize"].argument(use.magnitude)) for use in policy.layers[0] if use.op == "Posterize"]
    assert [4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7] == bits


def test_crop_cutout_and_flip_are_the_data_sets() -> None:
    """Cutout of 16 px and a crop padded by 4 px for CIFAR; 60 px and a random resized crop from 8 % for ImageNet."""
    for content, side, crop, argument in ((archive(), 16, "Crop", 4.0), (imagenet(), 60, "RandomResizedCrop", 0.08)):
        policy = deepaa.parse(content)
        flip, cutout, cropped = policy.layers[0][-3:]
        hole = policy.table[cutout.op]
        assert ("CutoutAbs", side, side, (125, 123, 114)) == (hole.base, hole.low, hole.high, hole.fill)
        assert crop == cropped.op
        assert argument == pytest.approx(policy.table[crop].argument(cropped.magnitude))
        assert policy.table[flip.op].mirrored
        assert [-1.0, 1.0] == sorted({policy.table["Flip"].argument(0, reflected=side) for side in (True, False)})


def test_signs_are_mirrored_or_kept() -> None:
    """The authors' evaluation takes either sign, their search the level's."""
    for mirror, name in ((True, "Rotate"), (False, "DeepAA.Rotate")):
        policy = deepaa.parse(archive(), mirror=mirror)
        choice = next(choice for choice in policy.layers[0] if choice.op == name)
        row = policy.table[name]
        assert (mirror, -30.0) == (row.mirrored, row.argument(choice.magnitude))
        assert not policy.table["Contrast"].mirrored


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("content", [archive(), imagenet()], ids=["cifar", "imagenet"])
def test_the_round_trip_is_exact(content: bytes, mirror: bool) -> None:
    """Layers, probabilities and arrays come back; writing again gives the same bytes, and so does our document."""
    policy = deepaa.parse(content, mirror=mirror)
    written = deepaa.write(policy)
    assert policy == deepaa.parse(written, mirror=mirror)
    assert written == deepaa.write(policy)
    with np.load(io.BytesIO(content)) as theirs, np.load(io.BytesIO(written)) as ours:
        for name in ("policy_probs", "ops", "mags", "l_ops", "l_mags"):
            assert theirs[name].dtype.kind == ours[name].dtype.kind
            assert np.array_equal(theirs[name], ours[name])
        assert [name.partition(":")[0] for name in theirs["op_names"]] == [
            name.partition(":")[0] for name in ours["op_names"]
        ]
        assert "ShearX:(-0.3,,0.3)" in ours["op_names"]


@pytest.mark.shared_data
@pytest.mark.parametrize("file", ["cifar_1", "cifar_2", "imagenet_1", "imagenet_2"])
def test_the_published_policies(file: str, shared_policies: Path) -> None:
    """Their layers, values and strongest operations."""
    document = json.loads((shared_policies / f"deepaa_{file}.json").read_text())
    probabilities = [[choice["prob"] for choice in layer] for layer in document["layers"]]
    names = [row["seed_name"] for row in document["ops"]]
    policy = deepaa.parse(archive(names=names, policy_probs=np.array(probabilities, np.float32)))
    assert (6 if "cifar" in file else 5) == len(policy.layers)
    for layer, theirs in zip(policy.layers, document["layers"], strict=True):
        for choice, their in zip(layer, theirs, strict=True):
            if their["value"] is not None:
                assert their["value"] == pytest.approx(policy.table[choice.op].argument(choice.magnitude), abs=1e-6)
    strongest = []
    for layer in policy.layers:
        sums: dict[str, float] = {}
        for choice in layer:
            sums[choice.op] = sums.get(choice.op, 0) + choice.probability
        strongest.append(max(sums, key=sums.__getitem__))
    if file == "cifar_2":
        assert ["Solarize", "DeepAA.Cutout", "Crop", "Crop", "Flip", "Identity"] == strongest


def published(folder: Path, file: str) -> bytes:
    """Return a published policy's file, laid out as its authors' own, from its arrays as JSON has them."""
    document = json.loads((folder / f"deepaa_{file}.json").read_text())
    ranges = [row["range"] or [0.0, 1.0] for row in document["ops"]]
    names = [row["seed_name"] for row in document["ops"]]
    stored = [name for name in names if not name.startswith("RandResizeCrop")]
    kinds = {row["op"]: index for index, row in enumerate(document["ops"])}
    uses = document["layers"][0]
    assert stored == NAMES[: len(stored)]
    return archive(
        policy_probs=np.array([[use["prob"] for use in layer] for layer in document["layers"]], np.float32),
        ops=np.array([[kinds[use["op"]]] for use in uses], np.int32),
        mags=np.array([[6 if use["level"] is None else use["level"]] for use in uses], np.int32),
        op_names=np.array(
            [f"{name}:({float(low)},,{float(high)})" for name, (low, high) in zip(names, ranges, strict=True)]
        ),
    )


PUBLISHED = ["cifar_1", "cifar_2", "imagenet_1", "imagenet_2"]


@pytest.mark.shared_data
@pytest.mark.parametrize("file", PUBLISHED)
def test_the_published_files_come_back_as_they_were(file: str, shared_policies: Path) -> None:
    """Every array by its name, with its type, its shape and its bytes; through our document, too."""
    content = published(shared_policies, file)
    policy = deepaa.parse(content)
    for source in (policy, parse_policy(policy.to_json(), source="it")):
        with np.load(io.BytesIO(content)) as theirs, np.load(io.BytesIO(deepaa.write(source))) as ours:
            assert theirs.files == ours.files
            for name in theirs.files:
                assert (theirs[name].dtype, theirs[name].shape) == (ours[name].dtype, ours[name].shape)
                assert theirs[name].tobytes() == ours[name].tobytes()


@pytest.mark.shared_data
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("file", PUBLISHED)
def test_a_batch_through_the_published_policies_is_pillows(file: str, engine: str, shared_policies: Path) -> None:
    """The same draws, the same pixels, at the size of their data set or at 64 px; every operation of theirs is drawn.

    As they are, some operations are hardly ever picked; so each is drawn with layers that pick all alike, too.
    """
    if engine == "numba" and "imagenet" in file:
        pytest.skip("numba has no RandomResizedCrop")
    policy = deepaa.parse(published(shared_policies, file))
    alike = tuple(choice.model_copy(update={"probability": 1 / 139}) for choice in policy.layers[0])
    for layers, count in ((policy.layers, 300), ((alike, alike), 600)):
        drawing = Layers(layers=layers, operations=policy.operations)
        side = 32 if "cifar" in file else 64
        images_BHWC = np.random.default_rng(len(layers)).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
        images_BHWC[::2] = images_BHWC[::2].cumsum(axis=2, dtype=np.uint8) // 2  # smooth in parts, and dark
        numbers = np.arange(count) + 1000
        given = torch.from_numpy(images_BHWC).permute(0, 3, 1, 2)
        got = drawing.to_batch(engine=engine)(given, seed=5, epoch=3, indices=torch.from_numpy(numbers))
        for image, own, number in zip(images_BHWC, got.permute(0, 2, 3, 1).numpy(), numbers.tolist(), strict=True):
            wanted = drawing.apply(Image.fromarray(image), seed=5, epoch=3, index=number)
            assert np.array_equal(np.asarray(wanted), own), number
        steps = drawing.draw(seed=5, epoch=3, indices=numbers)
    assert set(policy.operation_names()) == {step.operation.name for row in steps for step in row}


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harm"),))


def bomb() -> bytes:
    """Return an archive that unpacks to 80 MiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("policy_probs.npy", bytes(80 << 20))
    return stream.getvalue()


def replaced(header: str, *, data: bytes = b"", member: str = "ops") -> bytes:
    """Return a file in which a member has another header and data."""
    size = len(header) + 1
    npy = b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + header.encode() + b"\n" + data
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive())) as whole, zipfile.ZipFile(stream, "w") as packed:
        for name in whole.namelist():
            packed.writestr(name, npy if name == f"{member}.npy" else whole.read(name))
    return stream.getvalue()


def damaged(compression: int) -> bytes:
    """Return a compressed file with the data of its first member overwritten."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as packed, zipfile.ZipFile(io.BytesIO(archive())) as whole:
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    content = bytearray(stream.getvalue())
    content[60:400] = b"\xff" * 340
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        replaced("{'descr': '<i4', 'fortran_order': False, 'shape': (10000000000000,)}"),
        replaced("{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000000,)}", member="op_names"),
        replaced("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}"),
        replaced("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", data=bytes(8)),
        replaced("(((("),
        replaced("[" * 9000),
        replaced("{'descr': ('<i4', ('<i4',)), 'fortran_order': False, 'shape': (1,)}", data=bytes(4)),
        damaged(zipfile.ZIP_DEFLATED),
        damaged(zipfile.ZIP_BZIP2),
        damaged(zipfile.ZIP_LZMA),
    ],
    ids=["huge", "empty-items", "negative", "objects", "tokens", "deep", "dtype", "deflate", "bzip2", "lzma"],
)
def test_damage_is_no_traceback(content: bytes) -> None:
    """Headers that lie or do not parse, and data that do not unpack; nothing large is allocated."""
    with pytest.raises(FaaError, match=r"no \.npz file of plain arrays"):
        deepaa.parse(content)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_single_number_has_any_shape(shape: tuple[int, ...]) -> None:
    """A scalar, or an array of one."""
    assert deepaa.parse(archive()) == deepaa.parse(archive(l_mags=np.full(shape, 13)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(op_names=np.array([_Harm()] * 18, dtype=object)), "no .npz file of plain arrays"),
        (b"PK\x03\x04 no archive", "no .npz file of plain arrays"),
        (b"", "no .npz file of plain arrays"),
        (archive()[:-2000], "no .npz file of plain arrays"),
        (bomb(), "unpacks to more than 4 MiB"),
        (archive(mags=None, l_mags=None), "It has no mags, l_mags"),
        (archive(ops=np.zeros((138, 1), np.int32)), "does not fit 138 ops, 139 mags"),
        (archive(ops=np.full((139, 1), 18, np.int32)), "ops must lie in 0 … 17"),
        (archive(mags=np.full((139, 1), -1, np.int32)), "mags in 0 … 12"),
        (archive(mags=np.zeros((139, 1))), "mags must be whole numbers, not float64 of shape [139, 1]"),
        (archive(names=["Blur", *NAMES[1:]]), "'Blur' is not an operation of Deep AutoAugment"),
        (archive(policy_probs=np.full((1, 139), np.nan, np.float32)), "policy_probs must lie in 0 … 1"),
        (archive(policy_probs=np.full((1, 139), 0.5, np.float32)), "must add up to 1"),
        (
            archive(policy_probs=np.zeros((0, 139), np.float32)),
            "its layers must have one entry or more, and have none",
        ),
    ],
)
def test_what_is_wrong_is_named(content: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage, pickles, bombs and arrays that do not fit; nothing is unpickled."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaaError) as raised:
        deepaa.parse(content)
    assert words in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_what_the_files_cannot_say() -> None:
    """Other kinds, and transforms that are none of the 139; the layer is named."""
    with pytest.raises(FaaError, match="'none' has no layers"):
        deepaa.write(Policy.load("none"))
    for magnitude, words in ((0.51, "'Rotate' at 0.6 or -0.6 degrees"), (0.5, "'Rotate' at 0 or 0 degrees")):
        odd = Layers(layers=((Choice(op="Rotate", magnitude=magnitude, probability=1),),))
        with pytest.raises(FaaError) as raised:
            deepaa.write(odd)
        assert f"Deep AutoAugment's 139 transforms (CIFAR) lack this: {words} in layer 0." in str(raised.value)
