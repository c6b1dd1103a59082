"""How well a network does on images, over all processes."""

from faa_search.data import ImageSource
from faa_search.runs.records.figures import Metrics
from faa_search.training.loading import OrderedBatches, load
from faa_search.training.network import Network, evaluate
from faa_search.training.views import Views
from faa_search.workers.processes import Processes, rank_of

BATCH = 512  # images in a forward pass


def evaluate_source(
    network: Network, source: ImageSource, size: int, *, workers: int, accelerator: Processes
) -> Metrics:
    """Return how well a network does on un-augmented images, each counted once over all processes."""
    return evaluate_view(network, Views(source=source, size=size), workers=workers, accelerator=accelerator)


def evaluate_view(network: Network, view: Views, *, workers: int, accelerator: Processes) -> Metrics:
    """Return how well a network does on a view of images, each counted once over all processes."""
    with load(view, OrderedBatches(len(view), BATCH, rank=rank_of(accelerator)), workers=workers) as batches:
        return evaluate(network, batches, classes=len(view.source.class_names), accelerator=accelerator)
