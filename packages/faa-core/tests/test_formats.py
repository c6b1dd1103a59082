"""Telling formats apart, reading by name, path or string, and writing."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faa_core import FaaError, Layers, Op, Parametric, Policy, SubPolicies, UnknownNameError, formats

Install = Callable[..., None]

SAMPLES = {
    "mmpretrain": "policies = [[dict(type='Invert', prob=1.0)]]",
    "paddleclas": "Train:\n  transform_ops:\n    - RandAugmentV3:\n        num_layers: 1\n",
    "torchvision": "TrivialAugmentWide()",
    "faa": '{"kind": "sub-policies", "sub_policies": [[{"op": "Invert", "p": 1, "magnitude": 0}]]}',
    "legacy": '[[["Invert", 1, 0.5]]]',
    "albumentations": '{"transform": {"__class_fullname__": "Compose", "transforms": []}}',
    "kornia": "[[('invert', 1.0, None)]]\n",
    "timm": "rand-m9-n2\n",
}


def npz() -> bytes:
    """Return a policy of one certain transform for Deep AutoAugment."""
    stream = io.BytesIO()
    zero: Any = np.zeros((1, 1), np.int32)
    np.savez(
        stream, policy_probs=np.ones((1, 1), np.float32), ops=zero, mags=zero, l_mags=13, op_names=np.array(["Invert:"])
    )
    return stream.getvalue()


def test_formats_are_frozen() -> None:
    """Their names."""
    assert [*SAMPLES, "deepaa"] == sorted((found.name for found in formats.FORMATS), key=[*SAMPLES, "deepaa"].index)


@pytest.mark.parametrize("name", [*SAMPLES, "deepaa"])
def test_the_content_tells_the_format(name: str, tmp_path: Path) -> None:
    """Whatever the file is called; and it takes the file's name."""
    content = npz() if name == "deepaa" else SAMPLES[name].encode()
    path = tmp_path / "mine.dat"
    path.write_bytes(content)
    assert name == formats.guess_format(content).name
    policy = formats.read_policy(path)
    assert policy == formats.read_policy(path, format=name)
    own = {"timm": "rand-m9-n2", "mmpretrain": "policies", "torchvision": "trivialaugment"}
    assert own.get(name, "mine") == policy.name
    assert "other" == formats.read_policy(path, name="other").name
    assert isinstance(policy, Layers) == (name == "deepaa")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[[["AutoContrast", 0.1, 0.2]]]', "legacy"),
        ("def f():\n    return [[['Rotate', 0.1, 0.2]]]\n", "legacy"),
        ('{"0": {"Color": [0.1, 0.2]}}', "legacy"),
        ("policy = [[('auto_contrast', 0.1, None)]]", "kornia"),
        ('[[["shear_x", -0.3, 0.3]]]', "kornia"),
        ('{"__class_fullname__": "Compose"}', "albumentations"),
        ("original-mstd0.5", "timm"),
        ("augmix-m5", "timm"),
    ],
)
def test_shapes_are_told_apart(text: str, name: str) -> None:
    """By what only that format has."""
    assert name == formats.guess_format(text.encode()).name


@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe\x00", b"3", b'"a"', b"\x89PNG", b"[\0[\0]\0]\0"])
def test_other_content_lists_the_formats(content: bytes, tmp_path: Path) -> None:
    """With the file's name."""
    path = tmp_path / "strange"
    path.write_bytes(content)
    with pytest.raises(FaaError, match=r"strange' cannot be read: .*Formats: faa \(.*legacy \(.*timm"):
        formats.read_policy(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[['Invert', 1, 0]]]  # caf\xe9", "no .npz file, and it is not UTF-8 text (the first bad byte is 0xE9, at"),
        (b"[[['Invert', 1, 0]]]  # caf\xe9", "at byte 27); if it is text, save it as UTF-8. Formats: "),
        ("é".encode() * 3 + b"\xff", "the first bad byte is 0xFF, at byte 6)"),
        ("[[]]".encode("utf-32"), "it is UTF-32 text; save it as UTF-8. Formats: "),
        ("[[]]".encode("utf-16")[:-1], "it begins as UTF-16 text and is damaged (the first bad byte is 0x5D,"),
        ("[[]]".encode("utf-16-le"), "it has a zero byte. If it is UTF-16 text without its mark, save it"),
        (b"", "cannot be read: It is empty."),
        (b"\xef\xbb\xbf \n", "cannot be read: It is empty."),
        ("".encode("utf-16"), "cannot be read: It is empty."),
    ],
)
def test_what_a_file_is_encoded_in_is_said(content: bytes, words: str, tmp_path: Path) -> None:
    """The encoding, or the first bad byte."""
    (tmp_path / "file").write_bytes(content)
    for read in (formats.read_policy, Policy.load):
        with pytest.raises(FaaError) as raised:
            read(tmp_path / "file")
        assert words in str(raised.value)
    with pytest.raises(FaaError, match=r"\(read as legacy\): "):
        formats.read_policy(tmp_path / "file", format="legacy")


def test_lines_are_counted_from_the_beginning_of_the_file(tmp_path: Path) -> None:
    """Empty ones before the text too."""
    for text, line in (("\n\n \nif y:\n    p = [[x]]\n", 5), ("\n\nloss=1 top1_valid=1 [[", 3), ("\n\n\na b [c", 4)):
        (tmp_path / "file").write_text(text)
        with pytest.raises(FaaError, match=rf"\b[Ll]ine {line}\b"):
            formats.read_policy(tmp_path / "file")


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_text_in_utf_16_is_read(name: str, encoding: str, tmp_path: Path) -> None:
    """With its mark, in either order of bytes."""
    text = "\n" + SAMPLES[name]
    (tmp_path / "plain").write_text(text)
    marked = text if encoding in ("utf-16", "utf-8-sig") else f"\ufeff{text}"
    (tmp_path / "wide").write_bytes(marked.encode(encoding))
    plain = formats.read_policy(tmp_path / "plain", name="same")
    assert plain == formats.read_policy(tmp_path / "wide", name="same")
    assert plain.to_json() == Policy.load(tmp_path / "wide").model_copy(update={"name": "same"}).to_json()


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """The limit is said."""
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(5 << 20)
    with pytest.raises(FaaError, match="has 5,242,880 bytes; of such a file at most 4,194,304 are read"):
        formats.read_policy(path)


def test_deep_nesting_is_no_traceback(tmp_path: Path) -> None:
    """In any format that nests."""
    for content in ("[" * 90000, '{"transform":' * 90000, "x = " + "[" * 90000):
        path = tmp_path / "nested"
        path.write_text(content)
        for name in (None, "legacy", "kornia", "albumentations"):
            with pytest.raises(FaaError, match=r"nested too deeply|neither JSON nor Python|not JSON"):
                formats.read_policy(path, format=name)


def test_names_and_strings_are_policies_too() -> None:
    """A built-in name, and a timm string."""
    assert Policy.load("randaugment") == formats.read_policy("randaugment")
    assert isinstance(formats.read_policy("rand-m9-n2"), Parametric)
    assert "rand-m9-n2" == formats.read_policy("rand-m9-n2").name
    with pytest.raises(UnknownNameError, match="No policy is called 'randaugmen'; did you mean randaugment"):
        formats.read_policy("randaugmen")


def test_errors_name_the_file_and_how_it_was_read(tmp_path: Path) -> None:
    """And which format was taken, where it was guessed."""
    path = tmp_path / "bad.json"
    path.write_text('[[["Rotat", 0.5, 0.5]]]')
    with pytest.raises(FaaError, match=r"bad\.json \(read as legacy, which its content looks like\): No operation"):
        formats.read_policy(path)
    with pytest.raises(FaaError, match=r"bad\.json \(read as kornia\): No operation of kornia"):
        formats.read_policy(path, format="kornia")
    with pytest.raises(UnknownNameError, match="No policy format is called 'korna'; did you mean kornia"):
        formats.read_policy(path, format="korna")
    with pytest.raises(FaaError, match=r"'nowhere' cannot be read: there is no such file"):
        formats.read_policy("nowhere", format="legacy")
    with pytest.raises(FaaError, match=r"Format albumentations has no tables"):
        formats.parse("{}", "albumentations", table="x")


@pytest.mark.parametrize("name", ["legacy", "albumentations", "kornia"])
def test_noise_on_magnitudes_is_not_left_out(name: str) -> None:
    """Where the format has none."""
    policy = SubPolicies(sub_policies=((Op(op="Invert", p=1, magnitude=0),),), magnitude_std=0.05)
    with pytest.raises(FaaError, match=r"has noise on its magnitudes \(0\.05\)"):
        formats.render(policy, name)


@pytest.mark.parametrize("source", ["rand-m9-n2", "randaugment", "list", "literal", "faa", "timm", "albumentations"])
def test_a_table_that_is_not_used_is_an_error(source: str, tmp_path: Path) -> None:
    """Names, strings and lists without names have none."""
    given = source
    if source not in ("rand-m9-n2", "randaugment"):
        texts = SAMPLES | {"list": SAMPLES["legacy"], "literal": SAMPLES["kornia"]}
        (tmp_path / "file").write_text(texts[source])
        given = str(tmp_path / "file")
    assert isinstance(formats.read_policy(given), Policy) if source != "albumentations" else True
    with pytest.raises(FaaError, match=r"leave out the table 'nope'"):
        formats.read_policy(given, table="nope")


def test_an_installed_policy_hides_timms_string(install: Install) -> None:
    """Unless the string is asked for."""
    source = "from faa_core import Policy\n\ndef make():\n    return Policy.load('none')\n"
    assert "timm" == formats.read_policy("original").provenance["source"]
    install(
        "throwaway-o",
        group="faa.policies",
        entries={"original": "throwaway_o:make"},
        modules={"throwaway_o": source},
    )
    assert Policy.load("none") == formats.read_policy("original")
    assert "timm" == formats.read_policy("original", format="timm").provenance["source"]


def test_empty_names_are_errors() -> None:
    """Of the policy, and of the file to write."""
    with pytest.raises(FaaError, match="name of a policy must not be empty"):
        formats.read_policy("none", name="")
    with pytest.raises(FaaError, match="path of the file to write must not be empty"):
        formats.write_policy(Policy.load("none"), "")


def test_long_sums_are_no_traceback() -> None:
    """Nested operators recurse as brackets do."""
    with pytest.raises(FaaError, match="nested too deeply"):
        formats.parse("[1]" + "+[1]" * 50_000, "legacy")


def test_writing(tmp_path: Path) -> None:
    """Text and bytes, as `parse` takes them; what cannot be written leaves no file."""
    policy = Policy.load("fa-reduced-svhn")
    for name in ("faa", "legacy"):
        formats.write_policy(policy, tmp_path / "out", name)
        assert (tmp_path / "out").read_text() == formats.render(policy, name)
        again = formats.read_policy(tmp_path / "out", format=name)
        assert again.sub_policies == policy.sub_policies
    layers = formats.parse(npz(), "deepaa")
    formats.write_policy(layers, tmp_path / "out.npz", "deepaa")
    assert (tmp_path / "out.npz").read_bytes() == formats.render(layers, "deepaa")
    with pytest.raises(FaaError):
        formats.write_policy(policy, tmp_path / "none", "kornia")
    assert not (tmp_path / "none").exists()
    with pytest.raises(FaaError, match="cannot be written"):
        formats.write_policy(policy, tmp_path / "out" / "below")
    with pytest.raises(FaaError, match="Format deepaa is bytes"):
        formats.parse("", "deepaa")


def test_what_is_written_is_a_policy_and_where_is_a_path(tmp_path: Path) -> None:
    """Names of policies are not loaded on the way."""
    with pytest.raises(FaaError, match=r"What is written is a Policy, not 'none'; Policy\.load"):
        formats.write_policy("none", tmp_path / "a.json")  # type: ignore[arg-type]
    for path in ("", None, 5):
        with pytest.raises(
            FaaError, match="The path of the file to write must not be empty, nor anything but a path: "
        ):
            formats.write_policy(Policy.load("none"), path)  # type: ignore[arg-type]
    assert [] == list(tmp_path.iterdir())
