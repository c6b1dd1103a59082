"""Fitting one network on some images, epoch by epoch, resuming from its directory: what search and training share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from faa_search.progress import Reporter
from faa_search.runs.records.figures import Metrics, Row
from faa_search.settings import FitConfig
from faa_search.training.checkpoint import Progress, check_storable, read_latest_state
from faa_search.training.companions import Companion, Companions
from faa_search.training.loading import TrainingBatches, load_parts
from faa_search.training.network import Network, make_network
from faa_search.training.plan import make_plan
from faa_search.training.saving import FitJob, Keeper
from faa_search.training.streams import Part
from faa_search.training.trainer import EpochTally, Trainer
from faa_search.training.views import Batch, Views, placed
from faa_search.workers.processes import Processes, any_process, from_main, rank_of
from faa_search.workers.stopping import Stopped, StopRequest, stop_requests

SLOW_LOADING = 0.2  # share of the first epoch spent waiting for images from which on it is worth a word,
SLOW_EPOCH = 10.0  # if the epoch took so many seconds: the first batch of all takes some anyway
LONG_EPOCH = 60.0  # seconds of an epoch from which on its updates are kept before anything is measured

Measure = Callable[[Network], Metrics]
Log = Callable[[Row], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What is measured after epochs.

    Attributes:
        validation: After each epoch; the weights of the best one are kept in ``best`` beside the job's directory.
        test: After every `test_every` epochs; it selects nothing.
        test_every: Epochs; 0 for never.
        log: Given the row of every epoch.
    """

    validation: Measure | None = None
    test: Measure | None = None
    test_every: int = 0
    log: Log | None = None


def fit(
    job: FitJob,
    config: FitConfig,
    accelerator: Processes,
    reporter: Reporter,
    measures: Measures = Measures(),
    companions: Sequence[Companion] = (),
) -> tuple[Network, Progress]:
    """Return the fitted network and its history; continues where the directory's state left off.

    Args:
        job: What to fit.
        config: How.
        accelerator: Device and processes.
        reporter: Shown the progress.
        measures: What to measure after epochs.
        companions: What goes along: told what epochs cost, kept with the state. One of them may decide the policies.

    Raises:
        FaaError: If the network, the images, the saved state or the companions cannot be used.
        Stopped: If a signal asked for it; the state is kept.
    """
    classes = len(job.view.source.class_names)
    plan = make_plan(config, len(job.view), rank_of(accelerator))
    if plan.batch < config.batch_size:
        reporter.note(f"--batch-size {config.batch_size} is more than the images give; each batch has {plan.batch}.")
    network = make_network(config, job.expected, accelerator, classes=classes, size=job.view.size, seed=job.seed)
    trainer = Trainer(network, config, accelerator, plan=plan, classes=classes)
    state = from_main(
        accelerator, read_latest_state(job.directory, reporter.note) if accelerator.is_main_process else None
    )
    along = Companions(tuple(companions))
    if state is not None:
        trainer.restore(state)
        along.restore(state.companions)
    view = replace(job.view, copies=plan.copies, policy=along.source or job.view.policy)
    fitting = _Fitting(
        keeper=Keeper(job, trainer, along),
        measures=measures,
        reporter=reporter,
        view=placed(view, accelerator.device, wanted=config.resident),
        ends=along.ends_of_parts(plan.updates),
    )
    try:
        progress = fitting.run(Progress() if state is None else state.progress)
    except Stopped:
        if job.weights_when_stopped:
            fitting.keeper.at_the_end()
        raise
    fitting.keeper.at_the_end()
    accelerator.wait_for_everyone()
    return trainer.best_network(), progress


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitting:
    """A fit under way; `ends` are the updates after which the parts of an epoch end."""

    keeper: Keeper
    measures: Measures
    reporter: Reporter
    view: Views
    ends: Sequence[int]

    @property
    def trainer(self) -> Trainer:
        return self.keeper.trainer

    @property
    def companions(self) -> Companions:
        return self.keeper.companions

    def run(self, progress: Progress) -> Progress:
        """Do the epochs that are left."""
        config, total = self.trainer.config, self.trainer.config.epochs
        epochs = range(progress.epochs_done, total)
        self.keeper.tidy(progress)
        with (
            stop_requests() as request,
            self.reporter.track(self.keeper.job.what, total, done=progress.epochs_done) as advance,
        ):
            parts = self._parts(epochs, skip=progress.part.updates)
            pinned = self.trainer.network.device.type == "cuda"
            with load_parts(self.view, parts, workers=config.workers, pinned=pinned) as batches:
                for epoch in epochs:
                    progress = self._epoch(batches, epoch, progress, request)
                    advance(_detail(progress.history[-1]))
        return progress

    def _parts(self, epochs: range, *, skip: int) -> Iterator[Part]:
        """Give all epochs at once; or a part of an epoch when its policies are known.

        Args:
            epochs: Those that are left.
            skip: Updates of the first one that are done.
        """
        batches = partial(
            TrainingBatches,
            self.trainer.plan,
            self.view.source.labels,
            sampling=self.trainer.config.sampling,
            seed=self.keeper.job.seed,
        )
        if not self.companions.decides_each_part:
            yield Part(batches(epochs=epochs, skip=skip))
            return
        for epoch in epochs:
            done = skip if epoch == epochs.start else 0
            for end in self.ends:
                # The last one even where nothing is left of it: the next may not be asked for before it has ended.
                if done < end or end == self.ends[-1]:
                    order = batches(epochs=range(epoch, epoch + 1), skip=done, until=end)
                    yield Part(order, self.companions.source)
                    done = end

    def _epoch(self, batches: Iterator[Batch], epoch: int, progress: Progress, request: StopRequest) -> Progress:
        part = progress.part
        if not self.trainer.accelerator.is_main_process:
            zeros = tuple(0.0 for _sum in part.sums)
            part = replace(part, sums=zeros)  # they are of all processes, and the main one goes on with them
        copies = self.trainer.plan.copies if self.companions.wants_costs else 0
        tally = EpochTally(self.trainer.network.device, part, copies=copies)
        after_update = partial(self._after_update, progress, tally, request)
        row = self.trainer.fit_epoch(batches, epoch, tally, after_update)
        row |= self._measured(progress, tally, request)
        # Only now: a state that is kept while something is measured is of companions that know nothing of this epoch.
        self._tell(tally, epoch)
        row |= self.companions.after_epoch(epoch, self.trainer.costs_by_copy(tally.told) if copies else ())
        seconds = tally.part().seconds
        waiting = tally.waited / seconds
        row |= {"seconds": round(seconds, 3), "waiting": round(waiting, 4)}
        progress = _with_row(progress, row)
        self.keeper.after_epoch(progress)
        if self.measures.log is not None:
            self.measures.log(row)
        if progress.epochs_done == 1 and waiting > SLOW_LOADING and seconds > SLOW_EPOCH:
            self.reporter.note(
                f"{100 * waiting:.0f} % of the first epoch went into waiting for images: more --workers (now "
                f"{self.trainer.config.workers}) may help."
            )
        return progress

    def _tell(self, tally: EpochTally, epoch: int) -> None:
        """Tell the companions what a part of an epoch cost."""
        if not self.companions.wants_costs:
            self.companions.after_part(epoch, ())
            return
        sums = self.trainer.sums_of_all(tally, epoch)
        costs = self.trainer.costs_by_copy(sums, since=tally.told)
        tally.told = sums
        self.companions.after_part(epoch, costs)

    def _after_update(self, progress: Progress, tally: EpochTally, request: StopRequest) -> None:
        """End a part of the epoch; keep the state within it where that is due, or a signal asked to stop."""
        plan, interval = self.trainer.plan, self.trainer.config.recovery_interval
        if tally.updates in self.ends[:-1]:
            self._tell(tally, progress.epochs_done)
        if progress.epochs_done == 0 and tally.updates == 1:  # not only at the end of a long epoch
            check_storable(self.keeper.state(progress))
        if request.due(self.trainer.accelerator, progress.epochs_done * plan.updates + tally.updates):
            self._keep_part(progress, tally)
            request.stop()
        # The end of an epoch is kept anyway.
        if interval and tally.updates % interval == 0 and tally.updates < plan.updates:
            self._keep_part(progress, tally)

    def _keep_part(self, progress: Progress, tally: EpochTally) -> None:
        """Keep the state within an epoch, with the sums of all processes."""
        sums = self.trainer.sums_of_all(tally, progress.epochs_done)
        self.keeper.within_epoch(replace(progress, part=replace(tally.part(), sums=sums)))

    def _measured(self, progress: Progress, tally: EpochTally, request: StopRequest) -> dict[str, float | None]:
        """Return what is to be measured after an epoch's updates; a signal stops after the current measure."""
        network, measures, row = self.trainer.best_network(), self.measures, dict[str, float | None]()
        tests = measures.test is not None and measures.test_every
        due = {"val": measures.validation, "test": measures.test if tests else None}
        if tests and (progress.epochs_done + 1) % measures.test_every:
            row, due["test"] = {"test_loss": None, "test_top1": None}, None
        if any(due.values()) and from_main(self.trainer.accelerator, tally.part().seconds) > LONG_EPOCH:
            self._keep_part(progress, tally)
        for name, measure in due.items():
            if measure is None:
                continue
            metrics = measure(network)
            row |= {f"{name}_loss": metrics.loss, f"{name}_top1": metrics.top1}
            if any_process(self.trainer.accelerator, request.number is not None):
                self._keep_part(progress, tally)
                request.stop()
        return row


def _with_row(progress: Progress, row: Row) -> Progress:
    best, score = progress.best, row.get("val_top1")
    better = score is not None and (best is None or score > (best["val_top1"] or 0.0))
    return Progress(
        epochs_done=progress.epochs_done + 1, history=(*progress.history, row), best=row if better else best
    )


def _detail(row: Row) -> str:
    score = row.get("val_top1")
    validation = "" if score is None else f", validation {100 * (1 - score):.1f} % error"
    return f"loss {row['train_loss']:.3f}{validation}"
