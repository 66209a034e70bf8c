"""Decontamination: what is found of planted items, what is lost of clean text, and its speed beside datatrove's."""

import json
import time
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import ROOT, Settings, Table, spread
from benchmarks.decontamination_text import (
    WAYS,
    clean_pages,
    is_another_edition,
    make_items,
    plant,
    split_halves,
)
from benchmarks.process import run
from benchmarks.text import megabytes, real_text
from benchmarks.venv import peers_python
from pipeline.decontamination.index import build_index
from pipeline.decontamination.items import Item
from pipeline.decontamination.match import Matcher

GOAL = 85.0
"""MB of text a second of processor time: 170 MB/s on two cores."""


def measure(settings: Settings) -> list[Table]:
    """Recall by way of planting, losses of clean text by script, and megabytes a second of processor time."""
    batches = real_text(settings)
    sources, pages = split_halves(batches)
    items = make_items(sources)
    matcher = Matcher(build_index(item for _, item in items))
    return [_recall(matcher, items, pages), _clean(matcher, items, pages), _speed(matcher, items, batches, settings)]


def _recall(matcher: Matcher, items: list[tuple[str, Item]], pages: dict[str, list[str]]) -> Table:
    planted = list(plant(items, pages))
    found = matcher(pa.array([one.text for one in planted], pa.large_string()))
    keys = [(item.set, item.id) for _, item in items]
    hit = np.array(
        [
            any((match.item.set, match.item.id) == keys[one.item] for match in found.get(row, ()))
            for row, one in enumerate(planted)
        ]
    )
    rows, data = [], {}
    for way in WAYS:
        mine = np.array([one.way == way for one in planted])
        by_language = {
            code: float(hit[mine & np.array([one.language == code for one in planted])].mean())
            for code in sorted({one.language for one in planted})
        }
        worst = min(by_language, key=by_language.__getitem__)
        rows.append([way, f"{mine.sum():,}", f"{hit[mine].mean():.2%}", f"{worst}, {by_language[worst]:.0%}"])
        data[way] = {"recall": float(hit[mine].mean()), "languages": by_language}
    title = f"Decontamination: planted items found, of {len(items):,} in {len({code for code, _ in items})} languages"
    columns = ["planted", "pages", "the item is found", "worst language"]
    note = "Items are two lines of one half of the text, pages the other half. No setting was fitted to these items."
    return Table(title, columns, rows, [note], data)


def _clean(matcher: Matcher, items: list[tuple[str, Item]], pages: dict[str, list[str]]) -> Table:
    rows, data = [], {}
    known = {(item.set, item.id): item for _, item in items}
    for code, texts in clean_pages(items, pages):
        found = matcher(pa.array(texts, pa.large_string()))
        lost = {
            row: matches[0].detail
            for row, matches in found.items()
            if not any(is_another_edition(known[match.item.set, match.item.id], texts[row]) for match in matches)
        }
        data[code] = {
            "pages": len(texts) - len(found) + len(lost),
            "lost": len(lost),
            "other_editions": len(found) - len(lost),
            "examples": list(lost.values())[:5],
        }
    unspaced = [code for code in data if code in ("zh-Hans", "zh-Hant")]
    for name, codes in (("all", list(data)), ("without spaces between words", unspaced)):
        count, out = sum(data[code]["pages"] for code in codes), sum(data[code]["lost"] for code in codes)
        others = sum(data[code]["other_editions"] for code in codes)
        worst = max(codes, key=lambda code: data[code]["lost"] / max(data[code]["pages"], 1))
        rows.append(
            [
                name,
                f"{count:,}",
                f"{out:,}",
                f"{out / max(count, 1):.3%}",
                f"{worst}: {data[worst]['lost']}",
                f"{others:,}",
            ]
        )
    columns = [
        "languages",
        "pages without an item",
        "dropped",
        "share",
        "most in",
        "pages with an item's other edition",
    ]
    note = (
        "Clean pages hold no question and no long answer word for word. Pages that hold 75 % of the runs of five "
        "letters of one hold another edition of it, and are not counted as clean: they are found, and should be."
    )
    return Table("Decontamination: clean text dropped", columns, rows, [note], data)


def _speed(matcher: Matcher, items: list[tuple[str, Item]], batches: list[pa.RecordBatch], settings: Settings) -> Table:
    size = megabytes(batches)
    rates = []
    for _ in range(max(3, settings.repeats)):
        started = time.process_time()
        for batch in batches:
            matcher(batch["text"])
        rates.append(size / (time.process_time() - started))
    own = spread(rates)
    theirs = _datatrove(items, batches, settings)
    rows = [
        ["**OpenRoots**, items found in spite of mistypings", f"**{own}**", "2.7 words or more, by size"],
        ["datatrove 0.10.1, exact n-grams", str(theirs), "12 words"],
    ]
    title = f"Decontamination: MB of text a second of processor time, {size:,.0f} MB"
    notes = [
        f"Goal: {GOAL:.0f}, so 170 MB/s on two cores. datatrove's NGramsDecontFilter was called directly on the first "
        "documents, without its reader and executor, with an index of the same items."
    ]
    return Table(title, ["", "MB/s of processor time", "n-gram"], rows, notes, {"own": vars(own), "peer": vars(theirs)})


def _datatrove(items: list[tuple[str, Item]], batches: list[pa.RecordBatch], settings: Settings) -> Any:
    text, known = settings.work / "decontaminate.jsonl", settings.work / "decontaminate-items.jsonl"
    with open(text, "w", encoding="utf-8") as stream:
        for batch in batches[:4]:
            stream.writelines(json.dumps({"text": value}) + "\n" for value in batch["text"].to_pylist())
    with open(known, "w", encoding="utf-8") as stream:
        for _, item in items:
            stream.write(json.dumps({"query": item.question, "label": item.answers[0]}) + "\n")
    script = ROOT / "benchmarks" / "peers" / "datatrove_decontamination.py"
    python = peers_python(settings.venv)
    output = run([python, "-W", "ignore", script, text, known, "--seconds", str(settings.peer_seconds / 4)]).output
    return spread(json.loads(output.splitlines()[-1])["rates"])
