"""Text for the benchmarks of the tokenizer: documents that a build of the recipe `sample` has ingested, code included.

A share of the text is drawn by a hash of each document's id, so that distinct words grow with the share as they do in
real text, and the smaller share is part of the larger.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import Settings
from benchmarks.text import ingested
from pipeline.runtime.shards import open_shard

ROWS = 1000
BLOCK = 2 << 20


@dataclass(frozen=True)
class Sample:
    """A share of the text, in the two forms that tools read.

    folder     holds data/LANGUAGE/*.arrow, a row a document, as a built corpus does
    lines      the same documents as one file of plain text, one after the other
    megabytes  10⁶ bytes of UTF-8
    """

    folder: Path
    lines: Path
    megabytes: float
    documents: int


def sample(settings: Settings, share: float) -> Sample:
    """Documents that come first by hash, this share of all; written once and kept."""
    folder = settings.work / f"tokenizer-text-{share:.4f}"
    if not folder.exists():
        temporary = folder.with_suffix(".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        _write(temporary, ingested(settings), share)
        temporary.rename(folder)
    size = documents = 0
    for path in folder.glob("data/**/*.arrow"):
        with open_shard(str(path), mapped=False) as batches:
            for batch in batches:
                size += pc.sum(pc.binary_length(batch["text"])).as_py()
                documents += batch.num_rows
    return Sample(folder, folder / "text.txt", size / 1e6, documents)


def line_arrays(path: Path) -> Iterator[pa.LargeStringArray]:
    """Lines of a text file with their ends, as `tokenizers` and `gigabpe` read files; some megabytes at once."""
    import numpy as np

    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            data = np.frombuffer(block + stream.readline(), np.uint8)
            ends = np.flatnonzero(data == 10).astype(np.int64) + 1
            offsets = np.concatenate([[0], ends, [len(data)] if not len(ends) or ends[-1] < len(data) else []])
            offsets = offsets.astype(np.int64)
            yield pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def _write(folder: Path, source: Path, share: float) -> None:
    folder.mkdir(parents=True)
    writers: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
    with open(folder / "text.txt", "wb") as lines:
        for batch in _documents(source):
            first = share * (1 << 32)
            drawn = [int.from_bytes(key[:4], "big") < first for key in batch["id"].to_pylist()]
            batch = batch.filter(pa.array(drawn))
            languages = batch["language"].cast(pa.string())
            for text in batch["text"].to_pylist():
                lines.write(text.encode() + b"\n")
            for language in sorted(set(languages.to_pylist())):
                if language not in writers:
                    path = folder / "data" / language / "shard-00000.arrow"
                    path.parent.mkdir(parents=True)
                    writers[language] = pa.ipc.new_stream(str(path), batch.schema)
                rows = batch.filter(pc.equal(languages, language))
                writers[language].write_table(pa.Table.from_batches([rows]), max_chunksize=ROWS)
    for writer in writers.values():
        writer.close()


def _documents(source: Path) -> Iterator[pa.RecordBatch]:
    """Columns id, language and text of all documents that entered."""
    for path in sorted(source.glob("**/*.arrow")):
        with pa.OSFile(str(path), "rb") as stream, pa.ipc.open_stream(stream) as reader:
            if "text" in reader.schema.names:
                for batch in reader:
                    text = batch["text"].cast(pa.large_string())
                    columns = {"id": batch["id"], "language": batch["language"].cast(pa.string()), "text": text}
                    yield pa.RecordBatch.from_pydict(columns).filter(pc.is_valid(text))
