"""Importing this module loads all that a worker of a build needs: stages, tables of characters, compiled kernels.

The process that workers are forked from does so (`runtime.nursery`), that no worker has to.
"""

import pyarrow as pa

from configs.load import load_recipe
from pipeline import jobs  # noqa: F401 - the stages
from pipeline.annotate import Annotator
from pipeline.deduplication.characters import tables
from pipeline.text.columns import encode
from pipeline.text.normal_form import to_nfc

_TEXTS = ["A short text in one of the languages that we know, with the number 030 1234567 in it.\n" * 1000, "x = 1\n"]
"""Long enough for the compiled scan for personal data (`sieve.INTERPRETED_MAX`)."""


def _warm() -> None:
    """Annotate two documents: the kernels of annotation are most of all, and the first brings what all need."""
    texts = to_nfc(pa.array(_TEXTS, pa.large_string()))
    columns = {"text": texts, "language": encode(["en", "python"]), "source": encode(["none", "none"])}
    Annotator(load_recipe("tiny"))(pa.RecordBatch.from_pydict(columns))
    tables()


_warm()
