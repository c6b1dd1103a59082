"""Fast AutoAugment from images to policy: fit the folds, explore, merge, compare with the controls.

Every stage leaves its result in the run's directory and is taken from there when the same call is made again.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from faa_core import FaaError, Policy, plugins
from faa_search.progress import Reporter, Silent
from faa_search.runs.directory import run_directory
from faa_search.runs.files import RESULT
from faa_search.runs.images import check_finished, has_moved, keep_images, record_of
from faa_search.runs.records.search import SearchResult
from faa_search.runs.results import read_search
from faa_search.searching.audit import check_audit
from faa_search.searching.bench import MakeBench
from faa_search.searching.fast.stages import run_stages
from faa_search.searching.fast.warm_start import first_trials
from faa_search.searching.images import SearchImages, open_images
from faa_search.searching.samplers import Sampler
from faa_search.searching.search import Search, space_of
from faa_search.settings import Role, SearchConfig
from faa_search.settings.calls import check_settings, directory_of
from faa_search.training.models import count_weights, model_input
from faa_search.training.schedules import check_schedule
from faa_search.workers.executors.launched import serve
from faa_search.workers.executors.protocol import ExecutorFactory, ExecutorOptions
from faa_search.workers.processes import from_main, make_accelerator, together
from faa_search.workers.stopping import stop_requests

LAUNCHED = "accelerate"  # the executor of processes that were launched


def search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult | None:
    """Find a policy; the same call again resumes, and a finished run returns its result.

    The policy depends on the settings alone: not on the executor and its workers, nor on being stopped and resumed; on
    a CPU it does so bit for bit if every worker has as many threads. The test split is never read.

    Args:
        config: Everything that can be set.
        output: The run's directory.
        reporter: Shown notes and progress; silent when None.
        accelerator: Processes and device; made from `config.device` when None.
        threads: CPU threads of each worker; by default they share the cores.

    Returns:
        What was found, in every process; None if only a stage was asked for that ends before there is a policy.

    Raises:
        FaaError: If something that was given cannot be used; nothing already in the directory is lost.
        Stopped: If a signal asked for it; the policy of the trials so far is kept.
    """
    check_settings(config, SearchConfig)
    directory = directory_of(output)
    shown: Reporter = reporter or Silent()
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
            if from_main(launched, False):
                serve(MakeBench(config=config, directory=directory), options, launched)
            return from_main(launched, None)
    found = _search(config, directory, shown, factory, options, tell=partial(from_main, launched))
    return from_main(launched, found)


def _search(
    config: SearchConfig,
    output: Path,
    reporter: Reporter,
    factory: ExecutorFactory,
    options: ExecutorOptions,
    *,
    tell: Callable[[bool], object],
) -> SearchResult | None:
    """Do what the main process does; the others are told, once, whether there is work for them."""
    check_audit(config)
    sampler: Sampler = plugins.load("faa.samplers", config.sampler or "tpe", kind="sampler")
    space = space_of(config)
    warm = None if config.warm_start is None else Policy.load(config.warm_start)
    expected = model_input(config.model)
    check_schedule(config)
    count_weights(
        config.model,
        classes=2,
        size=config.img_size or expected.size,
        pretrained=config.pretrained,
        options=config.model_kwargs,
    )
    renewed = [Role.CHOICE] if config.stage == "merge" else []
    with run_directory(output, "search", config, renewed=renewed) as directory:
        before = read_search(directory)
        images = None
        if has_moved(directory, config):  # then nothing that is there counts before the images are found the same
            images = _open_images(config, directory, reporter)
        if before is not None and _is_finished(config, before):
            moved = "; its data set has moved, and is the same"
            looked = moved if images else check_finished(directory, config, partial(_record, config))
            ended = "finished" if before.complete else f"ended by its --budget {before.budget}; with more it goes on"
            reporter.note(f"'{directory}' is {ended}{looked}.")
            tell(False)
            return before
        if before is not None and not _is_chosen(config, before):
            (directory / RESULT).unlink()  # it would not belong to the policy that is to be made
            before = None
        images = images or _open_images(config, directory, reporter)
        rounds = len(images.folds) * config.width
        first = () if warm is None else first_trials(warm, space, rounds=rounds, depth=config.depth)
        setup = MakeBench(config=config, directory=directory, images=images, reporter=reporter)
        tell(True)
        with factory(setup, options) as executor, stop_requests() as request:
            search = Search(
                config=config,
                directory=directory,
                images=images,
                space=space,
                sampler=sampler,
                first=first,
                executor=executor,
                reporter=reporter,
                request=request,
            )
            return run_stages(search, before)


def _open_images(config: SearchConfig, directory: Path, reporter: Reporter) -> SearchImages:
    """Return the images, the same as those the search was started with."""
    images = open_images(config, model_size=model_input(config.model).size, note=reporter.note)
    keep_images(directory, config, record_of(images.open_stored(), note=reporter.note))
    return images


def _record(config: SearchConfig) -> dict[str, Any]:
    """Return what is written down of the images that settings name."""
    images = open_images(config, model_size=model_input(config.model).size, note=Silent().note)
    return record_of(images.open_stored())


def _executor(config: SearchConfig, launched: Accelerator) -> ExecutorFactory:
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


def _is_finished(config: SearchConfig, result: SearchResult) -> bool:
    """Return whether there is nothing left to do."""
    return _is_chosen(config, result) and not config.audit


def _is_chosen(config: SearchConfig, result: SearchResult) -> bool:
    """Return whether a result is the one to return: not if it is to be made anew, nor with more budget than before."""
    return config.stage != "merge" and (result.complete or config.budget == result.budget)
