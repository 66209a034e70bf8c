"""Opt-outs of today, applied to a finished corpus: lists of domains, and the rules that sites publish.

What is given is a list (a domain or an address a line), a web archive that holds `robots.txt` and the like as they are
now, or a folder of such files, where `HOST/robots.txt`, `HOST/ai.txt` and `HOST/.well-known/tdmrep.json` are a site's.
"""

import datetime
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from configs.errors import ConfigurationError, InputError
from configs.models import ConsentPolicy
from configs.shown import shown
from governance.consent import RULE_FILES, Consent, Refusal, domain_of
from governance.figures import counted
from governance.requests import Request
from pipeline.corpus import reading
from pipeline.corpus.plan import plan_of
from pipeline.readers.containers import members
from pipeline.readers.streams import open_file
from pipeline.readers.web import read_rules
from pipeline.runtime import storage

LINES_MAX = 10_000_000
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.I)


@dataclass
class OptOuts:
    """Sites, and places in sites, whose texts are not to be used; `digest` is the SHA-256 of all that was read."""

    consent: Consent
    digest: str = ""
    places: dict[str, list[tuple[str, Refusal]]] = field(default_factory=dict)
    """By domain: how addresses begin, without their scheme."""
    lists: int = 0
    entries: int = 0
    sites: set[str] = field(default_factory=set)
    not_understood: list[str] = field(default_factory=list)

    def refusal(self, uri: str) -> Refusal | None:
        """Why what came from this address may not be used; None if nothing speaks against it."""
        if not (match := _SCHEME.match(uri)):
            return None
        if self.places and (found := self._by_place(uri[match.end() :])):
            return found
        return self.consent.refusal(uri)

    def _by_place(self, rest: str) -> Refusal | None:
        domain = domain_of(rest.split("/", 1)[0])
        entries = self.places.get(domain, ())
        return next((refusal for start, refusal in entries if rest.casefold().startswith(start)), None)


def read_opt_outs(path: str, policy: ConsentPolicy) -> OptOuts:
    """Read a list, a web archive or a folder of opt-outs (any fsspec path); `policy` says which rules are heeded.

    Raises ConfigurationError where there is none, or where nothing in it says anything.
    """
    fs, inner = storage.filesystem(path)
    if not fs.exists(inner):
        raise ConfigurationError(f"{shown(path)}: no such file or folder")
    whole = path.rstrip("/")
    names = sorted(storage.list_files(path)) if fs.isdir(inner) else [""]
    blocked: dict[str, Refusal] = {}
    found = OptOuts(Consent(policy, blocked))
    digest = hashlib.sha256()
    for name in names:
        place = storage.join(whole, name) if name else whole
        _read_file(place, name or whole.rsplit("/", 1)[-1], bool(name), blocked, found)
        digest.update(f"{name}\0".encode())
        storage.hash_file(place, digest)
    found.consent.block(blocked)
    found.digest = digest.hexdigest()
    if not (found.entries or found.sites):
        raise ConfigurationError(f"{shown(path)}: names no domain, no address and no rules of a site")
    return found


def _read_file(path: str, name: str, in_folder: bool, blocked: dict[str, Refusal], found: OptOuts) -> None:
    date = _date(path)
    rules = next((path for path in RULE_FILES if name.split("/")[-1] == path.rsplit("/", 1)[1]), "")
    if rules:
        host = name.split("/")[0]
        if not in_folder or "/" not in name:
            raise ConfigurationError(
                f"{shown(path)}: rules of which site? Put it into a folder named like the host, "
                f"such as rules/example.org{rules}, and give the outer folder"
            )
        with _opened(path) as stream:
            found.consent.add(f"https://{host}{rules}", stream.read(1 << 20), date)
        found.sites.add(host)
    elif re.search(r"\.warc(\.[a-z0-9]+)?$", name, re.I):
        _read_archive(path, name, found)
    else:
        _read_list(path, name, date, blocked, found)


def _read_archive(path: str, name: str, found: OptOuts) -> None:
    before = found.consent.sites
    try:
        with open_file(path, name) as stream:
            for member in members(stream, name, name, lambda _: True, lambda _: None):
                read_rules(member, found.consent)
    except InputError as error:
        raise ConfigurationError(f"{shown(path)}: {error.cause}") from None
    found.sites |= found.consent.sites - before


def _read_list(path: str, name: str, date: str, blocked: dict[str, Refusal], found: OptOuts) -> None:
    refusal = Refusal(f"on the opt-out list {name.split('/')[-1]}", date)
    found.lists += 1
    with _opened(path) as stream:
        for number, raw in enumerate(stream):
            if number >= LINES_MAX:
                raise ConfigurationError(f"{shown(path)}: has more than {LINES_MAX:,} lines; split it")
            try:
                line = raw[:4096].decode("utf-8-sig").strip()
            except UnicodeDecodeError:
                raise ConfigurationError(f"{shown(path)}: line {number + 1} is not UTF-8") from None
            _take_line(line, refusal, blocked, found)


def _take_line(line: str, refusal: Refusal, blocked: dict[str, Refusal], found: OptOuts) -> None:
    """A domain (`example.org`, `*.example.org`, `||example.org^`, `0.0.0.0 example.org`), or an address."""
    line = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
    if not line or line.startswith("!"):
        return
    rest = _SCHEME.sub("", line)
    host, slash, path = rest.partition("/")
    if slash and path and not re.search(r"\s", line) and domain_of(host):
        found.places.setdefault(domain_of(host), []).append((f"{host}/{path}".casefold(), refusal))
    elif domain := domain_of(host if slash and not path else line):
        blocked[domain] = refusal
    else:
        found.not_understood.append(line[:80])
        return
    found.entries += 1


def _opened(path: str) -> Any:
    fs, inner = storage.filesystem(path)
    try:
        return fs.open(inner, "rb")
    except OSError as error:
        raise ConfigurationError(f"{shown(path)}: cannot be read: {shown(error, 200)}") from None


def _date(path: str) -> str:
    """The day a file was last changed; today where that is not known."""
    fs, inner = storage.filesystem(path)
    try:
        return str(fs.modified(inner).date().isoformat())
    except (NotImplementedError, OSError, AttributeError, KeyError):
        return datetime.datetime.now(datetime.UTC).date().isoformat()


def refused(corpus: str, opt_outs: OptOuts) -> dict[str, tuple[str, Refusal]]:
    """Documents of a corpus that may not be used: id → `kept` or `dropped`, and the rule."""
    found: dict[str, tuple[str, Refusal]] = {}
    known: dict[str, Refusal | None] = {}
    for batch in reading.ledger_batches(corpus, ["id", "uri", "decision"]):
        uris = batch["uri"].to_pylist()
        for uri in set(uris) - known.keys():
            known[uri] = opt_outs.refusal(uri)
        rows = [row for row, uri in enumerate(uris) if known[uri]]
        if rows:
            ids, fates = batch["id"].take(np.array(rows)), batch["decision"].take(np.array(rows))
            for row, name, fate in zip(rows, ids.to_pylist(), fates.to_pylist(), strict=True):
                refusal = known[uris[row]]
                if refusal is not None and (name not in found or found[name][0] != "kept"):
                    found[name] = (fate, refusal)
        if len(known) > 1_000_000:
            known.clear()
    return found


def request_of(corpus: str, path: str) -> tuple[Request, str, OptOuts]:
    """Opt-outs as a request to take down, its digest, and what was read; the recipe says which rules are heeded.

    Raises ConfigurationError, InputError.
    """
    policy = plan_of(reading.read_manifest(corpus)).recipe.consent
    opt_outs = read_opt_outs(path, policy)
    counts = {
        "domain or address": opt_outs.entries,
        "site with rules": len(opt_outs.sites),
    }
    today = datetime.datetime.now(datetime.UTC).date()
    request = Request.model_construct(
        id=f"opt-outs-{opt_outs.digest[:12]}",
        received=today,
        reason=f"opt-outs of sites: {', '.join(counted(n, name) for name, n in counts.items() if n)}",
        near_duplicates=False,
        remove=(),
    )
    return request, opt_outs.digest, opt_outs
