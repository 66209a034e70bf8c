"""Merges and ids, beside those of `tokenizers`' `BpeTrainer` for the same words."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from configs.errors import ConfigurationError
from tests.tokenizer.texts import tiny_texts
from tokenizer import merges as merges_module
from tokenizer.count import WORDS, WordCounter, count_words
from tokenizer.merges import SPECIAL_TOKENS, Merges, Progress, byte_characters, learn_merges
from tokenizer.pretokenize import Pattern

CHARACTERS = byte_characters()


def written(token: bytes) -> str:
    return "".join(CHARACTERS[byte] for byte in token)


def library(words: dict[str, int] | None, size: int, texts: Iterator[str] | None = None, special=SPECIAL_TOKENS):
    """Vocabulary and merges of the library's trainer, fed words already cut (an occurrence a line) or whole texts."""
    tokenizer = Tokenizer(models.BPE())
    if texts is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        texts = (word for word, count in words.items() for _ in range(count))
    else:
        tokenizer.pre_tokenizer = Pattern().pre_tokenizer()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def table(words: dict[str, int]) -> pa.RecordBatch:
    return pa.record_batch([[word.encode() for word in words], list(words.values())], schema=WORDS)


def ours(merges: Merges):
    names = list(merges.special_tokens)
    strings = names + [written(token) for token in merges.tokens[len(names) :]]
    return {token: number for number, token in enumerate(strings)}, [
        (strings[first], strings[second]) for first, second, _ in merges.merges
    ]


@pytest.mark.parametrize("size", [260, 1_000, 32_000, 400_000])
def test_merges_and_ids_of_real_text_are_those_of_the_library(size: int) -> None:
    texts = tiny_texts()
    learnt = learn_merges(count_words([texts]), size)
    assert ours(learnt) == library(None, size, iter(texts.to_pylist()))


WORD = st.one_of(
    st.text("ab", min_size=1, max_size=12),
    st.text("abcé< >/sunkpd", min_size=1, max_size=8),
    st.sampled_from(["<s>", "</s>", "<unk>", "a<s>b", "aaaaaaa", "abababab", "aabaab"]),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(WORD, st.integers(1, 30), max_size=20), st.integers(260, 330))
@example({"<s>": 9, "x<s>": 5}, 300)
@example({"aaaa": 3, "aaaaaaaa": 2}, 300)
def test_merges_and_ids_of_any_words_are_those_of_the_library(words: dict[str, int], size: int) -> None:
    assert ours(learn_merges(table(words), size)) == library(words, size)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(WORD, st.integers(1, 9), min_size=1), st.lists(st.sampled_from(["a", "ab", "é", "<s>", "ab"])))
def test_special_tokens_may_be_anything(words: dict[str, int], special: list[str]) -> None:
    assert ours(learn_merges(table(words), 300, special)) == library(words, 300, special=special)


def test_counts_beyond_32_bits_do_not_overflow() -> None:
    learnt = learn_merges(table({"ab": 2**40, "cd": 2**41, "ef": 1}), 263)
    assert [learnt.tokens[made] for made in learnt.merges[:, 2]] == [b"cd", b"ab", b"ef"]


def test_a_table_that_is_too_small_says_so() -> None:
    learnt = learn_merges(table({"abc": 1}), 1000)
    assert len(learnt.tokens) == 262
    assert not learnt.is_full
    assert "2 merges" in learnt.shortage()
    assert "--vocab-size 262" in learnt.shortage()


def test_no_words_give_the_bytes_alone() -> None:
    learnt = learn_merges(WordCounter().words(), 1000)
    assert len(learnt.tokens) == 260
    assert len(learnt.merges) == 0


def test_a_vocabulary_that_cannot_hold_the_bytes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ask for 260"):
        learn_merges(table({"a": 1}), 259)


def test_pairs_below_count_min_are_not_merged() -> None:
    assert len(learn_merges(table({"ab": 3, "cd": 2}), 1000, count_min=3).merges) == 1


class KilledError(Exception):
    pass


@pytest.mark.parametrize("second_size", [5_000, 9_000])
def test_learning_goes_on_from_a_checkpoint_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second_size: int
) -> None:
    monkeypatch.setattr(merges_module, "STEP_WORDS", 20_000)
    words = count_words([tiny_texts()])
    path = str(tmp_path / "merges.npz")
    seen: list[Progress] = []

    def kill(progress: Progress) -> None:
        seen.append(progress)
        if progress.merges > 1_000:
            raise KilledError

    with pytest.raises(KilledError):
        learn_merges(words, 5_000, progress=kill, checkpoint=path, checkpoint_seconds=0)
    resumed: list[Progress] = []
    learnt = learn_merges(words, second_size, progress=resumed.append, checkpoint=path)
    assert resumed[0].merges > seen[0].merges
    whole = learn_merges(words, second_size)
    assert learnt.tokens == whole.tokens
    np.testing.assert_array_equal(learnt.merges, whole.merges)


KILLED = """
import os, signal
from tests.tokenizer.texts import tiny_texts
from tokenizer import merges
from tokenizer.count import count_words

merges.STEP_WORDS = 20_000
def kill(progress):
    if progress.merges > 2_000:
        os.kill(os.getpid(), signal.SIGKILL)
merges.learn_merges(count_words([tiny_texts()]), 5_000, progress=kill, checkpoint={path!r}, checkpoint_seconds=0)
"""


def test_a_killed_process_leaves_a_checkpoint_that_leads_to_the_same_result(tmp_path: Path) -> None:
    path = str(tmp_path / "merges.npz")
    process = subprocess.run([sys.executable, "-c", KILLED.format(path=path)], cwd=Path(__file__).parents[2])
    assert process.returncode == -signal.SIGKILL
    seen: list[Progress] = []
    words = count_words([tiny_texts()])
    learnt = learn_merges(words, 5_000, progress=seen.append, checkpoint=path)
    assert seen[-1].rate * seen[-1].seconds < 4_000
    np.testing.assert_array_equal(learnt.merges, learn_merges(words, 5_000).merges)


def test_a_checkpoint_of_other_words_or_a_damaged_one_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merges_module, "STEP_WORDS", 1)
    path = tmp_path / "merges.npz"
    learn_merges(table({"abab": 2}), 300, checkpoint=str(path), checkpoint_seconds=0)
    for content in (path.read_bytes(), path.read_bytes()[:1000], b"PK damaged"):
        path.write_bytes(content)
        assert learn_merges(table({"xyxy": 2}), 300, checkpoint=str(path)).tokens[260] == b"xy"
