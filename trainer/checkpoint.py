"""Checkpoints that can be trusted: written in the background, sealed by a manifest of digests.

    RUN/step-00001000/*.distcp, .metadata   the state, by names in the whole model; loads on any layout
    RUN/step-00001000/tokenizer/            so that nothing else is needed to export the model
    RUN/step-00001000/manifest.json         step, samples, settings, sizes and digests of all files, its own; last
A folder without a manifest, or whose files do not fit it, is not a checkpoint. No rank reads what another wrote: each
hashes its file while it writes it, in the thread that saves, and the digests travel with the results that
`torch.distributed.checkpoint` gathers anyway. Before a checkpoint is loaded each rank verifies its share of the files.
`.metadata` is a pickle of torch's; it is read by an unpickler that makes nothing but the classes of such metadata, so
that a checkpoint cannot run code.
"""

import pickle
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import xxhash
from torch.distributed.checkpoint.filesystem import FileSystem
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.storage import WriteResult

from configs.errors import ConfigurationError, InputError
from pipeline.runtime import storage

FORMAT = 2
"""The manifest has a digest of itself; one of format 1 has none and is still read."""
MANIFEST = "manifest.json"
PATIENCE = timedelta(hours=4)
"""For the slowest rank of a save or a check: nothing that runs meanwhile depends on it."""
_READERS = 8
"""Files that a process verifies at once: hashing is fast, a shared file system answers many readers faster than one."""
_REMEDY = "Use an older checkpoint of the run"
_OWN = re.compile("step-[0-9]{8,}")


@dataclass(frozen=True)
class Checkpoint:
    """A sealed checkpoint."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def step(self) -> int:
        """Steps made."""
        return int(self.manifest["step"])


def own_folders(run: Path) -> list[Path]:
    """The folders of a run's checkpoints, the oldest first; what a user put beside them is left out."""
    return sorted(folder for folder in run.glob("step-*") if _OWN.fullmatch(folder.name) and folder.is_dir())


def locate(path: Path) -> Path:
    """The folder of a checkpoint: this one, or the newest of a run. Raises ConfigurationError."""
    if (path / "manifest.json").exists() or path.name.startswith("step-"):
        return path
    steps = [folder for folder in own_folders(path) if (folder / "manifest.json").exists()]
    if not steps:
        raise ConfigurationError(f"{path} holds no finished checkpoint; give RUN/step-…, or the folder of a run")
    return steps[-1]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Check the manifest, and sizes and digests of all files. Raises InputError that names what is wrong."""
    checkpoint = read_manifest(folder)
    if error := verify(checkpoint):
        raise error
    return checkpoint


def read_manifest(folder: Path) -> Checkpoint:
    """A checkpoint whose manifest is whole and whose files have their sizes. Raises InputError."""
    try:
        manifest = storage.read_json(str(folder / MANIFEST))
        if manifest["format"] not in (1, FORMAT):
            raise ValueError("it is of another format")
        if manifest["format"] != 1 and manifest["digest"] != _digest_of(manifest):
            raise ValueError("its digest is not that of its content")
        if missing := {"step", "state", "identity", "config"} - set(manifest):
            raise ValueError(f"it does not say its {', '.join(sorted(missing))}")
        sizes = [(folder / file["path"], file["bytes"], file["digest"]) for file in manifest["files"]]
    except FileNotFoundError:
        raise InputError(str(folder), "is not a checkpoint, or one that was not finished", _REMEDY) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(folder / MANIFEST), f"is damaged ({error})", _REMEDY) from error
    if manifest["format"] == 1:
        _bring_up_to_date(manifest)
    for path, size, _ in sizes:
        if not path.exists() or path.stat().st_size != size:
            raise InputError(str(path), "is missing or cut short", _REMEDY)
    return Checkpoint(folder, manifest)


def _bring_up_to_date(manifest: dict[str, Any]) -> None:
    """Give a manifest of format 1 today's settings."""
    config = manifest["config"]
    config["precision"].pop("softmax_fp32", None)
    if config["logging"].get("evaluate_every", 0) is None:
        config["logging"]["evaluate_every"] = 0
    manifest["identity"]["model"].setdefault("tied", True)


def verify(checkpoint: Checkpoint, share: int = 0, shares: int = 1) -> InputError | None:
    """Compare every `shares`-th file with its digest, from the `share`-th on; what is wrong, if anything is."""

    def check(file: dict[str, Any]) -> InputError | None:
        path = str(checkpoint.folder / file["path"])
        try:
            if storage.file_digest(path) == file["digest"]:
                return None
            return InputError(path, "is damaged: its digest is not that of the manifest", _REMEDY)
        except OSError as error:
            return InputError(path, f"cannot be read ({error.strerror})", _REMEDY)

    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(check, checkpoint.manifest["files"][share::shares])
        return next((error for error in found if error), None)


def _digest_of(manifest: dict[str, Any]) -> str:
    """Of all that a manifest says but its digest."""
    return storage.digest_of({key: value for key, value in manifest.items() if key != "digest"})


class SafeReader(dcp.FileSystemReader):
    """Reads checkpoints without running what their metadata may ask for; reads the metadata once."""

    _metadata: Metadata | None = None

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        """The metadata of torch. Raises InputError where it holds anything else."""
        metadata = self._metadata = self._metadata or self._read()
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata

    def _read(self) -> Metadata:
        path = Path(self.path) / ".metadata"
        try:
            with path.open("rb") as stream:
                metadata = _Unpickler(stream).load()
        except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError) as error:
            raise InputError(str(path), f"cannot be read ({error})", "Use an older checkpoint of the run") from error
        if not isinstance(metadata, Metadata):
            raise InputError(str(path), "holds no metadata of a checkpoint", "Use an older checkpoint of the run")
        return metadata


class _Unpickler(pickle.Unpickler):
    _MODULES = ("torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem")
    _NAMES = (
        ("torch", "Size"),
        ("torch.serialization", "_get_layout"),
        ("collections", "OrderedDict"),
        ("pathlib", "PosixPath"),
        ("pathlib", "WindowsPath"),
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self._NAMES:
            return super().find_class(module, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module in self._MODULES and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module and _is_data(found):
                return found
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _is_data(kind: type) -> bool:
    """Whether a class holds data and does nothing else when it is made."""
    return is_dataclass(kind) or issubclass(kind, Enum)


@dataclass(frozen=True)
class _Written(WriteResult):
    """What torch gathers of each tensor written, and of the file that it is in."""

    path: str
    bytes: int
    digest: str


class _Writer(dcp.FileSystemWriter):
    """Hashes what it writes; `seal` is called on the main rank with all ranks' files once they are on disk."""

    def __init__(self, folder: Path, seal: Callable[[dict[str, tuple[int, str]]], None]) -> None:
        super().__init__(str(folder), sync_files=True)
        self.fs = self._files = _HashingFileSystem()
        self._seal = seal

    def write_data(self, *plan: Any, **named: Any) -> Any:
        """As torch's, its results with the digests of the files."""
        written: Any = super().write_data(*plan, **named)
        streams = self._files.streams
        rows: list[WriteResult] = []
        for result in written.value():
            path = result.storage_data.relative_path
            rows.append(_Written(**vars(result), path=path, bytes=streams[path].size, digest=streams[path].digest))
        found: torch.futures.Future[list[WriteResult]] = torch.futures.Future()
        found.set_result(rows)
        return found

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Called on the main rank, in its thread that saves, when all ranks have written."""
        super().finish(metadata, results)
        rows = [row for of_rank in results for row in of_rank if isinstance(row, _Written)]
        self._seal({row.path: (row.bytes, row.digest) for row in rows})


class _HashingFileSystem(FileSystem):
    """Keeps size and digest of each file that it writes, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, _HashingStream] = {}

    @contextmanager
    def create_stream(self, path: Any, mode: str) -> Iterator[Any]:
        """A file, opened for reading or writing."""
        with super().create_stream(path, mode) as stream:
            if mode != "wb":
                yield stream
                return
            hashing = self.streams[Path(path).name] = _HashingStream(stream)
            yield hashing


class _HashingStream:
    """A binary stream that is written from beginning to end."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._hash, self.size = stream, xxhash.xxh3_128(), 0

    @property
    def digest(self) -> str:
        """xxh3-128 of what was written, 32 hex digits."""
        return self._hash.hexdigest()

    def write(self, data: Any) -> int:
        """Write bytes; returns how many."""
        self._hash.update(data)
        self.size += memoryview(data).nbytes
        return int(self._stream.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Checkpoints:
    """Saves and finds the checkpoints of a run. Every rank has one and calls the same methods in the same order."""

    def __init__(self, run: Path, keep: int, keep_every: int | None, say: Callable[[str], None]) -> None:
        self._run, self._keep, self._keep_every, self._say = run, keep, keep_every, say
        # A group of its own: a save that is under way must not meet the messages of training.
        self._group = dist.new_group(backend="gloo", timeout=PATIENCE)
        self._main = dist.get_rank() == 0
        self._pending: tuple[Path, Future[Any]] | None = None
        self._is_well = True

    def find(self) -> Checkpoint | None:
        """The newest whole checkpoint, each rank having verified its share of it. What was not finished is removed."""
        folders: Sequence[Path] = own_folders(self._run)[::-1] if self._main else ()
        for folder in folders:
            if not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)
        candidates = self._candidates(folders)
        while True:
            found: list[Checkpoint | None] = [next(candidates, None)]
            dist.broadcast_object_list(found, src=0, group=self._group)
            if found[0] is None:
                return None
            if (error := self.check(found[0])) is None:
                return found[0]
            if self._main:
                self._pass_over(error)

    def check(self, checkpoint: Checkpoint) -> InputError | None:
        """What is wrong with a checkpoint's files, the same on all ranks: each verifies its share of them."""
        errors: list[InputError | None] = [None] * dist.get_world_size()
        mine = verify(checkpoint, dist.get_rank(), dist.get_world_size())
        dist.all_gather_object(errors, mine, group=self._group)
        return next(filter(None, errors), None)

    def _candidates(self, folders: Sequence[Path]) -> Iterator[Checkpoint]:
        for folder in folders:
            try:
                if folder.exists():
                    yield read_manifest(folder)
            except InputError as error:
                self._pass_over(error)

    def _pass_over(self, error: InputError) -> None:
        self._say(f"{error.file}: {error.cause}; the one before is used")

    def load(self, checkpoint: Checkpoint, state: dict[str, Any]) -> None:
        """Fill the tensors of `state` in place."""
        dcp.load(state, storage_reader=SafeReader(str(checkpoint.folder)), process_group=self._group)

    def save(self, step: int, state: dict[str, Any], about: dict[str, Any], tokenizer: Path, *, wait: bool) -> bool:
        """Save in the background, or with `wait` now; False where that failed."""
        self.finish()
        folder = self._run / f"step-{step:08d}"
        if self._main:  # one that is damaged may be there: it must not look whole while it is written anew
            for name in (MANIFEST, ".metadata"):
                (folder / name).unlink(missing_ok=True)
        if self._main and tokenizer.exists():
            try:
                shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
            except OSError as error:
                self._say(f"{folder} cannot be written: {error}")

        def seal(written: dict[str, tuple[int, str]]) -> None:
            self._seal(folder, {"step": step, **about}, written)

        future = dcp.async_save(state, storage_writer=_Writer(folder, seal), process_group=self._group)
        assert isinstance(future, Future)
        self._pending = folder, future
        return self.finish() if wait else True

    def poll(self) -> None:
        """Take note of a save that has come to its end."""
        if self._pending is not None and self._pending[1].done():
            self.finish()

    def finish(self) -> bool:
        """Wait for the newest save; False where it failed: its folder is gone, older ones are kept."""
        if self._pending is None:
            return self._is_well
        folder, future = self._pending
        self._pending = None
        error = future.exception()
        if error is not None and self._main:
            why = self._cause(error)
            self._say(f"checkpoint {folder.name} could not be saved ({why}); older ones are kept")
            shutil.rmtree(folder, ignore_errors=True)
        self._is_well = error is None
        return self._is_well

    def _seal(self, folder: Path, about: dict[str, Any], written: dict[str, tuple[int, str]]) -> None:
        """Write the manifest: the checkpoint is whole from here on. Older ones that are not kept go."""
        rows = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST):
            name = str(path.relative_to(folder))
            size, digest = written.get(name) or (path.stat().st_size, storage.file_digest(str(path)))
            rows.append({"path": name, "bytes": size, "digest": digest})
        manifest = {"format": FORMAT, **about, "files": rows}
        storage.write_json(str(folder / MANIFEST), {**manifest, "digest": _digest_of(manifest)})
        self._retire()

    def _cause(self, error: BaseException) -> str:
        """What went wrong, in a line. torch's own words for a full disk are `unexpected pos 704 vs 598`."""
        return "the disk is full" if shutil.disk_usage(self._run).free < 1 << 20 else _first_line(error)

    def _retire(self) -> None:
        sealed = [folder for folder in own_folders(self._run) if (folder / MANIFEST).exists()]
        for folder in sealed[: -self._keep]:
            if self._keep_every is None or int(folder.name.removeprefix("step-")) % self._keep_every:
                (folder / MANIFEST).unlink()  # first: half a checkpoint must not look like one
                shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Error" in line or "No space" in line]
    return (causes or lines or [type(error).__name__])[-1][:300]
