"""How the files of a finished corpus are opened: shards and work files in either Arrow format, the ledger in Parquet.

Everything that reads a finished corpus for its governance goes through here, so that a change of format is made once.
Ids come as 32 hexadecimal digits, dictionaries as plain strings.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from fsspec.implementations.local import LocalFileSystem

from configs.errors import InputError
from configs.shown import shown
from pipeline.runtime import storage
from pipeline.runtime.shards import open_shard
from pipeline.text.columns import binary_ids, hex_ids

REPEATING = ("source", "language", "licence", "language_declared")
WORK = ".work"
ELSEWHERE = f"{WORK}/elsewhere.json"
"""Says where the work files of a corpus lie whose build was given `--work`; never published, as `.work` is not."""
TEXTS = "annotate/files"
"""Work files that hold every document that passed the licence gate, dropped ones included, redacted."""
UNREDACTED = "ingest/files"
"""The same before redaction."""


@dataclass(frozen=True)
class WorkFolder:
    """Where the work files of a corpus lie, and how that place is named: `.work`, or as it was given."""

    path: str
    name: str

    def files(self, folder: str = "", ending: str = "") -> dict[str, str]:
        """Files below one of its folders: name → path that opens, sorted."""
        place = storage.join(self.path, folder) if folder else self.path
        names = [f"{folder}/{name}" if folder else name for name in storage.list_files(place) if name.endswith(ending)]
        return {f"{self.name}/{name}": storage.join(self.path, name) for name in sorted(names)}


def work_folder(corpus: str, work: str | None = None) -> WorkFolder:
    """Where the work files of a corpus are: `work` if given, else where its build had them.

    Raises ValueError where the note of that place is not as it was written.
    """
    inside = WorkFolder(storage.join(corpus, WORK), WORK)
    if work is None:
        try:
            note = storage.read_json_as_written(storage.join(corpus, ELSEWHERE))
        except FileNotFoundError:
            return inside
        if not isinstance(note, dict) or note != _note_of(str(note.get("work"))):
            raise ValueError("is not as it was written")
        work = str(note["work"])
    work = work.rstrip("/")
    return inside if work == inside.path else WorkFolder(work, work)


def note_work_folder(corpus: str, work: str) -> None:
    """Note where the work files of a corpus are, if they are not in it; a note that became untrue goes."""
    if work == storage.join(corpus, WORK):
        storage.remove(corpus, [ELSEWHERE])
        if storage.is_local(corpus):
            with suppress(OSError):  # it holds more, or is not there
                Path(storage.filesystem(work)[1]).rmdir()
        return
    whole = storage.filesystem(work)[1] if storage.is_local(work) else work
    storage.write_json(storage.join(corpus, ELSEWHERE), _note_of(whole))


def _note_of(work: str) -> dict[str, str]:
    return {"work": work, "digest": xxhash.xxh3_128_hexdigest(work.encode("utf-8", "surrogatepass"))}


@contextmanager
def open_arrow(path: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Schema and batches of an Arrow IPC file or stream, or of a Parquet file; memory-mapped where it is local.

    Raises InputError where it is neither, or is damaged so that Arrow refuses it.
    """
    try:
        with open_shard(path, dictionaries=REPEATING) as shard:
            yield shard.schema, iter(shard)
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
        cause = str(error).split("\n", 1)[0]
        raise InputError(path, f"no Arrow file that can be read ({shown(cause)})", "Build the corpus again") from error


def ledger_batches(corpus: str, columns: Sequence[str] | None = None, keep: Any = None) -> Iterator[pa.RecordBatch]:
    """Batches of a corpus' ledger in the order of its parts, ids as hex and strings plain.

    `keep` is a filter of `pyarrow.dataset`. Raises InputError where there is no ledger, or it is damaged.
    """
    import pyarrow.dataset as ds

    fs, inner = storage.filesystem(corpus)
    paths = [f"{inner.rstrip('/')}/{part}" for part in ledger_parts(corpus)]
    if not paths:
        raise InputError(storage.join(corpus, "ledger"), "there is no ledger", "Give the folder of a finished corpus")
    try:
        dataset = ds.dataset(paths, filesystem=fs, format="parquet")
        names = [name for name in columns if name in dataset.schema.names] if columns is not None else None
        for batch in dataset.to_batches(columns=names, filter=keep):
            if batch.num_rows:
                yield plain(batch)
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM):
            raise InputError(storage.join(corpus, "ledger"), "may not be read", "Check its permissions") from error
        if getattr(error, "errno", None) is not None:  # Arrow's own have none
            raise
        cause = shown(str(error).split("\n", 1)[0], 120)
        remedy = "`openroots verify` names the files; build the corpus again: what is whole is kept"
        raise InputError(storage.join(corpus, "ledger"), f"is damaged ({cause})", remedy) from error


def ledger_parts(corpus: str) -> list[str]:
    """Paths of the ledger's parts, relative to the corpus, sorted."""
    names = storage.names_in(storage.join(corpus, "ledger"))  # no pattern: the corpus' own path may look like one
    return sorted(f"ledger/{name}" for name in names if name.endswith(".parquet"))


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with ids as hexadecimal strings and dictionaries as the strings that they stand for."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == "id":
            columns.append(hex_ids(column))
        elif pa.types.is_dictionary(column.type):
            columns.append(column.cast(pa.string()))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def packed_ids(column: pa.Array) -> np.ndarray:
    """Ids, binary(16) or hexadecimal, as bytes of 16 (dtype S16): small, quick to sort and to compare.

    Raises ValueError where they are neither.
    """
    ids = binary_ids(column)
    if ids is None:
        raise ValueError("ids are neither 16 bytes nor 32 hexadecimal digits")
    return np.frombuffer(ids.buffers()[1], "S16")[ids.offset : ids.offset + len(ids)]


def unpacked(ids: np.ndarray) -> list[bytes]:
    """Ids of dtype S16 as 16 bytes each: numpy gives them without the zeros at their ends."""
    data = ids.astype("S16").tobytes()
    return [data[start : start + 16] for start in range(0, len(data), 16)]


def shard_paths(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Shards that a manifest names: path → its entry with `language`, in the order of languages."""
    return {
        shard["path"]: {**shard, "language": code}
        for code, language in manifest["languages"].items()
        for shard in language["shards"]
    }


def read_manifest(corpus: str) -> dict[str, Any]:
    """The manifest of a finished corpus. Raises InputError where there is none, or what is there is no such file."""
    path = storage.join(corpus, "manifest.json")
    try:
        manifest = storage.read_json(path)
    except FileNotFoundError:
        raise InputError(path, "there is no such file", "Give the folder of a finished corpus") from None
    except (ValueError, OSError) as error:
        raise InputError(
            path, f"cannot be read ({shown(error)})", "Build the corpus again: what is whole is kept"
        ) from None
    needed = {"digest", "languages", "stages", "drops", "recipe", "sources"}
    if not isinstance(manifest, dict) or not needed <= set(manifest):
        raise InputError(path, "is not the manifest of a corpus", "Give the folder that `build-corpus` wrote")
    return manifest


def files_below(corpus: str, folder: str, ending: str = "") -> list[str]:
    """Paths of files below a folder of the corpus, relative to the corpus, sorted."""
    return [f"{folder}/{name}" for name in storage.list_files(storage.join(corpus, folder)) if name.endswith(ending)]


def link_or_copy(source: str, target: str) -> None:
    """The same bytes at another place: a hard link on one local disk, else a copy, whole or not at all."""
    (from_fs, from_path), (to_fs, to_path) = storage.filesystem(source), storage.filesystem(target)
    if isinstance(from_fs, LocalFileSystem) and isinstance(to_fs, LocalFileSystem):
        place = Path(to_path)
        if place.exists() and place.samefile(from_path):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.unlink(missing_ok=True)
            place.hardlink_to(from_path)
            return
        except OSError:  # another disk, or one without links
            pass
    with from_fs.open(from_path, "rb") as stream, storage.create(target) as out:
        while block := stream.read(8 << 20):
            out.write(block)


Progress = Callable[[str], None]
"""Told, in a few words, what is being done."""
