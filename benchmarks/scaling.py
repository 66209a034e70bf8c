"""Time and memory of whole builds as the input grows: the sample's text repeated with distinct noise.

    python -m benchmarks.scaling --sizes 500,2000 --workers 2

Every copy of the text but the first has three words in ten replaced by others of its surroundings, drawn by a hash of
copy and place: real words in about the right numbers, and no two copies are near-duplicates (a 5-gram survives in one
of them with probability 0.17, in two at the same place with 0.03).
"""

import argparse
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit

from benchmarks import ROOT, Settings, Table
from benchmarks.end_to_end import fresh_build, manifest
from benchmarks.text import RECIPE, json_lines, megabytes, mixed_text
from pipeline.text.columns import text_buffers

BASE_MEGABYTES = 32
FILE_BATCHES = 5
"""Batches of 1 000 documents a file: about 20 MB, a unit of work of `ingest`."""

REPLACED = 0.3
SCALING = "Scaling: whole builds of repeated text with distinct noise"


def noisy_text(settings: Settings, size: int) -> tuple[Path, float]:
    """Write about `size` MB as JSONL and a recipe that reads it. Returns the recipe's path and the true megabytes."""
    folder = settings.work / f"noise-{size}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = 0.0
    for number, batches in enumerate(_files(settings, size)):
        with open(folder / f"part-{number:04d}.jsonl", "w", encoding="utf-8") as stream:
            for copy, batch in batches:
                stream.writelines(json_lines(batch, (f"{copy}-{uri}" for uri in batch["uri"].to_pylist())))
        written += megabytes([batch for _, batch in batches])
    recipe = folder / "scaling.toml"
    recipe.write_text(RECIPE.format(name="scaling", title="Text of sample, repeated with noise", folder=folder))
    return recipe, written


def _files(settings: Settings, size: int) -> Iterator[list[tuple[int, pa.RecordBatch]]]:
    """Copies of the base text, one batch after the other until `size` MB are there, some batches a file."""
    held: list[tuple[int, pa.RecordBatch]] = []
    left = size * 1.0
    for copy, batch in _copies(settings):
        held.append((copy, noisy(batch, copy)))
        left -= megabytes([batch])
        if len(held) == FILE_BATCHES or left <= 0:
            yield held
            held = []
        if left <= 0:
            return


def _copies(settings: Settings) -> Iterator[tuple[int, pa.RecordBatch]]:
    base = mixed_text(settings, BASE_MEGABYTES)
    for copy in range(1 << 31):
        for batch in base:
            yield copy, batch


def noisy(batch: pa.RecordBatch, copy: int) -> pa.RecordBatch:
    """The batch with three words in ten replaced by words of the same document; copy 0 is the batch itself."""
    if copy == 0:
        return batch
    texts = batch["text"]
    offsets, data = text_buffers(texts)
    words = np.empty((int(np.diff(offsets).max()) + 1, 2), np.int64)
    out = np.empty(int((offsets[-1] - offsets[0]) * 4), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    _replace(offsets, data, np.uint64(copy), np.uint64(REPLACED * 2**32), words, out, ends)
    changed = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(out[: ends[-1]].copy()))
    return batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), changed)


@njit(cache=True)
def _mix(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(cache=True)
def _words(data: np.ndarray, begin: int, end: int, words: np.ndarray) -> int:
    """Where words begin and end: runs without white space; Chinese characters (U+3000–U+9FFF) one by one."""
    count, at = 0, begin
    while at < end:
        if data[at] <= 32:
            at += 1
            continue
        start = at
        if 0xE3 <= data[at] <= 0xE9:
            at += 3
        else:
            while at < end and data[at] > 32 and not 0xE3 <= data[at] <= 0xE9:
                at += 4 if data[at] >= 0xF0 else 3 if data[at] >= 0xE0 else 2 if data[at] >= 0xC0 else 1
        words[count] = start, at
        count += 1
    return count


@njit(cache=True)
def _replace(
    offsets: np.ndarray,
    data: np.ndarray,
    copy: np.uint64,
    share: np.uint64,
    words: np.ndarray,
    out: np.ndarray,
    ends: np.ndarray,
) -> None:
    to = 0
    for row in range(len(ends) - 1):
        begin, end = offsets[row], offsets[row + 1]
        count = _words(data, begin, end, words)
        room = to + 2 * (end - begin)  # a document at most doubles
        at = begin
        for word in range(count):
            start, stop = words[word]
            while at < start:
                out[to] = data[at]
                to += 1
                at += 1
            key = _mix(_mix(copy * np.uint64(0x9E3779B97F4A7C15) + np.uint64(row)) + np.uint64(word))
            first, last = start, stop
            if (key >> np.uint64(32)) < share:
                first, last = words[np.int64(_mix(key) % np.uint64(count))]
                if to + last - first + end - start > room:
                    first, last = start, stop
            for place in range(first, last):
                out[to] = data[place]
                to += 1
            at = stop
        while at < end:
            out[to] = data[at]
            to += 1
            at += 1
        ends[row + 1] = to


def measure(settings: Settings) -> list[Table]:
    """Builds of 1, 4 and 16 times the base text with 1 and 2 workers, one run each."""
    return [grown(settings, [BASE_MEGABYTES * times for times in (1, 4, 16)], [1, 2])]


def _show(table: Table) -> None:
    print(" · ".join(table.rows[-1]), flush=True)


def grown(
    settings: Settings,
    sizes: list[int],
    workers: list[int],
    title: str = SCALING,
    each: Callable[[Table], None] = _show,
    beside: Path | None = None,
) -> Table:
    """Time and peak memory of one build for each size in MB and number of workers; `each` sees the table grow.

    `beside` is another checkout of this repository, which builds the same in turn: a row more.
    """
    checkouts = [ROOT] if beside is None else [beside, ROOT]
    table = Table(
        title,
        [
            "input, MB",
            "workers",
            "seconds",
            "MB/s",
            "processor seconds",
            "peak memory, MB",
            "of that, shared pages counted once, MB",
            "documents kept",
        ],
        [],
        notes=[
            "One run each. Input: JSONL of real text of all natural languages and, for a third, source code, as in the "
            "recipe `sample`; its copies are no near-duplicates of each other."
        ],
    )
    for size in sizes:
        recipe, megabytes_in = noisy_text(settings, size)
        for number, checkout in itertools.product(workers, checkouts):
            output = settings.work / "scaling"
            run = fresh_build(recipe, output, settings, number, checkout=checkout)
            stages = manifest(output)["stages"]
            kept = stages[-1]["documents_kept"] / stages[0]["documents_in"]
            memory = [f"{run.resident / 1e6:,.0f}", f"{run.proportional / 1e6:,.0f}"]
            speed = [f"{run.seconds:.1f}", f"{megabytes_in / run.seconds:.2f}", f"{run.processor:.1f}"]
            who = str(number) if checkout == ROOT else f"{number}, {checkout.name}"
            table.rows.append([f"{megabytes_in:,.0f}", who, *speed, *memory, f"{kept:.1%}"])
            table.data[f"{size}-{who}"] = {
                "megabytes": megabytes_in,
                "seconds": run.seconds,
                "processor": run.processor,
                "resident": run.resident,
                "proportional": run.proportional,
            }
            each(table)
            shutil.rmtree(output)
        shutil.rmtree(recipe.parent)
    return table


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    from benchmarks.__main__ import record

    parser = argparse.ArgumentParser(description="time and memory of builds as the input grows")
    parser.add_argument("--sizes", type=_numbers, default=[500, 2000], help="MB, comma-separated")
    parser.add_argument("--workers", type=_numbers, default=[2], help="numbers of workers, comma-separated")
    parser.add_argument("--beside", type=Path, help="another checkout of this repository, to build the same in turn")
    arguments = parser.parse_args()

    def keep(table: Table) -> None:
        _show(table)
        record({"memory": [table]})

    title = "Whole builds of large input: speed and memory"
    grown(Settings(), arguments.sizes, arguments.workers, title, keep, arguments.beside)
