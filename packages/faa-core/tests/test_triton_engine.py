"""The Triton engine's pixels are the torch engine's: by Triton's interpreter everywhere, and on a GPU where one is.

Shapes: B images, C channels, H × W pixels, S stages, M partners.
"""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from faa_core.engines.torch import engine as torch_engine
from faa_core.operations.instructions import Code

pytest.importorskip("triton")

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CODES = [code for code in Code if code is not Code.RESIZE]
SIZES = [(1, 1), (2, 5), (37, 53), (32, 32), (64, 40)]
PARTNERS = 3
SCALE, BIAS = (0.017, 1 / 57, 0.0171), (-2.1, 0.3, 1.9)
INTERPRETED = """
import sys
import numpy as np
import torch
from faa_core.engines.triton import engine as triton_engine

given = dict(np.load(sys.argv[1]))
done = {}
for name in {key.split("/")[0] for key in given}:
    images, instructions, partners = (torch.from_numpy(given[f"{name}/{part}"]) for part in range(3))
    scale, bias = (given[f"{name}/{part}"].tolist() or None for part in (3, 4))
    done[name] = triton_engine.run(images, instructions, partners=partners, scale=scale, bias=bias).numpy()
np.savez(sys.argv[2], **done)
"""


class Case(NamedTuple):
    """What a batch goes through; an empty scale leaves it uint8."""

    images_BCHW: NDArray[np.uint8]
    instructions_BS8: NDArray[np.float64]
    partners_MCHW: NDArray[np.uint8]
    scale_C: NDArray[np.float64]
    bias_C: NDArray[np.float64]

    def expected(self) -> Tensor:
        done = torch_engine.run(
            torch.from_numpy(self.images_BCHW),
            self.instructions_BS8,
            interpolation="nearest",
            partners=torch.from_numpy(self.partners_MCHW),
        )
        if not len(self.scale_C):
            return done
        scale_C11, bias_C11 = (torch.tensor(row, dtype=torch.float32)[:, None, None] for row in self[3:])
        return done.float() * scale_C11 + bias_C11


def matrix(rng: np.random.Generator, height: int, width: int) -> list[float]:
    """Return a random inverse map of each kind that the operations have."""
    match rng.integers(4):
        case 0:
            return [1, rng.uniform(-0.5, 0.5), 0, 0, 1, 0]
        case 1:
            return [1, 0, 0, rng.uniform(-0.5, 0.5), 1, 0]
        case 2:
            turned = bool(rng.integers(2))
            x, y = rng.integers(-width, width + 1) // 2, rng.integers(-height, height + 1) // 2
            return [-1 if turned else 1, 0, x + width * turned, 0, 1, y]
        case _:
            cosine, sine = np.cos(angle := rng.uniform(-3, 3)), np.sin(angle)
            x, y = width / 2, height / 2
            return [cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y]


def instruction(rng: np.random.Generator, code: Code, height: int, width: int) -> list[float]:
    """Return a random instruction, eight numbers."""
    match code:
        case Code.AFFINE:
            parameters = matrix(rng, height, width)
        case Code.FILL:
            (left, right), (top, bottom) = np.sort(rng.integers(0, (width + 1, height + 1), (2, 2)), axis=0).T
            parameters = [left, top, right, bottom]
        case Code.SOLARIZE:
            parameters = [rng.integers(0, 256)]
        case Code.SOLARIZE_ADD:
            parameters = [rng.integers(-130, 131)]
        case Code.POSTERIZE:
            parameters = [256 - 2 ** rng.integers(1, 9)]
        case Code.MIX:
            parameters = [rng.uniform(), rng.integers(PARTNERS)]
        case _:
            parameters = [rng.uniform(0, 2.5)]
    return [code, *parameters, *[0] * (6 - len(parameters)), rng.integers(2**24)]


def case(channels: int, size: tuple[int, int], codes_BS: NDArray[np.int64], seed: int) -> Case:
    """Return a batch with instructions of these codes: noisy, narrow, dark and constant images; odd seeds normalise."""
    rng = np.random.default_rng([seed, channels, *size])
    shape = (len(codes_BS), channels, *size)
    images_BCHW = rng.integers(0, 256, shape, dtype=np.uint8)
    images_BCHW[1::4] = images_BCHW[1::4] // 3 + 90
    images_BCHW[2::4] = rng.integers(0, 3, shape, dtype=np.uint8)[2::4]
    images_BCHW[3::8] = rng.integers(0, 256, (channels, 1, 1))
    rows = [[instruction(rng, Code(code), *size) for code in codes_S] for codes_S in codes_BS]
    chosen = channels * (seed % 2)
    return Case(
        images_BCHW,
        np.array(rows, dtype=np.float64).reshape(*codes_BS.shape, 8),
        rng.integers(0, 256, (PARTNERS, *shape[1:]), dtype=np.uint8),
        np.array(SCALE[:chosen]),
        np.array(BIAS[:chosen]),
    )


def chains(channels: int, size: tuple[int, int], stages: int, count: int) -> Case:
    """Return a batch of random instructions, one after the other."""
    rng = np.random.default_rng([stages, channels, *size])
    return case(channels, size, rng.choice(np.array(CODES), (count, stages)), stages)


def cases() -> dict[str, Case]:
    """Return batches for the interpreter, which takes 30 ms for an image."""
    found = {}
    for channels in (1, 3):
        for place, size in enumerate(SIZES):
            alone_B1 = np.repeat(np.array(CODES), 8)[:, None]
            found[f"one {channels} {place}"] = case(channels, size, alone_B1, seed=channels + place)
            for stages in (0, 2 + place % 3, 4 - place % 2):
                found[f"{stages} {channels} {place}"] = chains(channels, size, stages, 12 if stages else 2)
    return found


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory) -> tuple[dict[str, Case], dict[str, Tensor]]:
    """Every batch and what the kernel makes of it; Triton decides when it is imported whether to interpret."""
    triton, numpy = (tuple(int(part) for part in version(name).split(".")[:2]) for name in ("triton", "numpy"))
    if triton < (3, 7) and numpy >= (2, 4):
        pytest.skip("this Triton's interpreter needs NumPy 2.3 or older")
    folder, batches = tmp_path_factory.mktemp("triton"), cases()
    np.savez(
        folder / "given", **{f"{name}/{part}": row for name, own in batches.items() for part, row in enumerate(own)}
    )
    command = [sys.executable, "-c", INTERPRETED, str(folder / "given.npz"), str(folder / "done.npz")]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment)
    return batches, {name: torch.from_numpy(row) for name, row in np.load(folder / "done.npz").items()}


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_one_instruction_has_the_torch_engines_pixels(interpreted, code):
    batches, done = interpreted
    for name in (name for name in batches if name.startswith("one")):
        own_B = batches[name].instructions_BS8[:, 0, 0] == code
        assert torch.equal(done[name][own_B], batches[name].expected()[own_B]), name


def test_chains_of_instructions_have_the_torch_engines_pixels(interpreted):
    batches, done = interpreted
    for name, own in batches.items():
        assert done[name].dtype == (torch.float32 if len(own.scale_C) else torch.uint8)
        assert torch.equal(done[name], own.expected()), name


@pytest.mark.parametrize(("side", "channels", "warps"), [(32, 3, 4), (1, 1, 4), (224, 3, 16)])
def test_the_kernel_compiles_without_a_gpu(monkeypatch, tmp_path, side, channels, warps):
    """The interpreter takes what the compiler refuses, and knows neither fused arithmetic nor barriers."""
    import triton  # noqa: PLC0415 it may be missing
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415
    from triton.backends.nvidia import compiler  # noqa: PLC0415

    from faa_core.engines.triton.kernel import augment  # noqa: PLC0415

    if not (Path(compiler.__file__).parent / "bin/ptxas").exists():
        pytest.skip("this build of Triton has no assembler for CUDA devices")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    sizes = {"HEIGHT": side, "WIDTH": side, "CHANNELS": channels, "STAGES": 4, "NORMALISED": True}
    sizes["BLOCK"] = min(max(triton.next_power_of_2(side * side), 128), 256 * warps)
    types = ["*u8", "*fp64", "*u8", "*i32", "*fp32", "i32", *["fp32"] * 6]
    signature = dict(zip(augment.arg_names, types + ["constexpr"] * len(sizes), strict=True))
    built = triton.compile(
        triton.compiler.ASTSource(fn=augment, signature=signature, constexprs=sizes),
        target=GPUTarget("cuda", 90, 32),
        options={"num_warps": warps, "num_stages": 1, "enable_fp_fusion": False},
    )
    assert len(built.asm["cubin"]) > 0
    assert "fma.rn" not in built.asm["ptx"], "a product is not rounded before it is added"
    assert built.asm["ptx"].count("div.rn.f64") == channels, "AutoContrast divides, and rounds once"
    assert "div.full" not in built.asm["ptx"]
    assert built.asm["ttir"].count("barrier") == 2


def on_gpu(own: Case) -> dict[str, Tensor]:
    """Return the arguments of the engine, on the device."""
    names = ("images_BCHW", "instructions_BS8", "partners")
    return {name: torch.from_numpy(row).cuda() for name, row in zip(names, own[:3], strict=True)}


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [*SIZES, (65, 64), (224, 224)])
@pytest.mark.parametrize("stages", [0, 1, 2, 3, 4, 5])
def test_a_gpu_gives_the_pixels_of_the_cpu(channels, size, stages):
    from faa_core.engines.triton import engine as triton_engine  # noqa: PLC0415 the interpreter must not be imported with the tests

    own = chains(channels, size, stages, 3000 if size[0] <= 64 else 200)
    done = triton_engine.run(**on_gpu(own), scale=own.scale_C.tolist() or None, bias=own.bias_C.tolist() or None)
    assert torch.equal(done.cpu(), own.expected())


@pytest.mark.gpu
@needs_gpu
def test_a_captured_graph_reads_new_images_and_instructions():
    from faa_core.engines.triton import engine as triton_engine  # noqa: PLC0415

    first, second = (case(3, (32, 32), np.array([[a, b]] * 200), seed=1) for a, b in ((1, 11), (9, 7)))
    given = on_gpu(first)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        triton_engine.run(**given, scale=SCALE, bias=BIAS)  # compiles
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        done = triton_engine.run(**given, scale=SCALE, bias=BIAS)
    for own in (first, second):
        for name, row in on_gpu(own).items():
            given[name].copy_(row)
        graph.replay()
        assert torch.equal(done.cpu(), own.expected())


@pytest.mark.gpu
@needs_gpu
def test_a_batch_is_one_launch_and_nothing_waits():
    from faa_core.engines.triton import engine as triton_engine  # noqa: PLC0415

    given = on_gpu(chains(3, (32, 32), 4, 512))
    triton_engine.run(**given, scale=SCALE, bias=BIAS)  # compiles
    torch.cuda.synchronize()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.profiler.profile(activities=activities) as profile:
            triton_engine.run(**given, scale=SCALE, bias=BIAS)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    events = profile.events() or []
    on_device = [event.name for event in events if event.device_type == torch.autograd.DeviceType.CUDA]
    assert on_device == ["augment"]
    assert not {"cudaStreamSynchronize", "cudaEventSynchronize", "cudaMemcpy"} & {event.name for event in events}
