"""Train a tokenizer and write it as Hugging Face libraries read it: `tokenizer.json` and its two companions."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import AddedToken, Tokenizer, decoders, models

from configs.errors import ConfigurationError
from pipeline.runtime import storage
from tokenizer.count import WORDS, WordCounter, count_words
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
        with storage.create(storage.join(folder, "tokenizer.json")) as stream:
            stream.write(self.tokenizer.to_str(pretty=False).encode())
        write_companions(folder, self.merges.special_tokens)


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

    `vocabulary_size` includes special tokens and the 256 bytes. What spells a special token is cut out of the words,
    so that no merge makes one. Where the text yields fewer tokens, ConfigurationError
    says how many, unless `allow_fewer`, or `pad_with_reserved`: then reserved entries fill up the vocabulary.
    Texts are counted by `workers` threads; the result does not depend on their number.
    For the other arguments see `learn_merges`.
    """
    pattern = pattern or Pattern()
    check_special_tokens(special_tokens)
    if not isinstance(words, pa.RecordBatch):
        words = count_words(words, pattern, workers)
    distinct, occurrences = words.num_rows, int(words["count"].to_numpy().sum())
    cleaned = [without_special_tokens(words, special_tokens)]
    del words  # handed over, so that learning can let go of it
    learnt = learn_merges(
        cleaned.pop(), vocabulary_size, special_tokens, count_min, progress, checkpoint, checkpoint_seconds
    )
    if not learnt.is_full and not (allow_fewer or pad_with_reserved):
        raise ConfigurationError(f"{learnt.shortage()}; or fill up with reserved tokens (--pad-with-reserved)")
    tokenizer = build_tokenizer(learnt, pattern, vocabulary_size if pad_with_reserved else 0)
    return Trained(tokenizer, learnt, pattern, distinct, occurrences)


def build_tokenizer(learnt: Merges, pattern: Pattern, pad_to: int = 0) -> Tokenizer:
    """The library's tokenizer of these merges; reserved entries fill its vocabulary up to `pad_to`.

    No merge makes a reserved entry, so that no text yields it. They are no special tokens: programs look for each of
    those in every text, and take minutes to load a hundred thousand.
    """
    characters = byte_characters()
    special = learnt.special_tokens
    # Latin-1 decoding gives a character a byte, which `translate` then maps: a thousand times faster than a join.
    to_characters = dict(enumerate(characters))
    names = [*special, *(t.decode("latin-1").translate(to_characters) for t in learnt.tokens[len(special) :])]
    vocabulary = {name: number for number, name in enumerate(names)}
    free = (name for name in map(RESERVED.format, count()) if name not in vocabulary)
    vocabulary |= {name: number for number, name in enumerate(islice(free, max(0, pad_to - len(names))), len(names))}
    merges = [(names[first], names[second]) for first, second, _ in learnt.merges.tolist()]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pattern.pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in special])
    return tokenizer


def check_special_tokens(special_tokens: Sequence[str]) -> None:
    """Refuse special tokens that are empty, stand twice, or are the character that stands for a byte.

    Raises ConfigurationError.
    """
    for number, name in enumerate(special_tokens):
        if not name or name in special_tokens[:number] or name in byte_characters():
            why = "is empty" if not name else "stands twice" if name in special_tokens[:number] else "is a byte's own"
            raise ConfigurationError(f"special token `{name}` {why}; choose others, such as <mask>")


def without_special_tokens(words: pa.RecordBatch, special_tokens: Sequence[str]) -> pa.RecordBatch:
    """A word table without what spells a special token: text that holds `<s>` must not teach a merge that makes it.

    Such words give way to what stands before and after. `tokenizers` would learn the merge, and then give the special
    token's id to ordinary text.
    """
    byte_of = {character: byte for byte, character in enumerate(byte_characters())}
    # A token is known by the characters that stand for its bytes; a name written in others can never be spelt.
    spelt = [bytes(byte_of[c] for c in name) for name in special_tokens if all(c in byte_of for c in name)]
    found = np.zeros(words.num_rows, bool)
    for name in spelt:
        found |= pc.match_substring(words["word"], name).to_numpy(zero_copy_only=False)
    if not found.any():
        return words
    cut = re.compile(b"|".join(re.escape(name) for name in sorted(spelt, key=len, reverse=True)))
    left: Counter[bytes] = Counter()
    affected = words.filter(pa.array(found))
    for word, occurrences in zip(affected["word"].to_pylist(), affected["count"].to_pylist(), strict=True):
        for piece in cut.split(word):
            left[piece] += occurrences if piece else 0
    counter = WordCounter()
    counter.add_words(words.filter(pa.array(~found)))
    counter.add_words(pa.record_batch([list(left.keys()), list(left.values())], schema=WORDS))
    return counter.words()


def write_companions(folder: str, special_tokens: Sequence[str]) -> None:
    """Write `special_tokens_map.json` and `tokenizer_config.json`, which `transformers` reads. Raises OutputError."""
    roles = {ROLES[name]: name for name in special_tokens if name in ROLES}
    configuration = {
        **roles,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": int(1e30),
        "padding_side": "left",
        "tokenizer_class": "PreTrainedTokenizerFast",  # read by transformers 4 and 5
    }
    storage.write_json(storage.join(folder, "special_tokens_map.json"), roles)
    storage.write_json(storage.join(folder, "tokenizer_config.json"), configuration)
