"""Training samples by their global position: any rank reads its share of any batch, and there is no state to save.

What was trained on is one number, the samples consumed. It means the same on any number of ranks.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from configs.errors import ConfigurationError, InputError
from pipeline.runtime import storage
from trainer.order import PARTS, Order

_REMEDY = "Give the output folder of `openroots pack`, or pack again: it redoes what is damaged or missing"


@dataclass(frozen=True)
class Batch:
    """Sequences: `input_ids` and `labels` (the token after each) int64 (b, L).

    `documents` int32 (b, L) numbers the documents within a sequence, for attention that stays inside them.
    """

    input_ids: Tensor
    labels: Tensor
    documents: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(
            *(tensor.to(device, non_blocking=True) for tensor in (self.input_ids, self.labels, self.documents))
        )

    def pinned(self) -> "Batch":
        """The same in memory that a GPU copies from by itself, while the processor does other work."""
        return Batch(*(tensor.pin_memory() for tensor in (self.input_ids, self.labels, self.documents)))

    def __len__(self) -> int:
        return len(self.input_ids)

    def slice(self, begin: int, end: int) -> "Batch":
        """Sequences begin … end - 1."""
        return Batch(self.input_ids[begin:end], self.labels[begin:end], self.documents[begin:end])


class TrainingData:
    """Packed text (see `trainer.pack`), memory-mapped, in the order of `trainer.order`.

    `part` is "train" or "held_out"; `weights` are of languages. Raises InputError and ConfigurationError.
    """

    def __init__(
        self, packed: str, *, seed: int = 0, weights: Mapping[str, float] | None = None, part: str = "train"
    ) -> None:
        self.manifest = read_manifest(packed)
        self.sequence_length: int = self.manifest["sequence_length"]
        self.vocabulary_size: int = self.manifest["vocabulary_size"]
        self._streams: dict[str, _Stream] = {}
        self._folder, self._part = Path(packed), part
        counts = {language: parts[part]["sequences"] for language, parts in self.manifest["languages"].items()}
        self._counts = counts
        self.languages = sorted(counts)
        self.order = Order(counts, seed, weights) if any(counts.values()) else None
        if self.order is None and part == "train":
            raise ConfigurationError(f"{packed} has no whole sequence to train on; give more text, or pack it shorter")
        for language in self.languages:
            if counts[language]:
                # Here, not where the first sample is read: that may be days into a run.
                self._stream(language).check(self.manifest["languages"][language][part])

    def __len__(self) -> int:
        """Sequences an epoch."""
        return sum(self._counts.values())

    def read(self, positions: Sequence[int] | np.ndarray) -> Batch:
        """The samples at global positions (0-based, without end: after an epoch comes the next)."""
        return self._batch(self._where(positions))

    def documents(self, positions: Sequence[int] | np.ndarray) -> list[list[str]]:
        """Ids (hex) of the documents in each sample: what the ledger can be asked about."""
        length = self.sequence_length
        return [self._stream(language).documents(i * length, length) for language, i in self._where(positions)]

    def language_of(self, positions: Sequence[int] | np.ndarray) -> list[str]:
        """Language of each sample."""
        return [language for language, _ in self._where(positions)]

    def first(self, language: str, limit: int) -> list[tuple[str, int]]:
        """Places of the first sequences of a language, at most `limit`, for `sequences`."""
        return [(language, i) for i in range(min(limit, self._counts.get(language, 0)))]

    def sequences(self, where: Sequence[tuple[str, int]]) -> Batch:
        """Sequences by language and number within it."""
        return self._batch(where)

    def _where(self, positions: Sequence[int] | np.ndarray) -> list[tuple[str, int]]:
        assert self.order is not None
        languages, sequences = self.order.at(np.asarray(positions, np.int64))
        names = self.order.languages
        return [(names[number], i) for number, i in zip(languages.tolist(), sequences.tolist(), strict=True)]

    def _batch(self, where: Sequence[tuple[str, int]]) -> Batch:
        length = self.sequence_length
        tokens = np.empty((len(where), length + 1), np.int64)
        documents = np.empty((len(where), length), np.int32)
        for row, (language, i) in enumerate(where):
            stream = self._stream(language)
            tokens[row] = stream.tokens[i * length : i * length + length + 1]
            documents[row] = stream.ordinals(i * length, length)
        both = torch.from_numpy(tokens)
        return Batch(both[:, :-1].contiguous(), both[:, 1:].contiguous(), torch.from_numpy(documents))

    def _stream(self, language: str) -> "_Stream":
        if language not in self._streams:
            self._streams[language] = _Stream(self._folder / "data" / language, self._part)
        return self._streams[language]


class Prefetch:
    """Reads the batch that is expected next in a thread, while a step is made.

    What is taken is what was asked for: a batch that was expected in vain, as after a roll-back, is forgotten.
    """

    def __init__(self, data: TrainingData, device: torch.device) -> None:
        self._data, self._device = data, device
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._expected: tuple[bytes, Future[Batch]] | None = None

    def take(self, positions: np.ndarray) -> Batch:
        """The samples at positions (int64), on the device. Raises InputError."""
        expected, self._expected = self._expected, None
        if expected is not None and expected[0] == positions.tobytes():
            batch = expected[1].result()
        else:
            batch = self._read(positions)
        return batch.to(self._device)

    def expect(self, positions: np.ndarray) -> None:
        """Begin to read what is probably taken next."""
        self._expected = positions.tobytes(), self._thread.submit(self._read, positions)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _read(self, positions: np.ndarray) -> Batch:
        batch = self._data.read(positions)
        return batch.pinned() if self._device.type == "cuda" else batch


class _Stream:
    """A language's documents end to end."""

    def __init__(self, folder: Path, part: str) -> None:
        arrays = []
        for name in ("tokens", "starts", "ids"):
            path = folder / f"{part}-{name}.npy"
            try:
                arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
            except (OSError, ValueError, EOFError) as error:
                raise InputError(str(path), f"cannot be read ({error})", _REMEDY) from error
        self.tokens, self.starts, self.ids = arrays
        self._place = str(folder / part)

    def check(self, figures: Mapping[str, int]) -> None:
        """Compare sizes with those of the manifest. Raises InputError."""
        for name, found, expected in (
            ("tokens", self.tokens, figures["tokens"]),
            ("starts", self.starts, figures["documents"]),
            ("ids", self.ids, figures["documents"]),
        ):
            if len(found) != expected:
                cause = f"holds {len(found):,} entries, the manifest says {expected:,}"
                raise InputError(f"{self._place}-{name}.npy", cause, _REMEDY)

    def _range(self, begin: int, length: int) -> tuple[int, int]:
        first = int(np.searchsorted(self.starts, begin, side="right")) - 1
        return first, int(np.searchsorted(self.starts, begin + length, side="left"))

    def ordinals(self, begin: int, length: int) -> np.ndarray:
        """Which document each token is of, counted from the first."""
        first, end = self._range(begin, length)
        inner = np.asarray(self.starts[first + 1 : end]) - begin
        ordinals = np.zeros(length, np.int32)
        np.add.at(ordinals, inner, 1)
        return np.cumsum(ordinals, dtype=np.int32)

    def documents(self, begin: int, length: int) -> list[str]:
        first, end = self._range(begin, length)
        return [bytes(key).hex() for key in self.ids[first:end]]


def rank_positions(consumed: int, global_batch: int, rank: int, ranks: int) -> np.ndarray:
    """A rank's share of the samples consumed … consumed + global_batch - 1, int64: contiguous blocks, rank by rank.

    Raises ConfigurationError where the batch cannot be shared out evenly.
    """
    if global_batch % ranks:
        raise ConfigurationError(f"a batch of {global_batch} sequences cannot be shared out evenly to {ranks} ranks")
    share = global_batch // ranks
    return np.arange(consumed + rank * share, consumed + (rank + 1) * share, dtype=np.int64)


def read_manifest(packed: str) -> dict[str, Any]:
    """The manifest of packed text. Raises InputError."""
    path = storage.join(packed, "manifest.json")
    try:
        manifest: dict[str, Any] = storage.read_json(path)
        if manifest["format"] != 1:
            raise ValueError("it is of another format")
        numbers = [manifest["sequence_length"], manifest["vocabulary_size"]]
        for parts in manifest["languages"].values():
            numbers += [parts[part][name] for part in PARTS for name in ("documents", "tokens", "sequences")]
        if not all(isinstance(number, int) for number in numbers):
            raise ValueError("a figure is no whole number")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(path, "no such file", _REMEDY) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, f"is no manifest of packed text ({error})", _REMEDY) from error
    return manifest
