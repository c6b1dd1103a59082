"""What the stochastic layers of the networks cost, what skipping blocks saves, and how near a step is to the hardware.

A training step is a forward and a backward pass of the cross-entropy. It is timed against that of the same network with
its stochastic layers replaced by plain sums, in the same rounds; the ratio less 1 is the layers' overhead. What the
hardware could do is taken from a large matrix product of the same precision in the same rounds; convolutions by
Winograd's method, which CPUs use, may exceed it. On CPUs: CPU time of one thread, float32; on CUDA: wall time,
bfloat16, also compiled. Memory layout: channels last.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from harness import Contender, Ratio, interleave, one_thread, ratio, surroundings, timed
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import faa_models
from faa_models.macs import count_macs
from faa_models.shake import ShakeDrop, ShakeShake
from faa_models.skipnet import SkipNet, computation, mac_table

RESULTS = Path(__file__).parent / "results"
SHAKEN = {  # images in a batch on a CPU, and on a GPU
    "shakeshake26_2x32d": (32, 128),
    "shakeshake26_2x96d": (8, 128),
    "pyramidnet110_a270_shakedrop": (8, 64),
    "pyramidnet272_a200_shakedrop": (4, 64),
}
GATED = "pyramidnet272_a200_shakedrop_skip"
GATED_BATCHES = (1, 16)
RATES = (1.0, 0.75, 0.5, 0.25, 0.0)  # of gated blocks that run
CLASSES = 10
SIDE = 32


class PlainSum(nn.Module):
    """What stands where a stochastic layer stood."""

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the sum of two tensors of one shape."""
        return one + other


def main() -> int:
    """Run the benchmark, print its tables, write its result; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=1.0, help="about how long one is timed in a round")
    parser.add_argument("--networks", nargs="*", default=list(SHAKEN), choices=tuple(SHAKEN))
    parser.add_argument("--rates", nargs="*", type=float, default=list(RATES))
    parser.add_argument("--small", action="store_true", help="one image in a batch of 8 px, to try the benchmark")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device = torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")
    if options.device == "cuda" and device.type != "cuda":
        print("--device cuda: torch finds no CUDA device here.", file=sys.stderr)
        return 1
    one_thread()
    torch.manual_seed(0)
    bench = Bench(device, options.rounds, options.seconds, small=options.small)
    record: dict[str, Any] = {**surroundings(), "faa-models": faa_models.__version__, **bench.hardware()}
    record |= {"threads": torch.get_num_threads(), "rounds": options.rounds, "training": [], "skipping": []}
    for name in options.networks:
        for compiled in (False, True) if device.type == "cuda" else (False,):
            record["training"].append(bench.training(name, compiled=compiled))
            print(shown_training(record["training"][-1]), flush=True)
    for batch in GATED_BATCHES if options.rates else ():
        for rate in options.rates:
            record["skipping"].append(bench.skipping(batch, rate))
            print(shown_skipping(record["skipping"][-1]), flush=True)
    output = options.output or RESULTS / f"networks-{device.type}-{date.today().isoformat()}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Wrote {output}")
    return 0


class Bench:
    """Times networks on one device."""

    def __init__(self, device: torch.device, rounds: int, seconds: float, *, small: bool) -> None:
        self.device, self.rounds, self.seconds, self.small = device, rounds, seconds, small
        self.cuda = device.type == "cuda"
        self.side = 8 if small else SIDE
        self.timer = device_timed if self.cuda else timed

    def hardware(self) -> dict[str, Any]:
        """Return what is particular to the device."""
        gpu = torch.cuda.get_device_properties(0).name if self.cuda else None
        return {"gpu": gpu, "cuda": torch.version.cuda if self.cuda else None}

    def training(self, name: str, *, compiled: bool) -> dict[str, Any]:
        """Return a network's step time, the plain network's, and the share of the limit that its step reaches."""
        batch = 2 if self.small else SHAKEN[name][self.cuda]
        network = self.placed(timm.create_model(name, num_classes=CLASSES)).train()
        plain = without_shaking(network)
        images, labels = self.images(batch), torch.arange(batch, device=self.device) % CLASSES
        steps = {}
        for what, model in (("shaken", network), ("plain", plain)):
            steps[what] = partial(self.step, torch.compile(model) if compiled else model, images, labels)
        product, product_macs = self.product()
        times_RN = self.rounds_of([*steps.values(), product], batch)
        macs = 3 * count_macs(network, (1, 3, self.side, self.side))  # the backward pass is two more
        seconds = float(np.median(times_RN[:, 0]))
        shares_R = (macs / times_RN[:, 0]) / (product_macs / (times_RN[:, 2] * batch))
        return {
            "network": name,
            "compiled": compiled,
            "batch": batch,
            "seconds_per_step": seconds * batch,
            "images_per_second": 1 / seconds,
            "against_plain": asdict(ratio(times_RN[:, 0], times_RN[:, 1])),
            "share_of_matrix_rate": float(np.median(shares_R)),
        }

    def skipping(self, batch: int, rate: float) -> dict[str, Any]:
        """Return the latency of gathered against masked evaluation, at a rate of gated blocks that run."""
        network = self.placed(timm.create_model(GATED, num_classes=CLASSES)).eval()
        assert isinstance(network, SkipNet)  # noqa: S101 the registry says so
        table = mac_table(network, (self.side, self.side))
        generator = torch.Generator().manual_seed(1)
        decisions_BG = (torch.rand(batch, len(table.saved), generator=generator) < rate).float()
        runs = []
        for execution in ("gather", "masked"):
            network.execution = execution
            runs.append(partial(self.evaluate, deepcopy(network), self.images(batch), decisions_BG.to(self.device)))
        times_RN = self.rounds_of(runs, batch)
        gathered, masked = np.median(times_RN, axis=0) * batch
        return {
            "network": GATED,
            "batch": batch,
            "rate": rate,
            "mac_rate": computation(decisions_BG, table).mac_rate,
            "gather_seconds": float(gathered),
            "masked_seconds": float(masked),
            "gather_against_masked": asdict(ratio(times_RN[:, 0], times_RN[:, 1])),
        }

    def placed(self, network: nn.Module) -> nn.Module:
        """Return a network on the device, its channels last."""
        return network.to(self.device, memory_format=torch.channels_last)

    def images(self, batch: int) -> Tensor:
        """Return random images [B, 3, H, W] on the device."""
        images = torch.randn(batch, 3, self.side, self.side, generator=torch.Generator().manual_seed(0))
        return images.to(self.device).contiguous(memory_format=torch.channels_last)

    def step(self, network: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> None:
        """Run a forward and a backward pass."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cuda):
            loss = cross_entropy(network(images), labels)
        loss.backward()

    @torch.inference_mode()
    def evaluate(self, network: SkipNet, images: Tensor, decisions: Tensor) -> None:
        """Run a forward pass with these blocks."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.cuda):
            network(images, decisions=decisions)

    def rounds_of(self, runs: Sequence[Callable[[], object]], batch: int) -> Any:
        """Return seconds per image [rounds, runs]."""
        contenders = [Contender(str(at), run, batch) for at, run in enumerate(runs)]
        return interleave(contenders, rounds=self.rounds, seconds=self.seconds, timer=self.timer)

    def product(self) -> tuple[Callable[[], object], int]:
        """Return a large matrix product, and its multiply-adds."""
        side = 8192 if self.cuda else (256 if self.small else 1024)
        matrix = torch.randn(side, side, device=self.device, dtype=torch.bfloat16 if self.cuda else torch.float32)
        return partial(torch.mm, matrix, matrix), side**3


def without_shaking(network: nn.Module) -> nn.Module:
    """Return a copy whose stochastic layers are plain sums."""
    plain = deepcopy(network)
    for module in list(plain.modules()):
        for name, child in module.named_children():
            if isinstance(child, ShakeDrop | ShakeShake):
                setattr(module, name, PlainSum())
    return plain


def device_timed(run: Callable[[], object], count: int) -> float:
    """Return the wall seconds of a number of calls on the CUDA device."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _call in range(count):
        run()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def shown_training(row: dict[str, Any]) -> str:
    """Return a line for people."""
    return (
        f"{row['network']}{', compiled' if row['compiled'] else ''}, batch {row['batch']}: "
        f"{1e3 * row['seconds_per_step']:,.1f} ms a step, {row['images_per_second']:,.1f} images/s, "
        f"{100 * row['share_of_matrix_rate']:.0f} % of the matrix rate; "
        f"{spread(Ratio(**row['against_plain']))} times the plain network's step"
    )


def shown_skipping(row: dict[str, Any]) -> str:
    """Return a line for people."""
    return (
        f"batch {row['batch']}, {100 * row['rate']:.0f} % of gated blocks, {100 * row['mac_rate']:.1f} % of "
        f"multiply-adds: gather {1e3 * row['gather_seconds']:,.1f} ms, masked {1e3 * row['masked_seconds']:,.1f} ms, "
        f"{spread(Ratio(**row['gather_against_masked']))} times"
    )


def spread(figure: Ratio) -> str:
    """Return a ratio with its interval."""
    return f"{figure.median:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
