"""Language identification on held-out text: `python -m benchmarks.language_id [--work DIR] [--fasttext lid.176.ftz]`.

Writes `benchmarks/language_id.json` and the tables of `docs/language-identification.md`. The first sentences of each
source, in a fixed shuffled order, served to choose the constants of the vote; figures are of those after them.
"""

import argparse
import bisect
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa

from benchmarks.language_id_text import UNSPACED, Held, make
from configs.load import load_languages
from configs.models import LanguageIdentification, Languages
from pipeline.language_id import LanguageIdentifier, same_language
from pipeline.language_id.bayes import MODEL
from pipeline.language_id.kernels import buffers, han_table, look
from pipeline.language_id.labels import Labels, canonical
from pipeline.language_id.training import FIGURES_END, FIGURES_START
from pipeline.language_id.vote import Vote, detect
from pipeline.text.scripts import SCRIPTS, script_table

ROOT = Path(__file__).resolve().parent.parent
SENTENCES, DOCUMENTS = 150, 60  # of a language of ours and source; of others a quarter
DOCUMENT_CHARACTERS = 400
NO_TEST = {"tum", "ki", "ak"}  # no class to find them by, or one with another of ours
# No languages of their own (mo is Romanian, sh Serbo-Croatian), constructed or dead, or messages mostly not in them.
NOT_OTHERS = {"mo", "sh", "za", "cu", "bi", "ty", "cr", "ik", "kr", "ie", "io", "ia", "vo", "la", "eo"}


@dataclass(frozen=True)
class Example:
    """A text and the language that its source gives to it."""

    language: str
    source: str
    text: str


def select(held: Held, languages: Languages) -> tuple[list[Example], list[Example]]:
    """Sentences and documents of at least 400 characters, none of them used in choosing constants."""
    sentences, documents = [], []
    for language, sources in held.items():
        ours = language in languages.natural
        if language in NO_TEST | NOT_OTHERS or (not ours and len(language) != 2):
            continue
        for source, texts in sources.items():
            rest = texts[min(SENTENCES, len(texts) // 2) :]
            share = 1 if ours else 4
            sentences += [Example(language, source, text) for text in rest[: SENTENCES // share]]
            joined = _documents(rest, "" if language in UNSPACED else " ")
            documents += [Example(language, source, text) for text in joined[: DOCUMENTS // share]]
    return sentences, documents


def _documents(texts: Iterable[str], space: str, size: int = 0) -> list[str]:
    """Texts joined to `size` bytes at least; to 400 characters where none is given."""
    documents, current = [], ""
    for text in texts:
        current = f"{current}{space}{text}" if current else text
        if len(current.encode()) >= size if size else len(current) >= DOCUMENT_CHARACTERS:
            documents.append(current)
            current = ""
    return documents


def score(examples: list[Example], answers: list[str], languages: Languages) -> dict[str, Any]:
    """Macro figures over the languages of ours with five texts, figures of each, and what was taken for what."""
    total = Counter(example.language for example in examples)
    answered, right = Counter(answers), Counter[str]()
    confusion: Counter[str] = Counter()
    stolen = others = 0
    for example, answer in zip(examples, answers, strict=True):
        hit = same_language(example.language, answer)
        right[example.language] += hit
        if example.language not in languages.natural:
            others += 1
            stolen += answer in languages.natural and not hit
        if not hit and (example.language in languages.natural or answer in languages.natural):
            confusion[f"{example.language} → {answer}"] += 1
    each = {
        code: {
            "texts": total[code],
            "recall": right[code] / total[code],
            "precision": right[code] / max(1, answered[code]),
        }
        for code in languages.natural
        if total[code] >= 5
    }
    return {
        "texts": len(examples),
        "languages": len(each),
        "macro_recall": sum(row["recall"] for row in each.values()) / len(each),
        "macro_precision": sum(row["precision"] for row in each.values()) / len(each),
        "others_texts": others,
        "others_languages": sum(code not in languages.natural for code in total),
        "others_taken_for_ours": stolen / max(1, others),
        "each": each,
        "confusion": dict(confusion.most_common(30)),
    }


def identifiers(languages: Languages, fasttext: str | None) -> dict[str, Callable[[pa.LargeStringArray], list[str]]]:
    """Name → function from texts to answers, of ours and of its peers."""
    labels = Labels(languages, {})
    vote = LanguageIdentifier(languages, LanguageIdentification())
    classifier = Vote(ours=frozenset(canonical(code) for code in languages.natural))

    def bayes(texts: pa.LargeStringArray) -> list[str]:
        offsets, data = buffers(texts)
        letters, _ = look(offsets, data, script_table(), han_table(), len(SCRIPTS))
        ranked = classifier.rank(offsets[:-1], offsets[1:], data, letters[:, 1:].argmax(axis=1) + 1)
        return [labels.answer(label) for label, _ in ranked]

    found: dict[str, Callable[[pa.LargeStringArray], list[str]]] = {
        "OpenRoots (vote)": lambda texts: vote.identify(texts)[0].to_pylist(),
        "pycld2 alone": lambda texts: [labels.answer(detect(text.encode())[0]) for text in texts.to_pylist()],
        "naive Bayes alone": bayes,
    }
    if fasttext:
        other = LanguageIdentifier(languages, LanguageIdentification(model=fasttext))
        found[f"fastText {Path(fasttext).name}"] = lambda texts: other.identify(texts)[0].to_pylist()
    return found


def measure(held: Held, fasttext: str | None) -> dict[str, Any]:
    """All figures: identifier → sentences, documents; MB/s of text on one core, the better of two runs."""
    languages = load_languages()
    results: dict[str, Any] = {}
    for kind, examples in zip(("sentences", "documents"), select(held, languages), strict=True):
        texts = pa.array([example.text for example in examples], pa.large_string())
        size = sum(len(example.text.encode()) for example in examples) / 1e6
        for name, identify in identifiers(languages, fasttext).items():
            seconds = []
            for _ in range(2):
                start = time.process_time()
                answers = identify(texts)
                seconds.append(time.process_time() - start)
            figures = score(examples, answers, languages) | {"megabytes_a_second": size / min(seconds)}
            results.setdefault(name, {})[kind] = figures
    return results


SPEED_BYTES, SPEED_DOCUMENTS = 3000, 60


def speed(held: Held) -> dict[str, float]:
    """MB/s and documents per second of processor time on documents of 3 kB, up to 60 a language of ours and source, and
    MB/s on lines; the best of five runs over batches of 1,000."""
    languages = load_languages()
    lines, documents = [], []
    for language in sorted(set(held) & set(languages.natural)):
        for texts in held[language].values():
            joined = _documents(texts, "" if language in UNSPACED else " ", SPEED_BYTES)[:SPEED_DOCUMENTS]
            documents += joined
            lines += texts[: 5 * len(joined)]
    random.Random(0).shuffle(documents)
    identifier = LanguageIdentifier(languages, LanguageIdentification())
    found = {"documents": float(len(documents))}
    for kind, texts in (("documents", documents), ("lines", lines)):
        batches = [pa.array(texts[at : at + 1000], pa.large_string()) for at in range(0, len(texts), 1000)]
        size = sum(len(text.encode()) for text in texts) / 1e6
        seconds = []
        for _ in range(5):
            start = time.process_time()
            for batch in batches:
                identifier.identify_parts(batch)
            seconds.append(time.process_time() - start)
        found[f"megabytes_a_second_of_{kind}"] = size / min(seconds)
        found[f"{kind}_a_second"] = len(texts) / min(seconds)
    return found


PIECES = (1, 2, 3, 5, 8, 12, 0)
"""Words of the pieces on which the score is held against the share of right answers; 0: the whole sentence."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)


def reliability(held: Held) -> list[dict[str, float]]:
    """By score: how many pieces of held-out sentences got it, their mean score and the share that was right."""
    languages = load_languages()
    examples = select(held, languages)[0]
    pieces = []
    for number, example in enumerate(examples):
        words = example.text.split(" ")
        pieces.append(" ".join(words[: PIECES[number % len(PIECES)] or len(words)]))
    found, scores = LanguageIdentifier(languages, LanguageIdentification()).identify(
        pa.array(pieces, pa.large_string())
    )
    rows: list[list[tuple[float, bool]]] = [[] for _ in BINS[1:]]
    for example, answer, score in zip(examples, found.to_pylist(), scores.to_pylist(), strict=True):
        if answer != "und":
            rows[bisect.bisect_right(BINS, score) - 1].append((score, same_language(example.language, answer)))
    return [
        {"from": low, "texts": len(row), "score": mean(s for s, _ in row), "right": mean(float(r) for _, r in row)}
        for low, row in zip(BINS, rows, strict=False)
        if row
    ]


def plot(rows: list[dict[str, float]]) -> str:
    """The reliability diagram as SVG: mean score across, share of right answers up, area by number of texts."""
    most = max(row["texts"] for row in rows)
    dots = "".join(
        f'<circle cx="{40 + 300 * row["score"]:.1f}" cy="{320 - 300 * row["right"]:.1f}" '
        f'r="{3 + 9 * (row["texts"] / most) ** 0.5:.1f}" fill="#2563eb" fill-opacity="0.7">'
        f"<title>{row['texts']:,} texts: score {row['score']:.3f}, right {row['right']:.3f}</title></circle>"
        for row in rows
    )
    ticks = "".join(
        f'<text x="{40 + 300 * t:.0f}" y="336" text-anchor="middle">{t}</text>'
        f'<text x="34" y="{324 - 300 * t:.0f}" text-anchor="end">{t}</text>'
        for t in (0, 0.2, 0.4, 0.6, 0.8, 1)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 360" width="480" '
        'font-family="sans-serif" font-size="11">'
        '<rect width="360" height="360" fill="white"/><path d="M40 20V320H340" fill="none" stroke="#444"/>'
        '<path d="M40 320L340 20" stroke="#aaa" stroke-dasharray="4"/>'
        f"{dots}{ticks}"
        '<text x="190" y="354" text-anchor="middle">score</text>'
        '<text x="12" y="170" text-anchor="middle" transform="rotate(-90 12 170)">share of right answers</text></svg>\n'
    )


def table(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        "| identifier | texts | macro recall | macro precision | other languages taken for ours | MB/s |",
        "|" + "---|" * 6,
    ]
    for name, kinds in results.items():
        for kind, row in kinds.items():
            lines.append(
                f"| {name} | {row['texts']:,} {kind} | {row['macro_recall']:.3f} | {row['macro_precision']:.3f} "
                f"| {row['others_taken_for_ours']:.1%} | {row['megabytes_a_second']:.1f} |"
            )
    ours = results["OpenRoots (vote)"]
    texts, languages = ours["sentences"]["others_texts"], ours["sentences"]["others_languages"]
    others = f"Other languages: {texts:,} sentences in {languages} languages."
    return "\n".join([*lines, "", others, "", each_language(ours)])


def speed_line(found: dict[str, float]) -> str:
    """The speed in words."""
    return (
        f"Speed on one core: {found['megabytes_a_second_of_documents']:.0f} MB/s, "
        f"{found['documents_a_second']:,.0f} documents per second ({found['documents']:,.0f} documents of 3 kB of this "
        f"text); single sentences {found['megabytes_a_second_of_lines']:.1f} MB/s, "
        f"{found['lines_a_second']:,.0f} per second."
    )


def reliability_table(rows: list[dict[str, float]]) -> str:
    """The reliability figures as Markdown."""
    lines = ["| score from | texts | mean score | right |", "|---|---|---|---|"]
    lines += [f"| {row['from']:g} | {row['texts']:,} | {row['score']:.3f} | {row['right']:.3f} |" for row in rows]
    return "\n".join(lines)


def each_language(kinds: dict[str, Any]) -> str:
    """Recall and precision of each language, and the commonest confusions, of one identifier, as Markdown."""
    lines = ["| language | sentences | recall | precision | documents | recall | precision |", "|" + "---|" * 7]
    for code, row in kinds["sentences"]["each"].items():
        other = kinds["documents"]["each"].get(code)
        tail = f"{other['texts']} | {other['recall']:.3f} | {other['precision']:.3f}" if other else "– | – | –"
        lines.append(f"| {code} | {row['texts']} | {row['recall']:.3f} | {row['precision']:.3f} | {tail} |")
    for kind, row in kinds.items():
        common = ", ".join(f"{pair} {count}" for pair, count in row["confusion"].items())
        lines += ["", f"Commonest confusions, {kind}: {common}."]
    return "\n".join(lines)


def fill(page: Path, figures: str) -> None:
    """Put the figures between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    before, after = text.split(FIGURES_START)[0], text.split(FIGURES_END)[1]
    page.write_text(f"{before}{FIGURES_START}\n{figures}\n{FIGURES_END}{after}", encoding="utf-8")


def main() -> None:
    """Make the held-out text, measure, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default=str(ROOT / "build" / "language-id"), help="folder for packages")
    parser.add_argument("--fasttext", help="a fastText model to compare with")
    given = parser.parse_args()
    cached = Path(given.work) / "held.json"
    if not cached.exists():
        held = make(Path(given.work))
        cached.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")
    held = json.loads(cached.read_text(encoding="utf-8"))
    results = measure(held, given.fasttext)
    rows, quick = reliability(held), speed(held)
    (ROOT / "docs" / "language-identification.svg").write_text(plot(rows), encoding="utf-8")
    written = json.dumps(results | {"speed": quick}, ensure_ascii=False, indent=1)
    (ROOT / "benchmarks" / "language_id.json").write_text(written + "\n", encoding="utf-8")
    fill(
        ROOT / "docs" / "language-identification.md",
        f"{table(results)}\n\n{reliability_table(rows)}\n\n{speed_line(quick)}",
    )
    how = "On text of other packages; how it was made and chosen: `docs/language-identification.md`."
    fill(MODEL.parent / "README.md", f"{how}\n\n{each_language(results['naive Bayes alone'])}")
    print(table(results))


if __name__ == "__main__":
    main()
