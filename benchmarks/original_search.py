"""The original's way of trying a policy, to be measured against: a loader for each view, images one by one by Pillow.

Written anew from what the search of Fast AutoAugment does (kakaobrain/fast-autoaugment, 2020-04-12): each trial is one
proposal of hyperopt, which is waited for, then V data loaders over the held-out images in one order, whose worker
processes apply a random sub-policy, crop, flip, normalisation and Cutout; their batches of 128 go through the network
view by view, in float32 and with gradients recorded, and an image counts as right if any of its views is.

In its favour it is spared what it also does: reading the data set anew for each loader and the network for each trial,
and handing trials over by Ray.

Shapes: V = views, N = held-out images, B = batch, H = W = side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hyperopt import hp, tpe
from hyperopt.base import JOB_STATE_DONE, STATUS_OK, Domain, Trials
from numpy.typing import NDArray
from original import Augmentation, CutoutDefault
from PIL import Image
from search_trials import Done, Recorded
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as v1

from faa_core import Policy, SubPolicies
from faa_search.searching.samplers import Params, PolicySpace, Scored

BATCH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How faithfully the original is repeated.

    Attributes:
        name: Shown in tables.
        gradients: Whether they are recorded, which nothing needs.
        baseline: Whether images are also cropped, flipped and cut out, which ours leaves to the policy.
    """

    name: str
    gradients: bool
    baseline: bool


MANNERS = (
    Manner(name="original, as released", gradients=True, baseline=True),
    Manner(name="original, no_grad", gradients=False, baseline=True),
    Manner(name="original, no_grad, policy only", gradients=False, baseline=False),
)


class Images(Dataset[tuple[Tensor, int]]):
    """Held-out images, augmented one by one.

    Args:
        images_NHWC: uint8.
        labels_N: int64.
        transform: From a PIL image to float32 ``[3, H, W]``.
    """

    def __init__(
        self, images_NHWC: NDArray[np.uint8], labels_N: NDArray[np.int64], transform: Callable[[Any], Any]
    ) -> None:
        self.images_NHWC, self.labels_N, self.transform = images_NHWC, labels_N, transform

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an image after the transform, and its label."""
        return self.transform(Image.fromarray(self.images_NHWC[index])), int(self.labels_N[index])

    def __len__(self) -> int:
        return len(self.labels_N)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What the original scores policies with.

    Attributes:
        model: In evaluation mode, contiguous.
        images_NHWC: uint8.
        labels_N: int64.
        mean: Of the normalisation.
        std: Of the normalisation.
        views: V.
    """

    model: nn.Module
    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    views: int

    def score(self, policy: Policy, manner: Manner, *, workers: int) -> float:
        """Return the share of images that are right in any view, in 0 … 1.

        Args:
            policy: To be tried.
            manner: How.
            workers: Processes of each loader.
        """
        images = Images(self.images_NHWC, self.labels_N, self.transform(policy, manner))
        context = "fork" if workers else None  # the quickest to start
        loaders: list[DataLoader[Any]] = [
            DataLoader(images, BATCH, num_workers=workers, multiprocessing_context=context) for _ in range(self.views)
        ]
        right = []
        with torch.set_grad_enabled(manner.gradients):
            for batches in zip(*loaders, strict=True):
                right_VB = torch.stack([self.right(images_BCHW, labels_B) for images_BCHW, labels_B in batches])
                right.append(right_VB.any(dim=0))
        return float(torch.cat(right).double().mean())

    def right(self, images_BCHW: Tensor, labels_B: Tensor) -> Tensor:
        """Return which images the network is right about, ``[B]``; the loss is computed for the log, as there."""
        logits_BC = self.model(images_BCHW)
        cross_entropy(logits_BC, labels_B, reduction="none").detach().numpy()
        right_B: Tensor = logits_BC.argmax(dim=1) == labels_B
        return right_B

    def transform(self, policy: Policy, manner: Manner) -> Callable[[Any], Any]:
        """Return what is done to an image; the sizes of crop and Cutout are CIFAR-10's, in proportion."""
        side = self.images_NHWC.shape[1]
        steps: list[Any] = [v1.ToTensor(), v1.Normalize(self.mean, self.std)]
        if manner.baseline:
            crop = v1.RandomCrop(side, padding=side // 8)
            steps = [crop, v1.RandomHorizontalFlip(), *steps, CutoutDefault(side // 2)]
        composed: Callable[[Any], Any] = v1.Compose([Augmentation(policy), *steps])
        return composed


class Proposals:
    """Proposals of hyperopt's TPE, each made when it is asked for and waited for.

    Args:
        recorded: The trials to come, and what is known when each is proposed.
    """

    def __init__(self, recorded: Recorded) -> None:
        space = recorded.space
        expression: dict[str, Any] = {}
        for use in space.uses():
            expression[f"op_{use}"] = hp.choice(f"op_{use}", range(len(space.ops)))
            expression[f"p_{use}"] = hp.uniform(f"p_{use}", 0.0, 1.0)
            expression[f"magnitude_{use}"] = hp.uniform(f"magnitude_{use}", 0.0, 1.0)
        self.recorded, self.space = recorded, space
        self.domain = Domain(lambda _params: 0.0, expression)
        self.known = [known_trials(space, recorded.known(number)) for number in range(len(recorded))]

    def __len__(self) -> int:
        return len(self.known)

    def propose(self, number: int) -> Params:
        """Return the next trial of a round."""
        trials, seed = self.known[number], self.recorded.proposal_seed(number)
        (found,) = tpe.suggest([len(trials)], self.domain, trials, seed, verbose=False)
        values = {label: value[0] for label, value in found["misc"]["vals"].items()}
        return {
            label: self.space.ops[int(value)] if label.startswith("op_") else float(value)
            for label, value in values.items()
        }


def trials(proposals: Proposals, scoring: Scoring, manner: Manner, *, workers: int, count: int) -> list[Done]:
    """Do the first trials, one after the other.

    Args:
        proposals: Proposes them.
        scoring: Scores them.
        manner: How.
        workers: Processes of each loader.
        count: How many.
    """
    done = []
    for number in range(count):
        params = proposals.propose(number)
        policy = SubPolicies(sub_policies=proposals.space.decode(params))
        done.append(Done(params, scoring.score(policy, manner, workers=workers)))
    return done


def known_trials(space: PolicySpace, history: Sequence[Scored]) -> Trials:
    """Return finished trials as hyperopt keeps them."""
    trials = Trials()
    numbers = list(range(len(history)))
    results = [{"loss": -scored.reward, "status": STATUS_OK} for scored in history]
    miscs = [known_misc(space, number, scored) for number, scored in enumerate(history)]
    documents = trials.new_trial_docs(numbers, [None] * len(history), results, miscs)
    trials.insert_trial_docs([{**document, "state": JOB_STATE_DONE} for document in documents])
    trials.refresh()
    return trials


def known_misc(space: PolicySpace, number: int, scored: Scored) -> dict[str, Any]:
    """Return the parameters of a finished trial as hyperopt keeps them."""
    values = {
        label: [space.ops.index(str(value)) if label.startswith("op_") else value]
        for label, value in scored.params.items()
    }
    return {"tid": number, "cmd": None, "workdir": None, "idxs": {label: [number] for label in values}, "vals": values}
