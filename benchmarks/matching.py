"""Deep AutoAugment's inner loop: augmented images a second, ours against the original's way, and the whole triple.

A triple of a layer needs one image under every transform of the layer, after draws from the layers before: 16 × 139
images. Ours makes them in one call, those with the same pixels once; the original makes each by Pillow, one after the
other, and turns it into a normalised tensor. Both have the same layers. Rounds interleave the two; a figure is the
median over rounds of the CPU time of one thread, a ratio the median of the rounds' ratios with its 95 % interval.

The whole triple has the network's passes too, which on a CPU take nearly all of it. From their number the cost of a
whole search follows, in floating-point operations.

    FAA_TEST_DATA=DIR python benchmarks/matching.py
"""

import argparse
import json
import random  # noqa: TID251 the original draws from it
from dataclasses import asdict
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from harness import Contender, Ratio, interleave, one_thread, ratio, surroundings
from original import GREY, MEAN, PIXELS, STD
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor
from torchvision import transforms as v1
from torchvision.transforms.functional import to_pil_image

from faa_core import Layers
from faa_models.macs import count_macs
from faa_search.searching.deep.augmenting import draws_of_each
from faa_search.searching.deep.gradients import FrozenNetwork
from faa_search.searching.deep.matching import Matching, match
from faa_search.searching.deep.pools import make_pools
from faa_search.searching.deep.space import Probabilities, Space, space_of
from faa_search.searching.objective import CPU_PIXELS, Staged
from faa_search.settings import DeepSearchConfig
from faa_search.training.models import model_input
from faa_search.training.network import make_network
from faa_search.workers.processes import Alone

RESULTS = Path(__file__).parent / "results"
SIDE, CLASSES, IMAGES = 32, 10, 400
TO_TENSOR = v1.Compose([v1.ToTensor(), v1.Normalize(MEAN, STD)])
PASS = 3  # times a forward pass without gradients: one that is differentiated, backward or forward


def main() -> int:
    """Run the benchmark, print its table, write its result."""
    options = arguments()
    one_thread()
    config = DeepSearchConfig(model=options.model, prefixes=options.prefixes)
    space, images_NCHW = space_of(config, SIDE), pictures()
    layers = {"start": space.start(), "uniform": space.uniform()}
    rows = [
        row(space, images_NCHW[0], name, layer, before, config.prefixes, options)
        for before in (1, 3)
        for name, layer in layers.items()
    ]
    matching = matching_of(config, space, images_NCHW)
    triples = [triple(matching, name, layer, options) for name, layer in layers.items()]
    result = {
        "about": "Deep AutoAugment's augmented images of a triple, and whole triples, CPU time of one thread",
        **surroundings(),
        "model": options.model,
        "rounds": options.rounds,
        "augmenting": rows,
        "triples": triples,
        "released_search": projected(),
    }
    path = options.output or RESULTS / f"matching-cpu-{date.today()}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Written to {path}")
    return 0


def arguments() -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long each is timed in a round")
    parser.add_argument("--model", default="wrn16_1", help="of the whole triple")
    parser.add_argument("--prefixes", type=int, default=16)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def pictures() -> Tensor:
    """Return noisy images with edges, uint8: nothing here depends on what they show."""
    generator = torch.Generator().manual_seed(0)
    coarse_NCHW = torch.rand(IMAGES, 3, 4, 4, generator=generator)
    fine_NCHW = torch.nn.functional.interpolate(coarse_NCHW, size=(SIDE, SIDE), mode="bilinear")
    noise_NCHW = torch.rand(IMAGES, 3, SIDE, SIDE, generator=generator)
    return (230 * fine_NCHW + 25 * noise_NCHW).to(torch.uint8)


def row(
    space: Space,
    image_CHW: Tensor,
    name: str,
    layer: Probabilities,
    before: int,
    prefixes: int,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Return how fast both make the images of a triple after some layers, ours until they are normalised, too."""
    policy = space.policy([layer] * before, mirror=False)
    count = prefixes * len(space)
    scale, shift = (torch.tensor(part).view(1, 3, 1, 1) for part in (STD, MEAN))

    def ours() -> object:
        drawn = draws_of_each(space, policy, image_CHW, prefixes, key=random.getrandbits(60))
        return (drawn.images.float() / 255 - shift) / scale

    def original() -> object:
        return torch.stack(by_pillow(space, policy, image_CHW, prefixes))

    contenders = [Contender("original", original, count), Contender("ours", ours, count)]
    times_RN = interleave(contenders, rounds=options.rounds, seconds=options.seconds)
    found = ratio(times_RN[:, 0], times_RN[:, 1])
    rates = {one.name: 1 / float(sorted(times_RN[:, at])[len(times_RN) // 2]) for at, one in enumerate(contenders)}
    different = len(draws_of_each(space, policy, image_CHW, prefixes, key=1).images)
    show(f"{before} layer(s) before, {name}: {different:,} of {count:,} different", rates, found)
    facts = {"before": before, "layers": name, "images": count, "different": different}
    return {**facts, "rates": rates, "times_as_long": asdict(found)}


def by_pillow(space: Space, policy: Layers, image_CHW: Tensor, prefixes: int) -> list[Tensor]:
    """Return an image under every transform after draws from the layers before, each made by Pillow."""
    image, done = to_pil_image(image_CHW), []
    chosen = [(list(accumulate(choice.probability for choice in layer)), layer) for layer in policy.layers]
    each = space.each()
    for _prefix in range(prefixes):
        drawn = [random.choices(layer, cum_weights=ends)[0] for ends, layer in chosen]  # noqa: S311
        for (last,) in each.layers:
            made = image
            for choice in (*drawn, last):
                row = each.table[choice.op]
                made = applied(made, row.base, row.low + choice.magnitude * (row.high - row.low))
            done.append(TO_TENSOR(made))
    return done


def applied(image: Image.Image, base: str, value: float) -> Image.Image:
    """Return an image after one transform, as the released code has it."""
    if base == "Flip":
        return ImageOps.mirror(image) if random.random() > 0.5 else image  # noqa: S311
    if base == "Crop":
        wide = ImageOps.expand(image, 4, GREY)
        left, top = random.randrange(9), random.randrange(9)  # noqa: S311
        return wide.crop((left, top, left + SIDE, top + SIDE))
    if base == "CutoutAbs":
        x, y = random.uniform(0, SIDE), random.uniform(0, SIDE)  # noqa: S311
        painted, half = image.copy(), value / 2
        box = (int(max(0, x - half)), int(max(0, y - half)), int(min(SIDE, x + half)), int(min(SIDE, y + half)))
        ImageDraw.Draw(painted).rectangle(box, GREY)
        return painted
    return PIXELS[base](image, value)


def matching_of(config: DeepSearchConfig, space: Space, images_NCHW: Tensor) -> Matching:
    """Return what triples are made of, with a network that was not fitted: its passes cost the same."""
    processes = Alone(torch.device("cpu"))
    network = make_network(config, model_input(config.model), processes, classes=CLASSES, size=SIDE, seed=0)
    labels_N = torch.arange(IMAGES) % CLASSES
    return Matching(
        config=config,
        space=space,
        pools=make_pools(labels_N.numpy(), torch.arange(IMAGES).numpy(), val_size=None, seed=0),
        staged=Staged(images_NCHW, labels_N, torch.arange(IMAGES)),
        network=FrozenNetwork(network, size=SIDE, batch_size=CPU_PIXELS // SIDE**2),
    )


def triple(matching: Matching, name: str, layer: Probabilities, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a whole triple of a third layer takes, and the part of it in which images are made."""
    space, image_CHW, keys = matching.space, matching.image(0), iter(range(10**9))
    before = space.policy([layer] * 2, mirror=False)
    contenders = [
        Contender("whole triple", lambda: match(matching, [layer] * 3, key=next(keys)), 1),
        Contender(
            "its images under every transform",
            lambda: draws_of_each(space, before, image_CHW, matching.config.prefixes, key=next(keys)),
            1,
        ),
    ]
    times_RN = interleave(contenders, rounds=min(5, options.rounds), seconds=options.seconds)
    seconds = {one.name: float(sorted(times_RN[:, at])[len(times_RN) // 2]) for at, one in enumerate(contenders)}
    print(f"{name}: " + ", ".join(f"{what} {taken:.3f} s" for what, taken in seconds.items()))
    return {"layers": name, "seconds": seconds}


def projected() -> dict[str, float]:
    """Return the images and floating-point operations of the released search of six layers, at most."""
    config = DeepSearchConfig()
    network = make_network(
        DeepSearchConfig(model="wrn40_2"),
        model_input("wrn40_2"),
        Alone(torch.device("cpu")),
        classes=10,
        size=32,
        seed=0,
    )
    macs = count_macs(network.model, (1, 3, SIDE, SIDE))
    transforms = 139
    first = config.val_images + transforms
    later = config.val_images + config.gradient_draws * transforms + config.prefixes * transforms
    images = config.updates * config.triples * (first + (config.layers - 1) * later)
    operations = 2 * macs * PASS * images
    print(f"Released search: {images:.3g} images, {operations:.3g} floating-point operations with wrn40_2")
    return {"images": images, "macs_per_image": macs, "operations": operations}


def show(what: str, rates: dict[str, float], found: Ratio) -> None:
    """Print a row."""
    each = ", ".join(f"{name} {rate:,.0f} images/s" for name, rate in rates.items())
    print(f"{what}: {each}; the original takes {found.median:.1f} [{found.low:.1f}, {found.high:.1f}] times as long")


if __name__ == "__main__":
    raise SystemExit(main())
