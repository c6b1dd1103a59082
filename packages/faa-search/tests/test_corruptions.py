"""The corruptions: each does its damage, by as much as it says, the same for any batch; and published ones are read."""

import hashlib
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

from faa_core import FaaError
from faa_search.measuring.corruptions import CORRUPTIONS, SEVERITIES, corrupt, open_published, read_photographs
from faa_search.measuring.corruptions.blur import disk, smeared, zoomed
from faa_search.measuring.corruptions.draws import Draws
from faa_search.measuring.corruptions.weather import plasma

Images = NDArray[np.uint8]
NAMES = [row.name for row in CORRUPTIONS]


@pytest.fixture(scope="module")
def smooth() -> Images:
    """Return four images with large shapes, edges and colours, as photographs have."""
    y, x = np.mgrid[:32, :32] / 32
    channels = [0.5 + 0.35 * np.sin(7 * x + 3 * y + k) + 0.15 * (x + y > 0.7 + 0.2 * k) for k in range(3)]
    one = np.stack(channels, axis=-1)
    images = np.stack([one, one[::-1], one[:, ::-1], one.transpose(1, 0, 2)])
    return (255 * images.clip(0, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def frosty() -> tuple[Images, ...]:
    """Return a photograph for frost: white on the left, black on the right."""
    photograph = np.zeros((400, 400, 3), dtype=np.uint8)
    photograph[:, :200] = 255
    return (photograph,)


def grey(value: int) -> Images:
    """Return many values of one grey."""
    return np.full((13, 32, 32, 3), value, dtype=np.uint8)


def damage(one: Images, other: Images) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_the_names_are_those_of_cifar_10_c() -> None:
    """Fifteen, in the paper's order."""
    noise, blur = ["gaussian", "shot", "impulse"], ["defocus", "glass", "motion", "zoom"]
    rest = "snow frost fog brightness contrast elastic_transform pixelate jpeg_compression".split()
    assert [*(f"{one}_noise" for one in noise), *(f"{one}_blur" for one in blur), *rest] == NAMES


PINNED = {  # at severity 3: mean, standard deviation, and mean of values times a ramp from top (−1) to bottom (1)
    "gaussian_noise": (148.894, 69.478, 4.400),
    "shot_noise": (148.585, 68.648, 4.479),
    "impulse_noise": (149.472, 70.363, 4.529),
    "defocus_blur": (149.613, 67.181, 4.767),
    "glass_blur": (148.741, 66.933, 4.671),
    "motion_blur": (149.761, 66.224, 4.718),
    "zoom_blur": (148.228, 67.358, 5.504),
    "snow": (176.901, 64.186, 4.190),
    "frost": (195.426, 57.441, 3.366),
    "fog": (143.534, 46.981, 3.527),
    "brightness": (168.443, 67.916, 3.270),
    "contrast": (149.578, 28.454, 1.901),
    "elastic_transform": (149.336, 67.008, 4.352),
    "pixelate": (150.264, 67.582, 4.744),
    "jpeg_compression": (150.058, 66.843, 4.711),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_what_it_gave(smooth: Images, frosty: tuple[Images, ...], name: str) -> None:
    """Figures that were published stay comparable: another formula or another draw is another corruption."""
    given: dict[str, Any] = {"photographs": frosty} if name == "frost" else {}
    values = corrupt(smooth, name, 3, **given).astype(float)
    ramp = np.linspace(-1, 1, 32)[None, :, None, None]
    found = values.mean(), values.std(), (values * ramp).mean()
    assert found == pytest.approx(PINNED[name], abs=0.001)


def test_the_figures_are_the_published_ones() -> None:
    """Of every severity, of small and large images: a digest of all."""
    figures = repr([(row.name, row.small, row.large) for row in CORRUPTIONS])
    assert hashlib.sha256(figures.encode()).hexdigest().startswith("032e8c453a73e4b3")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("glass_blur", "elastic_transform", "frost")])
def test_damage_grows_with_severity(smooth: Images, name: str) -> None:
    """From one severity to the next; but for the kinds whose figures do not grow together."""
    many = np.repeat(smooth, 8 if name != "motion_blur" else 60, axis=0)  # a direction matters
    differing = [1, 2, 3, 5] if name == "motion_blur" else SEVERITIES  # its 4 has a longer tail of next to nothing
    amounts = [damage(many, corrupt(many, name, severity)) for severity in differing]
    assert amounts[0] > 0
    assert all(more > less for less, more in pairwise(amounts))


@pytest.mark.parametrize("name", ["glass_blur", "elastic_transform"])
def test_damage_of_kinds_that_change(smooth: Images, name: str) -> None:
    """Something changes at each severity, and colours stay those of the image."""
    for severity in SEVERITIES:
        changed = corrupt(smooth, name, severity)
        assert damage(smooth, changed) > 1
        assert abs(changed.mean() - smooth.mean()) < 12


@pytest.mark.parametrize("name", NAMES)
def test_draws_do_not_depend_on_the_batch(smooth: Images, frosty: tuple[Images, ...], name: str) -> None:
    """An image with its index is corrupted alike alone, in any order, and in parts; another seed is another draw."""
    given: dict[str, Any] = {"photographs": frosty} if name == "frost" else {}
    together = corrupt(smooth, name, 4, seed=1, **given)
    order = np.array([2, 0, 3, 1])
    assert (corrupt(smooth[order], name, 4, seed=1, indices_N=order, **given) == together[order]).all()
    assert (corrupt(smooth[3:], name, 4, seed=1, indices_N=np.array([3]), **given) == together[3:]).all()
    fixed = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert (corrupt(smooth, name, 4, seed=2, **given) == together).all() == (name in fixed)


def test_large_batches_are_made_in_parts(smooth: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded and no pixel changes."""
    whole = corrupt(smooth, "snow", 3)
    monkeypatch.setattr("faa_search.measuring.corruptions.making.AT_ONCE", 32 * 32 * 3)
    assert (whole == corrupt(smooth, "snow", 3)).all()


def test_global_generators_are_left_alone(smooth: Images) -> None:
    """Draws are keyed."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    corrupt(smooth, "gaussian_noise", 1)
    assert (before == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize(("severity", "deviation"), [(1, 0.04), (5, 0.1)])
def test_gaussian_noise_has_its_deviation(severity: int, deviation: float) -> None:
    """About mid-grey, where nothing is cut off; cutting fractions off takes half a level."""
    noisy = corrupt(grey(128), "gaussian_noise", severity).astype(float)
    assert noisy.std() == pytest.approx(255 * deviation, rel=0.02)
    assert noisy.mean() == pytest.approx(127.5, abs=0.5)
    assert np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("value", "severity", "photons"), [(60, 1, 500), (120, 5, 50), (30, 4, 75)])
def test_shot_noise_counts_photons(value: int, severity: int, photons: int) -> None:
    """Mean and variance of the counts are the light's; black stays black."""
    counts = corrupt(grey(value), "shot_noise", severity) / 255 * photons
    light = value / 255 * photons
    assert counts.mean() + photons / 510 == pytest.approx(light, rel=0.02)
    assert counts.var() == pytest.approx(light, rel=0.05)
    assert corrupt(grey(0), "shot_noise", severity).max() == 0


@pytest.mark.parametrize(("severity", "share"), [(1, 0.01), (5, 0.07)])
def test_impulse_noise_replaces_a_share(severity: int, share: float) -> None:
    """Half of it by black and half by white; the rest is untouched."""
    noisy = corrupt(grey(100), "impulse_noise", severity)
    assert (noisy == 0).mean() == pytest.approx(share / 2, rel=0.2)
    assert (noisy == 255).mean() == pytest.approx(share / 2, rel=0.2)
    assert set(np.unique(noisy)) == {0, 100, 255}


@pytest.mark.parametrize(("radius", "softening"), [(0.3, 0.4), (1.5, 0.1), (3, 0.1), (10, 0.5)])
def test_the_disk_is_whole_and_round(radius: float, softening: float) -> None:
    """It adds up to 1, looks alike from all sides, and holds as much as a circle does."""
    kernel = disk(radius, softening)
    assert kernel.sum() == pytest.approx(1)
    for other in (kernel.T, kernel[::-1], kernel[:, ::-1]):
        assert np.allclose(kernel, other)
    if radius == 10:
        assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.03)


def test_smearing_spreads_a_point_the_right_way() -> None:
    """Each pixel looks along the ray, so a point is seen before it: to the left of it for 0°, below it for −90°."""
    point = np.zeros((3, 15, 15, 1))
    point[:, 7, 7] = 1
    right, up, diagonal = smeared(point, 3, 2.0, degrees_B=np.array([0.0, -90.0, 45.0]))[..., 0]
    weights = np.exp(-(np.arange(7) ** 2) / 8)
    weights /= weights.sum()
    assert np.allclose(right[7, 7:0:-1], weights)
    assert np.allclose(up[7:14, 7], weights)
    assert diagonal[6, 6] > 0
    assert diagonal[8, 8] == 0
    assert right.sum() == pytest.approx(1)


def test_zooming_is_scipys(smooth: Images) -> None:
    """The centre is magnified as by scipy's zoom of order 1, and trimmed; a factor of 1 changes nothing."""
    image = smooth[:1] / 255
    assert np.allclose(zoomed(image, 1.0), image)
    kept, first = 26, 3
    made = zoom(image[0, first : first + kept, first : first + kept], (1.26, 1.26, 1), order=1)
    trimmed = (len(made) - 32) // 2
    assert np.allclose(zoomed(image, 1.26)[0], made[trimmed : trimmed + 32, trimmed : trimmed + 32])


def test_zoom_blur_averages_the_steps(smooth: Images) -> None:
    """Severity 1 is seven zooms and the image again; a rounded end of the steps would lose one."""
    image = smooth[:1] / 255
    total = image + sum(zoomed(image, 1 + 0.01 * step) for step in range(7))
    expected = np.floor(255 * total / 8 + 1e-6)
    assert np.abs(corrupt(smooth[:1], "zoom_blur", 1) - expected).max() <= 1
    assert damage(corrupt(smooth[:1], "zoom_blur", 1), expected) < 0.01


@pytest.mark.parametrize("name", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform"])
def test_what_moves_light_keeps_an_even_image(name: str) -> None:
    """Borders included."""
    for severity in SEVERITIES:
        assert (corrupt(grey(77)[:2], name, severity) == 77).all()


def test_glass_takes_pixels_from_near() -> None:
    """At the first severity there is no blur: a value comes from the pixel itself or its upper left ones."""
    values = np.arange(32 * 32).reshape(1, 32, 32, 1)
    coded = np.concatenate([values // 32 * 8, values % 32 * 8, np.zeros_like(values)], axis=-1).astype(np.uint8)
    shuffled = corrupt(coded, "glass_blur", 1).astype(int) // 8
    for axis, away in ((0, shuffled[0, ..., 0] - np.arange(32)[:, None]), (1, shuffled[0, ..., 1] - np.arange(32))):
        assert set(np.unique(away)) == {-1, 0}, axis
    assert (shuffled[0, :2, :, 0] == np.arange(2)[:, None]).all()  # the border is left out


def test_snow_brightens_and_streaks() -> None:
    """Grey becomes whiter, by flakes that go down more than across."""
    snowy = corrupt(np.zeros((60, 32, 32, 3), np.uint8), "snow", 3)[..., 0].astype(float)
    assert snowy.mean() > 10
    down, across = np.abs(np.diff(snowy, axis=1)).mean(), np.abs(np.diff(snowy, axis=2)).mean()
    assert down < across
    assert (snowy[:, ::-1, ::-1] == snowy).all()  # flakes and the same turned by half


def test_frost_is_a_part_of_a_photograph(frosty: tuple[Images, ...]) -> None:
    """Black shows the photograph at its weight; the parts differ; too small a photograph is refused."""
    parts = corrupt(np.zeros((40, 32, 32, 3), np.uint8), "frost", 2, photographs=frosty)
    assert {0, int(0.3 * 255)} <= set(np.unique(parts))
    assert parts.max() == int(0.3 * 255)
    assert (np.diff(parts[..., 0].astype(int), axis=2) <= 0).all()  # bright on the left
    assert len(np.unique(parts.mean(axis=(1, 2, 3)))) > 3
    with pytest.raises(FaaError, match="need at least 160 px"):
        corrupt(grey(0), "frost", 1, photographs=(frosty[0][:100],))
    with pytest.raises(FaaError, match="give a folder"):
        corrupt(grey(0), "frost", 1)


def test_fog_is_fractal_and_keeps_the_range() -> None:
    """Heights reach from 0 to 1 and near ones are alike; on white, fog darkens to 1 / (1 + thickness) at most."""
    heights = plasma(24, 2.0, Draws(parts=(0,), indices_B=np.arange(50)))
    whole = plasma(32, 2.0, Draws(parts=(0,), indices_B=np.arange(50)))
    assert heights.shape == (50, 24, 24)
    assert (whole[:, :24, :24] == heights).all()
    assert np.allclose([whole.min(axis=(1, 2)), whole.max(axis=(1, 2))], [[0], [1]])
    assert np.abs(np.diff(whole, axis=1)).mean() < 0.5 * np.abs(whole[:, 16:] - whole[:, :16]).mean()
    smoother = plasma(32, 3.0, Draws(parts=(0,), indices_B=np.arange(50)))
    assert np.abs(np.diff(smoother, axis=1)).mean() < np.abs(np.diff(whole, axis=1)).mean()
    white = corrupt(grey(255)[:3], "fog", 5)
    assert (white.min(), white.max()) == (int(255 / 2.5), 255)
    ramps = np.tile(np.arange(0, 256, 8, dtype=np.uint8)[:, None, None], (2, 1, 32, 3))
    ramps[1] //= 2
    foggy = corrupt(ramps, "fog", 1)
    assert [100 < image.max() <= most for image, most in zip(foggy, (248, 124), strict=True)] == [True, True]


def test_brightness_is_exact() -> None:
    """The value grows, hue and saturation stay; black becomes grey; what is too bright is cut."""
    colours = np.array([[100, 50, 0], [0, 0, 0], [250, 125, 25]], np.uint8)
    image = np.tile(colours[:, None, None], (1, 4, 4, 1))
    raised = corrupt(image, "brightness", 4)[:, 0, 0]
    assert [151, 75, 0] == raised[0].tolist()  # 100 + 0.2 · 255 = 151, and half of it
    assert [51, 51, 51] == raised[1].tolist()
    assert [255, 127, 25] == raised[2].tolist()


def test_contrast_is_exact() -> None:
    """Distances to each channel's mean shrink; an even image stays."""
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[:, :2] = (200, 100, 0)
    lower = corrupt(image, "contrast", 2)
    assert [150, 75, 0] == lower[0, 0, 0].tolist()
    assert [50, 25, 0] == lower[0, 3, 0].tolist()
    assert all((corrupt(grey(93), "contrast", severity) == 93).all() for severity in SEVERITIES)


def test_pixelate_makes_blocks(smooth: Images) -> None:
    """At 224 px severity 5 has squares of 4 px, each its mean; at 32 px there are so many columns."""
    large = np.asarray(Image.fromarray(smooth[0]).resize((224, 224)))[None]
    blocks = corrupt(large, "pixelate", 5).reshape(56, 4, 56, 4, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert np.abs(blocks[:, 0, :, 0] - large.reshape(56, 4, 56, 4, 3).mean(axis=(1, 3))).max() <= 1  # rounded twice
    assert len(np.unique(corrupt(smooth, "pixelate", 4)[0], axis=1).T) <= 32
    edge = np.repeat([[[[0] * 3] * 16 + [[255] * 3] * 16]], 32, axis=1).astype(np.uint8)
    assert (corrupt(edge, "pixelate", 4) == edge).all()  # 24 columns: the edge lies between two


def test_jpeg_is_pillows(smooth: Images) -> None:
    """Of the quality said, per image."""
    for severity, quality in ((1, 80), (5, 40)):
        file = BytesIO()
        Image.fromarray(smooth[2]).save(file, "JPEG", quality=quality)
        assert (np.asarray(Image.open(file)) == corrupt(smooth, "jpeg_compression", severity)[2]).all()


def test_elastic_transform_shifts_little() -> None:
    """The first severity is affine only: straight lines stay straight, and the centre moves by 8 % at most."""
    line = np.zeros((20, 32, 32, 3), np.uint8)
    line[:, :, 16:] = 255
    moved = corrupt(line, "elastic_transform", 1)[..., 0] / 255
    edges = 32 - moved[:, 8:24].sum(axis=2)  # per row: where white begins
    assert np.abs(np.diff(edges, n=2, axis=1)).max() < 0.3
    assert 0.2 < np.abs(edges - 16).mean() < 3.5
    bent = corrupt(line, "elastic_transform", 5)[..., 0] / 255
    assert np.abs(np.diff(32 - bent[:, 8:24].sum(axis=2), n=2, axis=1)).max() > 0.3


@pytest.mark.parametrize("name", [name for name in NAMES if name != "frost"])
def test_larger_images_take_imagenets_figures(smooth: Images, name: str) -> None:
    """Above 64 px a side; the smallest images work too."""
    large = np.asarray(Image.fromarray(smooth[0]).resize((65, 65)))[None]
    row = next(row for row in CORRUPTIONS if row.name == name)
    assert row.figures(3, 64) == row.small[2] != row.large[2] == row.figures(3, 65)
    assert corrupt(large, name, 1).shape == large.shape
    assert damage(large, corrupt(large, name, 1)) > 0
    assert corrupt(smooth[:, :4, :4], name, 5).shape == (4, 4, 4, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "fogg"}, "No corruption is called 'fogg'; did you mean fog"),
        ({"severity": 0}, "There is no severity 0 of 'fog'"),
        ({"severity": 6}, "There is no severity 6 of 'fog'"),
        ({"images_NHWC": np.zeros((1, 8, 8, 3))}, r"Images are float64 \[1, 8, 8, 3\]"),
        ({"images_NHWC": np.zeros((1, 8, 9, 3), np.uint8)}, r"Images are uint8 \[1, 8, 9, 3\]"),
        ({"images_NHWC": np.zeros((1, 3, 3, 3), np.uint8)}, "with a side of 4 or more"),
    ],
)
def test_what_cannot_be_corrupted(change: dict[str, Any], words: str) -> None:
    """One message says what is allowed."""
    with pytest.raises(FaaError, match=words):
        corrupt(**{"images_NHWC": grey(0), "name": "fog", "severity": 1} | change)


def test_photographs_are_read_by_name(tmp_path: Path) -> None:
    """As RGB; an empty folder and a damaged file are one message."""
    with pytest.raises(FaaError, match="holds 0 photographs"):
        read_photographs(tmp_path)
    Image.new("L", (5, 4), 7).save(tmp_path / "b.png")
    Image.new("RGB", (3, 2), (1, 2, 3)).save(tmp_path / "a.PNG")
    assert [(2, 3, 3), (4, 5, 3)] == [one.shape for one in read_photographs(tmp_path)]
    (tmp_path / "c.jpg").write_bytes(b"nothing")
    with pytest.raises(FaaError, match=r"c\.jpg' cannot be read"):
        read_photographs(tmp_path)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Return a folder laid out as CIFAR-10-C with 2 images of 4 px, each filled with its row's number."""
    rows = np.arange(10, dtype=np.uint8)
    np.save(tmp_path / "labels.npy", np.tile(np.array([1, 0], np.uint8), 5))
    for name in ("fog", "frost"):
        np.save(tmp_path / f"{name}.npy", np.tile(rows[:, None, None, None], (1, 4, 4, 3)))
    return tmp_path


def test_published_images_are_read_by_severity(layout: Path) -> None:
    """Severity s lies at rows (s − 1) · N on, with its labels; what is not there is missing."""
    published = open_published(layout, classes=2)
    assert published.names == ("frost", "fog")
    assert set(published.missing) == set(NAMES) - {"fog", "frost"}
    images, labels = published.read("fog", 3)
    assert [4, 5] == images[:, 0, 0, 0].tolist()
    assert [1, 0] == labels.tolist()
    assert labels.dtype == np.int64


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("labels.npy", None, "There is no file"),
        ("labels.npy", np.zeros(10), r"labels.npy' holds float64 \[10\]"),
        ("labels.npy", np.zeros(9, int), r"labels.npy' holds int64 \[9\]"),
        ("labels.npy", np.full(10, 2), "labels .* are 2 … 2; the network has 2 classes"),
        ("labels.npy", np.full(10, -1), "labels .* are -1 … -1"),
        ("labels.npy", np.zeros(5, int), "holds 10 images, and labels.npy beside it 5 labels"),
        ("fog.npy", np.zeros((10, 4, 4, 3)), r"fog.npy' holds float64 \[10, 4, 4, 3\]"),
        ("fog.npy", np.zeros((10, 3, 4, 4), np.uint8), r"fog.npy' holds uint8 \[10, 3, 4, 4\]"),
        ("fog.npy", np.zeros((8, 4, 4, 3), np.uint8), "holds 8 images"),
        ("fog.npy", np.array([{}], dtype=object), "fog.npy' cannot be read as .npy"),
        ("fog.npy", b"\x93NUMPY", "fog.npy' cannot be read as .npy"),
        ("fog.npy", b"", "fog.npy' cannot be read as .npy"),
    ],
)
def test_folders_of_strangers(layout: Path, file: str, content: Any, words: str) -> None:
    """Damage, other shapes and objects that would be unpickled are one message."""
    (layout / file).unlink()
    if isinstance(content, bytes):
        (layout / file).write_bytes(content)
    elif content is not None:
        np.save(layout / file, content)
    with pytest.raises(FaaError, match=words):
        open_published(layout, classes=2)


def test_folders_without_corruptions(layout: Path) -> None:
    """Not there, or empty but for the labels."""
    with pytest.raises(FaaError, match="There is no folder"):
        open_published(layout / "none", classes=2)
    (layout / "fog.npy").unlink()
    (layout / "frost.npy").unlink()
    with pytest.raises(FaaError, match="holds none of the corruptions"):
        open_published(layout, classes=2)
