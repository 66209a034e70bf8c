"""Count pre-tokens: a table of distinct words (bytes) and how often each occurs (int64).

Memory follows the number of distinct words, not the text. Tables are plain Arrow record batches; adding them up is
associative and commutative, so any split of the work gives the same table.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigurationError
from pipeline.text.columns import text_buffers
from tokenizer.pretokenize import LIBRARY, Pattern, piece_ends
from tokenizer.word_table import add_pieces, add_words, empty_table, export, grown

WORDS = pa.schema([pa.field("word", pa.large_binary(), nullable=False), pa.field("count", pa.int64(), nullable=False)])
"""A word table: bytes of a pre-token, and its occurrences."""


class WordCounter:
    """Adds up words of texts and of other tables."""

    def __init__(self, pattern: Pattern | None = None) -> None:
        self.pattern = pattern or Pattern()
        self._table = empty_table()

    def __len__(self) -> int:
        """Distinct words so far."""
        return self._table.words

    @property
    def occurrences(self) -> int:
        """Of all words so far."""
        return self._table.occurrences

    def add_texts(self, texts: pa.Array | pa.ChunkedArray, weight: int = 1) -> None:
        """Count the pre-tokens of texts (string or large_string; nulls are skipped), each occurrence as `weight`."""
        for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
            filled = chunk.cast(pa.large_string()).fill_null("")
            if self.pattern.mode == LIBRARY:
                starts, data = text_buffers(filled)
                ends, _ = piece_ends(filled, self.pattern)
                self._add(data, np.concatenate([starts[:1], ends]), np.full(len(ends), weight, np.int64))
            else:
                self._add_texts(filled, weight)

    def _add_texts(self, texts: pa.LargeStringArray, weight: int) -> None:
        starts, data = text_buffers(texts)
        mode, classes = self.pattern.mode, self.pattern.classes()
        row, i = add_pieces(self._table, data, starts, mode, classes, weight, 0, 0)
        while row < len(texts):
            self._table = grown(self._table, int(starts[row + 1]) - i)
            row, i = add_pieces(self._table, data, starts, mode, classes, weight, row, i)

    def add_words(self, words: pa.RecordBatch, weight: int = 1) -> None:
        """Add a word table, its counts times `weight`."""
        starts, data = text_buffers(words["word"])
        self._add(data, starts, words["count"].to_numpy() * np.int64(weight))

    def _add(self, data: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> None:
        row = add_words(self._table, data, starts, counts, 0)
        while row < len(counts):
            self._table = grown(self._table, int(starts[row + 1] - starts[row]))
            row = add_words(self._table, data, starts, counts, row)

    def words(self, count_min: int = 1, is_sorted: bool = False) -> pa.RecordBatch:
        """The table (schema WORDS); in byte order of words if `is_sorted`, else in no order that can be relied on.

        Words that occur fewer than `count_min` times are left out.
        """
        offsets, counts = np.empty(len(self) + 1, np.int64), np.empty(len(self), np.int64)
        data = np.empty(self._table.bytes, np.uint8)
        export(self._table, offsets, data, counts)
        words = pa.Array.from_buffers(pa.large_binary(), len(self), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
        batch = pa.record_batch([words, pa.array(counts)], schema=WORDS)
        if count_min > 1:
            batch = batch.filter(pc.greater_equal(batch["count"], count_min))
        return batch.take(pc.sort_indices(batch["word"])) if is_sorted else batch


def count_words(texts: Iterable[pa.Array], pattern: Pattern | None = None, workers: int = 1) -> pa.RecordBatch:
    """Word table of texts given as Arrow arrays of strings, counted by so many threads.

    With more than one the order of the words is not fixed; what is learnt from them does not depend on it.
    """
    counters = [WordCounter(pattern) for _ in range(workers)]
    arrays, lock = iter(texts), Lock()

    def count(counter: WordCounter) -> None:
        while True:
            with lock:
                array = next(arrays, None)
            if array is None:
                return
            counter.add_texts(array)

    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(count, counters))
    else:
        count(counters[0])
    total = counters.pop(0)
    while counters:
        total.add_words(counters.pop().words())
    words = total.words()
    del total
    pa.system_memory_pool().release_unused()  # what threads freed goes back to the system
    return words


def language_weights(sizes: dict[str, int], alpha: float = 0.3, resolution: int = 16) -> dict[str, int]:
    """Whole-number weights that bring languages nearer to equal shares: share p becomes proportional to p^`alpha`.

    `sizes` are occurrences or bytes by language; `alpha` 1 keeps the proportions, 0 makes all equal (the temperature
    sampling of Conneau et al. 2020, section 3.1, there with 0.3). The language whose counts are raised least has weight
    `resolution` (1 where `alpha` is 1), so that every weight is within 1 / (2 × resolution) of its exact value. Counts
    times these weights stay whole, so sums are exact in any order. Raises ConfigurationError.
    """
    if not 0 <= alpha <= 1 or resolution < 1:
        raise ConfigurationError(f"alpha = {alpha}, resolution = {resolution}: alpha is from 0 to 1, resolution ≥ 1")
    present = {language: size for language, size in sizes.items() if size > 0}
    if alpha == 1 or not present:
        return dict.fromkeys(present, 1)
    largest = max(present.values())
    return {language: round(resolution * (largest / size) ** (1 - alpha)) for language, size in present.items()}
