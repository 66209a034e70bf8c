"""Items of evaluation sets: questions with their answers and passages, from files, folders and installed packages."""

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from configs import CONFIGS
from configs.errors import ConfigurationError, InputError
from configs.models import Decontamination, EvaluationSet
from pipeline.runtime import storage

Role = Literal["question", "answer", "passage"]

_QUESTION = re.compile(
    r"question|query|prompt|premise|hypothesis|sentence|problem|instruction|goal|ctx|input|inputs|stem|statement|claim"
    r"|startphrase|question_stem|text"
)
_ANSWER = re.compile(
    r"answers?|answer_?(text|key)?|(in)?correct_answers?|best_answer|mc_answer|targets?|outputs?|response|completion"
    r"|(canonical_)?solution|choices?|options?|(option|choice)_?[a-e]|endings?|sol|[a-e]|test|explanation|rationale"
)
_PASSAGE = re.compile(r"(\w+_)?(passage|context|article|paragraph|document|story)|background|support|evidence")
_NO_TEXT = re.compile(
    r"(\w+_)?(id|ids|idx|uid|guid|uuid|index|url|uri|link|hash|source|language|lang|dialect|licen[cs]e|split|subject"
    r"|category|type|level|entry_point|date|year|author|title|name|label|ds|canary)"
)
_IDS = ("id", "task_id", "question_id", "qid", "_id", "uid", "guid", "uuid", "key", "name", "idx", "index", "title")
FORMATS = (".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".csv", ".tsv", ".txt")
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_DEPTH_MAX = 20
_WATCHED = {
    "canaries": CONFIGS / "data" / "watched" / "canaries.jsonl",
    "humaneval": CONFIGS / "data" / "watched" / "humaneval.jsonl.gz",
}


@dataclass(frozen=True)
class Item:
    """An item of an evaluation set; its texts by role, fields of the same role in the order of the record.

    The question is one text, whatever fields it comes from. `is_mark`: a mark that such sets carry (a canary), which
    counts only when it is there whole.
    """

    set: str
    id: str
    question: str
    answers: tuple[str, ...] = ()
    passage: str = ""
    is_mark: bool = False


def watched_sets(settings: Decontamination) -> tuple[EvaluationSet, ...]:
    """The sets of a recipe, and those of ours that it watches."""
    names = {one.name for one in settings.sets}
    ours = [
        EvaluationSet(name=name, files=(str(path),))
        for name, path in _WATCHED.items()
        if name in settings.watched and name not in names
    ]
    return (*settings.sets, *ours)


def read_items(sets: Sequence[EvaluationSet]) -> Iterator[Item]:
    """All items of all sets. Raises InputError where a file can't be read, ConfigurationError where there is none.

    A record with nothing but an `id` and a `mark` is a canary.
    """
    for one in sets:
        count = 0
        for path in files_of(one):
            for place, record in records(path):
                item = item_of(record, one, f"{Path(path).name}:{place}")
                if item is not None:
                    count += 1
                    yield item
        if not count:
            asked = f" in the fields {', '.join(one.fields)}" if one.fields else ""
            raise ConfigurationError(f"evaluation set `{one.name}`: no item has text{asked}: {', '.join(one.files)}")


def evaluation_sets(
    against: Sequence[str], fields: Sequence[str] = (), key: str | None = None
) -> tuple[EvaluationSet, ...]:
    """A set for each file of patterns, folders and packages, named by its stem; files of one stem are one set.

    `key` names items that have such a field. Raises ConfigurationError where there is no file.
    """
    if not against:
        raise ConfigurationError("there is nothing to look for; name evaluation sets")
    files: dict[str, list[str]] = {}
    for pattern in against:
        _check_name(pattern)
        for path in files_of(EvaluationSet(name=pattern[:100] or "?", files=(pattern,))):
            _check_name(path)
            files.setdefault(stem_of(path), []).append(path)
    return tuple(
        EvaluationSet(name=name, files=tuple(paths), fields=tuple(fields), id=key) for name, paths in files.items()
    )


def _check_name(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(path, "its name is not UTF-8, and cards and ledgers could not tell it", "rename it") from None


def stem_of(path: str) -> str:
    """Name of a file without the endings of its format and compression, at most 100 characters."""
    name = path.rsplit("/", 1)[-1]
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    return (name.rsplit(".", 1)[0] or name)[:100]


def files_of(one: EvaluationSet) -> list[str]:
    """Paths of the files of a set, sorted: of each pattern, folder or installed package. Raises ConfigurationError."""
    found: list[str] = []
    for pattern in one.files:
        paths = list(_matches(pattern))
        if not paths:
            raise ConfigurationError(
                f"evaluation set `{one.name}`: `{pattern}` is neither a file, nor a folder with "
                f"{', '.join(FORMATS)} (plain or compressed), nor an installed package with such files"
            )
        found += sorted(paths)
    return list(dict.fromkeys(found))


def _matches(pattern: str) -> Iterator[str]:
    if "://" in pattern:
        fs, inner = storage.filesystem(pattern)
        for path in [inner] if fs.exists(inner) else fs.glob(inner):
            url = fs.unstrip_protocol(path)
            if format_of(path.rsplit("/", 1)[-1]) or not fs.isdir(path):
                yield url
            else:
                yield from (storage.join(url, name) for name in storage.list_files(url) if format_of(name))
        return
    fs, inner = storage.filesystem(pattern)
    paths = [Path(inner)] if fs.exists(inner) else [Path(path) for path in fs.glob(inner)]
    if not paths and _PACKAGE.fullmatch(pattern):
        paths = _package(pattern) or _watched(pattern)
    for path in paths:
        if path.is_dir():
            yield from (str(file) for file in path.rglob("*") if format_of(file.name) and file.is_file())
        else:
            yield str(path)


def _package(name: str) -> list[Path]:
    """The folder of an installed package, found without importing it."""
    try:
        spec = find_spec(name.replace("-", "_").lower())
    except (ImportError, ValueError):
        return []
    return [Path(place) for place in spec.submodule_search_locations or ()] if spec else []


def _watched(name: str) -> list[Path]:
    """The file of a set that is known without its package."""
    path = _WATCHED.get(name.replace("-", "").lower())
    return [path] if path else []


def format_of(name: str) -> str | None:
    """Which of FORMATS a file's name says it has, compressed or not."""
    name = name.lower()
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    return next((suffix for suffix in FORMATS if name.endswith(suffix)), None)


def records(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a file with their places in it (`3`: the third). Raises InputError that names file and place."""
    form = format_of(path)
    if form is None:
        remedy = f"Give one of {', '.join(FORMATS)}, plain or compressed"
        raise InputError(path, "the format cannot be told from the name", remedy)
    try:
        if form in (".parquet", ".arrow"):
            yield from _table_records(path, form)
            return
        with fsspec.open(path, "rb", compression="infer" if not path.endswith(".zst") else "zstd") as stream:
            yield from _stream_records(stream, path, form)
    except (OSError, EOFError, pa.ArrowException, gzip.BadGzipFile) as error:
        raise InputError(path, f"cannot be read: {error}", "An evaluation set must be whole; repair it") from None


def _table_records(path: str, form: str) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    with fsspec.open(path, "rb") as stream:
        if form == ".parquet":
            batches: Iterable[pa.RecordBatch] = pq.ParquetFile(stream).iter_batches(1000)
        else:
            batches = _arrow_batches(stream)
        for batch in batches:
            for record in batch.to_pylist():
                number += 1
                yield f"{number}", record


def _arrow_batches(stream: Any) -> Iterator[pa.RecordBatch]:
    try:
        reader = pa.ipc.open_file(stream)
    except pa.ArrowInvalid:
        stream.seek(0)
        yield from pa.ipc.open_stream(stream)
        return
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def _stream_records(stream: Any, path: str, form: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if form in (".csv", ".tsv"):
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.DictReader(text, delimiter="\t" if form == ".tsv" else ",")
        try:
            for number, row in enumerate(reader, 1):
                yield f"{number}", {key: value for key, value in row.items() if key}
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}", str(error), "Repair it") from None
    elif form == ".json":
        yield from _json_records(_parsed(stream.read(), path))
    else:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            if form == ".txt":
                yield f"{number}", {"text": line.decode("utf-8", "replace").strip()}
                continue
            record = _parsed(line, f"{path}, line {number}")
            if not isinstance(record, dict):
                raise InputError(f"{path}, line {number}", "not a JSON object", "An item is an object; repair it")
            yield f"{number}", record


def _parsed(content: bytes, where: str) -> Any:
    try:
        return orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InputError(where, f"not valid JSON: {error}", "An evaluation set must be whole; repair it") from None


def _json_records(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects of an array, or of the arrays in an object; else the object itself."""
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
        value = [entry for part in lists for entry in part] if lists else [value]
    if isinstance(value, list):
        yield from ((f"{number}", entry) for number, entry in enumerate(value, 1) if isinstance(entry, dict))


def item_of(record: dict[str, Any], one: EvaluationSet, place: str) -> Item | None:
    """The item of a record; None where it has no text. A field that a set asks for and a record lacks is empty."""
    if record.keys() == {"id", "mark"}:
        return Item(one.name, str(record["id"]), str(record["mark"]), is_mark=True)
    texts: dict[Role, list[str]] = {"question": [], "answer": [], "passage": []}
    others: list[str] = []
    for name in one.fields or tuple(record):
        text = "\n".join(_strings(record.get(name)))
        if not text.strip():
            continue
        role = role_of(name)
        if role is not None:
            texts[role].append(text)
        elif one.fields or not _NO_TEXT.fullmatch(name.lower()):
            others.append(text)
    if not texts["question"]:
        texts["question"] = others or texts["passage"] or texts["answer"]
        asked: tuple[Role, ...] = ("passage", "answer")
        for part in asked:
            if texts["question"] is texts[part]:
                texts[part] = []
        others = []
    texts["answer"] += others
    if not texts["question"]:
        return None
    ids = [record.get(name) for name in ((one.id,) if one.id in record else _IDS)]
    key = next((str(value) for value in ids if isinstance(value, str | int) and str(value)), place)
    return Item(one.name, key[:200], "\n".join(texts["question"]), tuple(texts["answer"]), "\n".join(texts["passage"]))


def role_of(name: str) -> Role | None:
    """What a field is, by its name; None where that doesn't tell."""
    plain = re.sub(r"[_\d]+$", "", name.lower())
    for role, pattern in (("answer", _ANSWER), ("passage", _PASSAGE), ("question", _QUESTION)):
        if pattern.fullmatch(plain) or pattern.fullmatch(name.lower()):
            return role  # type: ignore[return-value]
    return None


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _DEPTH_MAX and isinstance(value, dict):
        for part in value.values():
            yield from _strings(part, depth + 1)
    elif depth < _DEPTH_MAX and isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part, depth + 1)
