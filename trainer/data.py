"""Training samples by their global position: any rank reads its share of any batch, and there is no state to save.

What was trained on is one number, the samples consumed. It means the same on any number of ranks.
"""

from collections.abc import Callable, Mapping, Sequence
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

PADDING = "0" * 32
"""Id of what fills a sequence of prompts up."""
_REMEDY = "Give the output folder of `openroots pack`, or pack again: it redoes what is damaged or missing"


@dataclass(frozen=True)
class Batch:
    """Sequences: `input_ids` and `labels` (the token after each) int64 (b, L).

    `documents` int32 (b, L) numbers the documents within a sequence, for attention that stays inside them. The losses
    of labels are multiplied by `loss_weights`, fp32 (b, L), where given: of prompts only targets count.
    """

    input_ids: Tensor
    labels: Tensor
    documents: Tensor
    loss_weights: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The same in memory that a GPU copies from by itself, while the processor does other work."""
        return self._map(Tensor.pin_memory)

    def __len__(self) -> int:
        return len(self.input_ids)

    def slice(self, begin: int, end: int) -> "Batch":
        """Sequences begin … end - 1."""
        return self._map(lambda tensor: tensor[begin:end])

    def weights(self) -> Tensor:
        """What the loss of each label counts for, fp32 (b, L); 0 where the label is -100."""
        weights = (self.labels != -100).float()
        return weights if self.loss_weights is None else weights * self.loss_weights

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        weights = None if self.loss_weights is None else change(self.loss_weights)
        return Batch(change(self.input_ids), change(self.labels), change(self.documents), weights)


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
        self.is_weighted: bool = self.manifest.get("kind") == "prompts"
        """Whether each label has a weight of its own, as those of packed prompts have."""
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
        """The samples at global positions (0-based, without end: after an epoch comes the next). Raises InputError."""
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
            if (highest := tokens[row].max()) >= self.vocabulary_size:  # on a GPU nothing would say what is wrong
                cause = f"sequence {i:,} holds the id {highest:,}, the tokenizer has {self.vocabulary_size:,}"
                raise InputError(f"{stream.place}-tokens.npy", cause, _REMEDY)
        both = torch.from_numpy(tokens)
        weights = torch.from_numpy(self._weights(where)) if self.is_weighted else None
        return Batch(both[:, :-1].contiguous(), both[:, 1:].contiguous(), torch.from_numpy(documents), weights)

    def _weights(self, where: Sequence[tuple[str, int]]) -> np.ndarray:
        """Of labels, float32 (b, L): the file has them beside the tokens, and labels are the tokens one further on."""
        length = self.sequence_length
        weights = np.empty((len(where), length), np.float32)
        for row, (language, i) in enumerate(where):
            weights[row] = self._stream(language).weights[i * length + 1 : i * length + length + 1]
        return weights

    def _stream(self, language: str) -> "_Stream":
        if language not in self._streams:
            self._streams[language] = _Stream(self._folder / "data" / language, self._part, self.is_weighted)
        return self._streams[language]


class Prefetch:
    """Reads the batch that is expected next in a thread, while a step is made.

    A batch that was read ahead but is not asked for, as after a roll-back, is discarded.
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

    def __init__(self, folder: Path, part: str, is_weighted: bool) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        for name in ("tokens", "starts", "ids", *(["weights"] if is_weighted else [])):
            path = folder / f"{part}-{name}.npy"
            try:
                self.arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise InputError(str(path), f"cannot be read ({error})", _REMEDY) from error
        self.tokens, self.starts, self.ids = (self.arrays[name] for name in ("tokens", "starts", "ids"))
        self.place = str(folder / part)

    @property
    def weights(self) -> np.ndarray:
        """Of the tokens, as labels; of packed prompts alone."""
        return self.arrays["weights"]

    def check(self, figures: Mapping[str, int]) -> None:
        """Compare sizes with those of the manifest. Raises InputError."""
        for name, found in self.arrays.items():
            expected = figures["tokens" if name in ("tokens", "weights") else "documents"]
            if len(found) != expected:
                cause = f"holds {len(found):,} entries, the manifest says {expected:,}"
                raise InputError(f"{self.place}-{name}.npy", cause, _REMEDY)

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
        keys = (bytes(key).hex() for key in self.ids[first:end])
        return [key for key in keys if key != PADDING]


def rank_positions(consumed: int, global_batch: int, rank: int, ranks: int) -> np.ndarray:
    """A rank's share of the samples consumed … consumed + global_batch - 1, int64: contiguous blocks, rank by rank.

    Raises ConfigurationError where the batch cannot be shared out evenly.
    """
    if global_batch % ranks:
        raise ConfigurationError(f"a batch of {global_batch} sequences cannot be divided evenly among {ranks} ranks")
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
        raise InputError(path, f"is not a manifest of packed text ({error})", _REMEDY) from error
    return manifest
