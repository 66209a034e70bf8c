"""What the fertility report asks of any tokenizer: the ids of texts, and which bytes of the texts each token covers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
import tokenizers

from tokenizer.load import Tokenizer, changes, losses
from tokenizer.merges import byte_characters

_BATCH = 1 << 20
"""Characters handed to `tokenizers` at once: it keeps an object for each token."""


@dataclass(frozen=True)
class Encoded:
    """Tokens of texts.

    ids           uint32 (tokens,)
    starts, ends  int64 (tokens,): the bytes that a token covers, counted over the UTF-8 of all texts one after another.
                  Tokens that share a character have all of it.
    borders       int64 (texts + 1,): where the tokens of a text begin and end
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    borders: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class Encoder(Protocol):
    """A tokenizer, whatever library runs it. No begin or end is added to texts; special tokens in them are text.

    name        what the report calls it
    kind        what it is, in words
    size        entries of the vocabulary
    unknown_id  the token that stands for what cannot be written; None where there is none
    losses      why it cannot give every text back as it was; empty where it can, or where `unknown_id` tells
    """

    name: str
    kind: str
    size: int
    unknown_id: int | None
    losses: str

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Tokens of texts."""
        ...

    def entries(self) -> list[bytes | None]:
        """The bytes that each entry of the vocabulary stands for; None for special tokens."""
        ...


class ByteLevelEncoder:
    """Byte-level BPE of a `tokenizer.json`, encoded by `tokenizer.load.Tokenizer`.

    Its tokens are bytes of the text, so that their lengths say where they lie. Only where a normalizer changed the text
    do the lengths not fit, and `tokenizers` is asked.
    """

    unknown_id: int | None = None

    def __init__(self, name: str, tokenizer: Tokenizer) -> None:
        self.name, self.kind, self._tokenizer = name, "byte-level BPE", tokenizer
        self.size, self.losses = tokenizer.library.get_vocab_size(), losses(tokenizer.library)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Tokens of texts."""
        lists = self._tokenizer.encode_batch(list(texts))
        ids = np.asarray(lists.flatten()).astype(np.uint32)
        borders = np.asarray(lists.offsets).astype(np.int64)
        ends = np.cumsum(self._lengths[ids])
        sizes = np.array([0, *(len(text.encode()) for text in texts)], np.int64).cumsum()
        if not np.array_equal(np.concatenate([[0], ends])[borders], sizes):
            return LibraryEncoder(self.name, self._tokenizer.library).encode(texts)
        return Encoded(ids, ends - self._lengths[ids], ends, borders)

    @cached_property
    def _lengths(self) -> np.ndarray:
        """Bytes of each id, int64."""
        vocabulary = self._tokenizer.library.get_vocab(with_added_tokens=True)
        added = {token.content for token in self._tokenizer.library.get_added_tokens_decoder().values()}
        lengths = np.zeros(self._tokenizer.vocabulary_size, np.int64)
        for token, number in vocabulary.items():
            lengths[number] = len(token.encode()) if token in added else len(token)
        return lengths

    def entries(self) -> list[bytes | None]:
        """The bytes that each entry of the vocabulary stands for; None for special tokens."""
        values = {character: bytes([byte]) for byte, character in enumerate(byte_characters())}
        return [
            None if token is None else b"".join(values.get(character, character.encode()) for character in token)
            for token in _plain_tokens(self._tokenizer.library)
        ]


class LibraryEncoder:
    """Any `tokenizer.json` that is not byte-level, encoded by `tokenizers`."""

    def __init__(self, name: str, library: tokenizers.Tokenizer) -> None:
        self.name, self._library = name, library
        library.encode_special_tokens = True
        library.no_truncation()
        library.no_padding()
        content = json.loads(library.to_str())
        model = content["model"]
        self.losses = changes(content["normalizer"])
        self.kind, self.size = model["type"], library.get_vocab_size()
        token = model.get("unk_token")
        self.unknown_id: int | None = library.token_to_id(token) if token else model.get("unk_id")
        self._prefix: str = model.get("continuing_subword_prefix") or ""
        self._suffix: str = model.get("end_of_word_suffix") or ""

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Tokens of texts."""
        parts, begin = [], 0
        for batch in _batches(texts):
            for text, found in zip(batch, self._library.encode_batch(batch, add_special_tokens=False), strict=True):
                places = byte_places(text) + begin
                spans = np.array(found.offsets, np.int64).reshape(-1, 2)
                parts.append((np.array(found.ids, np.uint32), places[spans[:, 0]], places[spans[:, 1]]))
                begin = int(places[-1])
        return joined(parts)

    def entries(self) -> list[bytes | None]:
        """The bytes that each entry of the vocabulary stands for; None for special tokens."""
        return [None if token is None else self._bytes(token) for token in _plain_tokens(self._library)]

    def _bytes(self, token: str) -> bytes:
        if self._prefix:
            token = token.removeprefix(self._prefix)
        if self._suffix:
            token = token.removesuffix(self._suffix)
        return piece_bytes(token)


class TiktokenEncoder:
    """A tiktoken file with a pattern, encoded by `tiktoken`."""

    unknown_id: int | None = None

    def __init__(self, name: str, ranks: dict[bytes, int], pattern: str) -> None:
        import tiktoken

        self.name, self.kind, self.size, self.losses = name, "tiktoken BPE", len(ranks), ""
        self._encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self._ranks = ranks

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Tokens of texts."""
        parts, begin = [], 0
        for text in texts:
            ids = np.array(self._encoding.encode_ordinary(text), np.uint32)
            ends = begin + np.cumsum(self._lengths[ids])
            parts.append((ids, ends - self._lengths[ids], ends))
            begin += len(text.encode())
        return joined(parts)

    @cached_property
    def _lengths(self) -> np.ndarray:
        lengths = np.zeros(max(self._ranks.values()) + 1, np.int64)
        for token, number in self._ranks.items():
            lengths[number] = len(token)
        return lengths

    def entries(self) -> list[bytes | None]:
        """The bytes of each entry, in the order of ranks."""
        ordered = sorted(self._ranks, key=self._ranks.__getitem__)
        return list(ordered)


class SentencePieceEncoder:
    """A SentencePiece `.model`, encoded by `sentencepiece`."""

    def __init__(self, name: str, processor: Any) -> None:
        self.name, self.kind, self._processor = name, "SentencePiece", processor
        self.size, self.losses = processor.vocab_size(), ""
        self.unknown_id = processor.unk_id() if processor.unk_id() >= 0 else None

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Tokens of texts. SentencePiece gives a character in bytes to the last of them; here each has all of it."""
        parts, begin = [], 0
        for text, found in zip(texts, self._processor.encode(list(texts), return_type="proto"), strict=True):
            spans = np.array([(piece.begin, piece.end) for piece in found.pieces], np.int64).reshape(-1, 2)
            empty = spans[:, 0] == spans[:, 1]
            following = np.where(empty, len(spans), np.arange(len(spans)))  # the next token that covers something
            following = np.minimum.accumulate(following[::-1])[::-1]
            in_bytes = np.array([self._processor.is_byte(piece.id) for piece in found.pieces], bool)
            shares = empty & in_bytes & (following < len(spans))
            spans[shares, 1] = spans[following[shares], 1]
            parts.append((np.array([p.id for p in found.pieces], np.uint32), spans[:, 0] + begin, spans[:, 1] + begin))
            begin += len(text.encode())
        return joined(parts)

    def entries(self) -> list[bytes | None]:
        """The bytes that each piece stands for; None for control pieces and the unknown one."""
        model = self._processor
        return [
            None
            if model.is_control(number) or model.is_unknown(number) or model.is_unused(number)
            else piece_bytes(model.id_to_piece(number))
            for number in range(self.size)
        ]


def joined(parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Encoded:
    """Tokens of texts from ids, starts and ends of each."""
    borders = np.array([0, *accumulate(len(ids) for ids, _, _ in parts)], np.int64)
    if not parts:
        return Encoded(np.zeros(0, np.uint32), np.zeros(0, np.int64), np.zeros(0, np.int64), borders)
    ids, starts, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Encoded(ids, starts, ends, borders)


def byte_places(text: str) -> np.ndarray:
    """Where each character begins in the text's UTF-8, and where the last one ends: int64 (characters + 1,)."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def piece_bytes(token: str) -> bytes:
    """The bytes of a token in SentencePiece's spelling: `▁` is a space, `<0xE2>` one byte."""
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes.fromhex(token[3:5])
    return token.replace("▁", " ").encode()


def _plain_tokens(library: tokenizers.Tokenizer) -> list[str | None]:
    """Tokens by id as they are spelled in the vocabulary; None for those added to it."""
    added = {token.content for token in library.get_added_tokens_decoder().values()}
    ordered = sorted(library.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1])
    return [None if token in added else token for token, _ in ordered]


def _batches(texts: Sequence[str]) -> list[list[str]]:
    batches: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if size > _BATCH:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    return batches
