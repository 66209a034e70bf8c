"""What the filters do to good text and to junk, by language, beside the sets of ROOTS and datatrove's filters.

Good text is the part `test` of `benchmarks.filters_text`: half of MediaWiki's messages and of a Chichewa Bible, read by
no model and no threshold, joined to documents of fifteen. Junk is made of it by `pipeline/quality/junk.py`. Languages
are declared; only the filters and the language stage count.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import ROOT, Settings, Table
from benchmarks.filters_text import made
from benchmarks.process import run
from benchmarks.venv import peers_python
from configs.load import load_languages
from configs.models import LanguageIdentification, Languages, Quality
from pipeline.annotate import Identification
from pipeline.decide import language_verdict
from pipeline.language_id import LanguageIdentifier
from pipeline.quality import Measures, QualityRules
from pipeline.quality.calibration import good_texts
from pipeline.quality.junk import make_junk
from pipeline.reasons import first_verdict
from pipeline.text.columns import encode

SENTENCES_MIN, SENTENCES_MAX, GOOD_MAX, EACH = 30, 400, 30, 15
GOOD = "good"
Judge = Callable[[Sequence[str], str], float]
"""Texts and their language → the share that is dropped."""
Shares = dict[str, dict[str, float]]
"""Kind of text (GOOD or a kind of junk) → language → share that is dropped."""


def ours(languages: Languages, quality: Quality) -> Judge:
    """The language stage and the filters of OpenRoots."""
    settings = LanguageIdentification()
    identify = Identification(languages, LanguageIdentifier(languages, settings))
    measures, rules = Measures(languages, quality), QualityRules(languages, quality)
    relatives = {code: language.relatives for code, language in languages.natural.items()}

    def judge(texts: Sequence[str], code: str) -> float:
        column = pa.array(texts, pa.large_string())
        names = [encode([name] * len(texts)) for name in (code, "benchmark")]
        sizes = pc.binary_length(column).cast(pa.int64())
        batch = pa.RecordBatch.from_arrays([column, *names, sizes], ["text", "language", "source", "bytes_in"])
        batch = identify(batch)
        for name, values in measures(batch["text"], batch["language"]).items():
            batch = batch.append_column(name, values)
        known = frozenset(languages.natural)
        verdict = language_verdict(batch, known, settings.disagreement_score_min, False, relatives)
        decided = first_verdict([verdict, rules.decide(batch)])
        return 1 - decided["reason"].null_count / len(texts)

    return judge


def texts_of(languages: Languages, folder: Path) -> dict[str, dict[str, list[str]]]:
    """Kind of text → language → documents. Packages go to `folder`."""
    texts: dict[str, dict[str, list[str]]] = {}
    unseen = made(folder)["test"]
    for code, language in languages.natural.items():
        sentences = sorted(unseen.get(code, []))
        if len(sentences) < SENTENCES_MIN:
            continue
        random.Random(code).shuffle(sentences)
        sentences = sentences[:SENTENCES_MAX]
        unspaced = language.quality.segment_words_with_sentencepiece
        documents = [each for each in good_texts(sentences, unspaced) if each not in set(sentences)][:GOOD_MAX]
        for kind, some in {GOOD: documents, **make_junk(sentences, unspaced, EACH)}.items():
            texts.setdefault(kind, {})[code] = some
    return texts


def _shares(texts: Mapping[str, Mapping[str, list[str]]], judge: Judge) -> Shares:
    return {kind: {code: judge(some, code) for code, some in by.items()} for kind, by in texts.items()}


def _peer(texts: Mapping[str, Mapping[str, list[str]]], settings: Settings) -> tuple[Shares, list[str]]:
    """The same from datatrove, in its environment; and the languages without a word tokenizer of its own."""
    path = settings.work / "filters.jsonl"
    natural = load_languages().natural
    with path.open("w", encoding="utf-8") as stream:
        for kind, by in texts.items():
            for code, some in by.items():
                name = f"{natural[code].iso639_3}_{natural[code].script}".replace("ori_", "ory_")
                row = {"kind": kind, "code": code, "language": name, "texts": some}
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    script = ROOT / "benchmarks" / "peers" / "datatrove_filters.py"
    answer = json.loads(run([peers_python(settings.venv), "-W", "ignore", script, path]).output.splitlines()[-1])
    return answer["shares"], answer["fallback"]


def measure(settings: Settings) -> list[Table]:
    """Two tables: how much of each kind of text goes, and what goes of each language."""
    settings.work.mkdir(parents=True, exist_ok=True)
    languages = load_languages()
    texts = texts_of(languages, settings.work / "filters")
    peer, fallback = _peer(texts, settings)
    found = {
        "OpenRoots": _shares(texts, ours(languages, Quality())),
        "OpenRoots with ROOTS' sets": _shares(texts, ours(languages, Quality(thresholds="roots"))),
        "datatrove 0.10.1: Gopher + FineWeb": peer,
    }
    notes = [
        "Text that no model and no threshold has seen: MediaWiki's messages and a Chichewa Bible, documents of fifteen "
        f"sentences; junk made of it by stated recipes, {EACH} of each kind a language, {len(texts[GOOD])} languages.",
        "datatrove: its Gopher repetition, Gopher quality and FineWeb quality filters, English's stop words not asked "
        "for, with the word tokenizer that it assigns to each language, or where that needs a download white space: "
        f"{', '.join(fallback) or 'none'}.",
    ]
    return [_by_kind(found, notes, texts), _by_language(found)]


def _by_kind(found: Mapping[str, Shares], notes: list[str], texts: Mapping[str, Mapping[str, list[str]]]) -> Table:
    rows = []
    for kind in texts:
        name, worst = ("good documents dropped: mean, most", max) if kind == GOOD else (f"{kind}: mean, least", min)
        rows.append([name, *(_cell(shares[kind], worst) for shares in found.values())])
    title = "Filters: good text that is lost and junk that is caught, mean and worst of all languages"
    return Table(title, ["text", *found], rows, notes, {"shares": dict(found)})


def _cell(shares: Mapping[str, float], worst: Callable[..., Any]) -> str:
    code = worst(shares, key=lambda name: shares[name])
    return f"{_mean(shares.values()):.1%}, {shares[code]:.0%} ({code})"


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _by_language(found: Mapping[str, Shares]) -> Table:
    first = next(iter(found.values()))
    rows = [
        [code]
        + [f"{shares[GOOD][code]:.1%}" for shares in found.values()]
        + [f"{_mean(by[code] for kind, by in shares.items() if kind != GOOD):.1%}" for shares in found.values()]
        for code in first[GOOD]
    ]
    columns = ["language", *(f"dropped: {name}" for name in found), *(f"junk caught: {name}" for name in found)]
    return Table("Filters by language: good documents dropped, and the mean catch of six kinds of junk", columns, rows)
