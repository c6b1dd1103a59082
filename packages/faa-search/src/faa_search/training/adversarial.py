"""The companion of ``--adversarial``: a controller chooses the policies of each part of an epoch."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from faa_core import FaaError
from faa_core.text import counted, safe, sentence
from faa_search.adversarial.adversary import Adversary
from faa_search.adversarial.learning import shares
from faa_search.adversarial.space import Space
from faa_search.adversarial.steps import ControllerStep, policy_of_epoch
from faa_search.progress import Reporter
from faa_search.runs.files import POLICIES, POLICY, write_file
from faa_search.runs.journal import Journal
from faa_search.settings import TrainConfig
from faa_search.settings.adversarial import ENTROPY_WEIGHTS, LEARNING_RATE
from faa_search.training.policies import Drawn
from faa_search.workers.processes import Processes, from_main

SLOW_START = 200  # steps in which a controller with the published settings has hardly learnt anything
STABLE = ENTROPY_WEIGHTS["stable"]


def name_of(config: TrainConfig) -> str:
    """Return what stands for the policy's name where a controller decides."""
    return "adversarial" if config.controller == "learned" else f"adversarial-{config.controller}"


def check_steps(config: TrainConfig, *, updates: int) -> None:
    """Refuse more steps of the controller in an epoch than it has updates.

    Raises:
        FaaError: If so.
    """
    if config.controller_steps > updates:
        raise FaaError(
            f"--controller-steps {config.controller_steps} is more than the {counted(updates, 'update')} of an epoch; "
            f"give {updates} or fewer. A smaller --batch-size, fewer --grad-accum-steps or fewer processes make more "
            "updates."
        )


def describe_controller(config: TrainConfig, *, updates: int) -> str:
    """Return how policies are chosen, how often anew, and what an epoch costs, in words."""
    copies, steps = config.batch_aug, config.controller_steps
    how = {
        "learned": "A controller chooses a policy for each",
        "uniform": "A policy is drawn uniformly for each",
        "frozen": f"Until epoch {config.controller_freeze_epoch} a controller learns to choose a policy for each",
    }[config.controller]
    often = counted(steps, "time")
    total = config.epochs * steps
    slow = config.controller == "learned" and config.controller_lr <= LEARNING_RATE and total < 3 * SLOW_START
    more = " More --controller-steps make it learn earlier." if steps < updates else ""
    few = f" A controller is almost uniform for its first {SLOW_START} steps.{more}" if slow else ""
    learning = config.controller_freeze_epoch * steps if config.controller == "frozen" else total
    of_these = f", of which it learns in {learning:,}" if learning < total else ""
    return (
        f"{how} of {copies} copies of every image, {often} in an epoch of {counted(updates, 'update')}: "
        f"{counted(total, 'step')} in all{of_these}. An epoch costs {copies} times one without copies.{few}"
    )


class AdversarialPolicies:
    """Tells a controller what each copy cost, shows what became of it, and keeps its journal."""

    name = "adversarial"
    wants_costs = True

    def __init__(self, config: TrainConfig, run: Path, processes: Processes, reporter: Reporter) -> None:
        """Begin with the first policies.

        Args:
            config: Of the training.
            run: Its directory.
            processes: Of the training; all use what the main one draws.
            reporter: Told once when the policies become too much alike.
        """
        self.parts_per_epoch = config.controller_steps
        self._config = config
        self.adversary = Adversary(
            config, copies=config.batch_aug, seed=config.seed, mode=config.controller,
            share=partial(from_main, processes),
        )  # fmt: skip
        self._main, self._reporter = processes.is_main_process, reporter
        self._journal = Journal(run / POLICIES, ControllerStep)
        self._rows: list[dict[str, float | None]] = []  # of the steps of this epoch
        self._collapsed = self._begun = False

    @property
    def source(self) -> Drawn:
        """The policies that were drawn last, one for each copy."""
        return Drawn(self.adversary.policies)

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        """Let the controller learn and draw."""
        number = self.adversary.steps
        step = self.adversary.answer(costs, epoch=epoch)
        if self._main:
            if not self._begun:
                self._settle_journal(number)
            self._journal.append(step)
        self._begun = True
        self._rows.append(_columns(step, self.adversary.space))
        self._watch(step)

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> dict[str, float | None]:
        """Return the means over the epoch's steps."""
        rows, self._rows = self._rows, []
        values = {name: [value for row in rows if (value := row[name]) is not None] for name in rows[0]}
        return {name: fmean(known) if known else None for name, known in values.items()}

    def state(self) -> dict[str, Any]:
        """Return what a resumed training must know."""
        return {"adversary": self.adversary.state(), "rows": self._rows, "collapsed": self._collapsed}

    def restore(self, state: Any) -> None:
        """Go on from what `state` returned."""
        self.adversary.restore(state["adversary"])
        self._rows, self._collapsed = state["rows"], state["collapsed"]

    def _settle_journal(self, number: int) -> None:
        """Cut the journal off after a step: a run that was killed may have written more than its last state knows.

        Raises:
            FaaError: If it is damaged, or of another training.
        """
        self._journal.keep(lambda written: written.number <= number)
        written = self._journal.read()
        mine = self._config.controller_space, self._config.batch_aug, self._config.controller_steps
        if any((step.space, len(step.policies), step.per_epoch) != mine for step in written):
            raise FaaError(
                f"'{safe(self._journal.path)}' has steps of another training. Put back a copy of it; or remove it, and "
                "this one goes on without what it holds."
            )
        missing = number - len(written)
        if missing:
            self._reporter.note(
                f"'{safe(self._journal.path)}' lacks {counted(missing, 'step')} of the {number:,} until now; pictures "
                "and conversions are without them. If you have a copy of it, stop and put it back."
            )

    def _watch(self, step: ControllerStep) -> None:
        """Say once when the policies have become too much alike, and stop learning if that is wanted."""
        how = self.adversary.has_collapsed(step)
        if how is None or self._collapsed or not step.learned:
            return
        self._collapsed = True
        config = self._config
        freezes = config.controller_on_collapse == "freeze"
        if freezes:
            self.adversary.learns = False
        ways = [
            *(["--controller-preset stable"] if config.entropy_weight < STABLE else []),
            *(["--controller-target-entropy 0.8"] if config.controller_target_entropy is None else []),
            *([f"--controller-lr {LEARNING_RATE}"] if config.controller_lr > LEARNING_RATE else []),
        ]
        done = "It learns no more, and goes on choosing these" if freezes else "It goes on learning"
        done += f"; against that, give {' or '.join(ways)} in another run." if ways else "."
        self._reporter.note(f"The controller has collapsed in epoch {step.epoch}: {how}. {done}")


def keep_last_policies(run: Path, *, epoch: int, reporter: Reporter) -> None:
    """Write the policies of a run's last epoch as one, as ``policy.json``; note it where the journal lacks them.

    Args:
        run: The run's directory.
        epoch: The last one, counted from 1.
        reporter: Told where the policies are lost.
    """
    try:
        policy = policy_of_epoch(run, epoch)
    except FaaError as error:
        reporter.note(f"{POLICY} is not written: {sentence(error)}")
        return
    write_file(run, POLICY, policy.to_json())


def _columns(step: ControllerStep, space: Space) -> dict[str, float | None]:
    """Return what the table of epochs shows of a step."""
    of_operations, of_levels, _largest = shares(step.actions, len(space.operations))
    return {
        "controller_loss": step.loss,
        "controller_score_loss": step.score_loss,
        "controller_entropy": step.entropy,
        "controller_entropy_weight": step.entropy_weight,
        "controller_strength": step.strength,
        **{f"share_{name}": share for name, share in zip(space.names, of_operations, strict=True)},
        **{f"share_level{level}": share for level, share in enumerate(of_levels)},
    }
