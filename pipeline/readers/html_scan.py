"""What a page would cost an HTML parser, told before it is parsed, and its text without a parser: one pass each.

Parsers that do as the HTML standard says take quadratic time, some quadratic memory, for elements with very many
attributes, nested very deep, torn (`<b><div></b></div>`), for formatting that is never closed and so opened again in
every block, and for long lists of options: minutes and gigabytes for a megabyte. Pages that people read are far from
all these limits. The pass follows the standard's tokenizer; of its tree builder it knows what bounds the cost.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from numba import njit

ATTRIBUTES_MAX = 4096  # of one element, each of which is compared with all before it
NESTING_MAX = 200
WALKS_MAX = 10_000_000  # tags times depth: how many open elements are looked at
REBUILT_MAX = 1_000_000  # formatting elements opened again, of about 200 bytes each
OPTIONS_MAX = 20_000
_DEPTH_KEPT = 20_000
_SEARCH = 64

_VOID, RAW, _CLOSES_P, FORMATTING, _BOUNDARY, _BREAKS_OUT, _OWN_CLOSES, _CELL, _ROW, _ROOT, _FOREIGN, _OPTION = (
    1 << bit for bit in range(12)
)
_INLINE, _UNREAD = 1 << 12, 1 << 13
_IMPLIED = _OWN_CLOSES | _CELL | _ROW | _OPTION

_KINDS = {
    _VOID: "area base basefont bgsound br col embed frame hr img input link meta param source track wbr keygen image",
    RAW: "script style textarea title xmp iframe noembed noframes",
    _CLOSES_P: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer "
    "header hgroup main menu nav ol p search section summary ul h1 h2 h3 h4 h5 h6 pre listing form table hr li dd dt",
    FORMATTING: "a b big code em font i nobr s small strike strong tt u",
    _BOUNDARY: "td th caption table template object applet marquee svg math html",
    _BREAKS_OUT: "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li "
    "listing menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var font",
    _OWN_CLOSES: "p li dd dt rb rt rp rtc",
    _CELL: "td th",
    _ROW: "tr thead tbody tfoot colgroup caption",
    _ROOT: "html body",
    _FOREIGN: "svg math",
    _OPTION: "option optgroup",
    _INLINE: "a abbr b bdi bdo big cite code del dfn em font i ins kbd mark nobr q s samp small span strike strong sub "
    "sup tt u var wbr",
    _UNREAD: "script style textarea title iframe select template",
}
_SLOTS = 512
_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3  # FNV-1a


def hash_of(name: str) -> int:
    value = _OFFSET
    for byte in name.encode():
        value = ((value ^ byte) * _PRIME) & 0xFFFFFFFFFFFFFFFF
    return value


def hashed_names(values: Mapping[str, int], slots: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """An open hash table of names in lower case: their hashes by slot (0: free), and what stands for each."""
    keys, found = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
    for name, value in values.items():
        slot = hash_of(name) % slots
        while keys[slot]:
            slot = (slot + 1) % slots
        keys[slot], found[slot] = hash_of(name), value
    return keys, found


def _table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    flags: dict[str, int] = {}
    for kind, names in _KINDS.items():
        for name in names.split():
            flags[name] = flags.get(name, 0) | kind
    return hashed_names(flags, _SLOTS)


_KEYS, _FLAGS = _table()
_P = np.uint64(hash_of("p"))


def is_costly(page: bytes) -> bool:
    """Whether parsing the page would take far more than its size allows for."""
    attributes, tags, nesting, torn, rebuilt, options = _measure(np.frombuffer(page, np.uint8))
    deep = nesting + torn
    return bool(
        attributes > ATTRIBUTES_MAX
        or (deep > NESTING_MAX and tags * deep > WALKS_MAX)
        or rebuilt > REBUILT_MAX
        or options > OPTIONS_MAX
    )


def without_tags(page: bytes) -> bytes:
    """The page without its tags, lines broken where an element is not one of running text; entities as they are."""
    out = np.empty(len(page), np.uint8)
    return out[: _strip(np.frombuffer(page, np.uint8), out)].tobytes()


@njit(cache=True, nogil=True)
def _is_letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@njit(cache=True, nogil=True)
def is_space(byte: int) -> bool:
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@njit(cache=True, nogil=True)
def place_behind(data: np.ndarray, at: int, byte: int) -> int:
    """The place behind the next `byte`; the end of the data if there is none."""
    while at < data.size and data[at] != byte:
        at += 1
    return min(at + 1, data.size)


@njit(cache=True, nogil=True)
def _declaration_end(data: np.ndarray, at: int) -> int:
    """The place behind the comment or declaration that begins with `<!` at `at`."""
    if at + 3 >= data.size or data[at + 2] != 45 or data[at + 3] != 45:
        return place_behind(data, at + 2, 62)
    at += 4
    if at < data.size and data[at] == 62:
        return at + 1
    if at + 1 < data.size and data[at] == 45 and data[at + 1] == 62:
        return at + 2
    while at + 2 < data.size:
        if data[at] == 45 and data[at + 1] == 45:
            if data[at + 2] == 62:
                return at + 3
            if data[at + 2] == 33 and at + 3 < data.size and data[at + 3] == 62:
                return at + 4
        at += 1
    return data.size


@njit(cache=True, nogil=True)
def tag_start(data: np.ndarray, at: int) -> tuple[int, bool, int]:
    """Of the `<` at `at`, which is not the last byte: where a tag's name begins, and whether it is an end tag's.

    -1 where none does; then the place behind the comment or declaration, or behind the `<` alone where it is text.
    """
    byte = data[at + 1]
    if byte == 33:
        return -1, False, _declaration_end(data, at)
    closing = byte == 47
    begin = at + 2 if closing else at + 1
    if begin < data.size and _is_letter(data[begin]):
        return begin, closing, begin
    return -1, closing, place_behind(data, at + 2, 62) if closing or byte == 63 else at + 1


@njit(cache=True, nogil=True)
def name_at(data: np.ndarray, at: int) -> tuple[np.uint64, int]:
    """Hash of the tag name at `at`, in lower case, and the place behind it."""
    value = np.uint64(_OFFSET)
    while at < data.size:
        byte = data[at]
        if is_space(byte) or byte == 47 or byte == 62:
            break
        lower = byte | 32 if 65 <= byte <= 90 else byte
        value = (value ^ np.uint64(lower)) * np.uint64(_PRIME)
        at += 1
    return value, at


@njit(cache=True, nogil=True)
def attributes_end(data: np.ndarray, at: int) -> tuple[int, int, bool]:
    """Of the tag whose attributes begin at `at`: the place behind it (-1: none), their number, whether `/>` ends it."""
    attributes = 0
    size = data.size
    while True:
        while at < size and (is_space(data[at]) or data[at] == 47):
            at += 1
        if at >= size:
            return -1, attributes, False
        if data[at] == 62:
            return at + 1, attributes, data[at - 1] == 47
        attributes += 1
        at += 1
        while at < size and not (is_space(data[at]) or data[at] == 47 or data[at] == 62 or data[at] == 61):
            at += 1
        while at < size and is_space(data[at]):
            at += 1
        if at < size and data[at] == 61:
            at += 1
            while at < size and is_space(data[at]):
                at += 1
            if at < size and (data[at] == 34 or data[at] == 39):
                at = place_behind(data, at + 1, data[at])
            else:
                while at < size and not (is_space(data[at]) or data[at] == 62):
                    at += 1


@njit(cache=True, nogil=True)
def raw_end(data: np.ndarray, at: int, name: np.uint64) -> int:
    """The place of the end tag of an element whose content is no markup."""
    while at + 2 < data.size:
        if data[at] == 60 and data[at + 1] == 47 and name_at(data, at + 2)[0] == name:
            return at
        at += 1
    return data.size


@njit(cache=True, nogil=True)
def tag_flags(name: np.uint64) -> int:
    slot = np.int64(name & np.uint64(_SLOTS - 1))
    while _KEYS[slot]:
        if _KEYS[slot] == name:
            return int(_FLAGS[slot])
        slot = (slot + 1) & (_SLOTS - 1)
    return 0


@njit(cache=True, nogil=True)
def _measure(data: np.ndarray) -> tuple[int, int, int, int, int, int]:
    """Most attributes of an element, tags, deepest nesting, elements torn, formatting rebuilt, options."""
    names, kinds = np.empty(_DEPTH_KEPT, np.uint64), np.empty(_DEPTH_KEPT, np.int64)
    outside = np.empty(_DEPTH_KEPT, np.int64)  # formatting that was open before an element
    most = tags = deepest = torn = rebuilt = options = depth = active = of_root = foreign = plain = 0
    at = 0
    while at + 1 < data.size and depth < _DEPTH_KEPT:
        if data[at] != 60:
            at += 1
            continue
        begin, closing, at = tag_start(data, at)
        if begin < 0:
            continue
        name, at = name_at(data, begin)
        at, attributes, alone = attributes_end(data, at)
        most = max(most, attributes)
        if at < 0:
            break
        tags += 1
        flags = tag_flags(name)
        if closing:
            if flags & FORMATTING and active > 0:
                active -= 1
                plain = max(plain - 1, 0)
            if flags & RAW and not foreign:
                continue
            place = depth - 1
            while place >= 0 and place > depth - _SEARCH and names[place] != name and not kinds[place] & _BOUNDARY:
                place -= 1
            if place < 0 or names[place] != name:
                torn += flags & _IMPLIED == 0
                continue
            for other in range(place + 1, depth):
                torn += kinds[other] & _IMPLIED == 0
            if flags & _BOUNDARY:
                active, plain = outside[place], 0
            if place < foreign:
                foreign = 0
            depth = place
            continue
        options += flags & _OPTION != 0
        if flags & _ROOT:
            of_root += attributes
            most = max(most, of_root)
            continue
        rebuilt += active
        if flags & _VOID:
            continue
        if foreign and flags & _BREAKS_OUT:
            depth, foreign = foreign - 1, 0
        if foreign and alone:
            continue
        if flags & RAW and not foreign:
            at = raw_end(data, at, name)
            continue
        if depth and names[depth - 1] == _P and flags & _CLOSES_P:
            depth -= 1
        same = _OWN_CLOSES | _OPTION
        if flags & (_CELL | _ROW):
            place = depth - 1
            while place >= 0 and place > depth - _SEARCH and not kinds[place] & _BOUNDARY:
                place -= 1
            if place >= 0 and kinds[place] & _CELL:
                depth, active = place, outside[place]
            while flags & _ROW and depth and kinds[depth - 1] & _ROW:
                depth -= 1
        elif depth and flags & same and kinds[depth - 1] & flags & same:
            depth -= 1
        if flags & FORMATTING and (attributes or plain < 50):
            plain += attributes == 0
            active += 1
        if flags & _FOREIGN and not foreign:
            foreign = depth + 1
        names[depth], kinds[depth], outside[depth] = name, flags, active
        depth += 1
        deepest = max(deepest, depth)
    if depth >= _DEPTH_KEPT:
        torn += data.size
    return most, tags, deepest, torn, rebuilt, options


@njit(cache=True, nogil=True)
def _strip(data: np.ndarray, out: np.ndarray) -> int:
    """Write what is no tag, comment or unread element to `out`; returns how many bytes."""
    at = size = 0
    endless = np.zeros(16, np.uint64)  # unread elements without an end, whose content is text
    endless_count = 0
    while at < data.size:
        if data[at] != 60 or at + 1 >= data.size:
            out[size] = data[at]
            size += 1
            at += 1
            continue
        begin, closing, after = tag_start(data, at)
        if begin < 0:
            if after == at + 1:
                out[size] = 60
                size += 1
            at = after
            continue
        name, behind = name_at(data, begin)
        at, _, _ = attributes_end(data, behind)
        if at < 0:
            break
        flags = tag_flags(name)
        if flags & _UNREAD and not closing and not (endless[:endless_count] == name).any():
            end = raw_end(data, at, name)
            if end < data.size:
                at = end
            else:
                endless[endless_count] = name
                endless_count += 1
        elif not flags & _INLINE:
            out[size] = 10
            size += 1
    return size
