"""How amounts are written for people: counts, bytes, shares, and what the reasons in a ledger mean."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REASONS = {
    "kept": "kept",
    "language_mismatch": "identified as another language than declared",
    "language_other": "in a language that the recipe does not include",
    "not_sampled": "beyond the language's budget",
    "findings_max": "too much personal data",
    "personal_data_found": "contains personal data",
    "personal_data_review": "held back for review of the personal data in it",
    "exact_duplicate": "same text as a document kept",
    "near_duplicate": "nearly the same text as a document kept",
    "duplicate_id": "same id as another document of the source",
    "licence_denied": "licence refused by the recipe",
    "licence_conflict": "declared licence contradicted by the file or the files around it",
    "licence_unknown": "unknown licence",
    "opted_out": "the page's site does not consent to its use",
    "licence_review": "held back for review of the licence",
    "empty": "no text",
    "unreadable": "could not be read",
    "takedown": "taken down on request",
    "contaminated": "contains an item of an evaluation set",
}
"""Reasons of the ledger in words; those of thresholds are worded by `reason`."""

STAGES = {
    "ingest": "reading",
    "licence": "licence gate",
    "language": "language identification",
    "quality": "quality filters",
    "personal_data": "personal data",
    "deduplicate": "deduplication",
    "decontaminate": "decontamination",
    "sample": "sampling",
    "takedown": "takedown",
}
"""Stages of a build in words."""

MEASURES = {
    "bytes": "length in bytes",
    "closed_class_words": "closed-class words",
    "letter_order": "letter order",
    "non_word_characters": "non-word characters",
    "token_length_deviation": "spread of token lengths",
}
"""Measures whose names say too little, in words."""

KINDS = {
    "CREDIT_CARD": "credit card",
    "EMAIL": "email address",
    "IBAN": "IBAN",
    "IP_ADDRESS": "IP address",
    "KEY": "key",
    "NATIONAL_ID": "national id",
    "PHONE": "phone number",
    "USER": "user name",
}
"""Kinds of personal data in words."""


def kind(name: str) -> str:
    """A kind of personal data in words."""
    return KINDS.get(name, words(name.lower()))


def count(number: float) -> str:
    """A whole number with thousands set apart: `12,345`."""
    return f"{number:,.0f}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 document`, `12,345 documents`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(number: float) -> str:
    """Bytes in decimal units, three digits: `1.23 MB`."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 999.5 or unit == "TB":
            break
        value /= 1000
    if unit == "B":
        return f"{value:.0f} B"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


def loss(flag: Mapping[str, Any]) -> str:
    """What a stage took from a language beside the mean over languages (an entry of `fairness.flagged`), in documents
    and in bytes, for either may be what is above the mean: `1.4 %, mean 1.7 %; of bytes 14.7 %, mean 1.3 %`.
    """
    documents = f"{percent(flag['documents_share'])}, mean {percent(flag['mean_share'])}"
    in_bytes = f"of bytes {percent(flag['bytes_share'])}"
    if "mean_bytes_share" in flag:  # corpora of earlier versions do not say
        in_bytes += f", mean {percent(flag['mean_bytes_share'])}"
    return f"{documents}; {in_bytes}"


def percent(share: float | None) -> str:
    """A share with two significant digits and no exponent: `12 %`, `0.00024 %`; `–` for None."""
    if share is None:
        return "–"
    value = share * 100
    if value == 0:
        return "0 %"
    if value >= 99.95:
        return "100 %"
    if value >= 10:
        return f"{value:.1f} %"
    digits = 1
    while digits < 12 and value * 10**digits < 10:
        digits += 1
    return f"{value:.{digits}f} %"


def number(value: float) -> str:
    """A measure or threshold, short: `0.07`, `100k`."""
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:.3g}M"
    if abs(value) >= 10_000:
        return f"{value / 1000:.3g}k"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def stage(name: str) -> str:
    """A stage in words."""
    return STAGES.get(name, words(name))


def words(name: str) -> str:
    """A field's name as words: `character_repetition` → `character repetition`."""
    return MEASURES.get(name) or name.replace("_", " ")


def reason(name: str) -> str:
    """A reason of the ledger in words; `words_min` → `words below the threshold`."""
    if name in REASONS:
        return REASONS[name]
    for ending, meaning in (("_min", "below the threshold"), ("_max", "above the threshold")):
        if name.endswith(ending):
            return f"{words(name.removesuffix(ending))} {meaning}"
    return words(name)


def sentence(text: str) -> str:
    """The same with a capital first letter."""
    return text[:1].upper() + text[1:]


def quantile(counts: Sequence[int], edges: Sequence[float], share: float) -> float:
    """The value below which `share` of a histogram lies, to the width of a bin."""
    wanted, passed = share * sum(counts), 0.0
    for place, amount in enumerate(counts):
        if amount and passed + amount >= wanted:
            inside = (wanted - passed) / amount
            return edges[place] + inside * (edges[place + 1] - edges[place])
        passed += amount
    return edges[-1]


def typical(counts: Sequence[int], edges: Sequence[float], share: float) -> str:
    """A quantile as text; in the first bin of a scale that begins at zero only its border is known: `under 0.01`."""
    value = quantile(counts, edges, share)
    return f"under {number(edges[1])}" if edges[0] == 0 and value < edges[1] else number(value)


def shard_ending(files: Iterable[str]) -> str:
    """How the names of a corpus's shards end, dot and all."""
    shards = (path.rpartition("/")[2] for path in files if path.startswith("data/"))
    return next((f".{name.partition('.')[2]}" for name in shards), ".arrow")
