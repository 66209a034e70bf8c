"""A page without what its text does not depend on: comments, scripts, most attributes. One pass, before it is parsed.

Pages are made of addresses, classes and scripts more than of text, and a parser spends its time on them. What is left
has the same elements, so a parser makes the same tree of it, less what nobody looks at. Where the meaning of bytes
depends on more than the tags before them (drawings, formulas, frames, scripts that hide end tags), they stay.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.readers.html_scan import (
    FORMATTING,
    RAW,
    attributes_end,
    hash_of,
    hashed_names,
    is_space,
    name_at,
    place_behind,
    raw_end,
    tag_flags,
    tag_start,
)

TAGS = [
    *("script", "style", "template", "nav", "button", "select", "noscript", "header", "footer", "form", "main"),
    *("article", "pre", "ruby"),
]
CLASSES = [
    *("navheader", "navfooter", "toc", "list-of-tables", "list-of-figures", "list-of-examples", "headerlink"),
    *("breadcrumbs", "sphinxsidebar", "debug", "relatedtopics", "noteicon", "skip-link"),
]
HIDDEN, ROLE, STYLE, AREA, TYPE = range(len(TAGS), len(TAGS) + 5)
"""What is told of a page beside its tags and classes: whether it has attributes `hidden` and `role`, a style with
`display`, an id that begins with d (`DisplayArea`, `default…`); `type` is only kept."""
_CLASS = TYPE + 1
ALL = (1 << _CLASS + len(CLASSES)) - 1
BITS = {**{name: bit for bit, name in enumerate(TAGS)}, **{name: _CLASS + bit for bit, name in enumerate(CLASSES)}}

_SLOTS = 128


def _table(names: Sequence[str], first: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    return hashed_names({name: first + number for number, name in enumerate(names)}, _SLOTS)


_TAG_KEYS, _TAG_BITS = _table(TAGS, 0)
_CLASS_KEYS, _CLASS_BITS = _table(CLASSES, _CLASS)
_KEPT_KEYS, _KEPT_BITS = _table(["hidden", "role", "style", "id", "type", "class"], HIDDEN)
_A, _SVG, _MATH, _SELECT, _SCRIPT, _OF_STYLE, _FRAMESET, _PLAINTEXT = (
    np.uint64(hash_of(name)) for name in ["a", "svg", "math", "select", "script", "style", "frameset", "plaintext"]
)
_DISPLAY = np.frombuffer(b"display", np.uint8)
_SCRIPT_TAG = np.frombuffer(b"<script", np.uint8)


def slim(page: bytes) -> tuple[bytes, int]:
    """The page (UTF-8) with less in it, and which of `BITS` and of `HIDDEN`, … it may have, as bits."""
    out = np.empty(len(page) + len(page) // 4 + 16, np.uint8)
    size, seen = _slim(np.frombuffer(page, np.uint8), out)
    return out[:size].tobytes(), int(seen)


@njit(cache=True, nogil=True)
def _copy(data: np.ndarray, start: int, stop: int, out: np.ndarray, size: int) -> int:
    for at in range(start, stop):
        out[size] = data[at]
        size += 1
    return size


@njit(cache=True, nogil=True)
def _bit(name: np.uint64, keys: np.ndarray, bits: np.ndarray) -> int:
    """The number that stands for a name in a table; -1 where it is not there."""
    slot = np.int64(name & np.uint64(_SLOTS - 1))
    while keys[slot]:
        if keys[slot] == name:
            return int(bits[slot])
        slot = (slot + 1) & (_SLOTS - 1)
    return -1


@njit(cache=True, nogil=True)
def _holds(data: np.ndarray, start: int, stop: int, word: np.ndarray) -> bool:
    """Whether a word in lower case stands in the bytes, in whichever case."""
    for at in range(start, stop - word.size + 1):
        same = 0
        while (
            same < word.size
            and (data[at + same] | 32 if 65 <= data[at + same] <= 90 else data[at + same]) == word[same]
        ):
            same += 1
        if same == word.size:
            return True
    return False


@njit(cache=True, nogil=True)
def _classes(data: np.ndarray, start: int, stop: int) -> int:
    """Bits of the classes that an attribute names."""
    found = 0
    at = start
    while at < stop:
        if is_space(data[at]):
            at += 1
            continue
        end = at
        value = np.uint64(0xCBF29CE484222325)
        while end < stop and not is_space(data[end]):
            byte = data[end] | 32 if 65 <= data[end] <= 90 else data[end]
            value = (value ^ np.uint64(byte)) * np.uint64(0x100000001B3)
            end += 1
        bit = _bit(value, _CLASS_KEYS, _CLASS_BITS)
        if bit >= 0:
            found |= 1 << bit
        at = end
    return found


@njit(cache=True, nogil=True)
def _asked(data: np.ndarray, kind: int, start: int, stop: int) -> int:
    """Bits that an attribute of a page stands for by its kind and value; 0 where nobody asks for it."""
    for at in range(start, stop):
        if data[at] == 38:  # an entity may stand for anything
            return ALL
    if kind == STYLE:
        return 1 << STYLE if _holds(data, start, stop, _DISPLAY) else 0
    if kind == AREA:
        return 1 << AREA if start < stop and data[start] | 32 == 100 else 0
    if kind == _CLASS:
        return _classes(data, start, stop)
    return 1 << kind


@njit(cache=True, nogil=True)
def _attributes(data: np.ndarray, at: int, out: np.ndarray, size: int) -> tuple[int, int, int]:
    """Write what is kept of the attributes that begin at `at`; the place behind the tag, the size, bits."""
    seen = met = 0
    while True:
        while at < data.size and (is_space(data[at]) or data[at] == 47):
            at += 1
        if at >= data.size or data[at] == 62:
            return at + 1, size, seen
        begin = at
        name, at = _attribute_name(data, at)
        end = at
        while at < data.size and is_space(data[at]):
            at += 1
        start = stop = end
        if at < data.size and data[at] == 61:
            at += 1
            while at < data.size and is_space(data[at]):
                at += 1
            start = at
            if at < data.size and (data[at] == 34 or data[at] == 39):
                end = at = place_behind(data, at + 1, data[at])
                start, stop = start + 1, at - 1
            else:
                while at < data.size and not (is_space(data[at]) or data[at] == 62):
                    at += 1
                end = stop = at
        kind = _bit(name, _KEPT_KEYS, _KEPT_BITS)
        if kind < 0 or met >> kind & 1:  # of two with one name the first counts
            continue
        met |= 1 << kind
        bits = _asked(data, kind, start, stop)
        seen |= bits
        if bits:
            out[size] = 32
            size = _copy(data, begin, end, out, size + 1)


@njit(cache=True, nogil=True)
def _attribute_name(data: np.ndarray, at: int) -> tuple[np.uint64, int]:
    value = np.uint64(0xCBF29CE484222325)
    first = True
    while at < data.size:
        byte = data[at]
        if is_space(byte) or byte == 47 or byte == 62 or (byte == 61 and not first):
            break
        first = False
        lower = byte | 32 if 65 <= byte <= 90 else byte
        value = (value ^ np.uint64(lower)) * np.uint64(0x100000001B3)
        at += 1
    return value, at


@njit(cache=True, nogil=True)
def _hides_its_end(data: np.ndarray, start: int, stop: int) -> bool:
    """Whether a script goes on behind its first end tag: `<!-- <script> </script> -->`."""
    for at in range(start, stop - 3):
        if data[at] == 60 and data[at + 1] == 33 and data[at + 2] == 45 and data[at + 3] == 45:
            return _holds(data, at, stop, _SCRIPT_TAG)
    return False


@njit(cache=True, nogil=True)
def _has_tag(data: np.ndarray, start: int, stop: int) -> bool:
    """Whether there may be a tag in what is an element's content, or in what is behind it if it does not end."""
    for at in range(start, stop):
        if data[at] == 60:
            return True
    return stop >= data.size


@njit(cache=True, nogil=True)
def _slim(data: np.ndarray, out: np.ndarray) -> tuple[int, int]:
    at = size = seen = 0
    foreign, opened = 0, _SVG  # drawings, or formulas, that are open
    selecting = False
    while at < data.size:
        if data[at] != 60 or at + 1 >= data.size:
            out[size] = data[at]
            size += 1
            at += 1
            continue
        begin, closing, after = tag_start(data, at)
        if begin < 0:
            comment = after - at > 7 and data[at + 1] == 33 and data[at + 2] == 45 and data[at + 3] == 45
            if comment and not foreign:  # it still stands between two pieces of text
                size = _copy(data, at, at + 4, out, size)
                out[size], out[size + 1], out[size + 2] = 45, 45, 62
                size += 3
            elif foreign and data[at + 1] == 33 and not comment:  # bytes that look like tags
                return _copy(data, at, data.size, out, size), ALL
            else:
                size = _copy(data, at, after, out, size)
            at = after
            continue
        name, behind = name_at(data, begin)
        end, _, alone = attributes_end(data, behind)
        flags = tag_flags(name)
        of_frames = name in (_FRAMESET, _PLAINTEXT)
        if end < 0 or of_frames or (selecting and flags & RAW and name != _SCRIPT):
            return _copy(data, at, data.size, out, size), ALL
        bit = _bit(name, _TAG_KEYS, _TAG_BITS)
        if bit >= 0:
            seen |= 1 << bit
        if name == _SELECT:
            selecting = not closing
        if foreign and flags & RAW and not closing and _has_tag(data, end, raw_end(data, end, name)):
            return _copy(data, at, data.size, out, size), ALL  # a tag or not, as the drawing has ended or not
        drawing = name in (_SVG, _MATH)
        if drawing and not foreign:
            opened = name
        if drawing and name == opened:
            foreign = max(foreign - 1, 0) if closing else foreign + (not alone)
        if foreign or drawing or closing or (flags & FORMATTING and name != _A):
            if not closing:
                _, _, bits = _attributes(data, behind, out, size)
                seen |= bits
            size = _copy(data, at, end, out, size)
        else:
            size = _copy(data, at, behind, out, size)
            _, size, bits = _attributes(data, behind, out, size)
            seen |= bits
            out[size] = 62
            size += 1
        at = end
        if flags & RAW and not closing and not foreign:
            end = raw_end(data, at, name)
            if name == _SCRIPT and _hides_its_end(data, at, end):
                return _copy(data, at, data.size, out, size), ALL
            dropped = name in (_SCRIPT, _OF_STYLE) and end < data.size
            if not dropped:
                size = _copy(data, at, end, out, size)
            at = end
    return size, seen
