"""The work behind `openroots train-tokenizer`."""

import time
from collections.abc import Sequence

import fsspec

from configs.errors import InputError
from pipeline import storage
from pipeline.engine import Engine
from pipeline.lock import build_lock
from pipeline.progress import ProgressWatch
from tokenizer.count_phase import Counting, TextFile, corpus_files, count_files, read_words
from tokenizer.merges import Progress
from tokenizer.model import train_tokenizer
from tokenizer.pretokenize import Pattern

REPORT_SECONDS = 10.0


def train(
    corpus: str | None,
    patterns: Sequence[str],
    vocabulary_size: int,
    alpha: float,
    pattern: str,
    pad_with_reserved: bool,
    output: str,
    workers: int,
) -> None:
    """Count, learn, write; says on the terminal how far it is. Raises OpenRootsError."""
    files = corpus_files(corpus) if corpus is not None else text_files(patterns)
    watch = ProgressWatch()
    said = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= REPORT_SECONDS:
            said = time.monotonic()
            watch.console.print(
                f"merges       {progress.merges:,} · {progress.rate:,.0f}/s · about {progress.seconds_left:.0f} s left"
            )

    with build_lock(output):
        work = storage.join(output, ".work")
        engine = Engine(workers, log=None if "://" in output else f"{work}/workers.log")
        chosen = Pattern.named(pattern)
        table = count_files(files, work, Counting(chosen, alpha=alpha if corpus is not None else 1.0), engine, watch)
        started = time.monotonic()
        trained = train_tokenizer(
            read_words(table.path),
            vocabulary_size,
            pattern=chosen,
            pad_with_reserved=pad_with_reserved,
            progress=report,
            checkpoint=f"{work}/merges.checkpoint",
        )
        trained.save(output)
    seconds = time.monotonic() - started
    learnt = f"{len(trained.merges.merges):,} from {trained.words:,} distinct words"
    watch.console.print(f"merges       {learnt} · {seconds:.1f} s")
    watch.console.print(f"tokenizer    {output}/tokenizer.json · {trained.tokenizer.get_vocab_size():,} entries")


def text_files(patterns: Sequence[str]) -> list[TextFile]:
    """Files that match any pattern, sorted. Raises InputError where a pattern matches none."""
    found: set[str] = set()
    for pattern in patterns:
        fs, inner = fsspec.url_to_fs(pattern)
        matches = {fs.unstrip_protocol(path) for path in fs.glob(inner) if fs.isfile(path)}
        if not matches:
            raise InputError(pattern, "no such file", "Check the pattern; quote it, so that the shell leaves it alone")
        found |= matches
    return [TextFile(path, "und") for path in sorted(found)]
