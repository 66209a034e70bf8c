"""SentencePiece models (Kudo and Richardson 2018) of the same weighted word table, and their `tokenizer.json`.

Words go to the trainer with their counts, so the weighting is exact. Nothing is normalised, no space is put in front,
and what the vocabulary lacks is written in bytes. Three limits, all SentencePiece's own: `▁` (U+2581) stands for a
space and decodes to one; tabs and line ends are not learnt, they are bytes; a null character is a byte too.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from configs.errors import ConfigurationError
from pipeline.runtime import storage
from tokenizer.model import write_companions
from tokenizer.settings import Training

SPACE = "▁"
COVERAGE = 0.9995
"""Share of characters that become entries of their own; SentencePiece's default."""
_SCORE_STEP = 2.0**-8
"""Of logarithms of probabilities. 32 bits hold sums of these to 65,536, of some 7,000 entries, without rounding."""
_PIECE, _PIECE_TEXT, _PIECE_SCORE = 0x0A, 0x0A, 0x15
"""Field and type of `pieces` in SentencePiece's ModelProto, of `piece` and `score` in each."""
_ROLES = ("<unk>", "<s>", "</s>", "<pad>")


@dataclass(frozen=True)
class SentencePiece:
    """A trained model: SentencePiece's own file, and the library's tokenizer of it."""

    proto: bytes
    tokenizer: Tokenizer
    special_tokens: tuple[str, ...]

    def save(self, folder: str) -> None:
        """Write `tokenizer.model`, `tokenizer.json` and its two companions. Raises OutputError."""
        with storage.create(storage.join(folder, "tokenizer.model")) as stream:
            stream.write(self.proto)
        with storage.create(storage.join(folder, "tokenizer.json")) as stream:
            stream.write(self.tokenizer.to_str(pretty=False).encode())
        write_companions(folder, self.special_tokens)


def train_sentencepiece(words: pa.RecordBatch, training: Training) -> SentencePiece:
    """Train `training.model` (sentencepiece-bpe or -unigram) on a word table (schema `count.WORDS`).

    The first special token is the unknown one, which byte fallback leaves unused. Raises ConfigurationError where the
    package is missing, or the words do not yield as many entries as are asked for.
    """
    sentencepiece = _package()
    special = training.special_tokens
    if "<unk>" not in special:
        raise ConfigurationError("a SentencePiece model needs the special token <unk>; add --special-token '<unk>'")
    if training.pad_with_reserved:
        raise ConfigurationError("reserved tokens fill up byte-level BPE only; ask for fewer entries instead")
    ids = {name: special.index(name) if name in special else -1 for name in _ROLES}
    others = [name for name in special if name not in _ROLES]
    if sorted(ids[name] for name in _ROLES if name in special) != list(range(len(special) - len(others))):
        raise ConfigurationError("SentencePiece requires <unk>, <s>, </s> and <pad> before all other special tokens")
    target = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(words),
            model_writer=target,
            model_type=training.model.removeprefix("sentencepiece-"),
            input_format="tsv",
            vocab_size=training.vocab_size,
            character_coverage=COVERAGE,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            max_sentence_length=1 << 20,
            unk_id=ids["<unk>"],
            bos_id=ids["<s>"],
            eos_id=ids["</s>"],
            pad_id=ids["<pad>"],
            control_symbols=others,
            num_threads=1,  # with more, sums of floats depend on their order
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        cause = str(error).rsplit("]", 1)[-1].strip() or str(error)
        remedy = "Train on more text, or ask for another --vocab-size"
        raise ConfigurationError(f"SentencePiece refuses {training.vocab_size:,} entries: {cause} {remedy}") from error
    is_unigram = training.model.endswith("unigram")
    proto = _with_even_scores(target.getvalue()) if is_unigram else target.getvalue()
    return SentencePiece(proto, exported(proto, is_unigram), special)


def _with_even_scores(proto: bytes) -> bytes:
    """A model file whose scores are multiples of `_SCORE_STEP`.

    SentencePiece adds scores in 32 bits, `tokenizers` in 64: where two ways to cut a text differ by less than the
    rounding, each takes another. Multiples add up without rounding in both, and of equal ways both take the first.
    """
    data, at = bytearray(proto), 0
    while at < len(data) and data[at] == _PIECE:
        size, start = _varint(data, at + 1)
        at = start + size
        length, text = _varint(data, start + 1)
        score = text + length
        if data[start] != _PIECE_TEXT or data[score] != _PIECE_SCORE:
            raise ConfigurationError(
                "SentencePiece wrote a model whose form is unknown; install the version in the lock"
            )
        (value,) = struct.unpack_from("<f", data, score + 1)
        struct.pack_into("<f", data, score + 1, round(value / _SCORE_STEP) * _SCORE_STEP)
    return bytes(data)


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """A number of Protocol Buffers, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def exported(proto: bytes, is_unigram: bool) -> Tokenizer:
    """The library's tokenizer of a SentencePiece model file."""
    model = _package().SentencePieceProcessor(model_proto=proto)
    numbers = range(model.get_piece_size())
    pieces = model.id_to_piece(list(numbers))
    normal = [not (model.is_control(n) or model.is_unknown(n) or model.is_byte(n)) for n in numbers]
    special = [pieces[n] for n in numbers if model.is_control(n) or model.is_unknown(n)]
    spaces = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="never", split=False)
    if is_unigram:
        scores = model.get_score(list(numbers))
        tokenizer = Tokenizer(models.Unigram(_unfound(pieces, scores, normal), model.unk_id(), byte_fallback=True))
        alone = _foreign_characters(pieces, normal)
        split = pre_tokenizers.Split(Regex(alone), behavior="isolated", invert=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([spaces, split]) if alone else spaces
    else:
        ids = {piece: number for number, piece in enumerate(pieces)}
        merges = _merges([pieces[n] for n in numbers if normal[n]])
        unknown = pieces[model.unk_id()]
        bpe = models.BPE(vocab=ids, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
        tokenizer = Tokenizer(bpe)
        tokenizer.pre_tokenizer = spaces
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in special])
    return tokenizer


def _unfound(pieces: Sequence[str], scores: Sequence[float], normal: Sequence[bool]) -> list[tuple[str, float]]:
    """Pieces with scores by which the library's search never takes those that are no text, such as `</s>` or `<0x0A>`.

    SentencePiece leaves these out; for the library they are pieces like others. They get less than the characters of
    their spelling together have at the least. What is unknown has ten less than the least of all; since it stands alone
    in whichever way a text is cut, that changes none.
    """
    known = [score for score, is_normal in zip(scores, normal, strict=True) if is_normal]
    longest = max(len(piece) for piece, is_normal in zip(pieces, normal, strict=True) if not is_normal)
    never = (longest + 1) * min([*known, -1.0])
    return [
        (piece, score if is_normal else never) for piece, score, is_normal in zip(pieces, scores, normal, strict=True)
    ]


def _foreign_characters(pieces: Sequence[str], normal: Sequence[bool]) -> str:
    """A pattern of the characters in pieces that are no text, for which no piece that is text exists: empty for none.

    They stand alone in SentencePiece; in the library the piece around them would be better than nothing.
    """
    known = {piece for piece, is_normal in zip(pieces, normal, strict=True) if is_normal}
    spelled = {letter for piece, is_normal in zip(pieces, normal, strict=True) if not is_normal for letter in piece}
    return "|".join(rf"\x{{{ord(letter):x}}}" for letter in sorted(spelled - known))


def _merges(pieces: list[str]) -> list[tuple[str, str]]:
    """Pairs that make each piece, in the order of the pieces: SentencePiece joins whichever pair makes the best one."""
    rank = {piece: number for number, piece in enumerate(pieces)}
    merges = []
    for piece in pieces:
        pairs = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        known = [(left, right) for left, right in pairs if left in rank and right in rank]
        merges += sorted(known, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    return merges


def _sentences(words: pa.RecordBatch) -> Iterator[str]:
    """`word TAB count` for each word that is text; SentencePiece's format knows no tab, line end or null in a word."""
    for batch in pa.Table.from_batches([words]).to_batches(max_chunksize=1 << 16):
        for word, count in zip(batch["word"].to_pylist(), batch["count"].to_pylist(), strict=True):
            if count > 0 and not _BREAKS.intersection(word):
                yield f"{word.decode()}\t{count}"


_BREAKS = frozenset(b"\0\t\n\r")


def _package() -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise ConfigurationError(
            "sentencepiece is not installed; run: pip install 'openroots[sentencepiece]'"
        ) from None
    return sentencepiece
