"""What the metadata of a package says of its licence: npm, PyPI, crates, gems, Maven, Composer, NuGet, LuaRocks.

Nothing is run and nothing resolved: a `setup.py` or gemspec is read as text. What cannot be told is UNKNOWN; None means
that the file says nothing.
"""

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

from governance.licence_comments import PLAIN, comment_words
from governance.licence_names import spdx_of
from governance.licence_notices import UNKNOWN, joined, notice_of

SAID_MAX = 400
"""Characters of a name or expression; what is longer is a text."""

_OR = re.compile(r"\s*(?:/|\||\bor\b(?! +(?:later|newer|higher|above|any|\(at))|\band/or\b)\s*", re.IGNORECASE)
_AND = re.compile(r"\s*[,;&]\s*")
_ELSEWHERE = re.compile(
    r"(?i)^(?:see\b.*|file:.*|licen[cs]e(?:\.\w+)?|copying.*|other|custom|multiple|dual(?:[ -]licen[cs]ed)?)$"
)
_ABSENT = ("", "none", "unknown", "null", "undefined", "n/a", "todo")


def said(value: str) -> str | None:
    """The SPDX expression for what a metadata field says of the licence."""
    text = " ".join(value.split())
    if text.lower() in _ABSENT or _ELSEWHERE.match(text):
        return None
    if text.upper() in ("UNLICENSED", "PROPRIETARY", "COMMERCIAL"):
        return "LicenseRef-proprietary"
    if len(text) <= SAID_MAX:
        if spdx := spdx_of(text):
            return spdx
        for separator, relation in ((_AND, "AND"), (_OR, "OR")):  # a comma does not say which: both are to be kept
            parts = [part.strip(" ()") for part in separator.split(text)]
            if not 1 < len(parts) <= 8:
                continue
            known = [said(part) if relation == "AND" else _named(part) for part in parts if part]
            if known and all(known):
                return joined([part for part in known if part], relation)
        if named := _named(text):
            return named
    return notice_of(*_plain(value), plain=True) or UNKNOWN


def _named(text: str) -> str | None:
    return spdx_of(text) or notice_of(*_plain(f"License: {text}\n"), plain=True)


def _plain(text: str) -> tuple[bytes, int]:
    return comment_words(text[: 1 << 16].encode("utf-8", "replace"), PLAIN)


def _all(values: Iterable[str | None], relation: str) -> str | None:
    found = list(dict.fromkeys(value for value in values if value))
    return joined(found, relation) if found else None


def _of_json(data: bytes) -> str | None:
    """`package.json`, `composer.json`, `bower.json`: `license` or the former `licenses`; a list offers a choice."""
    try:
        entry = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    value = entry.get("license") or entry.get("licenses") or entry.get("licence")
    values = value if isinstance(value, list) else [value]
    names = [item.get("type") or item.get("name") if isinstance(item, dict) else item for item in values[:20]]
    return _all((said(name) for name in names if isinstance(name, str)), "OR")


def _of_toml(data: bytes) -> str | None:
    """`Cargo.toml` and `pyproject.toml`."""
    try:
        entry = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    package = _table(entry, "package") or _table(entry, "workspace", "package")
    project = _table(entry, "project") or _table(entry, "tool", "poetry")
    for table in (package, project):
        value = table.get("license")
        if isinstance(value, dict):
            value = value.get("text")
        if isinstance(value, str) and (found := said(value)):
            return found
    return _of_classifiers(value for value in project.get("classifiers", ()) if isinstance(value, str))


def _table(entry: Any, *path: str) -> dict[str, Any]:
    for key in path:
        entry = entry.get(key) if isinstance(entry, dict) else None
    return entry if isinstance(entry, dict) else {}


def _of_classifiers(classifiers: Iterable[str]) -> str | None:
    """Trove classifiers: several are taken to hold together, since nothing says that they are a choice."""
    names = [value.rsplit("::", 1)[1].strip() for value in classifiers if value.startswith("License ::")]
    return _all((_named(name) or UNKNOWN for name in names if name != "OSI Approved"), "AND")


def _of_pkg_info(data: bytes) -> str | None:
    """`PKG-INFO` and `METADATA`: `License-Expression`, else `License`, else the classifiers."""
    head = data.split(b"\n\n", 1)[0].decode("utf-8", "replace")
    fields: dict[str, list[str]] = {}
    name = ""
    for line in head.splitlines():
        if line[:1] in (" ", "\t") and name:
            fields[name][-1] += "\n" + line.strip()
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower() if colon else ""
        if name:
            fields.setdefault(name, []).append(value.strip())
    for field in ("license-expression", "license"):
        for value in fields.get(field, ())[:1]:
            if found := said(value):
                return found
    return _of_classifiers(fields.get("classifier", ()))


_GEM = re.compile(r"\.licen[cs]es?\s*=\s*(\[[^\]]{0,400}\]|%w[\[(][^\])]{0,200}|[\"'][^\"'\n]{1,200})")
_SETUP = re.compile(r"(?m)^[^#\n]*?\blicen[cs]e\s*=\s*(?:u|r)?[\"']{1,3}([^\"'\n]{1,300})")
_CFG = re.compile(r"(?mi)^licen[cs]e\s*[=:]\s*([^\n]{1,300})")
_TROVE = re.compile(r"License :: [^\"'\n]{1,120}")
_WORD = re.compile(r"[\w.+-]+(?: [\w.+-]+)*")
_GEM_YAML = re.compile(r"(?m)^licenses:\n((?:- [^\n]{1,120}\n)+)")
_POM = re.compile(r"(?is)<licenses>(.{0,20000}?)</licenses>")
_POM_NAME = re.compile(r"(?is)<(?:name|url)>\s*([^<]{1,300}?)\s*</")
_COMMENT = re.compile(r"(?s)<!--.{0,20000}?-->")
_NUSPEC = re.compile(r"(?is)<license\s+type=[\"']expression[\"']>\s*([^<]{1,300}?)\s*</license>")
_TABLE = re.compile(
    r"(?m)\blicen[cs]e\s*=?>?\s*[=:]\s*[\"']([^\"'\n]{1,200})|licen[cs]e\s*=>?\s*[\"']([^\"'\n]{1,200})"
)


def _of_gemspec(data: bytes) -> str | None:
    match = _GEM.search(data.decode("utf-8", "replace"))
    if not match:
        return None
    return _all((said(name) for name in _WORD.findall(match[1].removeprefix("%w"))), "OR")


def _of_gem_metadata(data: bytes) -> str | None:
    match = _GEM_YAML.search(data.decode("utf-8", "replace"))
    return _all((said(line[2:].strip(" \"'")) for line in match[1].splitlines()), "OR") if match else None


def _of_setup(data: bytes) -> str | None:
    text = data.decode("utf-8", "replace")
    for value in [*_SETUP.findall(text), *_CFG.findall(text)][:2]:
        if found := said(value):
            return found
    return _of_classifiers(_TROVE.findall(text)[:20])


def _of_pom(data: bytes) -> str | None:
    match = _POM.search(_COMMENT.sub("", data.decode("utf-8", "replace")))
    if not match:
        return None
    blocks = re.split(r"(?i)</license>", match[1])
    names = [_POM_NAME.search(block) for block in blocks]
    return _all((said(name[1]) for name in names if name), "OR")


def _of_nuspec(data: bytes) -> str | None:
    match = _NUSPEC.search(data.decode("utf-8", "replace"))
    return said(match[1]) if match else None


def _of_table(data: bytes) -> str | None:
    match = _TABLE.search(data.decode("utf-8", "replace"))
    return said(match[1] or match[2]) if match else None


_READERS: dict[str, Callable[[bytes], str | None]] = {
    "package.json": _of_json, "composer.json": _of_json, "bower.json": _of_json, "cargo.toml": _of_toml,
    "pyproject.toml": _of_toml, "pkg-info": _of_pkg_info, "metadata": _of_pkg_info, "setup.py": _of_setup,
    "setup.cfg": _of_setup, "pom.xml": _of_pom,
}  # fmt: skip
_ENDINGS: dict[str, Callable[[bytes], str | None]] = {
    ".gemspec": _of_gemspec, ".pom": _of_pom, ".nuspec": _of_nuspec, ".rockspec": _of_table, ".podspec": _of_table,
    ".cabal": _of_setup,
}  # fmt: skip


def is_metadata(path: str) -> bool:
    """Whether a file is a package's metadata, by its name."""
    name = posixpath.basename(path).lower()
    return name in _READERS or name.endswith(tuple(_ENDINGS))


def metadata_licence(path: str, data: bytes) -> str | None:
    """The licence that a metadata file declares."""
    name = posixpath.basename(path).lower()
    if name == "metadata" and b"\nName:" not in data[:4000]:
        return _of_gem_metadata(data)
    reader = _READERS.get(name) or next((read for ending, read in _ENDINGS.items() if name.endswith(ending)), None)
    return reader(data) if reader else None
