"""Bytes to text as browsers do it: the WHATWG Encoding standard and the encoding sniffing of the HTML standard.

In order of trust: byte order mark; UTF-16 and UTF-32 that their zero bytes give away; what the transport declares
(HTTP, a recipe); what the page declares; detection. Labels and most decoders are webencodings' and Python's. Compared
with the standard's tables, all is the same except for 203 rare characters of Big5 (Hong Kong), which become U+FFFD.

Two departures from browsers, because the web is mislabelled: bytes that are valid UTF-8 are taken for it although
another encoding is declared, and a declared encoding that most bytes contradict gives way to the next in order.
"""

import codecs
from collections.abc import Callable

import re2
import webencodings
from resiliparse.parse.encoding import EncodingDetector

from configs.errors import InputError

PRESCAN_BYTES = 1 << 14
"""The standard looks at 1,024 bytes first; a declaration behind them makes browsers begin again, so it counts here."""

_DETECTION_BYTES = 1 << 16
_UTF8_CHARACTERS_MIN = 8
"""Fewer characters of a double-byte encoding may be valid UTF-8 by chance; each has odds of about one in ten."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DOUBLE_BYTE = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "gbk", "shift_jis"})
_HIGH = bytes(range(128, 256))

_TAG = re2.compile(rb"(?is)<!--.*?-->|<!-->|<(meta)[\t\n\f\r /]|</?[a-z][^\t\n\f\r >]*|<[!/?][^>]*>")
_ATTRIBUTE = re2.compile(
    rb"""(?s)[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)"""
    rb"""(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >"'][^\t\n\f\r >]*)?))?"""
)
_XML = re2.compile(rb"""^<\?xml[^>]*?encoding[\t\n\r ]*=[\t\n\r ]*["']([^"'>]+)["'][^>]*>""")
_IN_CONTENT = re2.compile(rb"""(?i)charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r ;"']+))""")


_SAID = re2.compile(rb"""(?i)(?:charset|encoding)(=["']?utf-8)?""")


def decode(data: bytes, declared: str | None = None, *, name: str = "", html: bool = False) -> str:
    """The text of `data`, without its byte order mark. `declared` is the label of HTTP or of a recipe, if there is one.

    With `html` the page's own declaration counts too. Bytes that mean nothing become U+FFFD. Raises InputError, in the
    name of `name`, for labels that browsers refuse to decode (ISO-2022-KR, HZ and their like).
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    if (codec_of_zeros := codec_by_zeros(data)) is not None:
        return data.decode(codec_of_zeros, "replace")
    if html and not known(declared) and _says_only_utf8(data[:PRESCAN_BYTES]):
        text = _as_utf8(data, None)
        if text is not None:
            return text
    labels = (known(declared), declared_in_page(data) if html else None)
    encodings = [encoding for encoding in labels if encoding]
    if "replacement" in encodings[:1]:
        cause = f"in an encoding that browsers refuse, {declared or 'as the page declares'}"
        raise InputError(name, cause, "it is skipped; convert it to UTF-8")
    text = _as_utf8(data, encodings[0] if encodings else None)
    if text is not None:
        return text
    best = None
    for encoding in (*encodings, None):
        text = _decoded(data, encoding or _detected(data))
        if _is_plausible(text, data):
            return text
        best = text if best is None else best
    return best or ""


def known(label: str | None) -> str | None:
    """The standard's name of the encoding of a label; None for a label that it does not know."""
    if not label or not label.isascii():
        return None
    encoding = webencodings.lookup(label)
    return encoding.name if encoding else None


def _says_only_utf8(head: bytes) -> bool:
    """Whether no encoding but UTF-8 can be declared in the head of a page: told without taking its tags apart.

    A longer label that begins so is none that is known, so it says nothing.
    """
    return all(said.group(1) for said in _SAID.finditer(head))


def declared_in_page(data: bytes) -> str | None:
    """The encoding that the first PRESCAN_BYTES of a page declare, by `meta` in its two forms or as XML."""
    head = data[:PRESCAN_BYTES]
    at = 0
    while (tag := _TAG.search(head, at)) is not None:
        at = tag.end()
        if not tag.group(1) and (tag.group().startswith(b"<!") or not tag.group()[1:2].strip(b"/").isalpha()):
            continue
        attributes, at = _attributes(head, at)
        encoding = _of_meta(attributes) if tag.group(1) else None
        if encoding:
            return encoding
    xml = _XML.match(head)
    return _of_page(xml.group(1)) if xml else None


def _attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a tag, the first of each name, and where they end."""
    found: dict[bytes, bytes] = {}
    while (match := _ATTRIBUTE.match(head, at)) is not None and match.end() > at:
        at = match.end()
        value = match.group(2) or match.group(3) or match.group(4) or b""
        found.setdefault(match.group(1).lower(), value)
    return found, at


def _of_meta(attributes: dict[bytes, bytes]) -> str | None:
    if b"charset" in attributes:
        return _of_page(attributes[b"charset"])
    if attributes.get(b"http-equiv", b"").lower() == b"content-type":
        match = _IN_CONTENT.search(attributes.get(b"content", b""))
        return _of_page(next(group for group in match.groups() if group is not None)) if match else None
    return None


def _of_page(label: bytes) -> str | None:
    """The encoding of a label that stands in a page: what can be read as ASCII is not in UTF-16."""
    encoding = known(label.decode("ascii", "replace"))
    return {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}.get(encoding or "", encoding)


def codec_by_zeros(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by where zero bytes stand; only where all of it decodes."""
    head = data[:4096]
    if b"\0" not in head or len(data) % 2:
        return None
    zeros = [head[place::4].count(0) for place in range(4)]
    quarter = len(head) / 4
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if min(zeros[2:]) > 0.9 * quarter and zeros[0] < 0.9 * quarter:
        codec = "utf-32-le"
    elif min(zeros[:2]) > 0.9 * quarter and zeros[3] < 0.9 * quarter:
        codec = "utf-32-be"
    elif odd > 10 * even and _many(odd, 2 * quarter):
        codec = "utf-16-le"
    elif even > 10 * odd and _many(even, 2 * quarter):
        codec = "utf-16-be"
    else:
        return None
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return None
    return codec


def _many(zeros: int, characters: float) -> bool:
    """Whether so many characters below U+0100 show UTF-16: half of all, or spaces and line ends of a longer text."""
    return zeros >= max(2, characters / 2) or (zeros >= 8 and zeros >= characters / 20)


def _as_utf8(data: bytes, encoding: str | None) -> str | None:
    """The text if it is in UTF-8, whatever the label says; None where it is not, or may not be."""
    if encoding == "iso-2022-jp":
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if encoding is None and b"\x1b$" in data:
        return None
    if encoding in _DOUBLE_BYTE and 0 < len(data) - len(data.translate(None, _HIGH)) < 3 * _UTF8_CHARACTERS_MIN:
        return None
    return text


def _detected(data: bytes) -> str:
    """Detection by uchardet; windows-1252, the web's default, where it finds nothing."""
    if b"\x1b$" in data:
        return "iso-2022-jp"
    half = _DETECTION_BYTES // 2
    detector = EncodingDetector()
    detector.update(data if len(data) <= 2 * half else data[:half] + data[-half:])
    found = detector.encoding(html5_compatible=False)
    if found is None:
        return "windows-1252"
    return known(found) or known(found.replace("_", "-")) or {"cp949": "euc-kr"}.get(found, found)


def _decoded(data: bytes, encoding: str) -> str:
    special: Callable[[bytes], str] | None = _DECODERS.get(encoding)
    if special is not None:
        return special(data)
    found = webencodings.lookup(encoding)
    codec = found.codec_info if found else codecs.lookup(encoding)
    return str(codec.decode(data, _ERRORS)[0])


def _utf8(data: bytes) -> str:
    return codecs.utf_8_decode(data, "replace", False)[
        0
    ]  # a character cut at the end, by a crawler's limit, is left out


def _gb18030(data: bytes) -> str:
    return data.decode("gb18030", _ERRORS).translate(_GB18030_2022)


def _euc_jp(data: bytes) -> str:
    return data.decode("euc_jp", _ERRORS).translate(_MICROSOFT)


def _iso_2022_jp(data: bytes) -> str:
    """Escapes switch between ASCII, JIS X 0201 (Roman letters with a yen sign, katakana) and JIS X 0208."""
    first, *pieces = data.split(b"\x1b")
    parts = [_ascii(first)]
    for piece in pieces:
        kind, piece = piece[:2], piece[2:]
        if kind in (b"$@", b"$B"):
            parts.append(_euc_jp(piece.translate(_TO_EUC)))
        elif kind == b"(I":
            parts.append("".join(chr(byte + 0xFF40) if 0x21 <= byte <= 0x5F else "\ufffd" for byte in piece))
        elif kind == b"(J":
            parts.append(_ascii(piece).replace("\\", "¥").replace("~", "‾"))
        else:
            parts.append(_ascii(piece if kind == b"(B" else b"\x1b" + kind + piece))
    return "".join(parts)


def _ascii(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _is_plausible(text: str, data: bytes) -> bool:
    """Whether at most a quarter of the bytes beyond ASCII make no sense."""
    bad = text.count("\ufffd")
    return not bad or 4 * bad <= len(data) - len(data.translate(None, _HIGH))


def _mend(error: UnicodeError) -> tuple[str, int]:
    """What the standard's tables hold beyond Python's, and U+FFFD for the rest."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    at, byte = error.start, error.object[error.start]
    if error.encoding == "charmap" and byte < 0xA0:
        return chr(byte), at + 1  # of the windows encodings
    if error.encoding == "gb18030" and byte == 0x80:
        return "€", at + 1
    pair = error.object[at : at + 2]
    if error.encoding == "euc_jp" and len(pair) == 2 and min(pair) >= 0xA1 and max(pair) <= 0xFE:
        # NEC's and IBM's characters: the same rows, shifted, are in windows-31j.
        row, cell = pair[0] - 0xA1, pair[1] - 0xA1
        lead, trail = row // 2, (row % 2) * 94 + cell
        shifted = bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)])
        return shifted.decode("cp932", "replace")[:1], at + 2
    return "\ufffd", max(error.end, at + 1)


_ERRORS = "openroots-whatwg"
codecs.register_error(_ERRORS, _mend)

_TO_EUC = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_MICROSOFT = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
_GB18030_2022 = dict(
    zip(
        (0xE5E5, *range(0xE78D, 0xE797), 0xE7C7, 0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864),
        "\u3000︐︒︑︓︔︕︖︗︘︙ḿ龴龵龶龷龸龹龺龻",
        strict=True,
    )
)
_KOI8_U = {0x255D: "ў", 0x256C: "Ў"}
_DECODERS: dict[str, Callable[[bytes], str]] = {
    "utf-8": _utf8,
    "gbk": _gb18030,
    "gb18030": _gb18030,
    "euc-jp": _euc_jp,
    "iso-2022-jp": _iso_2022_jp,
    "koi8-u": lambda data: data.decode("koi8-u").translate(_KOI8_U),
}
