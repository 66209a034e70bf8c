"""The work behind `openroots train-tokenizer` and `openroots.train_tokenizer`."""

import re
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tokenizers

from configs.errors import ConfigurationError, InputError
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import WORK, mark_work
from pipeline.runtime.phases import Watch
from pipeline.runtime.progress import ProgressWatch, duration
from pipeline.text.normal_form import to_nfc
from tokenizer.card import training_record, write_card
from tokenizer.count_phase import Counting, WordTable, corpus_files, count_files, read_words
from tokenizer.fertility import on_declaration
from tokenizer.foreign import open_encoder
from tokenizer.merges import Progress
from tokenizer.model import check_special_tokens
from tokenizer.model import train_tokenizer as train_bpe
from tokenizer.pretokenize import PATTERNS, Pattern
from tokenizer.settings import LARGEST_VOCABULARY, MODELS, Documents, Training
from tokenizer.texts import TextFile

REPORT_SECONDS = 10.0
_WORDS = 1 << 20
NOT_COMPOSED_MAX = 0.01
"""Share of words that may be decomposed without a word about it: quotations in Vietnamese, names with rare marks."""
Say = Callable[[str], Any]


def train_tokenizer(
    output: str,
    *,
    corpus: str | None = None,
    text: Sequence[str] = (),
    engine: Engine | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> tokenizers.Tokenizer:
    """Train a tokenizer on a built corpus or on files and write it to the folder `output`; a rerun resumes.

    text      paths, URLs or patterns of files: whatever the pipeline reads
    settings  those of `tokenizer.settings.Training`: vocab_size, alpha, pattern, special_tokens, unique_lines, …
    Returns the library's tokenizer, as `tokenizer.json` has it. Raises OpenRootsError.
    """
    training = Training(**settings)
    if (corpus is None) == (not text):
        raise ConfigurationError("give either a corpus or text to train a tokenizer on")
    _check(training)
    files = corpus_files(corpus) if corpus is not None else text_files(text, documents=training.documents)
    say: Say = watch.console.print if isinstance(watch, ProgressWatch) else lambda _: None
    with build_lock(output, "tokenizer"):
        work = storage.join(output, WORK)
        mark_work(work)
        counting = Counting(
            Pattern.named(training.pattern),
            training.unique_lines,
            training.count_min,
            training.alpha if corpus is not None else 1.0,
        )
        table = count_files(files, work, counting, engine, watch)
        if str(table.skipped):
            say(str(table.skipped))
        started = time.monotonic()
        words = read_words(table.path)
        if not any(figures["bytes"] for figures in table.languages.values()):
            raise InputError(corpus or ", ".join(text), "there is no text in it", "Give files that hold text")
        if corpus is None and (share := share_not_composed(words)) > NOT_COMPOSED_MAX:
            say(
                f"note         {share:.0%} of the words are not in Unicode's normal form C, in which a corpus and most "
                "text are: they would take more tokens there. Normalise the text first, or build a corpus of it"
            )
        if training.model == "bpe":
            tokenizer, merges, reserved = _byte_level(words, training, table, work, output, say)
        else:
            from tokenizer.sentencepiece_backend import train_sentencepiece

            trained = train_sentencepiece(words, training)
            trained.save(output)
            tokenizer, merges, reserved = trained.tokenizer, None, 0
        sums = words.num_rows, int(words["count"].to_numpy().sum())
        entries = tokenizer.get_vocab_size()
        record = training_record(training, table, len(files), entries, merges, reserved, sums, _corpus(corpus))
        write_card(output, record, on_declaration(open_encoder(storage.join(output, "tokenizer.json"))))
    say(f"model        {entries:,} entries from {sums[0]:,} distinct words · {time.monotonic() - started:.1f} s")
    say(f"tokenizer    {output}/tokenizer.json · its card: {output}/README.md")
    return tokenizer


def share_not_composed(words: pa.RecordBatch) -> float:
    """Share of the occurrences in a word table (schema WORDS) whose word is not in Unicode's normal form C."""
    found = 0
    for begin in range(0, words.num_rows, _WORDS):
        part = words.slice(begin, _WORDS)
        texts = part["word"].cast(pa.large_string())
        found += pc.sum(part["count"].filter(pc.not_equal(texts, to_nfc(texts)))).as_py() or 0
    return found / (pc.sum(words["count"]).as_py() or 1)


def _check(training: Training) -> None:
    """Refuse, before the text is read, settings that no tokenizer can have. Raises ConfigurationError."""
    if training.model not in MODELS:
        raise ConfigurationError(f"unknown model `{training.model}`; it is one of {', '.join(MODELS)}")
    if not 0 < training.vocab_size <= LARGEST_VOCABULARY:
        raise ConfigurationError(f"vocab_size {training.vocab_size}: ask for at most {LARGEST_VOCABULARY:,}")
    if re.fullmatch(r"[\w-]+", training.pattern) and training.pattern not in PATTERNS:
        # Such a word is an expression, too, but one that matches nothing but itself.
        near = get_close_matches(training.pattern, PATTERNS, n=1, cutoff=0.0)[0]
        raise ConfigurationError(f"unknown pattern `{training.pattern}`; did you mean `{near}`?")
    check_special_tokens(training.special_tokens)


def _byte_level(
    words: pa.RecordBatch, training: Training, table: WordTable, work: str, output: str, say: Say
) -> tuple[tokenizers.Tokenizer, int, int]:
    """Learn byte-level BPE, write it, remove the checkpoint; returns the tokenizer, its merges and reserved entries."""
    report = _MergeReport(say)

    checkpoint = storage.join(work, "merges.checkpoint")
    try:
        trained = train_bpe(
            words,
            training.vocab_size,
            pattern=Pattern.named(training.pattern),
            special_tokens=training.special_tokens,
            pad_with_reserved=training.pad_with_reserved,
            progress=report,
            checkpoint=checkpoint,
        )
    except ConfigurationError as error:
        left_out = sum(figures["words_left_out"] for figures in table.languages.values())
        if left_out:
            raise ConfigurationError(f"{error}; --count-min left out {left_out:,} words") from error
        raise
    trained.save(output)
    for stale in (checkpoint, storage.join(output, "tokenizer.model")):
        if storage.exists(stale):
            fs, inner = storage.filesystem(stale)
            fs.rm(inner)
    reserved = trained.tokenizer.get_vocab_size() - len(trained.merges.tokens)
    return trained.tokenizer, len(trained.merges.merges), reserved


class _MergeReport:
    """Says now and then how far merges are, at their present rate: the mean since the start says little.

    Merges get faster, since later pairs are rarer and change fewer words. What the present rate leaves is therefore
    the most that is left; it is not shown before a rate is measured.
    """

    def __init__(self, say: Say) -> None:
        self._say, self._at = say, time.monotonic()
        self._merges: int | None = None

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._merges is None:
            self._at, self._merges = now, progress.merges
        if now - self._at < REPORT_SECONDS:
            return
        rate = (progress.merges - self._merges) / (now - self._at)
        self._at, self._merges = now, progress.merges
        left = f" · at most {duration((progress.wanted - progress.tokens) / rate)} left" if rate else ""
        self._say(f"merges       {progress.merges:,} · {rate:,.0f}/s now{left}")


def _corpus(corpus: str | None) -> dict[str, str] | None:
    """Name and digest of a built corpus; None where there is no manifest."""
    if corpus is None or not storage.exists(storage.join(corpus, "manifest.json")):
        return None
    manifest = storage.read_json(storage.join(corpus, "manifest.json"))
    return {name: str(manifest.get(name, "")) for name in ("name", "digest")}


def text_files(patterns: Sequence[str], language: str = "und", documents: Documents = "line") -> list[TextFile]:
    """Files that match any pattern, sorted; of a name that is a file, that file. Raises InputError where none does."""
    found: set[str] = set()
    for pattern in patterns:
        fs, inner = storage.filesystem(pattern)
        paths = [inner] if fs.isfile(inner) else [path for path in fs.glob(inner) if fs.isfile(path)]
        if not paths and fs.isdir(inner):
            raise InputError(
                pattern, "is a folder", f"Give the files in it, such as '{storage.join(pattern, '*.txt')}'"
            )
        if not paths and (given := re.fullmatch(r"([a-z]{2,3}(?:-\w+)*)=(.+)", pattern)):
            remedy = (
                f"Give {given[2]} alone: only `fertility` reads LANGUAGE=FILE; `encode` takes --language {given[1]}"
            )
            raise InputError(pattern, "no such file", remedy)
        if not paths:
            raise InputError(pattern, "no such file", "Check the pattern; quote it, so that the shell leaves it alone")
        matches = paths if storage.is_local(pattern) else [fs.unstrip_protocol(path) for path in paths]
        found |= set(matches)
    return [TextFile(path, language, documents=documents) for path in sorted(found)]
