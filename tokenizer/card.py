"""A tokenizer's card (`README.md`, a Hugging Face model card) and the same as data (`training.json`)."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from configs.load import load_languages
from governance import figures
from governance.cards import hub_languages, hub_licences, markdown
from governance.rendering import markdown_environment
from pipeline.runtime import storage
from tokenizer.count_phase import WordTable
from tokenizer.pretokenize import Pattern
from tokenizer.settings import Training

FORMAT = 1
VOCABULARIES = ("tokenizer.json", "tokenizer.model")
KINDS = {
    "bpe": "byte-level BPE",
    "sentencepiece-bpe": "SentencePiece BPE",
    "sentencepiece-unigram": "SentencePiece unigram",
}
PACKAGES = {"bpe": ("openroots", "numba", "numpy", "pyarrow", "tokenizers")}


def training_record(
    training: Training,
    table: WordTable,
    files: int,
    entries: int,
    merges: int | None,
    reserved: int,
    words: tuple[int, int],
    corpus: Mapping[str, str] | None,
) -> dict[str, Any]:
    """What went into a tokenizer and what came out, as JSON-able data without times or paths.

    entries, merges, reserved  of the finished vocabulary; `merges` is None where the model is no BPE of ours
    words                      distinct words of the weighted table, and their occurrences
    corpus                     name and digest of the corpus, if it was one
    """
    languages = {code: dict(figures_of) for code, figures_of in sorted(table.languages.items())}
    total = sum(entry["bytes_counted"] for entry in languages.values()) or 1
    weighted = sum(entry["bytes_counted"] * entry["weight"] for entry in languages.values()) or 1
    shares: dict[str, dict[str, Any]] = {
        code: {
            **entry,
            "share": entry["bytes_counted"] / total,
            "sample_share": entry["bytes_counted"] * entry["weight"] / weighted,
        }
        for code, entry in languages.items()
    }

    def added(name: str) -> int:
        return sum(entry[name] for entry in languages.values())

    unweighted = added("occurrences") + added("occurrences_left_out")
    packages = PACKAGES.get(training.model, (*PACKAGES["bpe"], "sentencepiece"))
    return {
        "format": FORMAT,
        "corpus": dict(corpus) if corpus else None,
        "inputs": {"files": files, "bytes": added("bytes"), "bytes_counted": added("bytes_counted")},
        "settings": {**asdict(training), "special_tokens": list(training.special_tokens)},
        "versions": {name: version(name) for name in packages},
        "words": {
            "digest": table.digest,
            "distinct": words[0],
            "occurrences": words[1],
            "left_out": added("words_left_out"),
            "occurrences_left_out": added("occurrences_left_out"),
            "occurrences_unweighted": unweighted,
            "share_left_out": added("occurrences_left_out") / (unweighted or 1),
        },
        "languages": shares,
        "entries": entries,
        "merges": merges,
        "reserved": reserved,
    }


def write_card(folder: str, record: Mapping[str, Any], fertility: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write `training.json` and `README.md` of a tokenizer into its folder, which holds it. Raises OutputError.

    fertility: rows with `language`, `tokens_per_word`, `tokens_per_character`, `bytes_per_token` and `premium`, each
    None where it has no meaning.
    """
    record = {**record, "files": _files(folder)}
    storage.write_json(storage.join(folder, "training.json"), {**record, "fertility": list(fertility)})
    with storage.create(storage.join(folder, "README.md")) as stream:
        stream.write(card(record, fertility).encode())


def _files(folder: str) -> dict[str, dict[str, Any]]:
    """Length and SHA-256 of the files that hold the vocabulary."""
    files = {}
    for name in VOCABULARIES:
        fs, inner = storage.filesystem(storage.join(folder, name))
        if fs.exists(inner):
            data = fs.cat_file(inner)
            files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return files


def card(record: Mapping[str, Any], fertility: Sequence[Mapping[str, Any]] = ()) -> str:
    """README.md: YAML head that the Hub reads, then prose and tables."""
    languages = load_languages()
    rows = sorted(record["languages"].items(), key=lambda item: (-item[1]["bytes_counted"], item[0]))
    codes = {*record["languages"], *(row["language"] for row in fertility)}
    pattern = Pattern.named(record["settings"]["pattern"]).expression
    front = yaml.safe_dump(head(record), allow_unicode=True, sort_keys=False, width=120)
    environment = markdown_environment(Path(__file__).parent)
    environment.filters |= {
        "md": markdown,
        "code": _code,
        "count": figures.count,
        "counted": figures.counted,
        "size": figures.size,
        "percent": figures.percent,
    }
    body = environment.get_template("card.md.j2").render(
        r=record,
        title=_title(record),
        kind=KINDS[record["settings"]["model"]],
        languages=rows,
        names={code: languages.name(code) if code in languages else code for code in codes},
        pattern=pattern,
        files=record.get("files", {}),
        fertility=[_fertility_row(row) for row in fertility],
    )
    return f"---\n{front}---\n\n{body}"


def head(record: Mapping[str, Any]) -> dict[str, Any]:
    """The YAML head of the card: languages (BCP-47), licence, library, tags."""
    languages = load_languages()
    natural = sorted(code for code in record["languages"] if code in languages.natural)
    has_code = any(code in languages and code not in languages.natural for code in record["languages"])
    licences, unknown = hub_licences([record["settings"]["licence"]])
    data: dict[str, Any] = dict(hub_languages(natural, has_code=has_code)) if natural or has_code else {}
    data |= {"license": licences[0] if licences else "unknown", "library_name": "transformers"}
    if unknown:
        data |= {"license_name": "-and-".join(unknown).lower(), "license_link": "README.md"}
    data["tags"] = ["tokenizer", record["settings"]["model"], "multilingual" if len(natural) > 1 else "openroots"]
    return data


def _code(text: str) -> str:
    """Text as code that shows every character as it is, also in a table: all but letters and digits as entities."""
    return f"<code>{re.sub(r'[^A-Za-z0-9]', lambda found: f'&#{ord(found[0])};', text)}</code>"


def _title(record: Mapping[str, Any]) -> str:
    name = f" of {record['corpus']['name']}" if record["corpus"] else ""
    return f"Tokenizer{name}, {record['entries']:,} entries"


def _fertility_row(row: Mapping[str, Any]) -> dict[str, str]:
    def shown(name: str) -> str:
        return "" if row.get(name) is None else f"{row[name]:.2f}"

    return {
        "language": row["language"],
        "word": shown("tokens_per_word"),
        "character": shown("tokens_per_character"),
        "bytes": shown("bytes_per_token"),
        "premium": shown("premium"),
    }
