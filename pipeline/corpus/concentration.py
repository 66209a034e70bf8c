"""How concentrated a corpus is: by source, and by the domain that a document's address names."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import reading

HEAD = 10
"""So many of the largest are named, and their share together is given."""


def gini(amounts: Iterable[float]) -> float | None:
    """The Gini coefficient of amounts: 0 where all are equal, towards 1 where one has all; None for fewer than two."""
    values = np.sort(np.array(list(amounts), np.float64))
    if len(values) < 2 or values.sum() == 0:
        return None
    ranks = np.arange(1, len(values) + 1)
    return float(2 * (ranks * values).sum() / (len(values) * values.sum()) - (len(values) + 1) / len(values))


def concentration(amounts: dict[str, int]) -> dict[str, Any]:
    """Number, Gini coefficient, share of the largest and of the largest ten, and these ten by name."""
    total = sum(amounts.values())
    largest = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))[:HEAD]
    return {
        "number": len(amounts),
        "gini": gini(amounts.values()),
        "top_share": largest[0][1] / total if total else None,
        "top_ten_share": sum(size for _, size in largest) / total if total else None,
        "largest": [{"name": name, "bytes": size, "share": size / total if total else 0.0} for name, size in largest],
    }


def domains(corpus: str) -> dict[str, dict[str, int]]:
    """Bytes kept by language and registrable domain (`example.co.uk`), of documents whose address is of the web."""
    found: dict[str, dict[str, int]] = {}
    for batch in reading.ledger_batches(corpus, ["language", "uri", "bytes_kept", "decision"]):
        kept = batch.filter(
            pc.and_(pc.equal(batch["decision"], "kept"), pc.match_substring_regex(batch["uri"], "^https?://"))
        )
        if not kept.num_rows:
            continue
        hosts = pa.array([_domain(uri) for uri in kept["uri"].to_pylist()], pa.string())
        table = pa.table({"language": kept["language"], "domain": hosts, "bytes": kept["bytes_kept"]})
        for row in table.group_by(["language", "domain"]).aggregate([("bytes", "sum")]).to_pylist():
            if row["domain"]:
                mine = found.setdefault(row["language"], {})
                mine[row["domain"]] = mine.get(row["domain"], 0) + row["bytes_sum"]
    return found


def all_domains(by_language: dict[str, dict[str, int]]) -> dict[str, int]:
    """Bytes by domain of all languages together."""
    total: dict[str, int] = {}
    for amounts in by_language.values():
        for name, size in amounts.items():
            total[name] = total.get(name, 0) + size
    return total


def top_domains(amounts: dict[str, int], share: float, most: int | None = None) -> Sequence[tuple[str, int]]:
    """The largest domains, `share` of their number and at least one, `most` at most; by bytes, then name."""
    ordered = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    number = max(1, int(np.ceil(len(ordered) * share))) if ordered else 0
    return ordered[: number if most is None else min(number, most)]


def _domain(uri: str) -> str:
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        return ""
    return _registrable(host)


@cache
def _extract() -> Any:
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None)


def _registrable(host: str) -> str:
    if host not in _known:
        if len(_known) > 1_000_000:
            _known.clear()
        _known[host] = str(_extract()(host).top_domain_under_public_suffix or host)
    return _known[host]


_known: dict[str, str] = {}
