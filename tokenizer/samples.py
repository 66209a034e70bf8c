"""A bounded sample of text for each language: the documents with the smallest keyed hashes, up to a number of bytes.

A document's key is its id, or its text where the file has no ids. So the sample
does not depend on the order of files or documents, and a smaller one is part of a larger one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import xxhash

from configs.errors import InputError
from tokenizer.texts import Skipped, TextFile, read_shard, read_texts

SAMPLE_BYTES = 100_000
_SEED = 29


@dataclass(frozen=True)
class LanguageText:
    """Text of one language that a tokenizer is measured on; `origin` says where it is from."""

    language: str
    origin: str
    texts: tuple[str, ...] = field(repr=False)


def sample_files(
    files: Sequence[TextFile], limit: int = SAMPLE_BYTES, origin: str = "text", skipped: Skipped | None = None
) -> list[LanguageText]:
    """At most `limit` bytes of UTF-8 of each language, the languages sorted; those without text are left out.

    Raises InputError where no file holds text, or one cannot be read.
    """
    samples: dict[str, Sample] = {}
    skipped = Skipped() if skipped is None else skipped
    for file in files:
        sample = samples.setdefault(file.language, Sample(limit))
        for keys, texts in _documents(file, skipped):
            sample.add(keys, texts)
    found = [LanguageText(code, origin, texts) for code in sorted(samples) if (texts := samples[code].texts())]
    if not found:
        names = ", ".join(file.path for file in files[:3]) + (", …" if len(files) > 3 else "")
        raise InputError(names, "no text in it", "Give files that hold text, or a folder that build-corpus made")
    return found


class Sample:
    """Keeps the documents with the smallest keys, whose texts together reach `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._largest = limit, 1 << 64
        self._held: list[tuple[int, str]] = []
        self._bytes = 0

    def add(self, keys: Sequence[bytes], texts: pa.Array) -> None:
        """Take documents in; nulls and texts of white space alone are none."""
        hashes = np.array([xxhash.xxh3_64_intdigest(key, _SEED) for key in keys], np.uint64)
        for row in np.flatnonzero(hashes <= np.uint64(self._largest - 1)):
            text = texts[int(row)].as_py()
            if text and not text.isspace():
                self._held.append((int(hashes[row]), text))
                self._bytes += len(text.encode())
        if self._bytes > 4 * self._limit:
            self._cut()

    def _cut(self) -> None:
        """Forget documents that can no longer be in the sample."""
        self._held.sort()
        total = 0
        for count, (key, text) in enumerate(self._held, 1):
            total += len(text.encode())
            if total >= self._limit:
                self._held, self._largest = self._held[:count], key + 1
                break
        self._bytes = total

    def texts(self) -> tuple[str, ...]:
        """The sample, in the order of keys; its last document ends at white space within the limit, if it has any."""
        self._cut()
        texts, left = [], self._limit
        for _, text in self._held:
            data = text.encode()
            if len(data) > left:
                text = _shortened(data, left)
            if text:
                texts.append(text)
            left -= len(data)
            if left <= 0:
                break
        return tuple(texts)


def _shortened(data: bytes, limit: int) -> str:
    """The beginning of a text in at most `limit` bytes, up to white space where the last half holds some."""
    text = data[:limit].decode(errors="ignore")
    end = max(text.rfind(" "), text.rfind("\n"))
    return text[:end] if end > len(text) // 2 else text


def _documents(file: TextFile, skipped: Skipped) -> Iterator[tuple[Sequence[bytes], pa.Array]]:
    """Keys and texts of the documents of a file, batch by batch."""
    batches = read_shard(file.path) if file.is_shard else ((None, texts) for texts in read_texts(file, skipped))
    for ids, texts in batches:
        yield [(text or "").encode() for text in texts.to_pylist()] if ids is None else ids.to_pylist(), texts
