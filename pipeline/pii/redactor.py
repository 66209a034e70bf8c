"""Redaction of a batch: the sieve over all bytes, a recogniser and the rules on what it passes, `PI:KIND` in its place.

Nothing that is found is kept, logged or put in a message.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2

from configs.errors import ConfigurationError
from configs.models import PII_KINDS, PiiKind
from pipeline.columns import text_buffers
from pipeline.pii import keys, recognizers, rules
from pipeline.pii.sieve import candidates

ROUNDS_MAX = 16
_MARKER = re2.compile(rb"PI:(?:" + "|".join(PII_KINDS).encode() + rb")")
_MARKER_MAX = len("PI:") + max(map(len, PII_KINDS))
# Where two findings overlap, the more certain one stays.
_RANK = {
    kind: rank
    for rank, kind in enumerate(("KEY", "EMAIL", "IP_ADDRESS", "IBAN", "CREDIT_CARD", "NATIONAL_ID", "PHONE", "USER"))
}

Span = tuple[int, int]


@dataclass(frozen=True)
class Candidate:
    """A place in a document that the sieve passed; byte positions."""

    document: bytes
    start: int
    end: int
    regions: tuple[str, ...]

    @property
    def window(self) -> str:
        """The text of the candidate. The sieve cuts between characters, but a cut one would only be replaced."""
        return self.document[self.start : self.end].decode("utf-8", errors="replace")

    @property
    def before(self) -> bytes:
        return self.document[max(0, self.start - rules.CONTEXT) : self.start]

    @property
    def after(self) -> bytes:
        return self.document[self.end : self.end + rules.CONTEXT]

    def located(self, window: str, spans: Iterator[Span]) -> Iterator[tuple[Span, str, bytes, bytes]]:
        """Spans of characters in `window` as spans of bytes in the document, each with its text and surroundings."""
        for first, last in spans:
            start = self.start + len(window[:first].encode())
            end = start + len(window[first:last].encode())
            before = self.document[max(0, start - rules.CONTEXT) : start]
            yield (start, end), window[first:last], before, self.document[end : end + rules.CONTEXT]


def _key(at: Candidate) -> Iterator[Span]:
    found = keys.find_key(at.document, at.start, at.end)
    if found is not None:
        yield found


def _email(at: Candidate) -> Iterator[Span]:
    window = at.window
    found = recognizers.spans(recognizers.recognizer("EmailRecognizer"), "EMAIL_ADDRESS", window)
    for span, text, _, after in at.located(window, found):
        if rules.is_mailbox(text, after):
            yield span


def _user(at: Candidate) -> Iterator[Span]:
    if rules.is_handle(at.window[1:], at.before, at.after):
        yield at.start, at.end


def _ip_address(at: Candidate) -> Iterator[Span]:
    window = at.window
    # The rules are cheaper than the recogniser and throw out most: `127.0.0.1`, versions.
    if not rules.is_public_ip(window, at.before, at.after):
        return
    found = recognizers.spans(recognizers.recognizer("IpRecognizer"), "IP_ADDRESS", window)
    for span, _, _, _ in at.located(window, found):
        yield span


def _phone(at: Candidate) -> Iterator[Span]:
    start = at.start
    while start > 0 and at.start - start < 2 and at.document[start - 1 : start] in (b"+", b"("):
        start -= 1
    at = Candidate(at.document, start, at.end, at.regions)
    if not rules.may_be_phone(at.window, _text(at.before)):
        return
    window = at.window
    # A number in international form is the same in all regions: once is enough.
    regions = at.regions[:1] if window.startswith("+") else at.regions
    found = recognizers.spans(recognizers.phone_recognizer(regions), "PHONE_NUMBER", window)
    for span, text, head, tail in at.located(window, found):
        if rules.is_phone(text, _text(head), _text(tail)):
            yield span


def _iban(at: Candidate) -> Iterator[Span]:
    window = at.window
    for span, _, _, after in at.located(
        window, recognizers.spans(recognizers.recognizer("IbanRecognizer"), "IBAN_CODE", window)
    ):
        if not after[:1].isalnum():
            yield span


def _credit_card(at: Candidate) -> Iterator[Span]:
    window = at.window
    found = recognizers.spans(recognizers.recognizer("CreditCardRecognizer"), "CREDIT_CARD", window)
    for span, text, before, after in at.located(window, found):
        if rules.is_card(text, _text(before), _text(after)):
            yield span


def _national_id(at: Candidate) -> Iterator[Span]:
    if not rules.names_an_id(_text(at.before) + " " + _text(at.after)):
        return
    window = at.window
    for span, text, before, after in at.located(window, recognizers.national_ids(window)):
        if rules.is_national_id(text, before, after):
            yield span


def _text(context: bytes) -> str:
    return context.decode("utf-8", errors="ignore")


_JUDGES: dict[str, Callable[[Candidate], Iterator[Span]]] = {
    "KEY": _key,
    "EMAIL": _email,
    "USER": _user,
    "IP_ADDRESS": _ip_address,
    "PHONE": _phone,
    "IBAN": _iban,
    "CREDIT_CARD": _credit_card,
    "NATIONAL_ID": _national_id,
}


def _touches_marker(document: bytes, start: int, end: int) -> bool:
    first = max(0, start - _MARKER_MAX)
    window = document[first : end + _MARKER_MAX]
    if b"PI:" not in window:
        return False
    return any(first + m.start() < end and first + m.end() > start for m in _MARKER.finditer(window))


def _settle(found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Findings in order, without overlap: of two that do, the one of better rank."""
    kept: list[tuple[int, int, str]] = []
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
        code_languages: languages in which `@name` is syntax; default: all programming languages configured.

    Cheap to make and to pickle: recognisers are made at first use, once a process.

    Raises:
        ConfigurationError: a kind is not known.
    """

    def __init__(
        self,
        kinds: Sequence[PiiKind],
        regions: Mapping[str, tuple[str, ...]],
        code_languages: frozenset[str] | None = None,
    ) -> None:
        unknown = [kind for kind in kinds if kind not in PII_KINDS]
        if unknown:
            raise ConfigurationError(f"no kind of personal data {unknown[0]!r}; there are: {', '.join(PII_KINDS)}")
        if code_languages is None:
            from configs.load import load_languages

            code_languages = frozenset(load_languages().programming)
        self._kinds = tuple(kind for kind in PII_KINDS if kind in kinds)
        self._enabled = np.array([kind in kinds for kind in PII_KINDS])
        self._regions = {language: tuple(of_it) for language, of_it in regions.items()}
        self._code = code_languages

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the count columns, in the order of `PII_KINDS`."""
        return tuple(f"pii_{kind.lower()}" for kind in self._kinds)

    def redact(
        self, texts: pa.LargeStringArray, languages: pa.StringArray | pa.DictionaryArray
    ) -> tuple[pa.LargeStringArray, dict[str, pa.Array]]:
        """Texts with each finding replaced by `PI:KIND`, and how many there were.

        Args:
            texts: large_string, shape (documents,).
            languages: string or dictionary of string, shape (documents,); BCP-47 or programming language, or null.

        Returns:
            The texts (the same array where nothing was found) and, for each kind, an int32 column `pii_<kind>`.

        What is redacted is looked at again until nothing is found, so a second redaction changes nothing. `PI:KIND`
        is never part of a finding, so a count is the number of replacements that the text now holds.
        """
        counts = np.zeros((len(PII_KINDS), len(texts)), dtype=np.int32)
        offsets, data = text_buffers(texts)
        of_document = _by_document(languages)
        changed = self._round(data, offsets, of_document, np.arange(len(texts)), counts)
        pending = changed
        for _ in range(ROUNDS_MAX):
            if not pending:
                break
            rows = np.array(sorted(pending), dtype=np.int64)
            bounds = np.cumsum([0, *(len(pending[row]) for row in rows.tolist())], dtype=np.int64)
            joined = np.frombuffer(b"".join(pending[row] for row in rows.tolist()), dtype=np.uint8)
            pending = self._round(joined, bounds, of_document, rows, counts)
            changed |= pending
        columns = {
            f"pii_{kind.lower()}": pa.array(counts[PII_KINDS.index(kind)], type=pa.int32()) for kind in self._kinds
        }
        return (_replaced(texts, offsets, data, changed) if changed else texts), columns

    def redact_text(self, text: str, language: str | None) -> str:
        """One text with each finding replaced by `PI:KIND`."""
        redacted, _ = self.redact(pa.array([text], pa.large_string()), pa.array([language], pa.string()))
        return str(redacted[0].as_py())

    def _round(
        self,
        data: npt.NDArray[np.uint8],
        offsets: npt.NDArray[np.int64],
        language_of: Callable[[int], str | None],
        rows: npt.NDArray[np.int64],
        counts: npt.NDArray[np.int32],
    ) -> dict[int, bytes]:
        """New text of each row in which something was found; adds to `counts`."""
        is_code = np.array([language_of(row) in self._code for row in rows.tolist()], dtype=np.bool_)
        passed = candidates(data, offsets, is_code, self._enabled)
        starts = np.searchsorted(passed[:, 0], np.arange(len(rows) + 1))
        changed: dict[int, bytes] = {}
        for i in np.unique(passed[:, 0]).tolist():
            row, base = int(rows[i]), int(offsets[i])
            document = data[base : offsets[i + 1]].tobytes()
            regions = self._regions.get(language_of(row) or "", ())
            found = self._judge(document, passed[starts[i] : starts[i + 1], 1:], base, regions)
            if found:
                changed[row] = _replace(document, found)
                for _, _, kind in found:
                    counts[PII_KINDS.index(kind), row] += 1
        return changed

    def _judge(
        self, document: bytes, passed: npt.NDArray[np.int64], base: int, regions: tuple[str, ...]
    ) -> list[tuple[int, int, str]]:
        found = []
        for kind, start, end in passed.tolist():
            for span in _JUDGES[PII_KINDS[kind]](Candidate(document, start - base, end - base, regions)):
                if not _touches_marker(document, *span):
                    found.append((*span, PII_KINDS[kind]))
        return _settle(found)


def _by_document(languages: pa.StringArray | pa.DictionaryArray) -> Callable[[int], str | None]:
    encoded = languages if isinstance(languages, pa.DictionaryArray) else languages.dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    indices = pc.fill_null(encoded.indices, len(names) - 1).to_numpy(zero_copy_only=False)
    return lambda row: names[indices[row]]


def _replace(document: bytes, found: list[tuple[int, int, str]]) -> bytes:
    pieces, position = [], 0
    for start, end, kind in found:
        pieces += [document[position:start], b"PI:", kind.encode()]
        position = end
    return b"".join([*pieces, document[position:]])


def _replaced(
    texts: pa.LargeStringArray,
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    changed: Mapping[int, bytes],
) -> pa.LargeStringArray:
    """The array with some rows' texts changed; what lies between is copied in one piece each."""
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
