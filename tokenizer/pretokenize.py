"""Cut text into pre-tokens, exactly as the `tokenizers` library would.

A pattern is a function that says where the piece that begins at byte i ends. Pieces cover the text without gaps: what
BLOOM's pattern does not match (white space and punctuation) stands as pieces of its own, since `Split` isolates it.
BLOOM's and GPT-2's patterns are numba kernels over UTF-8 bytes; any other goes through the library, about 30 times
slower.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from tokenizers import Regex, pre_tokenizers

from configs.errors import ConfigurationError
from pipeline.text.columns import text_buffers
from tokenizer.kernels import inlined, kernel

_EXCLUDED = "(|).,!?…。，、।۔،\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
BLOOM_PATTERN = f" ?[^{_EXCLUDED}]+"
"""BLOOM (Scao et al. 2022, section 3.1.2): a space at most, then what is neither white space nor of its punctuation.

White space is spelt out, since `\\s` means another set in Python's `re`, RE2 and JavaScript; a class without classes in
it compiles everywhere and cuts text as BLOOM's own pattern does.
"""
BLOOM_PATTERNS = frozenset({BLOOM_PATTERN, " ?[^(\\s|[.,!?…。，、।۔،])]+", " ?[^(\\s|.,!?…。，、।۔،)]+"})
"""All the same to `tokenizers`. The second is in BLOOM's files: Oniguruma reads the class in the class, so that `(`,
`|` and `)` are excluded too."""
GPT2_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
"""GPT-2 (Radford et al. 2019), as in its released encoder."""
GPT4_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
"""Digits in groups of at most three, line ends with what precedes them: as cl100k, and Llama 3."""
PATTERNS = {"bloom": BLOOM_PATTERN, "gpt2": GPT2_PATTERN, "gpt4": GPT4_PATTERN}

BLOOM, GPT2, LIBRARY = 0, 1, 2
"""How a pattern is run; numbers because kernels take them."""

OTHER, LETTER, NUMBER, SPACE = 0, 1, 2, 3
"""Classes of characters of GPT-2's pattern."""

_CLASSES = Path(__file__).with_name("character_classes.npz")


@dataclass(frozen=True)
class Pattern:
    """A pre-tokenizer pattern: a name of `PATTERNS` or any regular expression of the library's (Oniguruma) dialect."""

    expression: str = BLOOM_PATTERN

    @classmethod
    def named(cls, name: str) -> "Pattern":
        """The pattern of that name; a name that is not known is itself the expression. Raises ConfigurationError."""
        expression = PATTERNS.get(name, name)
        try:
            Regex(expression)
        except Exception as error:  # the library raises no other kind
            known = ", ".join(PATTERNS)
            raise ConfigurationError(f"pattern `{name}` is none of {known} and no expression: {error}") from error
        return cls(expression)

    @property
    def mode(self) -> int:
        """`BLOOM`, `GPT2` or `LIBRARY`."""
        if self.expression in BLOOM_PATTERNS:
            return BLOOM
        return GPT2 if self.expression == GPT2_PATTERN else LIBRARY

    def pre_tokenizer(self) -> pre_tokenizers.PreTokenizer:
        """The same pre-tokenizer as an object of the library: `Split`, then `ByteLevel`."""
        split = pre_tokenizers.Split(Regex(self.expression), behavior="isolated", invert=False)
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([split, byte_level])

    def classes(self) -> np.ndarray:
        """The table of character classes that the kernel of this mode wants (uint8)."""
        return gpt2_classes() if self.mode == GPT2 else bloom_classes()


def piece_ends(texts: pa.LargeStringArray, pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the pre-tokens of a batch.

    Returns (ends, pieces): `ends` int64, offsets into the data buffer of `texts` where each piece ends, texts one
    after the other; `pieces` int64 of shape (rows + 1,), the range of `ends` of each text. A piece begins where the
    one before it ends. Nulls have no pieces.
    """
    starts, data = text_buffers(_filled(texts))
    if pattern.mode == LIBRARY:
        return _library_ends(texts, starts, pattern)
    return _kernel_ends(data, starts, pattern.mode, pattern.classes())


def pretokenize(texts: pa.LargeStringArray, pattern: Pattern) -> pa.LargeListArray:
    """Pre-tokens of each text as a list of `large_binary` over the data buffer of `texts`: nothing is copied."""
    texts = _filled(texts)
    ends, pieces = piece_ends(texts, pattern)
    first = text_buffers(texts)[0][:1]
    offsets = pa.py_buffer(np.concatenate([first, ends]))
    words = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, offsets, texts.buffers()[2]])
    return pa.LargeListArray.from_arrays(pa.array(pieces), words)


def _filled(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    return texts.fill_null("") if texts.null_count else texts


def _library_ends(texts: pa.Array, starts: np.ndarray, pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    split = pre_tokenizers.Split(Regex(pattern.expression), behavior="isolated", invert=False)
    lengths, pieces = [], [0]
    for text in texts.to_pylist():
        lengths += [len(piece.encode()) for piece, _ in split.pre_tokenize_str(text or "")]
        pieces.append(len(lengths))
    ends = int(starts[0]) + np.cumsum(np.asarray(lengths, np.int64))
    return ends, np.asarray(pieces, np.int64)


@lru_cache(1)
def bloom_classes() -> np.ndarray:
    """1 where a character of the Basic Multilingual Plane is excluded by BLOOM's pattern; uint8 of shape (65536,)."""
    table = np.zeros(1 << 16, np.uint8)
    table[[ord(character) for character in _EXCLUDED]] = 1
    return table


@lru_cache(1)
def gpt2_classes() -> np.ndarray:
    """Class of every code point in GPT-2's pattern, uint8 of shape (0x110000,): the library's, kept as runs."""
    with np.load(_CLASSES) as runs:
        return np.repeat(runs["classes"], runs["lengths"])


def library_classes() -> np.ndarray:
    """The same, asked of the library (a second of work): Python's Unicode version is another."""
    table = np.zeros(0x110000, np.uint8)
    for plane in range(17):
        codes = np.arange(plane << 16, plane + 1 << 16)
        codes = codes[(codes < 0xD800) | (codes >= 0xE000)]
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        for value, expression in ((LETTER, r"\p{L}"), (NUMBER, r"\p{N}"), (SPACE, r"\s")):
            split = pre_tokenizers.Split(Regex(f"[^{expression}]+"), behavior="removed", invert=False)
            for _, (begin, end) in split.pre_tokenize_str(text):
                table[codes[begin:end]] = value
    return table


def write_classes() -> None:
    """Write the file behind `gpt2_classes` anew, for another version of the library."""
    table = library_classes()
    begins = np.concatenate([[0], np.flatnonzero(np.diff(table)) + 1])
    lengths = np.diff(np.concatenate([begins, [len(table)]])).astype(np.int32)
    np.savez_compressed(_CLASSES, classes=table[begins], lengths=lengths)


@njit(cache=True, nogil=True)
def _kernel_ends(data: np.ndarray, starts: np.ndarray, mode: int, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = len(starts) - 1
    pieces = np.zeros(rows + 1, np.int64)
    ends = np.empty((starts[rows] - starts[0]) // 4 + 16, np.int64)
    found = 0
    for row in range(rows):
        i, stop = starts[row], starts[row + 1]
        while i < stop:
            i = bloom_end(data, i, stop, classes) if mode == BLOOM else gpt2_end(data, i, stop, classes)
            if found == len(ends):
                larger = np.empty(2 * found, np.int64)
                larger[:found] = ends
                ends = larger
            ends[found] = i
            found += 1
        pieces[row + 1] = found
    return ends[:found].copy(), pieces


@inlined()
def _excluded_bytes(data: np.ndarray, i: int, stop: int, classes: np.ndarray) -> int:
    """Bytes of the character at i if BLOOM's pattern excludes it, else 0. Only some lead bytes begin such a one."""
    byte = data[i]
    if byte < 0x80:
        return int(classes[byte])
    if byte == 0xC2 or byte == 0xD8 or byte == 0xDB:
        return 2 if classes[(byte & 0x1F) << 6 | data[i + 1] & 0x3F] else 0
    if (byte >= 0xE0 and byte <= 0xE3) or byte == 0xEF:
        code = (byte & 0x0F) << 12 | (data[i + 1] & 0x3F) << 6 | data[i + 2] & 0x3F
        return 3 if classes[code] else 0
    return 0


@kernel()
def bloom_end(data: np.ndarray, i: int, stop: int, classes: np.ndarray) -> int:
    """End of the piece of BLOOM's pattern that begins at byte i < stop."""
    width = _excluded_bytes(data, i, stop, classes)
    if width:
        j = i
        while j < stop:
            width = _excluded_bytes(data, j, stop, classes)
            if not width:
                break
            j += width
        if j == stop or data[j - 1] != 0x20:
            return j
        if j - 1 > i:
            return j - 1  # the last space belongs to the word behind it
        i = j
    i += 1
    while i < stop and not _excluded_bytes(data, i, stop, classes):
        i += 1
    return i


@inlined()
def _class_and_end(data: np.ndarray, i: int, classes: np.ndarray) -> tuple[int, int]:
    """Class of the character at byte i, and where it ends."""
    byte = np.int64(data[i])
    if byte < 0x80:
        return classes[byte], i + 1
    if byte < 0xE0:
        return classes[(byte & 0x1F) << 6 | data[i + 1] & 0x3F], i + 2
    if byte < 0xF0:
        return classes[(byte & 0x0F) << 12 | (data[i + 1] & 0x3F) << 6 | data[i + 2] & 0x3F], i + 3
    code = (byte & 0x07) << 18 | (data[i + 1] & 0x3F) << 12 | (data[i + 2] & 0x3F) << 6 | data[i + 3] & 0x3F
    return classes[code], i + 4


@inlined()
def _contraction(data: np.ndarray, i: int, stop: int) -> int:
    """End of an English contraction ('s 't 're 've 'm 'll 'd) at byte i, or i."""
    if data[i] != 0x27 or i + 1 >= stop:
        return i
    first = data[i + 1]
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:  # s t m d
        return i + 2
    if i + 2 < stop:
        second = data[i + 2]
        if ((first == 0x72 or first == 0x76) and second == 0x65) or (first == 0x6C and second == 0x6C):  # re ve ll
            return i + 3
    return i


@kernel()
def gpt2_end(data: np.ndarray, i: int, stop: int, classes: np.ndarray) -> int:
    """End of the piece of GPT-2's pattern that begins at byte i < stop."""
    j = _contraction(data, i, stop)
    if j > i:
        return j
    kind, j = _class_and_end(data, i, classes)
    if kind == SPACE:
        if data[i] == 0x20 and j < stop:
            kind, after = _class_and_end(data, j, classes)
            j = after if kind != SPACE else j
        if kind == SPACE:
            return _white_space_end(data, i, stop, classes)
    while j < stop:
        other, after = _class_and_end(data, j, classes)
        if other != kind:
            break
        j = after
    return j


@kernel()
def _white_space_end(data: np.ndarray, i: int, stop: int, classes: np.ndarray) -> int:
    """A run of white space leaves its last character to what follows, unless it is the only one."""
    j, last = i, i
    while j < stop:
        kind, after = _class_and_end(data, j, classes)
        if kind != SPACE:
            return last if last > i else j
        last, j = j, after
    return j
