"""Testing that pixels are the ones meant: a golden set, a command that checks it, and contracts to subclass.

``python -m faa_core.testing`` compares every engine that can run here with the golden set, operation by operation and
for whole policies; ``--subject module:function`` compares an implementation of your own. The files of the golden set
need nothing of ours: `faa_core.testing.images` makes the images, `faa_core.testing.golden` what the files
hold. They are written, from Pillow's kernels, by
``python -m faa_core.testing --write packages/faa-core/src/faa_core/testing/golden``.

`OperationContract` and `PolicyContract` are test classes for authors of operations and policies.
"""

from faa_core.testing.conformance import Finding, Row, check
from faa_core.testing.contracts import OperationContract, PolicyContract
from faa_core.testing.golden import Golden, read_golden
from faa_core.testing.images import images
from faa_core.testing.implementations import Implementation, engine, engines_here, subject
from faa_core.testing.writing import write_golden

__all__ = [
    "Finding",
    "Golden",
    "Implementation",
    "OperationContract",
    "PolicyContract",
    "Row",
    "check",
    "engine",
    "engines_here",
    "images",
    "read_golden",
    "subject",
    "write_golden",
]
