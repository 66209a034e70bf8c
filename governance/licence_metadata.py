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

from governance.licence_comments import comment_words
from governance.licence_names import OF_R, spdx_of
from governance.licence_notices import UNKNOWN, joined, notice_of
from governance.licence_words import PLAIN

SAID_MAX = 400
"""Characters of a name or expression; what is longer is a text."""

_OR = re.compile(r"\s*(?:/|\||\bor\b(?! +(?:later|newer|higher|above|any|\(at))|\band/or\b)\s*", re.IGNORECASE)
_AND = re.compile(r"\s*[,;&](?!\s*v(?:er(?:sion)?)?[ .]*\d)\s*", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"(?i)^(?:see\b.*|file:.*|licen[cs]e(?:\.\w+)?|copying.*|other|custom|multiple|dual(?:[ -]licen[cs]ed)?)$"
)
_ABSENT = ("", "none", "unknown", "null", "undefined", "n/a", "todo", "open_source", "unrestricted", "restrictive")
_AROUND = re.compile(
    r"(?i)^https?://(?:www\.)?(?:spdx\.org/licenses|opensource\.org/licen[cs]es?|choosealicense\.com/licenses)/|(?:\.html|\.json)?/?$"
    r"|\s*[+|]\s*file\s+licen[cs]e$"
)
_PERL = {
    "perl_5": "Artistic-1.0-Perl OR GPL-1.0-or-later", "apache_1_1": "Apache-1.1", "apache_2_0": "Apache-2.0",
    "artistic_1": "Artistic-1.0", "artistic_2": "Artistic-2.0", "bsd": "BSD-3-Clause", "lgpl_2_1": "LGPL-2.1-only",
    "lgpl_3_0": "LGPL-3.0-only", "mozilla_1_1": "MPL-1.1", "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
}  # fmt: skip
"""Names of CPAN's metadata."""


def said(value: str) -> str | None:
    """The SPDX expression for what a metadata field says of the licence."""
    text = OF_R.sub(r"\1-\2+", _AROUND.sub("", " ".join(value.split())))
    if text.lower() in _PERL:
        return _PERL[text.lower()]
    if _SEE.match(text):
        return UNKNOWN  # unless its folder has a text that is known
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
    names = [
        item.get("type") or item.get("name") or item.get("url") if isinstance(item, dict) else item
        for item in values[:20]
    ]
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


_SEE = re.compile(r"(?i)^see\s+(?:the\s+)?licen[cs]e\s+in\s+(\S.{0,200})$")
_CFG_FILES = re.compile(r"(?mi)^licen[cs]e_files?\s{0,9}=((?:[^\n]{0,300}\n(?=[ \t]))*[^\n]{0,300})")
_TEXTS_MAX = 20


def texts_named_by(path: str, data: bytes) -> list[str]:
    """Paths of licence texts, relative to its own, that a metadata file names in place of a licence; a name may hold
    one `*`. Empty where it declares one itself."""
    name = posixpath.basename(path).lower()
    try:
        if name == "package.json":
            entry = json.loads(data.decode("utf-8-sig"))
            value = entry.get("license") if isinstance(entry, dict) else None
            found = _SEE.findall(value.strip()) if isinstance(value, str) else []
        elif name in ("pyproject.toml", "cargo.toml"):
            found = _texts_of_toml(tomllib.loads(data.decode("utf-8-sig")))
        elif name == "setup.cfg":
            match = _CFG_FILES.search(data.decode("utf-8", "replace"))
            found = re.split(r"[\s,]+", match[1]) if match else []
        else:
            return []
    except (ValueError, RecursionError):
        return []
    names = [posixpath.normpath(name.strip(" <>\"'")) for name in found if name.strip()]
    if not names or metadata_licence(path, data) not in (None, UNKNOWN):
        return []
    return [name for name in names[:_TEXTS_MAX] if not name.startswith(("/", "..")) and name.count("*") < 2]


def _texts_of_toml(entry: dict[str, Any]) -> list[str]:
    package, project = _table(entry, "package"), _table(entry, "project")
    value, files = project.get("license"), project.get("license-files")
    files = [*files.get("paths", ()), *files.get("globs", ())] if isinstance(files, dict) else files
    names = [value.get("file") if isinstance(value, dict) else None, package.get("license-file")]
    names += files if isinstance(files, list) else []
    return [name for name in names if isinstance(name, str)]


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
    r"(?m)\blicen[cs]e\s*=?>?\s*[=:]\s*(?:\{\s{0,9}:type\s{0,9}=>\s{0,9})?[\"']([^\"'\n]{1,200})|licen[cs]e\s*=>?\s*[\"']([^\"'\n]{1,200})"
)


def _of_gemspec(data: bytes) -> str | None:
    match = _GEM.search(data.decode("utf-8", "replace"))
    if not match:
        return None
    names = match[1][3:].split() if match[1].startswith("%w") else _WORD.findall(match[1])
    return _all((said(name) for name in names), "OR")


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


def _first(pattern: "re.Pattern[str]", relation: str = "AND") -> Callable[[bytes], str | None]:
    """A reader of the files where a licence stands in what `pattern` finds: a name, or several in quotes."""

    def read(data: bytes) -> str | None:
        match = pattern.search(_COMMENT.sub("", data.decode("utf-8", "replace")))
        if not match:
            return None
        value = match[1].strip(" \t\r,")
        quoted = _QUOTED.findall(value)
        return _all((said(name) for name in quoted or [value.strip("\"'")]), relation)

    return read


_QUOTED = re.compile(r"[\"']([^\"'\n]{1,200})[\"'](?![ \t]*:)")
_MSBUILD = _first(re.compile(r"(?i)<PackageLicenseExpression>([^<]{1,300})</"))
_ELEMENT = _first(re.compile(r"(?i)<(?:project_)?license(?:\s[^>]{0,100})?>([^<]{1,300})</"))
_SBT = _first(
    re.compile(r"\blicenses[ \t]{0,9}(?:\+?\+?=|:=)\s{0,99}(?:Seq|List)?[\s(]{0,99}([\"'][^\"'\n]{1,200}[\"'])")
)
_MESON = _first(re.compile(r"\blicense[ \t]{0,9}:\s{0,99}(\[[^\]]{1,400}\]|[\"'][^\"'\n]{1,200}[\"'])"))
_GRADLE = _first(re.compile(r"\blicense\s{0,9}\{[^}]{0,200}?\bname[ =(.set\t]{0,19}([\"'][^\"'\n]{1,200}[\"'])"))
_MIX = _first(re.compile(r"\blicenses:\s{0,99}(\[[^\]]{1,400}\])"))
_ODOO = _first(re.compile(r"(?m)^\s{0,12}[\"']license[\"']\s{0,9}:\s{0,9}[\"']([^\"'\n]{1,200})"))
_CPACK = _first(re.compile(r"(?i)\bset\s{0,9}\(\s{0,9}CPACK_\w{2,20}_LICENSE\s{1,9}[\"']([^\"'\n]{1,200})"))
_FIELD = _first(re.compile(r"(?mi)^ ? ?[\"']?licen[cs]e[\"']?[ \t]{0,99}[=:][ \t]{0,99}([^\n]{1,300})"))


def _of_table(data: bytes) -> str | None:
    match = _TABLE.search(data.decode("utf-8", "replace"))
    return said(match[1] or match[2]) if match else None


_READERS: dict[str, Callable[[bytes], str | None]] = {
    "package.json": _of_json, "composer.json": _of_json, "bower.json": _of_json, "cargo.toml": _of_toml,
    "pyproject.toml": _of_toml, "pkg-info": _of_pkg_info, "metadata": _of_pkg_info, "setup.py": _of_setup,
    "setup.cfg": _of_setup, "pom.xml": _of_pom, "meta.yml": _FIELD, "citation.cff": _FIELD, "description": _FIELD,
    "library.properties": _FIELD, "dist.ini": _FIELD, "__manifest__.py": _ODOO, "__openerp__.py": _ODOO,
    "cmakelists.txt": _CPACK, "shard.yml": _FIELD, "conanfile.py": _FIELD, "opam": _FIELD,
    "directory.build.props": _MSBUILD, "package.xml": _ELEMENT, "build.sbt": _SBT, "meson.build": _MESON,
    "build.gradle": _GRADLE, "build.gradle.kts": _GRADLE, "mix.exs": _MIX,
    **dict.fromkeys(("meta.json", "codemeta.json", "vcpkg.json", "deno.json", "jsr.json", "library.json"), _of_json),
    **dict.fromkeys(("elm.json", "dub.json", "component.json", "haxelib.json"), _of_json),
}  # fmt: skip
_ENDINGS: dict[str, Callable[[bytes], str | None]] = {
    ".gemspec": _of_gemspec, ".pom": _of_pom, ".nuspec": _of_nuspec, ".rockspec": _of_table, ".podspec": _of_table,
    ".cabal": _of_setup, ".csproj": _MSBUILD, ".fsproj": _MSBUILD, ".vbproj": _MSBUILD, ".spec": _FIELD,
    ".opam": _FIELD, ".metainfo.xml": _ELEMENT, ".appdata.xml": _ELEMENT,
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
