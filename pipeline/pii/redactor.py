"""Redaction of a batch: the sieve over all bytes, a recogniser and the rules on what it passes, `PI:KIND` in its place.

Nothing that is found is kept, logged or put in a message.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import re2

from configs.errors import ConfigurationError
from configs.models import PII_KINDS, PiiKind
from pipeline.pii import addresses, handles, keys, national_ids, numbers, phones
from pipeline.pii.sieve import KEY_START, KEY_URL, candidates
from pipeline.text.columns import text_buffers

ROUNDS_MAX = 16
CONTEXT = 96  # bytes on each side of a candidate that its judge may look at
PSEUDONYM_DIGITS = 12
_MARKER = re2.compile(rb"PI:(?:" + "|".join(PII_KINDS).encode() + rb")(?:-[0-9a-f]{%d}\b)?" % PSEUDONYM_DIGITS)
_MARKER_MAX = len("PI:-") + max(map(len, PII_KINDS)) + PSEUDONYM_DIGITS
# Where two findings overlap, the more certain one stays.
_RANK = {
    kind: rank
    for rank, kind in enumerate(("KEY", "EMAIL", "IP_ADDRESS", "IBAN", "CREDIT_CARD", "NATIONAL_ID", "PHONE", "USER"))
}

Span = tuple[int, int]


def _without_markers(context: bytes) -> bytes:
    """Markers as letters that say nothing: `PI:PHONE` is no word that tells a telephone number behind it."""
    if b"PI:" not in context:
        return context
    return bytes(_MARKER.sub(lambda found: b"x" * (found.end() - found.start()), context))


class Candidate(NamedTuple):
    """A place in a document that the sieve passed; byte positions."""

    document: bytes
    start: int
    end: int
    regions: tuple[str, ...]
    code: bool
    many_ids: bool = False

    @property
    def window(self) -> str:
        """The text of the candidate. The sieve cuts between characters, but a cut one would only be replaced."""
        return self.document[self.start : self.end].decode("utf-8", errors="replace")

    @property
    def before(self) -> bytes:
        first = max(0, self.start - CONTEXT - _MARKER_MAX)
        return _without_markers(self.document[first : self.start])[-CONTEXT:]

    @property
    def after(self) -> bytes:
        return _without_markers(self.document[self.end : self.end + CONTEXT + _MARKER_MAX])[:CONTEXT]

    def located(self, window: str, spans: Iterator[Span]) -> Iterator[Span]:
        """Spans of characters in `window` as spans of bytes in the document."""
        for first, last in spans:
            start = self.start + len(window[:first].encode())
            yield start, start + len(window[first:last].encode())


def _key(at: Candidate) -> Iterator[Span]:
    yield from _one(keys.find_key(at.document, at.start, at.end))


def _key_start(at: Candidate) -> Iterator[Span]:
    yield from _one(keys.find_issued(at.document, at.start, at.end))


def _key_url(at: Candidate) -> Iterator[Span]:
    yield from _one(keys.find_url_password(at.document, at.start, at.end))


def _one(found: Span | None) -> Iterator[Span]:
    if found is not None:
        yield found


def _email(at: Candidate) -> Iterator[Span]:
    window = at.window
    yield from at.located(window, addresses.find_mailboxes(window, _text(at.after[:1])))


def _ip_address(at: Candidate) -> Iterator[Span]:
    if addresses.is_public_ip(at.window, at.before, at.after):
        yield at.start, at.end


def _phone(at: Candidate) -> Iterator[Span]:
    window, before = at.window, _text(at.before)
    found = phones.find_phones(
        window, before, _text(at.after), at.regions, plus=before.rstrip("(").endswith(("+", "＋")), code=at.code
    )
    for start, end in at.located(window, found):
        opening = start
        if start == at.start:
            while opening > 0 and start - opening < 4 and at.document[opening - 1 : opening] in (b"+", b"("):
                opening -= 1
            if opening >= 3 and at.document[opening - 3 : opening] in ("＋".encode(), b"%2B", b"%2b"):
                opening -= 3
        yield opening, end


def _iban(at: Candidate) -> Iterator[Span]:
    if numbers.is_account(at.window, _text(at.before), _text(at.after)):
        yield at.start, at.end


def _credit_card(at: Candidate) -> Iterator[Span]:
    window = at.window
    found = numbers.find_cards(window, _text(at.before), _text(at.after), code=at.code)
    yield from at.located(window, found)


def _obfuscated(document: bytes) -> Iterator[Span]:
    text = _text(document)
    whole = Candidate(document, 0, len(document), (), code=False)
    yield from whole.located(text, addresses.find_obfuscated(text))


def _national_id(at: Candidate) -> Iterator[Span]:
    window = at.window
    found = national_ids.find_ids(window, _text(at.before), _text(at.after), judged=not at.many_ids)
    yield from at.located(window, found)


def _text(context: bytes) -> str:
    return context.decode("utf-8", errors="ignore")


_BY_KIND: dict[PiiKind, Callable[[Candidate], Iterator[Span]]] = {
    "KEY": _key,
    "EMAIL": _email,
    "IP_ADDRESS": _ip_address,
    "PHONE": _phone,
    "IBAN": _iban,
    "CREDIT_CARD": _credit_card,
    "NATIONAL_ID": _national_id,
}
_JUDGES: dict[int, tuple[PiiKind, Callable[[Candidate], Iterator[Span]]]] = {
    KEY_START: ("KEY", _key_start),
    KEY_URL: ("KEY", _key_url),
    **{PII_KINDS.index(kind): (kind, judge) for kind, judge in _BY_KIND.items()},
}
_USER = PII_KINDS.index("USER")


def _touches_marker(document: bytes, start: int, end: int) -> bool:
    first = max(0, start - _MARKER_MAX)
    window = document[first : end + _MARKER_MAX]
    if b"PI:" not in window:
        return False
    return any(first + m.start() < end and first + m.end() > start for m in _MARKER.finditer(window))


def _settle(found: list[tuple[int, int, PiiKind]]) -> list[tuple[int, int, PiiKind]]:
    """Findings in order, without overlap: of two that do, the one of better rank."""
    kept: list[tuple[int, int, PiiKind]] = []
    for finding in sorted(set(found), key=lambda f: (f[0], _RANK[f[2]], -f[1])):
        if kept and finding[0] < kept[-1][1]:
            if _RANK[finding[2]] < _RANK[kept[-1][2]]:
                kept[-1] = finding
        else:
            kept.append(finding)
    return kept


class Redactor:
    """Replaces personal data by `PI:KIND`.

    Args:
        kinds: which of `configs.models.PII_KINDS` to look for.
        regions: language (BCP-47) → ISO 3166 regions whose national phone numbers its documents may hold.
            A language that is not among them (or is not known) has those of English.
        code_languages: languages in which `@name` is syntax; default: all programming languages configured.
        obfuscated_email: whether `name [at] host [dot] org` is taken for an address too.
        key: secret of pseudonyms, at most 64 bytes; None: there are none.

    Cheap to make and to pickle: recognisers are made at first use, once a process.

    Raises:
        ConfigurationError: a kind is not known.
    """

    def __init__(
        self,
        kinds: Sequence[PiiKind],
        regions: Mapping[str, tuple[str, ...]],
        code_languages: frozenset[str] | None = None,
        *,
        obfuscated_email: bool = False,
        key: bytes | None = None,
    ) -> None:
        unknown = [kind for kind in kinds if kind not in PII_KINDS]
        if unknown:
            raise ConfigurationError(f"no kind of personal data {unknown[0]!r}; there are: {', '.join(PII_KINDS)}")
        if code_languages is None:
            from configs.load import load_languages

            code_languages = frozenset(load_languages().programming)
        self._kinds = tuple(sorted(set(kinds), key=PII_KINDS.index))
        self._enabled = np.array([kind in kinds for kind in PII_KINDS])
        self._regions = {language: tuple(of_it) for language, of_it in regions.items()}
        self._code = code_languages
        self._obfuscated_email = obfuscated_email and "EMAIL" in kinds
        self._key = key

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the count columns, in the order of `PII_KINDS`."""
        return tuple(f"pii_{kind.lower()}" for kind in self._kinds)

    def redact(
        self,
        texts: pa.LargeStringArray,
        languages: pa.StringArray | pa.DictionaryArray,
        *,
        pseudonyms: bool = False,
    ) -> tuple[pa.LargeStringArray, dict[str, pa.Array]]:
        """Texts with each finding replaced by `PI:KIND`, and how many there were.

        Args:
            texts: large_string, shape (documents,).
            languages: string or dictionary of string, shape (documents,); BCP-47 or programming language, or null.
            pseudonyms: put `PI:KIND-` and twelve digits instead, the same for the same value under the redactor's key;
                secrets (KEY) have none.

        Returns:
            The texts (the same array where nothing was found) and, for each kind, an int32 column `pii_<kind>`.

        What is redacted is looked at again until nothing is found, so a second redaction changes nothing. `PI:KIND`
        is never part of a finding, so a count is the number of replacements that the text now holds.
        """
        offsets, data = text_buffers(texts)
        if pseudonyms and self._key is None:
            raise ConfigurationError("pseudonyms need a key")
        changed, counts = self._changed(data, offsets, _by_document(languages), self._key if pseudonyms else None)
        columns = {
            f"pii_{kind.lower()}": pa.array(counts[PII_KINDS.index(kind)], type=pa.int32()) for kind in self._kinds
        }
        return (_replaced(texts, offsets, data, changed) if changed else texts), columns

    def redact_text(self, text: str, language: str | None) -> str:
        """One text with each finding replaced by `PI:KIND`. It makes no Arrow array: that would load pandas."""
        document = text.encode()
        offsets = np.array([0, len(document)], dtype=np.int64)
        changed, _ = self._changed(np.frombuffer(document, dtype=np.uint8), offsets, lambda row: language)
        return changed.get(0, document).decode()

    def _changed(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        language_of: Callable[[int], str | None],
        key: bytes | None = None,
    ) -> tuple[dict[int, bytes], npt.NDArray[np.int32]]:
        """New text of each document in which something was found, and findings, int32 (kinds, documents)."""
        documents = len(offsets) - 1
        counts = np.zeros((len(PII_KINDS), documents), dtype=np.int32)
        changed = self._round(data, offsets, language_of, np.arange(documents), counts, key)
        pending = changed
        for _ in range(ROUNDS_MAX):
            if not pending:
                break
            rows = np.array(sorted(pending), dtype=np.int64)
            bounds = np.cumsum([0, *(len(pending[row]) for row in rows.tolist())], dtype=np.int64)
            joined = np.frombuffer(b"".join(pending[row] for row in rows.tolist()), dtype=np.uint8)
            pending = self._round(joined, bounds, language_of, rows, counts, key)
            changed |= pending
        return changed, counts

    @property
    def kinds(self) -> tuple[PiiKind, ...]:
        """The kinds looked for, in the order of `PII_KINDS`."""
        return self._kinds

    def sieve(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which of some texts hold a place where personal data could be: cheap, and true more often than `find`."""
        _, _, passed = self._sieved(texts, is_code=False)
        held = np.zeros(len(texts), dtype=np.bool_)
        held[passed[:, 0]] = True
        return held | self._obfuscated_email

    def _sieved(
        self, texts: Sequence[str], *, is_code: bool
    ) -> tuple[list[bytes], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Some texts as UTF-8, where each begins when they stand end to end, and the candidates there."""
        documents = [text.encode("utf-8", errors="replace") for text in texts]
        offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
        data = np.frombuffer(b"".join(documents), dtype=np.uint8)
        flags = np.full(len(documents), is_code, dtype=np.bool_)
        return documents, offsets, candidates(data, offsets, flags, self._enabled)

    def find(self, text: str, language: str | None) -> list[tuple[int, int, PiiKind]]:
        """First character, end and kind of each finding in one text, in order; nothing is replaced."""
        return self.find_in([text], language)[0]

    def find_in(self, texts: Sequence[str], language: str | None) -> list[list[tuple[int, int, PiiKind]]]:
        """The same of each of many texts, in one pass over all: many short ones cost little more than a long one."""
        documents, offsets, passed = self._sieved(texts, is_code=language in self._code)
        starts = np.searchsorted(passed[:, 0], np.arange(len(documents) + 1))
        findings: list[list[tuple[int, int, PiiKind]]] = [[] for _ in documents]
        for row in range(len(documents)) if self._obfuscated_email else np.unique(passed[:, 0]).tolist():
            document, base = documents[row], int(offsets[row])
            found = self._judge(document, passed[starts[row] : starts[row + 1], 1:], base, language)
            findings[row] = [
                (len(document[:start].decode()), len(document[:end].decode()), kind) for start, end, kind in found
            ]
        return findings

    def _round(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        language_of: Callable[[int], str | None],
        rows: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int32],
        key: bytes | None,
    ) -> dict[int, bytes]:
        """New text of each row in which something was found; adds to `counts`."""
        is_code = np.array([language_of(row) in self._code for row in rows.tolist()], dtype=np.bool_)
        passed = candidates(data, offsets, is_code, self._enabled)
        starts = np.searchsorted(passed[:, 0], np.arange(len(rows) + 1))
        changed: dict[int, bytes] = {}
        for i in range(len(rows)) if self._obfuscated_email else np.unique(passed[:, 0]).tolist():
            row, base = int(rows[i]), int(offsets[i])
            document = data[base : offsets[i + 1]].tobytes()
            found = self._judge(document, passed[starts[i] : starts[i + 1], 1:], base, language_of(row))
            if found:
                changed[row] = _replace(document, found, key)
                for _, _, kind in found:
                    counts[PII_KINDS.index(kind), row] += 1
        return changed

    def _judge(
        self, document: bytes, passed: npt.NDArray[np.int64], base: int, language: str | None
    ) -> list[tuple[int, int, PiiKind]]:
        """Findings in one document: bounds in bytes and kinds, in order and without overlap."""
        regions = self._regions.get(language or "") or self._regions.get("en", ())
        code = language in self._code
        found: list[tuple[int, int, PiiKind]] = []
        users = []
        most = national_ids.JUDGED_MAX
        many_ids = len(passed) > most and np.count_nonzero(passed[:, 0] == PII_KINDS.index("NATIONAL_ID")) > most
        for kind, start, end in passed.tolist():
            if kind == _USER:
                users.append((start - base, end - base))
                continue
            name, judge = _JUDGES[kind]
            at = Candidate(document, start - base, end - base, regions, code, bool(many_ids))
            found += [(*span, name) for span in judge(at)]
        if users:
            found += [(*span, "USER") for span in handles.find_handles(document, users)]
        if self._obfuscated_email:
            found += [(*span, "EMAIL") for span in _obfuscated(document)]
        return _settle([finding for finding in found if not _touches_marker(document, finding[0], finding[1])])


def recounted(
    counts: Mapping[str, pa.Array], before: pa.LargeStringArray, after: pa.LargeStringArray
) -> dict[str, pa.Array]:
    """Counts of personal data (columns `pii_<kind>`, int32) of texts that lost lines since they were redacted."""
    import pyarrow.compute as pc

    changed = pc.not_equal(pc.binary_length(before), pc.binary_length(after)).to_numpy(zero_copy_only=False)
    told = dict(counts)
    if not changed.any():
        return told
    for name, column in counts.items():
        found = changed & (column.to_numpy(zero_copy_only=False) > 0)  # where nothing was found, nothing can be lost
        if not found.any():
            continue
        again, marker = pa.array(found), f"PI:{name.removeprefix('pii_').upper()}"
        longer, shorter = (pc.count_substring(texts.filter(again), marker) for texts in (before, after))
        left = pc.subtract(column.filter(again), pc.subtract(longer, shorter))
        told[name] = pc.replace_with_mask(
            column, again, pc.max_element_wise(left, pa.scalar(0, pa.int32())).cast(pa.int32())
        )
    return told


def _by_document(languages: pa.StringArray | pa.DictionaryArray) -> Callable[[int], str | None]:
    import pyarrow.compute as pc

    encoded = languages if isinstance(languages, pa.DictionaryArray) else languages.dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    indices = pc.fill_null(encoded.indices, len(names) - 1).to_numpy(zero_copy_only=False)
    return lambda row: names[indices[row]]


def _replace(document: bytes, found: list[tuple[int, int, PiiKind]], key: bytes | None) -> bytes:
    pieces, position = [], 0
    for start, end, kind in found:
        pieces += [document[position:start], b"PI:", kind.encode()]
        if key is not None and kind != "KEY":
            pieces.append(_pseudonym(document[start:end], kind, key))
        position = end
    return b"".join([*pieces, document[position:]])


def _pseudonym(value: bytes, kind: PiiKind, key: bytes) -> bytes:
    """The same digits for the same value, however it is spaced and in whatever case; unknowable without the key."""
    plain = addresses.in_ascii(unicodedata.normalize("NFKC", value.decode("utf-8", "replace")).casefold())
    if kind not in ("EMAIL", "USER", "IP_ADDRESS"):  # groups of digits
        plain = "".join(filter(str.isalnum, plain))
    digest = hashlib.blake2b(f"{kind}\0{plain.strip()}".encode(), key=key, digest_size=PSEUDONYM_DIGITS // 2)
    return f"-{digest.hexdigest()}".encode()


def _replaced(
    texts: pa.LargeStringArray,
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    changed: Mapping[int, bytes],
) -> pa.LargeStringArray:
    """The array with some rows' texts changed; what lies between is copied in one piece each."""
    import pyarrow.compute as pc

    lengths = np.diff(offsets)
    pieces: list[bytes | memoryview] = []
    view, position = memoryview(data.data), 0
    for row in sorted(changed):
        pieces += [view[offsets[position] : offsets[row]], changed[row]]
        lengths[row] = len(changed[row])
        position = row + 1
    pieces.append(view[offsets[position] : offsets[-1]])
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    built = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(bounds), pa.py_buffer(b"".join(pieces)))
    return pc.if_else(texts.is_valid(), built, None) if texts.null_count else built
