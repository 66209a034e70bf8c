"""A small finished corpus, written as a build writes it: real Arrow shards, real ledger, real manifest."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.language_codes import UNDETERMINED
from configs.load import Plan, load_languages
from configs.models import Package, Recipe, Source
from pipeline.report import write_report
from pipeline.runtime.shards import WRITERS, Format
from pipeline.text.schema import DICTIONARY, LEDGER_WRITTEN

FLOATS = (
    "language_score", "language_share", "character_repetition", "word_repetition", "special_characters",
    "closed_class_words", "flagged_words", "perplexity", "non_word_characters", "token_length_deviation",
)  # fmt: skip
WHOLE = ("words", "characters", "longest_line", "pii_email", "pii_ip_address", "cluster_size", "epochs")

FINAL = pa.schema(
    [
        ("id", pa.string()), ("text", pa.large_string()), ("source", DICTIONARY), ("language", DICTIONARY),
        ("licence", DICTIONARY), ("licence_declared", DICTIONARY), ("licence_detected", DICTIONARY),
        ("uri", pa.string()), ("key", pa.string()), ("metadata", pa.string()), ("bytes_in", pa.int64()),
        ("language_declared", DICTIONARY), *((name, pa.float32()) for name in FLOATS),
        *((name, pa.int32()) for name in WHOLE), ("languages", pa.string()), ("language_votes", pa.string()),
    ]
)  # fmt: skip

TEXTS = {
    "ar": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق، وقد وهبوا عقلاً وضميرًا. ",
    "en": "All human beings are born free and equal in dignity and rights. ",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। ",
    "sw": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. ",
    "zh-Hans": "人人生而自由,在尊严和权利上一律平等。",
    "python": "def add(left: int, right: int) -> int:\n    return left + right\n",
}
HOSTILE = '<script>alert(1)</script> | `code` </style> & "quotes" [link](javascript:alert(2))'


def source(name: str, **changes: Any) -> Source:
    """A source of the registry."""
    fields: dict[str, Any] = {
        "id": name, "title": f"Texts of {name}", "reader": "text", "licence": "MIT", "custodian": "Nobody",
        "provenance": "made for a test", "packages": (Package(name="texts"),),
    }  # fmt: skip
    return Source.model_validate({**fields, **changes})


@dataclass
class SmallCorpus:
    """Collects documents, then writes the folder of a finished build. `folder` is its OUTPUT."""

    folder: Path
    languages: tuple[str, ...] = ("ar", "en", "hi", "sw", "zh-Hans", "python")
    sources: tuple[Source, ...] = (source("good"), source("bad", licence="Apache-2.0"))
    recipe: dict[str, Any] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, str]] = field(default_factory=list)

    @property
    def plan(self) -> Plan:
        """The plan that such a corpus would be built from."""
        names = tuple(source.id for source in self.sources)
        fields = {"name": "small", "title": "A small corpus", "languages": self.languages, "sources": names}
        return Plan(Recipe.model_validate({**fields, **self.recipe}), load_languages(), self.sources)

    def keep(self, language: str, text: str, source: str = "good", **values: Any) -> None:
        """Add a document that is kept."""
        identifier = hashlib.md5(f"{len(self.ledger)}".encode()).hexdigest()
        size = len(text.encode())
        code = language in load_languages().programming
        measures = {"characters": len(text), "longest_line": 40, "non_word_characters": 0.3} if code else {
            "words": len(text.split()), "language_score": 0.97, "language_share": 1.0,
            "special_characters": 0.05, "closed_class_words": 0.3,
        }  # fmt: skip
        self.kept.append(
            {
                "id": identifier, "text": text, "source": source, "language": language, "licence": "MIT",
                "licence_declared": "MIT", "licence_detected": None, "uri": f"texts/{len(self.kept)}",
                "key": f"texts/{len(self.kept)}", "metadata": "{}", "bytes_in": size, "language_declared": language,
                "languages": f"{language} 1.00", "language_votes": f"pycld2 {language} 0.97",
                "pii_email": 0, "pii_ip_address": 0, "cluster_size": 1, "epochs": 1, **measures, **values,
            }
        )  # fmt: skip
        self._enter(identifier, source, language, size, size, "kept", "write", "kept", "")

    def drop(
        self,
        language: str,
        text: str,
        stage: str,
        reason: str,
        detail: str = "",
        source: str = "good",
        **columns: Any,
    ) -> None:
        """Add a document that is dropped, with its example."""
        identifier = hashlib.md5(f"{len(self.ledger)}".encode()).hexdigest()
        self._enter(identifier, source, language, len(text.encode()), 0, "dropped", stage, reason, detail)
        self.ledger[-1] |= columns
        example = {"stage": stage, "reason": reason, "source": source, "language": language, "detail": detail}
        if sum((each["stage"], each["reason"]) == (stage, reason) for each in self.examples) < 3:
            self.examples.append({**example, "id": identifier, "excerpt": text[:300]})

    def _enter(self, *row: Any) -> None:
        place, names = f"texts/{len(self.ledger)}", LEDGER_WRITTEN.names[: len(row)]
        self.ledger.append({**dict(zip(names, row, strict=True)), "uri": place, "key": place})

    def write(self, form: Format = "arrow") -> dict[str, Any]:
        """Write shards and ledger; returns the manifest."""
        languages: dict[str, Any] = {}
        for code in sorted({row["language"] for row in self.kept}):
            rows = [row for row in self.kept if row["language"] == code]
            path = self.folder / "data" / code / f"shard-00000-of-00001.{form}"
            path.parent.mkdir(parents=True)
            full = [{name: row.get(name) for name in FINAL.names} for row in rows]
            with pa.OSFile(str(path), "wb") as stream, WRITERS[form](stream, FINAL) as writer:
                for batch in pa.Table.from_pylist(full, FINAL).to_batches(max_chunksize=100):
                    writer.write_batch(batch)
            size = sum(len(row["text"].encode()) for row in rows)
            shard = {"path": str(path.relative_to(self.folder)), "documents": len(rows), "bytes": size, "digest": "0"}
            languages[code] = {"documents": len(rows), "bytes": size, "shards": [shard]}
        (self.folder / "ledger").mkdir(parents=True)
        for number, part in enumerate((self.ledger[::2], self.ledger[1::2])):
            table = pa.Table.from_pylist(part, LEDGER_WRITTEN)
            pq.write_table(table, self.folder / "ledger" / f"part-{number:05d}.parquet")
        manifest = {
            "format": 1, "name": "small", "digest": "0123456789abcdef0123456789abcdef", "languages": languages,
            "stages": self._stages(), "problems": [], "unavailable": [], "packages": [], "versions": {}, "phases": [],
            "samples": {
                code: {"target": entry["bytes"], "available": entry["bytes"]} for code, entry in languages.items()
            },
        }  # fmt: skip
        (self.folder / "manifest.json").write_text(json.dumps(manifest))
        return manifest

    def report(self, **changes: Any) -> dict[str, Any]:
        """Write everything, the report too; returns the content of `statistics.json`."""
        manifest = {**self.write(), **changes}
        write_report(str(self.folder), self.plan, manifest, {}, self.examples)
        return json.loads((self.folder / "statistics.json").read_text("utf-8"))

    def _stages(self) -> list[dict[str, Any]]:
        left = [len(self.ledger), sum(row["bytes"] for row in self.ledger)]
        stages = []
        for name in ("ingest", "licence", "language", "quality", "personal_data", "deduplicate", "sample"):
            out = [row for row in self.ledger if row["stage"] == name]
            dropped = [len(out), sum(row["bytes"] for row in out)]
            rest = [left[0] - dropped[0], left[1] - dropped[1]]
            amounts = zip(("documents", "bytes"), left, rest, dropped, strict=True)
            entry: dict[str, Any] = {"stage": name}
            for unit, into, kept, gone in amounts:
                entry |= {f"{unit}_in": into, f"{unit}_kept": kept, f"{unit}_dropped": gone}
            stages.append(entry)
            left = rest
        return stages


def plausible(folder: Path, languages: tuple[str, ...] = tuple(TEXTS), seed: int = 0) -> SmallCorpus:
    """A corpus with a bit of everything: sizes, losses, personal data, duplicates, hostile excerpts."""
    random = np.random.default_rng(seed)
    corpus = SmallCorpus(folder, (*languages, "wo"))
    for code in languages:
        for number in range(int(random.integers(20, 200))):
            text = f"{number} " + TEXTS.get(code, TEXTS["en"]) * int(random.lognormal(2, 1) + 1)
            found = {"pii_email": int(random.poisson(0.3)), "pii_ip_address": int(random.poisson(0.05))}
            cluster = int(random.zipf(2.2)) if random.random() < 0.2 else 1
            declared = UNDETERMINED if random.random() < 0.1 else code
            name = "good" if random.random() < 0.8 else "bad"
            if random.random() < 0.8:
                corpus.keep(code, text, name, cluster_size=min(cluster, 500), language_declared=declared, **found)
            else:
                reasons = [("quality", "words_min", "4 < 20"), ("deduplicate", "near_duplicate", "kept 00"),
                           ("quality", "special_characters_max", "0.61 > 0.4"),
                           ("language", "language_mismatch", f"declared {code}, identified de with 0.93")]  # fmt: skip
                reason = reasons[int(random.integers(len(reasons)))]
                corpus.drop(code, text, *reason, source=name, language_identified="de")
    corpus.drop("de", "Alle Menschen sind frei.", "language", "language_other", "identified de")
    corpus.drop("en", HOSTILE, "licence", "licence_denied", HOSTILE, source="bad")
    return corpus
