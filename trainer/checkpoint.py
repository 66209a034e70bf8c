"""Checkpoints that can be trusted: written aside by `torch.distributed.checkpoint`, sealed by a manifest of digests.

    RUN/step-00001000/*.distcp, .metadata   the state, by names in the whole model; loads on any layout
    RUN/step-00001000/tokenizer/            so that nothing else is needed to export the model
    RUN/step-00001000/manifest.json         step, samples, settings, sizes and digests of all files; written last
A folder without a manifest, or whose files do not fit it, is no checkpoint. `.metadata` is a pickle of torch's; it is
read by an unpickler that makes nothing but the classes of such metadata, so that a checkpoint cannot run code.
"""

import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta

from configs.errors import InputError
from pipeline import storage

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A sealed checkpoint."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def step(self) -> int:
        """Steps made."""
        return int(self.manifest["step"])


def read_checkpoint(folder: Path) -> Checkpoint:
    """Check sizes and digests of a checkpoint's files. Raises InputError that names what is wrong."""
    remedy = "Use an older checkpoint of the run"
    try:
        manifest = storage.read_json(str(folder / MANIFEST))
        if manifest["format"] != FORMAT:
            raise ValueError("it is of another format")
        if missing := {"step", "state", "identity", "config"} - set(manifest):
            raise ValueError(f"it does not say its {', '.join(sorted(missing))}")
        files = [(folder / file["path"], file["bytes"], file["digest"]) for file in manifest["files"]]
    except FileNotFoundError:
        raise InputError(str(folder), "is no checkpoint, or one that was not finished", remedy) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(folder / MANIFEST), f"is damaged ({error})", remedy) from error
    for path, size, _ in files:
        if not path.exists() or path.stat().st_size != size:
            raise InputError(str(path), "is missing or cut short", remedy)
    for path, _, digest in files:
        if storage.file_digest(str(path)) != digest:
            raise InputError(str(path), "is damaged: its digest is not that of the manifest", remedy)
    return Checkpoint(folder, manifest)


def newest(run: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint of a run that is whole; `say` is told of those that are not."""
    for folder in sorted(run.glob("step-*"), reverse=True):
        try:
            return read_checkpoint(folder)
        except InputError as error:
            say(f"{error.file}: {error.cause}; the one before is used")
    return None


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


class Checkpoints:
    """Saves and finds the checkpoints of a run. Every rank has one and calls the same methods in the same order."""

    def __init__(self, run: Path, keep: int, keep_every: int | None, say: Callable[[str], None]) -> None:
        self._run, self._keep, self._keep_every, self._say = run, keep, keep_every, say
        # A group of its own: a save that is under way must not meet the messages of training.
        self._group = dist.new_group(backend="gloo")
        self._main = dist.get_rank() == 0
        self._pending: tuple[Path, dict[str, Any], Future[Any]] | None = None

    def find(self) -> Checkpoint | None:
        """The newest whole checkpoint; the main rank looks, all get its answer. What was not finished is removed."""
        found: list[Checkpoint | None] = [None]
        if self._main:
            found[0] = newest(self._run, self._say)
            for folder in self._run.glob("step-*"):
                if not (folder / MANIFEST).exists():
                    shutil.rmtree(folder, ignore_errors=True)
        dist.broadcast_object_list(found, src=0, group=self._group)
        return found[0]

    def load(self, checkpoint: Checkpoint, state: dict[str, Any]) -> None:
        """Fill the tensors of `state` in place."""
        dcp.load(state, storage_reader=SafeReader(str(checkpoint.folder)), process_group=self._group)

    def save(self, step: int, state: dict[str, Any], about: dict[str, Any], tokenizer: Path, *, wait: bool) -> bool:
        """Save in the background, or with `wait` now; returns whether all saves up to this call are well."""
        well = self.finish()
        folder = self._run / f"step-{step:08d}"
        if self._main and tokenizer.exists():
            try:
                shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
            except OSError as error:
                self._say(f"{folder} cannot be written: {error}")
        writer = dcp.FileSystemWriter(str(folder), sync_files=True)
        future = dcp.async_save(state, storage_writer=writer, process_group=self._group)
        assert isinstance(future, Future)
        self._pending = folder, {"step": step, **about}, future
        return self.finish() and well if wait else well

    def poll(self) -> None:
        """Seal a save that has come to its end."""
        if self._main and self._pending is not None and self._pending[2].done():
            self.finish()

    def finish(self) -> bool:
        """Wait for the save under way and seal it; False where it failed: its folder is gone, older ones are kept."""
        if self._pending is None:
            return True
        folder, about, future = self._pending
        self._pending = None
        error = future.exception()
        if not self._main:
            return error is None
        if error is None:
            try:
                files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST]
                rows = [
                    {
                        "path": str(path.relative_to(folder)),
                        "bytes": path.stat().st_size,
                        "digest": storage.file_digest(str(path)),
                    }
                    for path in files
                ]
                storage.write_json(str(folder / MANIFEST), {"format": FORMAT, **about, "files": rows})
                self._retire()
                return True
            except Exception as failure:
                error = failure
        self._say(f"[red]checkpoint {folder.name} could not be saved[/] ({self._cause(error)}); older ones are kept")
        shutil.rmtree(folder, ignore_errors=True)
        return False

    def _cause(self, error: BaseException) -> str:
        """What went wrong, in a line. torch's own words for a full disk are `unexpected pos 704 vs 598`."""
        return "the disk is full" if shutil.disk_usage(self._run).free < 1 << 20 else _first_line(error)

    def _retire(self) -> None:
        sealed = [folder for folder in sorted(self._run.glob("step-*")) if (folder / MANIFEST).exists()]
        for folder in sealed[: -self._keep]:
            if self._keep_every is None or int(folder.name.removeprefix("step-")) % self._keep_every:
                (folder / MANIFEST).unlink()  # first: half a checkpoint must not look like one
                shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "Error" in line or "No space" in line]
    return (causes or lines or [type(error).__name__])[-1][:300]
