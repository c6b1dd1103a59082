"""Find a policy for 100 handwritten digits and compare it, over seeds, with no policy and with a random one.

Runs in about two minutes on one CPU core; `quickstart/` then holds the run directories, the policy and two pictures.
"""

import argparse
import sys
from pathlib import Path

import torch

from faa_cli.comparison_plot import save_comparison
from faa_cli.plots import save_preview
from faa_cli.reporting import make_reporter
from faa_cli.showing import show_table
from faa_core import FaaError, Policy, random_policy
from faa_search import SearchConfig, TrainConfig, search
from faa_search.data import open_data
from faa_search.measuring.comparison import Comparison, compare_policies
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import resolve

RECIPE = "digits/wrn16_1"


def main() -> None:
    """Run the quickstart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("quickstart"))
    parser.add_argument("--seeds", type=int, default=5, help="training runs per policy, at least 2")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--depth", type=int, help="trials per fold instead of the recipe's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a network this small is slower on two
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2: one run a policy says nothing about chance")
    try:
        compare(arguments.output, seeds=arguments.seeds, epochs=arguments.epochs, depth=arguments.depth)
    except FaaError as error:
        sys.exit(f"Error: {error}")


def compare(output: Path, *, seeds: int, epochs: int | None, depth: int | None) -> None:
    """Search, train with each policy and seed on the same budget, and show what came out."""
    reporter = make_reporter()
    recipe = load_recipe(RECIPE)
    search_config = resolve(SearchConfig, [recipe.layer("search")])
    train_config = resolve(TrainConfig, [recipe.layer("train")])
    if epochs is not None:
        search_config = search_config.model_copy(update={"epochs": epochs})
        train_config = train_config.model_copy(update={"epochs": epochs})
    if depth is not None:
        search_config = search_config.model_copy(update={"depth": depth})

    found = search(search_config, output / "search", reporter=reporter).policy
    policies: dict[str, Policy] = {
        "none": Policy.load("none"),
        "uniform-random": random_policy(len(found.sub_policies), seed=0),
        "found": found,
    }
    result = compare_policies(train_config, policies, output / "train", seeds=range(seeds), reporter=reporter)
    report(result, seeds=seeds, images=train_config.train_subset)

    data = open_data(train_config, model_size=32, note=reporter.note)
    save_preview(output / "policy.png", found, data, images=6, draws=9, seed=0)
    save_comparison(output / "comparison.png", result, title=f"digits, {seeds} seeds: mean and 95 % interval")
    print(f"\nThe policy is {output}/search/policy.json; pictures: {output}/policy.png, {output}/comparison.png")


def report(result: Comparison, *, seeds: int, images: int | None) -> None:
    """Print the errors and what they show."""
    print(f"\nTest error on 1,000 digits after training on {images}, in %, over {seeds} seeds:\n")
    rows = [
        (one.name, f"{one.mean:.2f}", f"{one.low:.2f} … {one.high:.2f}", " ".join(f"{each:.1f}" for each in one.errors))
        for one in result.policies
    ]
    show_table(("policy", "mean", "95 % interval", "each seed"), rows)
    print()
    for pair in result.pairs:
        interval = f"{pair.low:+.2f} … {pair.high:+.2f}" if pair.has_spread else "–"
        print(
            f"{pair.first} against {pair.second}: {pair.verdict} (difference {pair.difference:+.2f} points, "
            f"95 % interval {interval}, p = {pair.p:.3f} adjusted for {len(result.pairs)} tests)"
        )


if __name__ == "__main__":
    main()
