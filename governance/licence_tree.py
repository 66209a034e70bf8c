"""What lies around a file and says its licence: REUSE, DEP-5, package metadata, LICENSE and COPYING of its folders.

The nearer wins: a sidecar or an entry for the path, then the nearest folder that says anything. Files are judged by
their bytes and names alone; paths are keys here and never opened.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from governance.licence_comments import SYNTAX, comment_words
from governance.licence_copyright import Entry, dep5_entries, is_dep5, reuse_entries
from governance.licence_metadata import is_metadata, metadata_licence, texts_named_by
from governance.licence_names import spdx_of
from governance.licence_notices import UNKNOWN, joined, notice_of, with_riders
from governance.licence_words import PLAIN

EVIDENCE_BYTES_MAX = 512 << 10
"""Of a file that tells of licences no more is read: the GPL has 35 kB."""

EVIDENCE_FILES_MAX = 20_000
"""Of one archive or folder; what comes behind is not known."""

ENDS_MAX = 12
"""Ends of a path, from its folders on, that are compared with the patterns of entries."""

_TEXT = re.compile(
    r"(?i)(?:un)?licen[cs]es?|lizenz(?:en)?|licencia|licen[cç]a|licenza|licentie|eula|copying|copyrights?|licen[cs]e[._-]\w+|copying[._-]\w+|copyright[._-]\w+|\w+[._-]licen[cs]e"
    r"|(?:[al]?gpl|mit|apache|bsd|mpl)(?:[._-]?v?\d(?:\.\d)?)?|notice[._-]licen[cs]e"
)
_TEXT_ENDINGS = ("", ".txt", ".md", ".markdown", ".rst", ".html", ".htm", ".adoc", ".rtf", ".lesser", ".lib", ".old")
_OF_BUNDLE = re.compile(r"(?<=js)\.LICENSE(?:\.txt)?$")
"""`app.min.js.LICENSE.txt`: where bundlers put the notices of what they put together."""
_README = re.compile(r"(?i)readme(?:\.(?:md|markdown|rst|txt|adoc))?")
_SECTION = re.compile(
    r"(?mi)^(?:#{1,6} *|=+ +)?(?:\d+\.? +)?"
    r"(?:licen[cs]e|licensing|lizenz|licencia|licen[cç]a|licenza|лицензия|ライセンス|许可证|许可|協議|协议|라이선스)"
    r"(?: information| and copyright)?:?[ #=]*\n(?:[-=~]{3,}\n)?"
)
_NO_STATEMENT = re.compile(
    r"(?i)third|3rd|other|bundled|vendor|contrib|dependen|fonts?\b|docs?\b|icons?\b|logo|data\b|examples?\b|notice"
)
_INFO = re.compile(
    r"(?i)^(?:(.*)/)?[^/]+\.(?:dist-info|egg-info)(?:/licen[cs]es(?:/.*)?)?$|^(?:(.*)/)?(?:EGG-INFO|META-INF(?:/.*)?)$"
)
_DOC = re.compile(r"^(?:(.*)/)?usr/share/doc/[^/]+$")

OVERRIDE, AGGREGATE, FILE, NESTED, ROOT = "override", "aggregate", "file", "nested", "root"
"""How near evidence is: it stands against what the file says, beside it, or for want of it: for this path, for a folder
inside one that has a licence too, for the whole package."""


@dataclass(frozen=True)
class Nearby:
    """What lies around a file says: the SPDX expression, how near (see above), and in which file it stands."""

    spdx: str
    level: str
    basis: str


def is_evidence(path: str) -> bool:
    """Whether a file may tell the licence of others, by its name."""
    name = posixpath.basename(path)
    return (
        name.endswith(".license")
        or bool(_OF_BUNDLE.search(name))
        or name in ("REUSE.toml", "dep5")
        or is_metadata(path)
        or _is_licence_text(name)
        or bool(_README.fullmatch(name))
        or posixpath.basename(posixpath.dirname(path)) == "LICENSES"
    )


def _is_licence_text(name: str) -> bool:
    stem, ending = posixpath.splitext(name)
    if _TEXT.fullmatch(name):
        return not re.search(
            r"(?i)\.(?:py|pyi|js|mjs|cjs|ts|tsx|jsx|c|h|cc|cpp|hpp|cs|java|go|rs|rb|php|lua|scala|json|xml|y[a]?ml|toml|sh|pl|png|css)$",
            name,
        )
    return ending.lower() in _TEXT_ENDINGS and bool(_TEXT.fullmatch(stem))


@dataclass
class _Folder:
    """What the files of one folder say: of texts (name, expression) and of metadata."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    metadata: list[tuple[str, str]] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)
    """What holds where neither does: the section of a README, the texts that REUSE keeps."""


@dataclass
class _Entries:
    """The entries of one file, `basis`. `by_end`: they are for installed files, whose paths in the sources are the ends
    of theirs."""

    basis: str
    by_end: bool
    entries: Sequence[Entry]

    @cached_property
    def _specific(self) -> re.Pattern[str]:
        """All patterns but the general ones, as one: files that none is for are many."""
        return re.compile(
            "|".join(f"(?s:{entry.pattern.pattern})" for entry in self.entries if not entry.general) or "(?!)"
        )

    def fitting(self, path: str) -> Entry | None:
        """The last entry that is for a path; of installed files a general one only where no other is."""
        if not self.by_end:
            return next((entry for entry in reversed(self.entries) if entry.pattern.match(path)), None)
        parts = path.split("/")
        ends = ["/".join(parts[start:]) for start in range(max(1, min(len(parts), ENDS_MAX)))]
        if any(map(self._specific.match, ends)):
            specific = (entry for entry in reversed(self.entries) if not entry.general)
            return next(entry for entry in specific if any(map(entry.pattern.match, ends)))
        return next((entry for entry in reversed(self.entries) if entry.general and entry.pattern.match(path)), None)


@dataclass
class LicenceTree:
    """Gathers the evidence of an archive or folder, then answers for paths. Paths are relative, with `/`."""

    _folders: dict[str, _Folder] = field(default_factory=dict)
    _beside: dict[str, tuple[str, str]] = field(default_factory=dict)
    _entries: dict[str, list[_Entries]] = field(default_factory=dict)
    _known: dict[str, Nearby | None] = field(default_factory=dict)
    _named: dict[str, str] = field(default_factory=dict)
    """Texts that metadata names and that their own names don't give away: path (one `*` at most) → whose folder."""

    def add(self, path: str, data: bytes) -> None:
        """Take in a file for which `is_evidence` holds."""
        data = data[:EVIDENCE_BYTES_MAX]
        folder, name = posixpath.split(path)
        if name.endswith(".license") and name != ".license":
            words, head = comment_words(_text(data).encode(), PLAIN)
            if found := notice_of(words, head, plain=True):
                self._beside[path.removesuffix(".license")] = (found, path)
            return
        if _OF_BUNDLE.search(name):
            words, _ = comment_words(data, SYNTAX["javascript"])
            if found := notice_of(words, len(words)):
                self._beside[_OF_BUNDLE.sub("", path)] = (found, path)
            return
        if name == "REUSE.toml":
            self._entries.setdefault(folder, []).append(_Entries(path, False, reuse_entries(data)))
            return
        if name == "dep5" or (name.lower().startswith("copyright") and is_dep5(_text(data))):
            self._add_dep5(path, _text(data))
            return
        if not data.strip():
            return
        if posixpath.basename(folder) == "LICENSES":
            self._add_aside(posixpath.dirname(folder), path, spdx_of(posixpath.splitext(name)[0]))
            return
        if _README.fullmatch(name):
            self._add_aside(folder, path, licence_of_readme(data))
            return
        holder = self._folders.setdefault(_holder(folder), _Folder())
        if is_metadata(path):
            if found := metadata_licence(path, data):
                holder.metadata.append((path, found))
            for named in texts_named_by(path, data):
                if posixpath.dirname(named) or not is_evidence(named):
                    self._named[posixpath.join(folder, named)] = _holder(folder)
        elif not _NO_STATEMENT.search(name):
            holder.texts.append((path, licence_of_text(data) or UNKNOWN))

    def is_named(self, path: str) -> bool:
        """Whether metadata that was taken in names a file as the text of its licence."""
        return bool(self._named) and self._holder_of_named(path) is not None

    def add_named(self, path: str, data: bytes) -> None:
        """Take in a file for which `is_named` holds."""
        holder = self._holder_of_named(path)
        if holder is not None and data.strip():
            found = licence_of_text(data[:EVIDENCE_BYTES_MAX]) or UNKNOWN
            self._folders.setdefault(holder, _Folder()).texts.append((path, found))

    @property
    def names_texts(self) -> bool:
        """Whether there is a file for which `is_named` holds."""
        return bool(self._named)

    def _holder_of_named(self, path: str) -> str | None:
        if path in self._named:
            return self._named[path]
        patterns = ((name.partition("*"), holder) for name, holder in self._named.items() if "*" in name)
        fitting = (holder for (start, _, end), holder in patterns if path.startswith(start) and path.endswith(end))
        return next(fitting, None)

    def _add_aside(self, folder: str, path: str, found: str | None) -> None:
        if found:
            self._folders.setdefault(folder, _Folder()).aside.append((path, found))

    def _add_dep5(self, path: str, text: str) -> None:
        folder = posixpath.dirname(path)
        installed = _DOC.match(folder)
        base = _holder(folder)
        by_end = bool(installed) or posixpath.basename(folder) not in (".reuse", "debian")
        self._entries.setdefault(base, []).append(_Entries(path, by_end, dep5_entries(text)))

    def of(self, path: str) -> Nearby | None:
        """What is said of a file; None where nothing is."""
        if beside := self._beside.get(path):
            return Nearby(beside[0], FILE, beside[1])
        folder = posixpath.dirname(path)
        if found := self._entries and self._by_entry(path):
            return found
        if folder not in self._known:
            self._known[folder] = self._by_folder(folder)
        return self._known[folder]

    def _by_entry(self, path: str) -> Nearby | None:
        for folder in _upwards(posixpath.dirname(path)):
            inner = path.removeprefix(f"{folder}/") if folder else path
            for held in self._entries.get(folder, ()):
                entry, basis = held.fitting(inner), held.basis
                if entry is None or (entry.licence == UNKNOWN and entry.general):
                    continue
                level = {"override": OVERRIDE, "aggregate": AGGREGATE}.get(entry.precedence, FILE)
                if entry.general and level == FILE:
                    near = self._by_folder(posixpath.dirname(path))
                    if near and len(near.basis) and _depth(near.basis) > _depth(basis) + 1:
                        return near
                    level = ROOT
                return Nearby(entry.licence, level, basis)
        return None

    def _by_folder(self, folder: str) -> Nearby | None:
        found: Nearby | None = None
        for above in _upwards(folder):
            held = self._folders.get(above)
            said = held and (_of_folder(held) or _of_aside(held, above in self._entries))
            if not said:
                continue
            if found:
                return Nearby(found.spdx, NESTED, found.basis)
            found = Nearby(said[0], ROOT, said[1])
        return found


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        if not folder:
            return
        folder = posixpath.dirname(folder)


def _depth(path: str) -> int:
    return path.count("/")


def _holder(folder: str) -> str:
    """The folder that files of `folder` speak for: a wheel's metadata speaks for what lies beside it."""
    if posixpath.basename(folder) in (".reuse", "debian"):
        return posixpath.dirname(folder)
    if match := _INFO.match(folder):
        return match[1] or match[2] or ""
    if match := _DOC.match(folder):
        return match[1] or ""
    return folder


def speaks_for(path: str) -> str:
    """The folder whose files a file with evidence may speak for, with all below it."""
    folder = posixpath.dirname(path)
    return posixpath.dirname(folder) if posixpath.basename(folder) == "LICENSES" else _holder(folder)


def _of_folder(folder: _Folder) -> tuple[str, str] | None:
    """What the files of a folder say together, and which file is named for it."""
    texts = {spdx: path for path, spdx in folder.texts}
    if any(spdx.startswith("LGPL-") for spdx in texts):  # COPYING holds the GPL, which the LGPL's text rests on
        texts = {spdx: path for spdx, path in texts.items() if not spdx.startswith("GPL-")}
    declared = {spdx: path for path, spdx in folder.metadata}
    if len(declared) > 1 and UNKNOWN in declared:
        declared.pop(UNKNOWN)
    known_texts = {spdx: path for spdx, path in texts.items() if spdx != UNKNOWN}
    if declared:
        expression = joined(sorted(declared), "AND")
        named = families(expression)
        if expression == UNKNOWN and known_texts:
            declared = {}
        elif all(families(spdx) <= named for spdx in known_texts):
            return expression, declared[min(declared)]
    if not declared and not texts:
        return None
    if not declared and known_texts and _is_choice(folder):
        return joined(sorted(known_texts), "OR"), min(known_texts.values())
    parts = sorted({*declared, *(known_texts or (texts if not declared else {}))})
    first = next((path for spdx, path in texts.items() if spdx in parts), None)
    return joined(parts, "AND"), first or declared[min(declared)]


def _of_aside(folder: _Folder, has_entries: bool) -> tuple[str, str] | None:
    """What a README says, else the texts of LICENSES; those of a folder whose files have entries are for them."""
    texts = [one for one in folder.aside if posixpath.basename(posixpath.dirname(one[0])) == "LICENSES"]
    readme = next((one for one in folder.aside if one not in texts), None)
    if readme:
        return readme[1], readme[0]
    if texts and not has_entries:
        return joined(sorted({spdx for _, spdx in texts}), "AND"), min(path for path, _ in texts)
    return None


def _is_choice(folder: _Folder) -> bool:
    """Whether texts are named as a choice: `LICENSE-MIT` beside `LICENSE-APACHE`."""
    names = [posixpath.basename(path).lower() for path, _ in folder.texts]
    named = re.compile(r"licen[cs]e[._-](?:mit|apache|bsd|gpl|lgpl|mpl|isc|zlib|unlicense|cc0|boost)[\w.-]*")
    return len(names) > 1 and all(named.fullmatch(name) for name in names)


def families(expression: str) -> frozenset[str]:
    """The licences of an expression, so far as they are told apart by a text: `GPL-2.0` for both of its ids."""
    names = re.findall(r"[A-Za-z][\w.+-]*", expression)
    plain = (re.sub(r"-(?:only|or-later)$", "", name) for name in names if name not in ("AND", "OR", "WITH"))
    return frozenset(
        re.sub(r"^BSD-\d-Clause$|^0BSD$", "BSD", "MIT" if name in ("X11", "MIT-0") else name) for name in plain
    )


_GNU_TITLE = re.compile(
    r"gnu (affero |lesser |library )?general public license[^a-z0-9]+version (\d(?:\.\d)?)"
    r"[^a-z0-9]+\d{0,2} ?(?:june|february|november|july)"
)
_TITLES = (
    (re.compile(r"apache license[^a-z0-9]+version 2\.0[^a-z0-9]+january 2004"), "Apache-2.0"),
    (re.compile(r"mozilla public license[^a-z0-9]+version 2\.0[^a-z0-9]"), "MPL-2.0"),
    (re.compile(r"mozilla public license[^a-z0-9]+version 1\.1"), "MPL-1.1"),
    (re.compile(r"eclipse public license[^a-z0-9]+v ?2\.0"), "EPL-2.0"),
    (re.compile(r"eclipse public license[^a-z0-9]+v ?1\.0"), "EPL-1.0"),
    (re.compile(r"boost software license[^a-z0-9]+version 1\.0"), "BSL-1.0"),
    (re.compile(r"common development and distribution license"), "CDDL-1.0"),
    (re.compile(r"server side public license[^a-z0-9]+version 1"), "SSPL-1.0"),
    (re.compile(r"business source license 1\.1"), "BUSL-1.1"),
    (re.compile(r"elastic license 2\.0"), "Elastic-2.0"),
    (re.compile(r"european union public licen[cs]e v\. ?1\.2"), "EUPL-1.2"),
    (re.compile(r"the artistic license 2\.0"), "Artistic-2.0"),
    (re.compile(r"creative commons legal code[^a-z0-9]+cc0|cc0 1\.0 universal"), "CC0-1.0"),
    (re.compile(r"python software foundation license version 2"), "PSF-2.0"),
    (re.compile(r"sil open font license version 1\.1"), "OFL-1.1"),
    (re.compile(r"gnu free documentation license[^a-z0-9]+version 1\.3"), "GFDL-1.3"),
    (re.compile(r"the artistic license[^a-z0-9]+(?:august 15 1997|preamble)"), "Artistic-1.0-Perl"),
)
_OPENING = 1500
_APACHE = 13_000
"""Bytes of the words of Apache's licence, and of a few lines behind them."""


def licence_of_text(data: bytes) -> str | None:
    """The licence of a LICENSE or COPYING file: the one it opens with, or those it says one may choose from.

    None where none is known, UNKNOWN never: who asks decides what that means. Texts of parts that follow the first are
    those of other files.
    """
    text = _text(data)
    words, head = comment_words(text.encode(), PLAIN)
    opening = words[:_OPENING].decode("latin-1").replace("|", " ")
    opening = re.sub(r" +", " ", opening)
    found = [(match.start(), spdx) for pattern, spdx in _TITLES if (match := pattern.search(opening))]
    if match := _GNU_TITLE.search(opening):
        kind = {"affero ": "AGPL", "lesser ": "LGPL", "library ": "LGPL"}.get(match[1] or "", "GPL")
        number = match[2] if "." in match[2] else f"{match[2]}.0"
        found.append((match.start(), f"{kind}-{number}-only"))
    declared = notice_of(words[: min(found)[0] if found else len(words)], head, plain=True)
    if declared and (not found or min(found)[0] > 60):
        return declared
    if found:
        start, spdx = min(found)
        return with_riders(spdx, words[: start + _APACHE])
    first = text.strip()[:100].strip()
    return spdx_of(first) if first and "\n" not in first else None


README_BYTES = 600
"""Of the section of a README that tells of the licence."""


def licence_of_readme(data: bytes) -> str | None:
    """The licence that a README names in a section of its own; None where it has none or says something else."""
    text = _text(data)
    section = _SECTION.search(text)
    if not section:
        return None
    body = text[section.end() : section.end() + README_BYTES].lstrip()
    body = re.split(r"\n(?:#|[^\n]{3,60}\n[-=~]{3,}\n)", body)[0]
    words, head = comment_words(f"License: {body}".encode(), PLAIN)
    return notice_of(words, head, plain=True)


def _text(data: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    return "" if b"\0" in data[:4096] else data.decode("utf-8", "replace")
