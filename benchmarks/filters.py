"""What the filters do to good text and to junk, by language: `python -m benchmarks.filters [--work DIR]`.

Good text is the part `test` of `benchmarks.filters_text`: half of MediaWiki's messages and of a Chichewa Bible, read by
no model and no threshold; singly and joined to documents of fifteen. Junk is made of it by `pipeline/quality/junk.py`.
Languages are declared; only the filters and the language stage count. Beside ours: the sets of ROOTS, and datatrove's
filters of Gopher and FineWeb (`pip install datatrove[processing]`), where they are installed. Writes
`benchmarks/filters.json` and prints the table.
"""

import argparse
import importlib.util
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import ROOT
from benchmarks.filters_text import made
from configs.load import load_languages
from configs.models import LanguageIdentification, Languages, Quality
from pipeline.annotate import Identification
from pipeline.decide import first_verdict, language_verdict
from pipeline.language_id import LanguageIdentifier
from pipeline.quality import Measures, QualityRules
from pipeline.quality.calibration import good_texts
from pipeline.quality.junk import make_junk
from pipeline.text.columns import encode

SENTENCES_MIN, SENTENCES_MAX, EACH = 30, 400, 60
Judge = Callable[[Sequence[str], str], float]
"""Texts and their language → the share that is dropped."""


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
        decided = first_verdict([verdict, ("quality", *rules.decide(batch))])
        return 1 - decided["reason"].null_count / len(texts)

    return judge


def datatrove() -> Judge:
    """Gopher's repetition and quality filters and FineWeb's, as datatrove has them; words parted by white space, stop
    words of English not asked for: its own tokenizers want downloads."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from datatrove.utils.word_tokenizers import WhitespaceTokenizer

    words = WhitespaceTokenizer()
    filters = [
        GopherRepetitionFilter(language=words),
        GopherQualityFilter(min_stop_words=None, language=words),
        FineWebQualityFilter(language=words),
    ]

    def judge(texts: Sequence[str], code: str) -> float:
        documents = (Document(text=text, id=str(number)) for number, text in enumerate(texts))
        return sum(any(each.filter(doc) is not True for each in filters) for doc in documents) / len(texts)

    return judge


def measure(folder: Path) -> dict[str, Any]:
    """Filter → `languages` (language → share of good text dropped) and `junk` (kind → language → share dropped)."""
    languages, text = load_languages(), made(folder)["test"]
    judges = {
        "OpenRoots": ours(languages, Quality()),
        "OpenRoots, ROOTS' thresholds": ours(languages, Quality(thresholds="roots")),
    }
    if importlib.util.find_spec("datatrove"):
        judges["datatrove: Gopher + FineWeb"] = datatrove()
    results: dict[str, Any] = {name: {"good": {}, "junk": {}} for name in judges}
    for code in languages.natural:
        sentences = sorted(text.get(code, []))
        if len(sentences) < SENTENCES_MIN:
            continue
        random.Random(code).shuffle(sentences)
        sentences = sentences[:SENTENCES_MAX]
        unspaced = languages.natural[code].quality.segment_words_with_sentencepiece
        documents = [each for each in good_texts(sentences, unspaced) if each not in set(sentences)]
        junk = make_junk(sentences, unspaced, EACH)
        for name, judge in judges.items():
            results[name]["good"][code] = judge(documents, code)
            for kind, texts in junk.items():
                results[name]["junk"].setdefault(kind, {})[code] = judge(texts, code)
    return results


def table(results: dict[str, Any]) -> str:
    """The figures as Markdown: good documents dropped, and the mean and worst catch of each kind of junk."""
    names = list(results)
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    rows: dict[str, list[str]] = {"good documents dropped: mean": [], "good documents dropped: worst": []}
    for name in names:
        good = results[name]["good"]
        worst = max(good, key=lambda code: good[code])
        rows["good documents dropped: mean"].append(f"{sum(good.values()) / len(good):.1%}")
        rows["good documents dropped: worst"].append(f"{good[worst]:.1%} ({worst})")
        for kind, caught in results[name]["junk"].items():
            least = min(caught, key=lambda code: caught[code])
            mean = sum(caught.values()) / len(caught)
            rows.setdefault(f"{kind}: caught", []).append(f"{mean:.1%}, least {caught[least]:.0%} ({least})")
    lines += [f"| {row} | " + " | ".join(cells) + " |" for row, cells in rows.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure, write the figures, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default=str(ROOT / "build" / "filters"), help="folder for packages")
    results = measure(Path(parser.parse_args().work))
    path = ROOT / "benchmarks" / "filters.json"
    path.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
