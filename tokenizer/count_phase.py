"""Counting over many files, in any engine: one word table a file, one a language, one in all; restartable.

    count    a task a file (with line deduplication: a language), text → word table
    add      a task a language, the sum of its tables; rare words may be left out, and how many is recorded
    weigh    one task: languages weighted by whole numbers and summed
Only word tables pass between phases, as Arrow files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import InputError
from pipeline.runtime import storage
from pipeline.runtime.engine import Engine
from pipeline.runtime.phases import OutputFile, Phase, Record, Task, TaskFolder, Watch
from pipeline.runtime.shards import ENDINGS
from pipeline.runtime.workers import keep_workers
from tokenizer.count import WORDS, WordCounter, language_weights
from tokenizer.lines import SeenLines
from tokenizer.pretokenize import Pattern
from tokenizer.texts import Skipped, TextFile, read_blocks

VERSION = 3
_BATCH = 1 << 20
"""Words in a record batch of a table's file."""


@dataclass(frozen=True)
class Counting:
    """Settings of counting.

    pattern       the pre-tokenizer's
    unique_lines  a line counts once in its language
    count_min     words rarer than this in a language are left out of it
    alpha         exponent that flattens the languages' shares; 1 keeps them (see `language_weights`)
    """

    pattern: Pattern = field(default_factory=Pattern)
    unique_lines: bool = False
    count_min: int = 1
    alpha: float = 1.0


@dataclass(frozen=True)
class WordTable:
    """What counting left: the file of the weighted table and its digest, and figures by language.

    Those are `bytes` of text, `bytes_counted` (without lines that came before), `words`, `occurrences`,
    `words_left_out`, `occurrences_left_out` and `weight`. `skipped` is what the files held that is no text.
    """

    path: str
    digest: str
    languages: dict[str, dict[str, int]]
    skipped: Skipped = field(default_factory=Skipped)


def corpus_files(corpus: str) -> list[TextFile]:
    """The shards of a built corpus, with their languages. Raises InputError where there are none."""
    fs, inner = storage.filesystem(corpus)
    root = f"{fs._strip_protocol(inner).rstrip('/')}/data"
    paths = sorted(
        path for path in (fs.find(root) if fs.exists(root) else []) if path.endswith(tuple(ENDINGS.values()))
    )
    if not paths:
        raise InputError(
            corpus, "no data/LANGUAGE/*.arrow or *.parquet in it", "Give the output folder of build-corpus"
        )
    digests = _digests(corpus)
    names = {path: f"data/{path[len(root) + 1 :]}" for path in paths}
    return [
        TextFile(fs.unstrip_protocol(path), PurePosixPath(path).parent.name, digests.get(names[path]), is_shard=True)
        for path in paths
    ]


def _digests(corpus: str) -> dict[str, str]:
    """Digests of a corpus's shards by their path in it, from its manifest; none where there is no manifest."""
    try:
        languages = storage.read_json(storage.join(corpus, "manifest.json"))["languages"].values()
        return {shard["path"]: shard["digest"] for language in languages for shard in language["shards"]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(storage.join(corpus, "manifest.json"), f"is damaged ({error})", "Build it again") from error


@keep_workers()
def count_files(
    files: Sequence[TextFile],
    work: str,
    counting: Counting | None = None,
    engine: Engine | None = None,
    watch: Watch | None = None,
) -> WordTable:
    """Count the words of all files into one table under the folder `work`; a rerun does only what is missing.

    The table's bytes depend on the files and settings alone. Raises InputError for a file that cannot be read.
    """
    counting, engine = counting or Counting(), engine or Engine()
    settings = {"version": VERSION, "pattern": counting.pattern.expression, "unique_lines": counting.unique_lines}
    count = Phase("count-words", settings, CountWork(counting))
    counted = count.run(engine, work, _count_tasks(files, counting.unique_lines), watch)
    add = Phase("add-words", {"version": VERSION, "count_min": counting.count_min}, AddWork(counting.count_min))
    added = add.run(engine, work, _add_tasks(counted, count.files(work)), watch)
    weights = language_weights({r.data["language"]: r.data["bytes_counted"] for r in added}, counting.alpha)
    weigh = Phase("weigh-words", {"version": VERSION, "weights": weights}, WeighWork())
    [weighed] = weigh.run(engine, work, [_weigh_task(added, add.files(work), weights)], watch)
    languages = {r.data["language"]: {**r.data, "weight": weights.get(r.data["language"], 0)} for r in added}
    for figures in languages.values():
        figures.pop("language")
    [file] = weighed.files
    skipped = Skipped.total(record.data for record in counted)
    return WordTable(storage.join(weigh.files(work), file.path), file.digest, languages, skipped)


def read_words(path: str) -> pa.RecordBatch:
    """A word table's file as one record batch (schema WORDS)."""
    with storage.open_stream(path) as reader:
        table = reader.read_all().combine_chunks()
    return pa.record_batch([column.combine_chunks() for column in table.columns], schema=WORDS)


@dataclass
class CountWork:
    """Counts the files of a task."""

    counting: Counting

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow`, words in byte order."""
        language, files = task.payload
        counter = WordCounter(self.counting.pattern)
        lines = SeenLines() if self.counting.unique_lines else None
        size = counted = 0
        skipped = Skipped()
        for file in files:
            for texts in read_blocks(file, skipped):
                used = texts if lines is None else lines.new_lines(texts)
                size += _bytes(texts)
                counted += _bytes(used)
                counter.add_texts(used)
        folder.data.update(language=language, bytes=size, bytes_counted=counted, **skipped.as_dict())
        _write(counter.words(is_sorted=True), folder)


@dataclass
class AddWork:
    """Adds up the tables of a language."""

    count_min: int

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `TASK.arrow`; the record says what `count_min` left out."""
        counter = WordCounter()
        for path, _ in task.payload["tables"]:
            _add_file(counter, path, 1)
        words = counter.words(self.count_min, is_sorted=True)
        total, kept = counter.occurrences, pc.sum(words["count"]).as_py() or 0
        folder.data.update(
            language=task.payload["language"],
            bytes=task.payload["bytes"],
            bytes_counted=task.payload["bytes_counted"],
            words=words.num_rows,
            occurrences=kept,
            words_left_out=len(counter) - words.num_rows,
            occurrences_left_out=total - kept,
        )
        _write(words, folder)


@dataclass
class WeighWork:
    """Sums the tables of all languages, each times its weight."""

    def __call__(self, task: Task, folder: TaskFolder) -> None:
        """Write `words.arrow`."""
        counter = WordCounter()
        for path, weight in task.payload["tables"]:
            _add_file(counter, path, weight)
        _write(counter.words(is_sorted=True), folder)


def _bytes(texts: pa.Array) -> int:
    return pc.sum(pc.binary_length(texts)).as_py() or 0


def _write(words: pa.RecordBatch, folder: TaskFolder) -> None:
    with folder.arrow(".arrow", WORDS) as target:
        for begin in range(0, words.num_rows, _BATCH):
            target.write(words.slice(begin, _BATCH))


def _add_file(counter: WordCounter, path: str, weight: int) -> None:
    with storage.open_stream(path) as reader:
        for batch in reader:
            counter.add_words(batch, weight)


def _count_tasks(files: Sequence[TextFile], is_by_language: bool) -> list[Task]:
    fs_of = {file: storage.filesystem(file.path) for file in files}
    keys = {file: file.digest or f"{fs.ukey(inner)} {file.documents}" for file, (fs, inner) in fs_of.items()}
    sizes = {file: int(fs.size(inner) or 0) for file, (fs, inner) in fs_of.items()}
    groups: dict[str, list[TextFile]] = {}
    for number, file in enumerate(files):
        groups.setdefault(file.language if is_by_language else f"{file.language}/{number:06d}", []).append(file)
    return [
        Task(
            f"{name}/all" if is_by_language else name,
            tuple(keys[file] for file in group),
            (group[0].language, group),
            sum(sizes[file] for file in group),
        )
        for name, group in groups.items()
    ]


def _add_tasks(counted: Sequence[Record], place: str) -> list[Task]:
    groups: dict[str, list[Record]] = {}
    for record in counted:
        groups.setdefault(record.data["language"], []).append(record)
    tasks = []
    for language in sorted(groups):
        files = [file for record in groups[language] for file in record.files]
        payload: dict[str, Any] = {
            "language": language,
            "bytes": sum(record.data["bytes"] for record in groups[language]),
            "bytes_counted": sum(record.data["bytes_counted"] for record in groups[language]),
            "tables": [(storage.join(place, file.path), 1) for file in files],
        }
        tasks.append(Task(language, tuple(file.digest for file in files), payload, _size(files)))
    return tasks


def _weigh_task(added: Sequence[Record], place: str, weights: dict[str, int]) -> Task:
    used = [record for record in added if record.data["language"] in weights]
    files = [file for record in used for file in record.files]
    tables = [(storage.join(place, r.files[0].path), weights[r.data["language"]]) for r in used]
    return Task("words", tuple(file.digest for file in files), {"tables": tables}, _size(files))


def _size(files: Sequence[OutputFile]) -> int:
    """Words stand for work; a word and its count take about 30 bytes."""
    return sum(30 * file.documents for file in files)
