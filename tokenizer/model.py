"""Train a tokenizer and write it as Hugging Face libraries read it: `tokenizer.json` and its two companions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from tokenizers import AddedToken, Tokenizer, decoders, models

from configs.errors import ConfigurationError
from pipeline import storage
from tokenizer.count import count_words
from tokenizer.merges import (
    CHECKPOINT_SECONDS,
    SPECIAL_TOKENS,
    VOCABULARY_SIZE,
    Merges,
    Progress,
    byte_characters,
    learn_merges,
)
from tokenizer.pretokenize import Pattern

ROLES = {"<unk>": "unk_token", "<s>": "bos_token", "</s>": "eos_token", "<pad>": "pad_token"}
"""What BLOOM's special tokens are for."""
RESERVED = "<reserved_{}>"


@dataclass(frozen=True)
class Trained:
    """A trained tokenizer, with what it was made of."""

    tokenizer: Tokenizer
    merges: Merges
    pattern: Pattern
    words: int
    """Distinct pre-tokens in the text."""
    occurrences: int
    """Their sum, weighted."""

    def save(self, folder: str) -> None:
        """Write `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`. Raises OutputError."""
        roles = {ROLES[name]: name for name in self.merges.special_tokens if name in ROLES}
        with storage.create(storage.join(folder, "tokenizer.json")) as stream:
            stream.write(self.tokenizer.to_str(pretty=False).encode())
        storage.write_json(storage.join(folder, "special_tokens_map.json"), roles)
        storage.write_json(storage.join(folder, "tokenizer_config.json"), _configuration(roles))


def train_tokenizer(
    words: pa.RecordBatch | Iterable[pa.Array],
    vocabulary_size: int = VOCABULARY_SIZE,
    *,
    pattern: Pattern | None = None,
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
    count_min: int = 0,
    pad_with_reserved: bool = False,
    allow_fewer: bool = False,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: str | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Trained:
    """Train a byte-level BPE tokenizer from a word table (schema `count.WORDS`) or from texts (arrays of strings).

    `vocabulary_size` includes special tokens and the 256 bytes. Where the text yields fewer tokens, ConfigurationError
    says how many, unless `allow_fewer`, or `pad_with_reserved`: then reserved special tokens fill up the vocabulary.
    Texts are counted by `workers` threads; the result does not depend on their number.
    For the other arguments see `learn_merges`.
    """
    pattern = pattern or Pattern()
    if not isinstance(words, pa.RecordBatch):
        words = count_words(words, pattern, workers)
    distinct, occurrences = words.num_rows, int(words["count"].to_numpy().sum())
    learnt = learn_merges(words, vocabulary_size, special_tokens, count_min, progress, checkpoint, checkpoint_seconds)
    if not learnt.is_full and not (allow_fewer or pad_with_reserved):
        raise ConfigurationError(f"{learnt.shortage()}; or fill up with reserved tokens (--pad-with-reserved)")
    tokenizer = build_tokenizer(learnt, pattern, vocabulary_size if pad_with_reserved else 0)
    return Trained(tokenizer, learnt, pattern, distinct, occurrences)


def build_tokenizer(learnt: Merges, pattern: Pattern, pad_to: int = 0) -> Tokenizer:
    """The library's tokenizer of these merges; reserved special tokens fill its vocabulary up to `pad_to`."""
    characters = byte_characters()
    special = learnt.special_tokens
    # Latin-1 decoding gives a character a byte, which `translate` then maps: a thousand times faster than a join.
    to_characters = dict(enumerate(characters))
    names = [*special, *(t.decode("latin-1").translate(to_characters) for t in learnt.tokens[len(special) :])]
    vocabulary = {name: number for number, name in enumerate(names)}
    merges = [(names[first], names[second]) for first, second, _ in learnt.merges.tolist()]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pattern.pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in special])
    reserved = [RESERVED.format(number) for number in range(max(0, pad_to - len(names)))]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in reserved])
    return tokenizer


def _configuration(roles: dict[str, str]) -> dict[str, Any]:
    return {
        **roles,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": int(1e30),
        "padding_side": "left",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
