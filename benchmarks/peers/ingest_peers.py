"""Reading beside the peers: runs in their environment, prints one JSON object with bytes read and processor seconds.

    python ingest_peers.py warc FOLDER | pages FOLDER | jsonl FOLDER  [--seconds 60]

warc   datatrove's WarcReader and its Trafilatura extractor, over the web archives in FOLDER
pages  `trafilatura.extract` over the HTML files below FOLDER, called directly
jsonl  datatrove's JsonlReader, over the .jsonl files in FOLDER
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def warc(folder: str, go_on: Callable[[int], bool]) -> int:
    """Documents that come out."""
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.readers import WarcReader

    def counted() -> Iterator:
        for document in WarcReader(folder, glob_pattern="*.warc.gz").run(None, 0, 1):
            yield document
            if not go_on(len((document.text or "").encode())):
                return

    return sum(1 for _ in Trafilatura().run(counted(), 0, 1))


def pages(folder: str, go_on: Callable[[int], bool]) -> int:
    """Pages with text."""
    from trafilatura import extract

    documents = 0
    for path in sorted(Path(folder).rglob("*.html")):
        data = path.read_bytes()
        documents += bool(extract(data))
        if not go_on(len(data)):
            break
    return documents


def jsonl(folder: str, go_on: Callable[[int], bool]) -> int:
    """Documents that come out."""
    from datatrove.pipeline.readers import JsonlReader

    documents = 0
    for document in JsonlReader(folder, glob_pattern="*.jsonl").run(None, 0, 1):
        documents += 1
        if not go_on(len((document.text or "").encode())):
            break
    return documents


def main() -> None:
    """Read until the folder or the time is at its end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["warc", "pages", "jsonl"])
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    total = 0
    started, processor = time.monotonic(), processor_seconds()

    def go_on(size: int) -> bool:
        nonlocal total
        total += size
        return time.monotonic() - started < arguments.seconds

    documents = globals()[arguments.what](arguments.folder, go_on)
    print(json.dumps({"bytes": total, "documents": documents, "seconds": processor_seconds() - processor}))


if __name__ == "__main__":
    main()
