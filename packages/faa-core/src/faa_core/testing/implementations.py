"""What is tested: Pillow's kernels, the engines for batches, and a function of somebody else's, all called alike."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from PIL.Image import Resampling

from faa_core.applying import EngineStatus, PolicyBatch, engine_statuses
from faa_core.applying.operators import augment
from faa_core.engines.choosing import Engine, missing_for
from faa_core.errors import FaaError, UnknownNameError
from faa_core.operations import Canvas, Colour, Step
from faa_core.operations import Drawn as Placed
from faa_core.operations.canvas import Pair
from faa_core.operations.instructions import instruction, packed
from faa_core.policies import Op, Policy, SubPolicies
from faa_core.testing.golden import Call, DrawnPolicy, standard_operations
from faa_core.testing.images import Pixels, from_pillow, to_pillow

Subject = Callable[[Pixels, str, float, Pair, Pair, Colour, str], Pixels]
NOTHING_STORED = MappingProxyType[str, str]({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """Something that claims to have our pixels. Both functions raise NotImplementedError for what it does not offer.

    Attributes:
        name: For people.
        tolerance: Largest difference of a value, 0…255, that it is allowed; 0 claims the same bits.
        call: Returns a test image after one call.
        policy: Returns a test image after what a policy draws, once for each index.
    """

    name: str
    tolerance: int
    call: Callable[[Pixels, Call], Pixels]
    policy: Callable[[Pixels, DrawnPolicy], list[Pixels]]


def engine(name: str) -> Implementation:
    """Return an engine of ours, which claims the same bits as Pillow's kernels.

    Args:
        name: Of the engine. torch may be asked to run on a device: "torch@cuda".

    Raises:
        UnknownNameError: If there is none of that name.
        FaaError: If it cannot run on this machine, or on the device.
    """
    base, _, device = name.partition("@")
    found = {str(status.name): status for status in engine_statuses()}
    if base not in found:
        raise UnknownNameError("engine", base, found)
    status = found[base]
    if status.missing:
        raise FaaError(f"The engine '{name}' cannot run here: {status.missing}.")
    if device:
        _need_device(status, device)
    if status.name == "pillow":
        return Implementation(name=name, tolerance=0, call=pillow_pixels, policy=_pillow_policy)
    place = device or ("cpu" if status.device == "any" else status.device)
    call, policy = partial(_engine_pixels, status.name, place), partial(_engine_policy, status.name, place)
    return Implementation(name=name, tolerance=0, call=call, policy=policy)


def engines_here() -> tuple[str, ...]:
    """Return the names of the engines that can run on this machine, Pillow's first; torch on a GPU too."""
    present = [status.name for status in engine_statuses() if not status.missing]
    gpu = ["torch@cuda"] if torch.cuda.is_available() else []
    return tuple(sorted([*present, *gpu], key=lambda name: name != "pillow"))


def subject(name: str, *, tolerance: int = 0) -> Implementation:
    """Return somebody's function as an implementation.

    Args:
        name: "module:function". The function takes (image, operation, argument, place, shape, fill, interpolation): the
            image uint8 ``[H, W, C]``, the others as in `Call`; and returns a new image like it.
        tolerance: Largest difference of a value that it is allowed.

    Raises:
        FaaError: If there is no such function, or its module does not import.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise FaaError(f"A subject is 'module:function', such as 'mine.ops:apply', not '{name}'.")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        words = " ".join(str(error).split())
        raise FaaError(
            f"The module '{module_name}' does not import: {type(error).__name__}: {words}. "
            "Install it, or run from the folder it is in."
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [known for known, value in vars(module).items() if callable(value) and known[0] != "_"]
        raise UnknownNameError(f"function of '{module_name}'", function_name, known)
    call = partial(_subject_pixels, function)
    return Implementation(name=name, tolerance=tolerance, call=call, policy=partial(_step_by_step, call))


def pillow_pixels(image_HWC: Pixels, call: Call) -> Pixels:
    """Return an image after one call by Pillow's kernel: what all others are measured by."""
    image = to_pillow(image_HWC)
    resample = Resampling[call.interpolation.upper()]
    canvas = Canvas(call.fill, resample, call.place, call.shape, to_pillow(image_HWC[::-1]))
    return from_pillow(standard_operations()[call.operation].kernel(image, call.argument, canvas))


def pillow_steps(image_HWC: Pixels, drawn: DrawnPolicy) -> list[Pixels]:
    """Return an image after the golden draws of each index, by Pillow's kernels."""
    return _step_by_step(pillow_pixels, image_HWC, drawn)


def _pillow_policy(image_HWC: Pixels, drawn: DrawnPolicy) -> list[Pixels]:
    """Return an image after what is drawn here, which has to be the golden set's."""
    policy = drawn.policy
    drawn_here = policy.draw(seed=drawn.seed, epoch=drawn.epoch, indices=np.array(drawn.indices))
    for index, here, golden in zip(drawn.indices, drawn_here, drawn.steps, strict=True):
        if not _alike(here, golden):
            raise ValueError(f"index {index} draws {_words(here)}, not {_words(golden)}")
    return [from_pillow(policy.apply_steps(to_pillow(image_HWC), own)) for own in drawn_here]


def _engine_pixels(name: Engine, device: str, image_HWC: Pixels, call: Call) -> Pixels:
    """Return an image after one call by an engine, as a batch of one."""
    use = Op(op=call.operation, p=1.0, magnitude=0.0)
    asked = SubPolicies(sub_policies=((use,),)).model_copy(update={"interpolation": call.interpolation})
    _need(name, asked)
    height, width = image_HWC.shape[:2]
    batched = standard_operations()[call.operation].in_batches
    assert batched is not None  # noqa: S101 all of ours are carried out in batches
    numbers = batched.numbers(call.argument, width, height, Placed(call.place, call.shape))
    code, parameters = instruction(batched.code, numbers, call.interpolation == "nearest", 1)
    instructions_118 = torch.tensor([[[code, *parameters, packed(call.fill)]]], dtype=torch.float64)
    image_1CHW = _batch(image_HWC, 1, device)
    done_1CHW = augment(image_1CHW, instructions_118, image_1CHW.flip(2), name, call.interpolation, [], [], 1)
    return _unbatch(done_1CHW)[0]


def _engine_policy(name: Engine, device: str, image_HWC: Pixels, drawn: DrawnPolicy) -> list[Pixels]:
    """Return an image after what an engine draws for each index, all in one batch."""
    _need(name, drawn.policy)
    indices = torch.tensor(drawn.indices)
    images_BCHW = _batch(image_HWC, len(indices), device)
    module = PolicyBatch(drawn.policy, engine=name)
    return _unbatch(module(images_BCHW, seed=drawn.seed, epoch=drawn.epoch, indices=indices))


def _subject_pixels(function: Subject, image_HWC: Pixels, call: Call) -> Pixels:
    """Return what somebody's function makes of a copy of an image."""
    done = function(
        image_HWC.copy(), call.operation, call.argument, call.place, call.shape, call.fill, call.interpolation
    )
    if not isinstance(done, np.ndarray) or (done.dtype, done.shape) != (image_HWC.dtype, image_HWC.shape):
        given = f"{done.dtype} {list(done.shape)}" if isinstance(done, np.ndarray) else f"{done!r:.60}"
        raise TypeError(f"returned {given}, not an array of uint8 {list(image_HWC.shape)}")
    return done


def _step_by_step(call: Callable[[Pixels, Call], Pixels], image_HWC: Pixels, drawn: DrawnPolicy) -> list[Pixels]:
    """Return an image after the golden draws of each index, one operation after the other."""
    done = []
    for own in drawn.steps:
        pixels = image_HWC
        for step in own:
            pixels = call(pixels, _call_of(step, drawn.policy))
        done.append(pixels)
    return done


def _call_of(step: Step, policy: Policy) -> Call:
    row = step.operation
    return Call(
        operation=row.base,
        argument=step.argument,
        place=step.centre,
        shape=step.shape,
        fill=row.fill or policy.fill,
        interpolation=policy.interpolation,
        sha256=NOTHING_STORED,
        png=NOTHING_STORED,
    )


def _need(name: Engine, policy: Policy) -> None:
    if reason := missing_for(policy)[name]:
        raise NotImplementedError(reason)


def _need_device(status: EngineStatus, device: str) -> None:
    if status.device != "any":
        raise FaaError(f"The engine '{status.name}' runs on {status.device} alone; torch takes a device.")
    try:
        torch.empty(1, device=device)
    except Exception as error:
        words = next(iter(str(error).splitlines()), "")
        raise FaaError(f"The engine '{status.name}' cannot run on '{device}': {words}") from error


def _batch(image_HWC: Pixels, count: int, device: str) -> torch.Tensor:
    """Return an image as many times as asked for, uint8 ``[B, C, H, W]``."""
    image_CHW = torch.from_numpy(image_HWC.copy()).permute(2, 0, 1)
    return image_CHW.expand(count, -1, -1, -1).contiguous().to(device)


def _unbatch(images_BCHW: torch.Tensor) -> list[Pixels]:
    return list(images_BCHW.permute(0, 2, 3, 1).cpu().numpy())


def _alike(here: tuple[Step, ...], golden: tuple[Step, ...]) -> bool:
    """Return whether two draws are the same; a last bit of the argument may differ, where a logarithm is in it."""
    if [_without_argument(step) for step in here] != [_without_argument(step) for step in golden]:
        return False
    return bool(np.allclose([step.argument for step in here], [step.argument for step in golden], rtol=0, atol=1e-9))


def _without_argument(step: Step) -> Step:
    return step._replace(argument=0.0)


def _words(steps: tuple[Step, ...]) -> str:
    return " then ".join(f"{step.operation.name} {step.argument:g}" for step in steps) or "nothing"
