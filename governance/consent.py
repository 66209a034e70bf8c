"""Consent of web sites to the training of models: what they say, and whether a page may be used.

Asked in this order, and the first that refuses counts: block lists of domains; `robots.txt` for agents of AI (RFC
9309), with Content-Signal, Content-Usage and RSL's `License`; `ai.txt`; the TDM Reservation Protocol (file, header,
meta); `noai` and the like in `X-Robots-Tag` and meta. What cannot be read refuses nothing.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import idna
from protego import Protego

from configs.errors import ConfigurationError
from configs.models import BlockList, ConsentPolicy
from configs.shown import shown

RULES_BYTES_MAX = 500 << 10
"""Bytes of a file of rules that are read (RFC 9309, section 2.5)."""

HEAD_BYTES = 64 << 10
"""Bytes of a page in which meta elements are looked for."""

RULE_FILES = ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json")
"""Where sites say it: what such addresses end with."""

_RULES_PATH = re.compile(r"/robots\.txt|(?:/\.well-known)?/ai\.txt|/\.well-known/tdmrep\.json")
_USAGE = re.compile(r"(?im)^[ \t]*(content-signal|content-usage)[ \t]*:[ \t]*([^\n#]*)")
_NO_TRAINING = re.compile(
    r"(?i)(?<![\w-])(?:(?:ai-train|train-ai|train-genai)[ \t]*=[ \t]*\"?(?:no?|0)\b|(?:tdm|ai|genai)[ \t]*=[ \t]*no?\b)"
)
_RSL = re.compile(r"(?im)^[ \t]*license[ \t]*:[ \t]*((?:https?://|/)\S{1,500})")
_META = re.compile(r"(?i)<meta\s[^>]{0,2000}>")
_ATTRIBUTE = re.compile(r"""(?i)\b(name|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""")
_RSL_LINK = re.compile(r"(?i)<(?:link|script)\s[^>]{0,1000}application/rsl\+xml[^>]{0,1000}>")
_ADDRESS = re.compile(r"[0-9.]{7,15}|[0-9a-f:]*::?[0-9a-f:]*")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NO_AI = frozenset(("noai", "noml", "nomachinelearning"))


@dataclass(frozen=True)
class Refusal:
    """Why a page may not be used: which rule, in words, and of what date (of the crawl, or of the list)."""

    rule: str
    date: str = ""
    kind: str = ""  # the rule without what is the site's own; empty: the rule is as good

    @property
    def detail(self) -> str:
        """As the ledger has it."""
        return f"{self.rule} ({self.date})" if self.date else self.rule


@dataclass
class _Site:
    """What one host says of itself."""

    robots: Protego | None = None
    robots_text: str = ""
    robots_date: str = ""
    ai: Protego | None = None
    ai_date: str = ""
    tdm: list[tuple["re.Pattern[str]", bool]] = field(default_factory=list)
    tdm_date: str = ""


class Consent:
    """What sites said, by host, and what a recipe makes of it."""

    def __init__(self, policy: ConsentPolicy, blocked: Mapping[str, Refusal] | None = None) -> None:
        self._policy = policy
        self._blocked = dict(blocked or {})
        self._sites: dict[str, _Site] = {}

    @property
    def sites(self) -> set[str]:
        """Hosts whose rules were taken in."""
        return set(self._sites)

    def block(self, domains: Mapping[str, Refusal]) -> None:
        """Refuse all pages of these domains, and of those below them."""
        self._blocked |= domains

    def add(self, uri: str, data: bytes, date: str) -> None:
        """Take in one of a site's files of rules (`RULE_FILES`), as crawled; of several the latest counts."""
        path = urlsplit(uri).path
        if not _RULES_PATH.fullmatch(path):
            return
        site, text = self._sites.setdefault(_host(uri), _Site()), _text_of(data)
        if path == "/robots.txt" and date >= site.robots_date:
            site.robots, site.robots_text, site.robots_date = _parsed(text), text, date
        elif path.endswith("/ai.txt") and date >= site.ai_date:
            site.ai, site.ai_date = _parsed(text), date
        elif path.endswith("/tdmrep.json") and date >= site.tdm_date:
            site.tdm, site.tdm_date = _reservations(text, _host(uri)), date

    def refusal(
        self, uri: str, date: str = "", fields: Mapping[str, str] | None = None, page: bytes = b""
    ) -> Refusal | None:
        """Why a page may not be used; None if nothing speaks against it.

        `fields` are those of the HTTP answer (names in lower case), `page` the start of its HTML.
        """
        if found := self._by_list(uri):
            return found
        policy, host = self._policy, _host(uri)
        site = self._sites.get(host)
        if site and policy.robots and (found := self._by_robots(site, uri, host)):
            return found
        if site and policy.ai_txt and site.ai and _all_text_denied(site.ai, uri):
            return Refusal(f"ai.txt of {host} denies it", site.ai_date, "ai.txt denies it")
        if site and policy.tdm and _is_reserved(site.tdm, uri):
            rule = "reserves text and data mining"
            return Refusal(f"tdmrep.json of {host} {rule}", site.tdm_date, f"tdmrep.json {rule}")
        return self._by_answer(fields or {}, page[:HEAD_BYTES].replace(b"\0", b"").decode("latin-1"), date)

    def _by_list(self, uri: str) -> Refusal | None:
        name = _host(uri).partition(":")[0]
        while name:
            if name in self._blocked:
                return self._blocked[name]
            name = name.partition(".")[2]
        return None

    def _by_robots(self, site: _Site, uri: str, host: str) -> Refusal | None:
        where = f"robots.txt of {host}"
        if site.robots:
            for agent in self._policy.agents:
                if not _may_fetch(site.robots, uri, agent):
                    rule = f"denies it to {agent}"
                    return Refusal(f"{where} {rule}", site.robots_date, f"robots.txt {rule}")
        if self._policy.signals:
            for match in _USAGE.finditer(site.robots_text):
                if _NO_TRAINING.search(match[2]) and _is_under(match[2], uri):
                    rule = f"{match[1]}: {match[2].strip()[:100]}"
                    return Refusal(f"{where}: {rule}", site.robots_date, "robots.txt")
        if self._policy.rsl and (licence := _RSL.search(site.robots_text)):
            rule = f"under the RSL licence {licence[1]}"
            return Refusal(f"{where}: {rule}", site.robots_date, "robots.txt")
        return None

    def _by_answer(self, fields: Mapping[str, str], page: str, date: str) -> Refusal | None:
        policy = self._policy
        metas = [_named(tag) for tag in _META.findall(page)]
        if policy.tdm:
            if _is_yes(fields.get("tdm-reservation", "")):
                return Refusal("header tdm-reservation: 1", date)
            if any(name == "tdm-reservation" and _is_yes(value) for name, value in metas):
                return Refusal("meta tdm-reservation: 1", date)
        if policy.noai:
            if word := _denies(fields.get("x-robots-tag", "")):
                return Refusal(f"header X-Robots-Tag: {word}", date)
            robots = (value for name, value in metas if name in ("robots", *map(str.lower, policy.agents)))
            if word := next(filter(None, map(_denies, robots)), ""):
                return Refusal(f"meta robots: {word}", date)
        if policy.signals:
            for name in ("content-signal", "content-usage"):
                if _NO_TRAINING.search(fields.get(name, "")):
                    return Refusal(f"header {name}: {fields[name].strip()[:100]}", date)
        if policy.rsl and ("application/rsl+xml" in fields.get("link", "").lower() or _RSL_LINK.search(page)):
            return Refusal("under an RSL licence", date)
        return None


def read_block_lists(lists: Iterable[BlockList]) -> dict[str, Refusal]:
    """Domains of block lists: one a line, `#` begins a comment. Raises ConfigurationError where one cannot be read."""
    blocked: dict[str, Refusal] = {}
    for entry in lists:
        try:
            lines = Path(entry.path).read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"block list {entry.path}: cannot be read ({error})") from error
        refusal = Refusal(f"on the block list {Path(entry.path).name}", entry.date)
        for number, line in enumerate(lines, 1):
            name = line.partition("#")[0].strip()
            if name and not name.startswith("!"):
                if not (domain := domain_of(name)):
                    raise ConfigurationError(f"block list {entry.path}: line {number}: `{shown(name)}` is not a domain")
                blocked[domain] = refusal
    return blocked


def domain_of(text: str) -> str:
    """The domain that a line of a list names, in ASCII; "" where it names none.

    `example.org`, `*.example.org`, `https://example.org/`, and as lists for programs have it: `||example.org^`,
    `0.0.0.0 example.org`.
    """
    words = text.lower().split()
    if len(words) == 2 and _ADDRESS.fullmatch(words[0]):
        words = words[1:]
    if len(words) != 1:
        return ""
    name = re.sub(r"^(?:\|\||[a-z][a-z0-9+.-]*://)", "", words[0])
    name = re.sub(r"(?:\^.*|/)$", "", name).rpartition("@")[2]
    name = _ascii(re.sub(r":[0-9]+$", "", name).removeprefix("*.").strip("."))
    return name if _DOMAIN.fullmatch(name) else ""


def block_list_digests(policy: ConsentPolicy) -> list[str]:
    """Digests of a policy's block lists: one that changes is applied again. Raises ConfigurationError."""
    try:
        return [hashlib.sha256(Path(entry.path).read_bytes()).hexdigest() for entry in policy.block_lists]
    except OSError as error:
        raise ConfigurationError(f"a block list cannot be read: {error}") from error


def _ascii(name: str) -> str:
    """A host's name as it is looked up: by IDNA 2008, as browsers do; one that has none as it is."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError:  # among them names with an underscore
        return name


def _host(uri: str) -> str:
    """Host and port of an address, as they are compared; "" where it has none."""
    try:
        parts = urlsplit(uri)
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
        return _ascii((parts.hostname or "").rstrip(".")) + port
    except ValueError:
        return ""


def _text_of(data: bytes) -> str:
    """A file of rules as text, its lines ended by line feeds; of one that is too long whole lines. A page in its place
    says nothing."""
    is_cut, data = len(data) > RULES_BYTES_MAX, data[:RULES_BYTES_MAX]
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace").replace("\0", "")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if is_cut:  # half a line may deny more than the whole one
        text = text[: text.rfind("\n") + 1]
    return "" if text.lstrip()[:1] == "<" else text


def _is_yes(value: str) -> bool:
    """Whether the value of a TDM reservation says that rights are reserved."""
    return bool(re.match(r"\s*[\"']?(?:1\b|true\b)", value[:100], re.IGNORECASE))


def _parsed(text: str) -> Protego | None:
    try:
        return Protego.parse(text)
    except Exception:  # a file of rules is anybody's; what cannot be read refuses nothing
        return None


def _may_fetch(rules: Protego, uri: str, agent: str) -> bool:
    try:
        return bool(rules.can_fetch(uri, agent))
    except Exception:  # an address that cannot be parsed is matched by no rule
        return True


def _all_text_denied(rules: Protego, uri: str) -> bool:
    """Whether `ai.txt` denies a page: its path, or text files of every kind, as such files are written."""
    parts = urlsplit(uri)
    base = f"{parts.scheme}://{parts.netloc}"
    return not _may_fetch(rules, uri, "*") or not any(
        _may_fetch(rules, f"{base}/page{ending}", "*") for ending in (".txt", ".html")
    )


def _reservations(text: str, host: str) -> list[tuple["re.Pattern[str]", bool]]:
    """Places and whether they are reserved, from `tdmrep.json`: a list, or one entry alone; an entry without a place is
    for all."""
    try:
        entries: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    entries = [entries] if isinstance(entries, dict) else entries
    rules = []
    for entry in entries[:1000] if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or "tdm-reservation" not in entry:
            continue
        place = entry.get("location", "/")
        if not isinstance(place, str):
            continue
        if re.match(r"https?://", place[:8], re.IGNORECASE):
            if _host(place) != host:
                continue
            place = "/" + place.partition("://")[2].partition("/")[2]
        place = re.sub(r"\*+", "*", place[:500])
        whole = place.endswith("$")
        pattern = ".*".join(map(re.escape, place.removesuffix("$").split("*")))
        rules.append((re.compile(pattern + ("$" if whole else "")), _is_yes(str(entry["tdm-reservation"]))))
    return rules


def _is_reserved(rules: list[tuple["re.Pattern[str]", bool]], uri: str) -> bool:
    """What the first rule that fits a page's path says."""
    parts = urlsplit(uri)
    path = ((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))[:2000]
    return next((reserved for pattern, reserved in rules if pattern.match(path)), False)


def _is_under(value: str, uri: str) -> bool:
    """Whether a signal is for a page: it may begin with a path."""
    first = value.split()[0] if value.split() else ""
    return not first.startswith("/") or urlsplit(uri).path.startswith(first.rstrip("*"))


def _named(tag: str) -> tuple[str, str]:
    found = {name.lower(): a or b or c for name, a, b, c in _ATTRIBUTE.findall(tag)}
    return found.get("name", "").lower(), found.get("content", "")


def _denies(value: str) -> str:
    """The word of a list of directives that denies training; "" if none does."""
    words = re.split(r"[,;/\s:]+", value.lower()[:1000])
    return next((word for word in words if word in _NO_AI), "")
