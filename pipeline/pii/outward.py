"""Personal data in what is written beside the text: names of files, addresses of pages, keys, values, messages.

Names run words together (`2021_jane@acme.com.txt`), and addresses encode them (`jane%40acme.com`). Each is therefore
looked at as it is, with its separators as spaces, and decoded. Everything that comes from an input and is written
anywhere but in `text` passes through here; files are opened, and ids made, by the names they have.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from configs.load import Plan
from configs.models import PiiKind
from pipeline.pii.policy import pseudonym_key
from pipeline.pii.redactor import Redactor
from pipeline.text.schema import CHARACTERS_MAX

DEPTH_MAX = 60  # of metadata; deeper, it is one string
ROUNDS_MAX = 4  # what is left of a name is looked at again

Finding = tuple[int, int, PiiKind]

_SEPARATORS = b"/!_?&=#;,|~\\\"'()[]{}<>"
_AS_SPACES = bytes.maketrans(_SEPARATORS, b"\n\n" + b" " * (len(_SEPARATORS) - 2))
"""Names of folders and files are lines of their own: `01/04060119.html` is no telephone number of ten digits."""
_ENDING = re.compile(r"\.(?=[A-Za-z][A-Za-z0-9]{0,7}(?:[. /!?#]|$))")
_MAILBOX = re.compile(r"[A-Za-z0-9.+_-]{0,64}$")
# `https://host/@name`: a page of a person, but at the hosts of packages a group of packages.
_PROFILE = re.compile(
    r"^https?://(?![^/]*(?:unpkg|npm|jsdelivr|skypack|esm\.sh|yarnpkg|github))[^/]+/@([\w.-]{2,40})", re.I
)


def redactor_of(plan: Plan) -> Redactor:
    """The redactor that a recipe asks for."""
    regions = plan.languages.phone_regions
    settings = plan.recipe.personal_data
    code = frozenset(plan.languages.programming)
    key = pseudonym_key(settings)
    return Redactor(settings.kinds, regions, code, obfuscated_email=settings.obfuscated_email, key=key)


class Outward:
    """Takes the personal data out of names, addresses, metadata and messages.

    Args:
        redactor: finds the kinds of the recipe.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._last_name: tuple[str | None, str | None] = (None, None)

    def name(self, value: str, before: str = "", known: Mapping[tuple[str, str], str] | None = None) -> str:
        """A name or message without personal data, of at most `CHARACTERS_MAX` characters.

        `before` is what stands before it where it is shown, such as the key of a value; it is not part of the answer.
        `known` are answers already; see `_shown`.
        """
        told = before, _shortened(value)
        found = (known or {}).get(told)
        return self._shown([told])[told] if found is None else found

    def names(self, values: pa.StringArray) -> pa.StringArray:
        """A column of names, each as `name` has it; the same array where all are clean."""
        distinct = pc.unique(values).to_pylist()
        if len(distinct) == 1:  # the rows of a file have its name, batch after batch
            shown = self._one_name(distinct[0])
            return values if shown == distinct[0] else pa.array([shown] * len(values), values.type)
        suspects = self._suspects(distinct)
        shown_as = self._cleaned([("", short) for short in dict.fromkeys(map(_shortened, suspects))])
        known = {value: shown_as["", _shortened(value)] for value in suspects}
        if all(old == new for old, new in known.items()) and all(
            len(value or "") <= CHARACTERS_MAX for value in distinct
        ):
            return values
        said = (known.get(value, value) for value in values.to_pylist())
        cut = (v if v is None or len(v) <= CHARACTERS_MAX + 1 else v[:CHARACTERS_MAX] + "…" for v in said)
        return pa.array(list(cut), values.type)

    def _one_name(self, value: str | None) -> str | None:
        if self._last_name[0] != value:
            self._last_name = value, None if value is None else self.name(value)
        return self._last_name[1]

    def metadata(self, values: pa.StringArray) -> pa.StringArray:
        """A column of JSON objects without personal data in keys or values; valid JSON stays so."""
        suspects = self._suspects(pc.unique(values).to_pylist())
        shown_as = self._shown(told for value in suspects for told in _told(value))
        known = {value: self._metadata(value, shown_as) for value in suspects}
        if all(old == new for old, new in known.items()):
            return values
        return pa.array([known.get(value, value) for value in values.to_pylist()], values.type)

    def _suspects(self, values: list[str | None]) -> list[str]:
        distinct = list(dict.fromkeys(value for value in values if value))
        return [value for value, suspicious in zip(distinct, self._suspicious(distinct), strict=True) if suspicious]

    def _suspicious(self, values: list[str]) -> list[bool]:
        """Which values have a place of the right shape in one of their forms: one pass of the sieve for all."""
        if not values:
            return []
        found = self._redactor.sieve(values)
        decoded = [unquote(value) if "%" in value else value for value in values]
        spread = [_spread(value) for value in decoded]
        before = values
        for forms in (decoded, spread, [value.replace("-", " ") for value in spread]):
            other = [row for row, value in enumerate(forms) if value != before[row] and not found[row]]
            found[other] = self._redactor.sieve([forms[row] for row in other])
            before = forms
        return list(found)

    def _shown(self, told: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """How names are shown, by pairs of what stands before each and the name, `_shortened`. In a few passes over
        all, since names of files often have numbers in them, but nobody's."""
        shown = {pair: pair[1] for pair in told}
        suspicious = self._suspicious([before + value for before, value in shown])
        suspects = [pair for pair, is_one in zip(shown, suspicious, strict=True) if is_one]
        return shown | self._cleaned(suspects)

    def _cleaned(self, suspects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The same of names that the sieve passed."""
        shown, encoded = {}, []
        for (before, value), redacted in zip(suspects, self._redacted(suspects), strict=True):
            shown[before, value] = redacted
            if (decoded := unquote(redacted)) != redacted:
                encoded.append(((before, value), (before, decoded)))
        again = self._redacted([decoded for _, decoded in encoded])
        shown |= {
            pair: redacted for (pair, (_, decoded)), redacted in zip(encoded, again, strict=True) if redacted != decoded
        }
        return shown

    def _metadata(self, value: str, known: Mapping[tuple[str, str], str]) -> str:
        try:
            return json.dumps(self._walked(json.loads(value), "", 0, known), ensure_ascii=False, sort_keys=True)
        except (ValueError, RecursionError):
            return json.dumps({"metadata": self.name(value)}, ensure_ascii=False)

    def _walked(self, value: Any, key: str, depth: int, known: Mapping[tuple[str, str], str]) -> Any:
        if depth > DEPTH_MAX:
            return self.name(str(value))
        if isinstance(value, dict):
            return {
                self.name(name, known=known): self._walked(item, name, depth + 1, known) for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._walked(item, key, depth + 1, known) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        written = self.name(str(value), _before(key), known)
        return value if written == str(value) else written

    def _redacted(self, told: Sequence[tuple[str, str]]) -> list[str]:
        """Names without what is found in them and what stands before them, until nothing is."""
        texts = [before + value for before, value in told]
        waiting = list(range(len(texts)))
        for _ in range(ROUNDS_MAX):
            changed = []
            for row, found in zip(waiting, self._found_in([texts[row] for row in waiting]), strict=True):
                first, whole = len(told[row][0]), texts[row]
                found = [finding for finding in found if finding[1] > first]
                for start, end, kind in reversed(found):
                    whole = f"{whole[: max(start, first)]}PI:{kind}{whole[end:]}"
                texts[row] = whole
                changed += [row] if found else []
            waiting = changed
        return [text[len(before) :] for text, (before, _) in zip(texts, told, strict=True)]

    def _found_in(self, texts: Sequence[str]) -> list[list[Finding]]:
        """Findings in all forms of each text, in order, without overlap."""
        if not texts:
            return []
        found = self._redactor.find_in(texts, None)
        spread = [_spread(text) for text in texts]
        before: Sequence[str] = texts
        for forms in (spread, [form.replace("-", " ") for form in spread]):
            other = [row for row, form in enumerate(forms) if form != before[row]]  # the same has the same findings
            for row, more in zip(other, self._redactor.find_in([forms[row] for row in other], None), strict=True):
                found[row] += [finding for finding in more if finding[2] != "USER"]
            before = forms
        for text, findings in zip(texts, found, strict=True):
            profile = _PROFILE.search(text)
            if profile is not None and "USER" in self._redactor.kinds:
                findings.append((profile.start(1) - 1, profile.end(1), "USER"))
        return [
            _merged(_widened(text, finding) for finding in findings)
            for text, findings in zip(texts, found, strict=True)
        ]


def _shortened(value: str) -> str:
    """Valid Unicode, of at most `CHARACTERS_MAX` characters and an ellipsis."""
    value = value.encode("utf-8", "replace").decode() if not value.isascii() else value
    return value if len(value) <= CHARACTERS_MAX else value[:CHARACTERS_MAX] + "…"


def _before(key: str) -> str:
    """What stands before a value of metadata where it is shown."""
    return f"{key[:80]}: " if key else ""


def _told(metadata: str) -> Iterator[tuple[str, str]]:
    """What stands before each key and value of metadata, and it; nothing where it is no JSON."""
    try:
        waiting = [("", json.loads(metadata), 0)]
    except (ValueError, RecursionError):
        return
    while waiting:
        key, value, depth = waiting.pop()
        if depth > DEPTH_MAX:
            continue
        if isinstance(value, dict):
            yield from (("", _shortened(name)) for name in value)
            waiting += [(name, item, depth + 1) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [(key, item, depth + 1) for item in value]
        elif value is not None and not isinstance(value, bool):
            yield _before(key), _shortened(str(value))


def _spread(text: str) -> str:
    """A text of the same length with the separators of names, and the dot before an ending, as spaces."""
    # As bytes: strings ask a dictionary for each character, which took five times as long.
    spread = _ENDING.sub(" ", text).encode("utf-8", "surrogatepass")
    return spread.translate(_AS_SPACES).decode("utf-8", "surrogatepass")


def _widened(text: str, finding: Finding) -> Finding:
    start, end, kind = finding
    if kind == "EMAIL":
        local = _MAILBOX.search(text[max(0, start - 64) : start])
        start -= len(local[0]) if local is not None and "PI:" not in local[0] else 0
    return start, end, kind


def _merged(found: Iterable[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for start, end, kind in sorted(found, key=lambda finding: (finding[0], -finding[1])):
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]), kept[-1][2])
        else:
            kept.append((start, end, kind))
    return kept
