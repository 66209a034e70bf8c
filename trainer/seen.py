"""Which sequences of packed text hold a document, and at which steps a run saw them.

Both are facts that files keep: packed text has each document's id and place, and the order of samples is a function of
seed and position (`trainer.order`). Neither needs PyTorch. Steps are those that led to the newest checkpoint; what was
rolled back is not in its weights, and is not counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.places import on_disk
from pipeline.runtime import storage
from trainer.config import Batch
from trainer.order import PARTS, Order
from trainer.schedule import next_batch

STEPS_MAX = 1000
"""Steps that are named for a document; more are counted."""
_POSITIONS = 1 << 20


@dataclass
class Seen:
    """A document in packed text: its language and part, its sequences (first, last; None: none is whole), and the steps
    of a run that held one, of which there are `times`."""

    language: str
    part: str
    sequences: tuple[int, int] | None
    steps: list[int] = field(default_factory=list)
    times: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `openroots find --json` shows it."""
        return dict(vars(self))


@dataclass(frozen=True)
class RunSoFar:
    """What the newest checkpoint of a run says: its folder, its step, and where in the samples its steps began."""

    folder: str
    step: int
    seed: int
    weights: Mapping[str, float]
    packed: str
    """Digest of the packed text."""
    starts: np.ndarray
    """First sample of each step, int64 (steps,)."""
    sizes: np.ndarray
    """Samples of each step, int64 (steps,)."""


def is_run(folder: str) -> bool:
    """Whether a folder is that of a training run."""
    return any(Path(folder).glob("step-*/manifest.json"))


def packed_of(run: str) -> str:
    """The folder of packed text that a run was told to read. Raises InputError."""
    path = storage.join(run, "config.json")
    try:
        return str(storage.read_json(path)["data"]["packed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"does not say what was trained on ({error})", "Give --packed as well") from error


def read_run(run: str) -> RunSoFar:
    """The newest checkpoint's word on what a run has seen. Raises InputError."""
    manifests = sorted(on_disk(run).glob("step-*/manifest.json"))
    if not manifests:
        raise InputError(run, "holds no checkpoint", "Give the folder of a run (checkpoints.folder)")
    path = manifests[-1]
    try:
        about = storage.read_json(str(path))
        identity, state = about["identity"], about["state"]
        size, ramp_start, ramp_step, ramp_samples = identity["batch"]
        batch = Batch(size=size, ramp_start=ramp_start, ramp_step=ramp_step, ramp_samples=ramp_samples)
        skipped = {int(begin): int(end) for begin, end in state["skipped"].items()}
        starts, sizes, samples = [], [], 0
        while samples < int(state["samples"]):
            samples, taken = next_batch(samples, skipped, batch)
            starts.append(samples)
            sizes.append(taken)
            samples += taken
        return RunSoFar(
            str(path.parent), int(state["step"]), int(identity["seed"]), dict(identity["data.weights"]),
            str(identity["packed text"]), np.array(starts, np.int64), np.array(sizes, np.int64),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            str(path), f"is not a manifest of a checkpoint ({error})", "Give the folder of a run"
        ) from error


def find_in_packed(packed: str, ids: Iterable[str], run: RunSoFar | None = None) -> dict[str, list[Seen]]:
    """Where documents lie in packed text, by id (32 hexadecimal digits), and the steps of a run that saw them.

    Reads the ids of the packed text, 16 bytes a document, and with `run` goes once through its samples, millions a
    second. Raises InputError.
    """
    manifest = _manifest(packed)
    if run is not None and run.packed != manifest["digest"]:
        raise InputError(run.folder, f"was not trained on {packed}: digests differ", "Give the packed text it read")
    wanted = np.frombuffer(bytes.fromhex("".join(sorted(ids))), "V16")
    found: dict[str, list[Seen]] = {}
    for language, parts in sorted(manifest["languages"].items()):
        for part in PARTS:
            if parts[part]["documents"]:
                place = str(on_disk(packed) / "data" / language / part)
                for identifier, seen in _places(
                    place, language, part, parts[part], manifest["sequence_length"], wanted
                ):
                    found.setdefault(identifier, []).append(seen)
    if run is not None:
        counts = {language: parts["train"]["sequences"] for language, parts in manifest["languages"].items()}
        _add_steps([seen for some in found.values() for seen in some], counts, run)
    return found


def _manifest(packed: str) -> dict[str, Any]:
    path = storage.join(packed, "manifest.json")
    try:
        manifest: dict[str, Any] = storage.read_json(path)
        if manifest["format"] != 1 or not isinstance(manifest["sequence_length"], int):
            raise ValueError("it is of another format")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, f"is not a manifest of packed text ({error})", "Give what `openroots pack` wrote"
        ) from error
    return manifest


def _places(
    place: str, language: str, part: str, figures: Mapping[str, int], length: int, wanted: np.ndarray
) -> Iterable[tuple[str, Seen]]:
    try:
        ids = np.load(f"{place}-ids.npy", mmap_mode="r", allow_pickle=False)
        starts = np.load(f"{place}-starts.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{place}-ids.npy", f"cannot be read ({error})", "Pack again") from error
    keys = np.ascontiguousarray(ids).view("V16").reshape(-1)
    for row in np.flatnonzero(np.isin(keys, wanted)).tolist():
        begin = int(starts[row])
        end = int(starts[row + 1]) if row + 1 < len(starts) else figures["tokens"]
        first, last = begin // length, min((end - 1) // length, figures["sequences"] - 1)
        yield bytes(ids[row]).hex(), Seen(language, part, (first, last) if first <= last else None)


def _add_steps(places: list[Seen], counts: Mapping[str, int], run: RunSoFar) -> None:
    order = Order(counts, run.seed, run.weights or None)
    offsets = np.concatenate([[0], np.cumsum([counts[language] for language in order.languages])])
    holders: dict[int, list[Seen]] = {}
    for seen in places:
        if seen.part == "train" and seen.sequences is not None:
            base = int(offsets[order.languages.index(seen.language)])
            for number in range(seen.sequences[0], seen.sequences[1] + 1):
                holders.setdefault(base + number, []).append(seen)
    sought = np.array(sorted(holders), np.int64)
    if not len(sought) or not len(run.starts):
        return
    for begin in range(0, int(run.starts[-1] + run.sizes[-1]), _POSITIONS):
        positions = np.arange(begin, min(begin + _POSITIONS, int(run.starts[-1] + run.sizes[-1])))
        language, sequence = order.at(positions)
        whole = offsets[language] + sequence
        for at in np.flatnonzero(np.isin(whole, sought)).tolist():
            step = int(np.searchsorted(run.starts, positions[at], side="right")) - 1
            if positions[at] >= run.starts[step] + run.sizes[step]:
                continue  # left out after a roll-back
            for seen in holders[int(whole[at])]:
                seen.times += 1
                if len(seen.steps) < STEPS_MAX and step + 1 not in seen.steps[-1:]:
                    seen.steps.append(step + 1)
