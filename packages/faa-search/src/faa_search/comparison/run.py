"""A comparison's directory: its runs, and what they came to."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from faa_core import FaaError, Policy
from faa_core.files import write_text
from faa_search.comparison.statistics import Comparison, Pair, PolicyErrors, summarise
from faa_search.comparison.training import check, check_policies, train_all
from faa_search.comparison.words import conclusion
from faa_search.config import CompareConfig, TrainConfig
from faa_search.progress import Reporter, Silent
from faa_search.run_directory import run_directory, versions
from faa_search.training.processes import from_main, make_accelerator

RESULT = "comparison.json"
OWN = {"policies", "seeds"}  # settings of the comparison, not of a run


def compare(
    config: CompareConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
) -> Comparison:
    """Train with every policy and seed and compare; the same call again resumes, a finished one returns its result.

    Policies are called what they are called in the settings, files by their paths.

    Args:
        config: Everything that can be set.
        output: The comparison's directory; each run has its own inside.
        reporter: Shown notes and progress; silent when None.
        accelerator: Processes and device; made from `config.device` when None.

    Raises:
        FaaError: If something that was given cannot be used, before anything is trained where that can be known; or
            if a run fails, which keeps the others.
    """
    directory = Path(output)
    finished = directory / RESULT
    shown: Reporter = reporter or Silent()
    policies = {name: Policy.load(name) for name in config.policies}
    seeds = range(config.seed, config.seed + config.seeds)
    run = TrainConfig(**config.model_dump(exclude=OWN))
    processes = accelerator or make_accelerator(config.device)
    before = from_main(processes, read_comparison(finished) if finished.is_file() else None)
    if before is None:
        check(run, policies, directory, seeds=seeds)
    with run_directory(directory, "compare", config, main_process=processes.is_main_process):
        if before is not None:
            check_policies(policies, directory, seeds=seeds)
            shown.note(f"'{directory}' is finished.")
            return before
        errors = train_all(run, policies, directory, seeds=seeds, reporter=shown, accelerator=processes)
        result = summarise(errors)
        if processes.is_main_process:
            write_text(finished, json.dumps(_document(config, seeds, result), indent=1, ensure_ascii=False) + "\n")
        return result


def read_comparison(path: Path) -> Comparison:
    """Return a comparison that was written.

    Raises:
        FaaError: If the file does not hold one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Comparison(
            policies=tuple(PolicyErrors(**row | {"errors": tuple(row["errors"])}) for row in document["policies"]),
            pairs=tuple(Pair(**row) for row in document["pairs"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FaaError(
            f"'{path}' holds no comparison ({error!r:.200}); delete it, and the same command makes it from the runs."
        ) from error


def _document(config: CompareConfig, seeds: range, result: Comparison) -> dict[str, Any]:
    """Return all there is to show and to plot again."""
    return {
        "dataset": config.dataset,
        "model": config.model,
        "epochs": config.epochs,
        "seeds": list(seeds),
        **asdict(result),
        "conclusion": conclusion(result),
        "versions": versions(),
    }
