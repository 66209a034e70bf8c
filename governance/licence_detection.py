"""A document's licence: declared by its source, detected in it and around it, and the one that counts.

What a file says itself outweighs what lies around it, and that outweighs what the source declares, except where the
evidence is of the whole package (its LICENSE, its metadata): there the declaration stands, unless the policy denies
what the evidence says; then both are to be satisfied, and the document is out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import re2

from governance.licence_comments import ANY, SYNTAX, comment_words
from governance.licence_names import spdx_of
from governance.licence_notices import UNKNOWN as UNKNOWN_TEXT
from governance.licence_notices import joined, notice_of
from governance.licence_phrases import SOURCE_TRIGGER
from governance.licence_tree import AGGREGATE, FILE, NESTED, OVERRIDE, Nearby, families
from governance.licence_words import PLAIN
from governance.licences import CONFLICT, DENIED, LicenceGate, Verdict

ITSELF = "the file itself"
JUDGED_MAX = 20_000
"""Combinations of what is said that are remembered."""


@dataclass(frozen=True)
class Judged:
    """The licence that counts, the one detected (None: nothing was), whether that contradicts the one declared, and
    whether the document may enter."""

    effective: str | None
    detected: str | None
    conflict: bool
    verdict: Verdict


@dataclass
class LicenceJudge:
    """Settles the licence of documents, and holds it at the gate."""

    gate: LicenceGate
    _judged: dict[tuple[str | None, str | None, str | None, bool], Judged] = field(default_factory=dict, repr=False)

    def judge(self, declared: str | None, own: str | None, nearby: str | None, code: bool) -> Judged:
        """Settle one combination: what the source declares, what the file says (SPDX), what lies around it (packed)."""
        key = (declared, own, nearby, code)
        if key not in self._judged:
            if len(self._judged) >= JUDGED_MAX:
                self._judged.clear()
            self._judged[key] = self._judge(declared, own, unpack(nearby) if nearby else None, code)
        return self._judged[key]

    def _judge(self, declared: str | None, own: str | None, nearby: Nearby | None, code: bool) -> Judged:
        if nearby and nearby.spdx == UNKNOWN_TEXT and not code:
            nearby = None  # prose stands in packages whose LICENSE is about their programs
        if not own and not nearby:
            return Judged(declared, None, False, self.gate.judge(declared, code))
        detected, basis = _detected(own, nearby)
        effective = self._effective(declared, detected, own, nearby, code)
        conflict = _contradict(declared, detected)
        verdict = self.gate.judge(effective, code)
        if not verdict.admitted:
            reason = verdict.reason
            if conflict and reason == DENIED and self.gate.judge(declared, code).admitted:
                reason = CONFLICT
            said = "names a licence that is not recognised" if detected == UNKNOWN_TEXT else f"says {detected}"
            verdict = Verdict(False, f"declared {declared}, {basis} {said}: {verdict.detail}", reason)
        return Judged(effective, detected, conflict, verdict)

    def _effective(
        self, declared: str | None, detected: str, own: str | None, nearby: Nearby | None, code: bool
    ) -> str:
        near = nearby.level if nearby else ""
        if own or near in (OVERRIDE, AGGREGATE, FILE, NESTED) or not _is_known(declared):
            return detected
        assert declared
        if families(detected) <= families(declared) or self.gate.judge(detected, code).admitted:
            return declared
        return joined([declared, detected], "AND") if spdx_of(declared) else detected


def _is_known(declared: str | None) -> bool:
    return bool(declared) and declared != "NOASSERTION"


def _detected(own: str | None, nearby: Nearby | None) -> tuple[str, str]:
    if nearby and (nearby.level == OVERRIDE or not own):
        return nearby.spdx, nearby.basis
    assert own
    if nearby and nearby.level == AGGREGATE:
        return joined([own, nearby.spdx], "AND"), f"{ITSELF} with {nearby.basis}"
    return own, ITSELF


def _contradict(declared: str | None, detected: str) -> bool:
    """Whether neither of two expressions holds the licences of the other."""
    if not _is_known(declared):
        return False
    said, found = families(declared or ""), families(detected)
    return not (said <= found or found <= said)


def pack(nearby: Nearby) -> str:
    """What lies around a file, as one string for a column."""
    return "\0".join((nearby.level, nearby.basis, nearby.spdx))


def unpack(packed: str) -> Nearby:
    """Undo `pack`."""
    level, basis, spdx = packed.split("\0")
    return Nearby(spdx, level, basis)


def own_notices(texts: pa.LargeStringArray, languages: Sequence[str | None]) -> list[str | None]:
    """What each text of code says of its licence, as SPDX; None for texts whose language is None.

    Linear in the texts; comments are looked at only where a text has a word of licences at all.
    """
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return [None] * len(texts)
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1].tolist()
    source = np.frombuffer(data, np.uint8)
    found: list[str | None] = []
    for row, language in enumerate(languages):
        if language is None:
            found.append(None)
            continue
        text = source[starts[row] : starts[row + 1]].tobytes()
        if not SOURCE_TRIGGER.search(text):  # half of all code
            found.append(None)
            continue
        words, head = comment_words(text, SYNTAX.get(language, ANY))
        said = [one for one in (notice_of(words, head), _assigned(text[:ASSIGNED_BYTES])) if one]
        found.append(joined(said, "AND") if said else None)
    return found


ASSIGNED_BYTES = 1 << 16
"""How far into a file what it assigns is looked for."""
_DOC = re2.compile(rb"(?m)^__doc__[ \t]*=[ \t]*[ruRU]?(\"{3}|'{3})")
_ASSIGNED = re2.compile(
    rb"(?m)^(?:__licen[cs]e__[ \t]*=[ \t]*[bru]?[\"']{1,3}|MODULE_LICENSE[ \t]*\([ \t]*\")([^\"'\r\n]{2,80})[\"']"
)


def _assigned(text: bytes) -> str | None:
    """The licence that code assigns to itself: `__license__ = "MIT"`, `MODULE_LICENSE("GPL v2");`, `__doc__ = …`."""
    if b"__doc__" in text and (doc := _DOC.search(text)):
        end = text.find(doc.group(1), doc.end())
        words, head = comment_words(text[doc.end() : end if end >= 0 else len(text)], PLAIN)
        if found := notice_of(words, head):
            return found
    if b"__licen" not in text and b"MODULE_LICENSE" not in text:
        return None
    match = _ASSIGNED.search(text)
    if not match:
        return None
    said = match.group(1)
    words = b"license: " + said.lower()
    return notice_of(words, len(words)) or spdx_of(said.decode("utf-8", "replace"))
