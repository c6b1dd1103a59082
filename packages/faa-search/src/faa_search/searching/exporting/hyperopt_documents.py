"""Trials as hyperopt's documents, in JSON: what ``hyperopt.trials_from_docs`` takes, without a pickle."""

import json
from pathlib import Path
from typing import Any

from faa_search.runs.records.trials import Trial
from faa_search.searching.exporting.trials import Trials
from faa_search.searching.samplers import PolicySpace

DONE = 2  # hyperopt's JOB_STATE_DONE


def write_documents(trials: Trials, path: Path) -> None:
    """Write a list of documents, one for each trial; the loss is the negative reward, since hyperopt minimises."""
    documents = [_document(number, trial, trials.space) for number, trial in enumerate(trials.entries)]
    lines = ",\n ".join(json.dumps(document) for document in documents)
    path.write_text(f"[\n {lines}\n]\n", encoding="utf-8")


def _document(number: int, trial: Trial, space: PolicySpace) -> dict[str, Any]:
    """Return a trial's document; operations are numbers, as ``hp.choice`` among the search's has them."""
    index = {name: at for at, name in enumerate(space.ops)}
    values = {label: index[value] if isinstance(value, str) else value for label, value in trial.params.items()}
    return {
        "tid": number,
        "state": DONE,
        "spec": None,
        "result": {
            "status": "ok",
            "loss": -trial.reward,
            "loss_variance": trial.standard_error**2,
            "fold": trial.fold,
            "round": trial.round,
            "number": trial.number,
            "seconds": trial.seconds,
            "ops": list(space.ops),
        },
        "misc": {
            "tid": number,
            "cmd": ["domain_attachment", "FMinIter_Domain"],
            "workdir": None,
            "idxs": {label: [number] for label in values},
            "vals": {label: [value] for label, value in values.items()},
        },
        "exp_key": None,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }
