"""Small tokenizers of every kind, made from the committed real text."""

import base64
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from tests.tokenizer.texts import tiny_texts
from tokenizer.count import WORDS
from tokenizer.encoders import Encoder
from tokenizer.foreign import open_encoder
from tokenizer.pretokenize import Pattern
from tokenizer.sentencepiece_backend import SentencePiece, train_sentencepiece
from tokenizer.settings import Training

LINES = (
    "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.",
    "All human beings are born free; can't we?  Two  spaces\tand a tab\n",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "人人生而自由，在尊嚴和權利上一律平等。",
    "",
    " ",
    "🏳️‍🌈 ꙮ 𐍈 é e\u0301",
)


@lru_cache(1)
def byte_level() -> tokenizers.Tokenizer:
    """By the library's trainer, with BLOOM's pattern."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = Pattern().pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=3000,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(tiny_texts().to_pylist(), trainer)
    return tokenizer


@lru_cache(1)
def word_piece() -> tokenizers.Tokenizer:
    """BERT's kind: lower-cased, `##` in front of what continues a word, [UNK] for what it lacks; trained on English."""
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    text = [text for text in tiny_texts().to_pylist() if text.isascii()]
    tokenizer.train_from_iterator(text, trainers.WordPieceTrainer(vocab_size=1000, special_tokens=["[UNK]", "[CLS]"]))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


@lru_cache(1)
def gpt2() -> Encoder:
    return open_encoder("gpt2")


def encoder(kind: str, folder: Path) -> Encoder:
    """A tokenizer of that kind, written to a folder and opened from there."""
    if kind == "gpt2":
        return gpt2()
    if kind in ("byte-level", "normalized", "wordpiece"):
        tokenizer = word_piece() if kind == "wordpiece" else byte_level()
        if kind == "normalized":
            tokenizer = tokenizers.Tokenizer.from_str(tokenizer.to_str())
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.save(str(folder / "tokenizer.json"))
        return open_encoder(str(folder))
    if kind == "tiktoken":
        return open_encoder(str(tiktoken_file(folder)), tiktoken_pattern="gpt2")
    sentencepiece_model().save(str(folder))
    return open_encoder(str(folder / "tokenizer.model" if kind == "sentencepiece" else folder))


@lru_cache(1)
def sentencepiece_model() -> SentencePiece:
    words = Counter(word for text in tiny_texts().to_pylist() for word in re.findall(r" ?\S+", text))
    columns = [pa.array([word.encode() for word in words], pa.large_binary()), pa.array(words.values(), pa.int64())]
    table = pa.record_batch(columns, schema=WORDS)
    return train_sentencepiece(table, Training(model="sentencepiece-unigram", vocab_size=2000))


def tiktoken_file(folder: Path) -> Path:
    """GPT-2's vocabulary as a tiktoken file: its ids are ranks."""
    path = folder / "gpt2.tiktoken"
    entries = [entry for entry in gpt2().entries() if entry is not None]
    path.write_bytes(b"".join(base64.b64encode(entry) + b" %d\n" % rank for rank, entry in enumerate(entries)))
    return path


KINDS = ("byte-level", "normalized", "gpt2", "tiktoken", "wordpiece", "unigram", "sentencepiece")
