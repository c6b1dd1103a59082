"""Conducting a search, whatever its algorithm.

One process claims the directory, opens the images, gives a finished run's result again, or has the algorithm do its
stages; the other processes of a launcher serve it.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from faa_core import FaaError, plugins
from faa_core.text import safe
from faa_search.progress import Reporter, Silent, reporter_of
from faa_search.runs.directory import run_directory
from faa_search.runs.images import check_finished, has_moved, keep_images, record_of
from faa_search.runs.records.search import Found
from faa_search.runs.results import read_search
from faa_search.searching.bench import MakeBench
from faa_search.searching.checking import check_found
from faa_search.searching.images import SearchImages, open_images
from faa_search.searching.protocol import Searcher
from faa_search.searching.search import Search
from faa_search.settings import Role, SharedSearchConfig
from faa_search.settings.algorithm_fields import check_kept
from faa_search.settings.calls import check_settings, directory_of
from faa_search.training.baseline import in_words
from faa_search.training.models import check_model, model_input
from faa_search.training.schedules import check_schedule
from faa_search.workers.executors.launched import serve
from faa_search.workers.executors.protocol import ExecutorFactory, ExecutorOptions
from faa_search.workers.processes import from_main, make_accelerator, together
from faa_search.workers.stopping import stop_requests

LAUNCHED = "accelerate"  # the executor of processes that were launched


def conduct(
    searcher: Searcher,
    config: SharedSearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> Found | None:
    """Find a policy by an algorithm; the same call again resumes, and a finished run returns its result.

    The policy depends on the settings alone: not on the executor and its workers, nor on being stopped and resumed; on
    a CPU it does so bit for bit if every worker has as many threads. The test split is never read.

    Args:
        searcher: The algorithm.
        config: Everything that can be set.
        output: The run's directory.
        reporter: Shown notes and progress; silent when None.
        accelerator: Processes and device; made from `config.device` when None.
        threads: CPU threads of each worker; by default they share the cores.

    Returns:
        What was found, in every process; None if only a stage was asked for that ends before there is a policy.

    Raises:
        FaaError: If something that was given cannot be used; nothing already in the directory is lost.
        Stopped: If a signal asked for it; the policy so far is kept.
    """
    check_settings(config, searcher.settings)
    directory = directory_of(output)
    searcher.check_stage(config.stage)
    shown = reporter_of(reporter)
    launched = accelerator or make_accelerator(config.device)
    factory = _executor(config, launched)
    options = ExecutorOptions(
        device=config.device,
        processes=config.num_processes,
        threads=threads,
        ray_address=config.ray_address,
        gpus_per_worker=config.gpus_per_worker,
        note=shown.note,
    )
    if not launched.is_main_process:
        with together(launched):
            told: SharedSearchConfig | None = from_main(launched, None)
            if told is not None:
                serve(MakeBench(config=told, directory=directory), options, launched)
            return from_main(launched, None)
    conducted = _Conducted(searcher, config, shown, factory, options, launched)
    return from_main(launched, conducted.search(directory))


class _Conducted:
    """What the main process does; the others are told, once, the settings to work with, or None if there is no work."""

    def __init__(
        self,
        searcher: Searcher,
        config: SharedSearchConfig,
        reporter: Reporter,
        factory: ExecutorFactory,
        options: ExecutorOptions,
        launched: Accelerator,
    ) -> None:
        self.searcher, self.config, self.reporter = searcher, _settled(searcher, config), reporter
        self.factory, self.options = factory, options
        self.tell = partial(from_main, launched)

    def search(self, output: Path) -> Found | None:
        """Return what was found, or what had been found before."""
        config = self.config
        check_schedule(config)
        check_model(config)
        renewed = [Role.CHOICE] if self._anew() else []
        with run_directory(output, "search", config, renewed=renewed) as directory:
            before = read_search(directory)
            images = None
            if has_moved(directory, config):  # then nothing that is there counts before the images are found the same
                images = self._open_images(directory)
            stands = before is not None and self._stands(before)
            if before is not None and stands and not self._adds():
                self._tell_finished(directory, before, moved=images is not None)
                self.tell(None)
                return before
            images = images or self._open_images(directory)
            return self._run(directory, images, before if stands else None)

    def _run(self, directory: Path, images: SearchImages, before: Found | None) -> Found | None:
        """Have the algorithm do its stages, and keep what it finds."""
        setup = MakeBench(config=self.config, directory=directory, images=images, reporter=self.reporter)
        self.tell(self.config)
        self.reporter.note(in_words(self.config, images.train, of_a_search=True))
        with self.factory(setup, self.options) as executor, stop_requests() as request:
            search = Search(
                config=self.config,
                directory=directory,
                images=images,
                executor=executor,
                reporter=self.reporter,
                request=request,
                before=before,
            )
            found = check_found(self.searcher, search, self._found(search))
            if found is not None and before is None:
                search.keep(found)  # only now, as what was found before is good until then
            return found

    def _found(self, search: Search[Any]) -> Found | None:
        """Return what the algorithm returns; what the machine refuses it is not its mistake."""
        with _blaming(self.searcher, "run", but=(OSError, MemoryError, torch.OutOfMemoryError)):
            return self.searcher.run(search)

    def _adds(self) -> bool:
        """Return whether something is to be added to a finished search."""
        with _blaming(self.searcher, "adds"):
            return self.searcher.adds(self.config)

    def _anew(self) -> bool:
        """Return whether a stage that makes a policy is asked for by its name: then it is made again."""
        return self.config.stage is not None and self.searcher.makes_policy(self.config.stage)

    def _stands(self, result: Found) -> bool:
        """Return whether a result is the one to return: not if a stage is asked for, nor with more budget than before.

        A stage that makes no policy is done as well: it makes again what was removed of a finished search.
        """
        return self.config.stage is None and (result.complete or self.config.budget == result.budget)

    def _tell_finished(self, directory: Path, before: Found, *, moved: bool) -> None:
        words = "; its data set has moved, and is the same"
        looked = words if moved else check_finished(directory, self.config, partial(_record, self.config))
        ended = "finished" if before.complete else f"ended by its --budget {before.budget}; with more it goes on"
        self.reporter.note(f"'{directory}' is {ended}{looked}.")

    def _open_images(self, directory: Path) -> SearchImages:
        """Return the images, the same as those the search was started with."""
        config, note = self.config, self.reporter.note
        images = open_images(config, model_size=model_input(config.model).size, note=note)
        keep_images(directory, config, record_of(images.open_stored(), note=note))
        return images


def _settled(searcher: Searcher, config: SharedSearchConfig) -> SharedSearchConfig:
    """Return the settings as the algorithm has them kept.

    Raises:
        FaaError: If it refuses them, or they could not be kept.
    """
    with _blaming(searcher, "settle"):
        settled = searcher.settle(config)
    if not isinstance(settled, searcher.settings):
        raise FaaError(
            f"`settle` of the search algorithm '{searcher.name}' returned {safe(repr(settled)):.80}, no "
            f"{searcher.settings.__name__}; its plugin must return the settings."
        )
    if not _is_ours(searcher):
        check_kept(settled, searcher.name)
    return settled


def _blaming(
    searcher: Searcher, part: str, *, but: tuple[type[BaseException], ...] = ()
) -> AbstractContextManager[None]:
    """Return what names the plugin whose code fails; what fails in ours is to be seen as it is, to be reported."""
    part_of = f"`{part}` of the search algorithm '{searcher.name}'"
    return nullcontext() if _is_ours(searcher) else plugins.blamed(part_of, but=but)


def _is_ours(searcher: Searcher) -> bool:
    """Return whether an algorithm comes with faa, and not by a plugin."""
    module: str = getattr(searcher.run, "__module__", None) or ""
    return module.partition(".")[0] == __name__.partition(".")[0]


def _record(config: SharedSearchConfig) -> dict[str, Any]:
    """Return what is written down of the images that settings name."""
    images = open_images(config, model_size=model_input(config.model).size, note=Silent().note)
    return record_of(images.open_stored())


def _executor(config: SharedSearchConfig, launched: Accelerator) -> ExecutorFactory:
    """Return what does the work: as asked for, else launched processes, several processes, or this one."""
    if launched.num_processes > 1:
        if config.executor not in (None, LAUNCHED):
            raise FaaError(
                f"--executor {config.executor}, but {launched.num_processes} processes were launched, which do the "
                "work themselves; leave it out, or start faa search by itself."
            )
        name = LAUNCHED
    elif config.executor == LAUNCHED:
        raise FaaError(
            "--executor accelerate is for processes that a launcher started: accelerate launch -m faa_cli search …, or "
            "torchrun. For several on this machine give --num-processes N."
        )
    else:
        name = config.executor or ("processes" if (config.num_processes or 1) > 1 else "local")
    if name in (LAUNCHED, "local", "processes") and (config.ray_address is not None or config.gpus_per_worker != 1):
        raise FaaError(f"--ray-address and --gpus-per-worker are for --executor ray; this search's is {name}.")
    factory: ExecutorFactory = plugins.load("faa.executors", name, kind="executor")
    return factory
