"""Licences in figures, before and after the gate, and the file of attributions that goes with a corpus."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Template

from configs.load import Plan
from governance import figures
from governance.cards import TEMPLATES, markdown
from governance.rendering import markdown_environment

ROWS_MAX = 1000
"""Combinations of licences that a manifest lists, those of most documents first."""

NO_ATTRIBUTION = frozenset(
    {"0BSD", "CC0-1.0", "CC-PDDC", "LicenseRef-public-domain", "MIT-0", "PDDL-1.0", "Unlicense", "WTFPL", "blessing"}
)
"""Licences and dedications that ask for no notice."""

SHARE_ALIKE = ("CC-BY-SA-", "GFDL-", "GPL-", "LGPL-", "AGPL-", "MPL-", "EPL-", "EUPL-", "ODbL-", "CDDL-", "OSL-")
"""Licences whose works, changed, are to be passed on under the same."""


def licence_rows(counted: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """What tasks of `ingest` counted, as rows for the manifest: those of most documents first.

    Keys: declared, detected ("" where nothing was), licence (the one that counts), reason (of the ledger; `admitted`),
    conflict (whether declared and detected contradict each other), documents, bytes (on entering).
    """
    sums: dict[tuple[str, str, str, str], list[int]] = {}
    for declared, detected, effective, fate, documents, size in counted:
        total = sums.setdefault((declared, detected, effective, fate), [0, 0])
        total[0] += documents
        total[1] += size
    rows: list[dict[str, Any]] = [
        {
            "declared": declared,
            "detected": detected,
            "licence": effective,
            "reason": fate.removesuffix("!"),
            "conflict": fate.endswith("!"),
            "documents": documents,
            "bytes": size,
        }
        for (declared, detected, effective, fate), (documents, size) in sums.items()
    ]
    rows.sort(key=lambda row: (-row["documents"], row["declared"], row["detected"], row["licence"], row["reason"]))
    return rows[:ROWS_MAX]


def licence_statistics(rows: Sequence[Mapping[str, Any]], kept: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Counts by licence before and after, and the conflicts, for `statistics.json`.

    `kept` is documents and bytes of the corpus by licence. Returns `by_licence`: licence → entered, admitted, kept
    (documents) and bytes (kept); `conflicts`: rows of `licence_rows`; `reasons`: documents refused by reason.
    """
    by_licence: dict[str, dict[str, int]] = {}
    reasons: dict[str, int] = {}
    for row in rows:
        entry = by_licence.setdefault(row["licence"], {"entered": 0, "admitted": 0, "kept": 0, "bytes": 0})
        entry["entered"] += row["documents"]
        if row["reason"] == "admitted":
            entry["admitted"] += row["documents"]
        else:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["documents"]
    for licence, amounts in kept.items():
        entry = by_licence.setdefault(licence, {"entered": 0, "admitted": 0, "kept": 0, "bytes": 0})
        entry |= {"kept": amounts["documents"], "bytes": amounts["bytes"]}
    ordered = sorted(by_licence.items(), key=lambda item: (-item[1]["entered"], -item[1]["kept"], item[0]))
    return {
        "by_licence": dict(ordered),
        "conflicts": [dict(row) for row in rows if row["conflict"]],
        "reasons": dict(sorted(reasons.items())),
    }


def licence_names(expression: str) -> list[str]:
    """The licences of an expression, in its order."""
    names = re.split(r"\s+(?:AND|OR)\s+|[()\s]+", expression.replace(" WITH ", "_WITH_"))
    return list(dict.fromkeys(name.replace("_WITH_", " WITH ") for name in names if name))


def obligations(expression: str) -> str:
    """What the licences of an expression ask of who passes works on, in a few words; "" where nothing is asked."""
    names = licence_names(expression)
    asking = [name for name in names if name not in NO_ATTRIBUTION]
    if not asking or (" OR " in expression and len(asking) < len(names)):
        return ""
    asked = ["credit the authors" if any(name.startswith("CC-") for name in asking) else "keep the copyright notice"]
    if not all(name.startswith("CC-") for name in asking):
        asked.append("pass on the licence's text")
    if any(name.startswith(SHARE_ALIKE) for name in asking) and " OR " not in expression:
        asked.append("pass changed works on under the same licence")
    return ", ".join(asked)


def attribution(statistics: Mapping[str, Any], manifest: Mapping[str, Any], plan: Plan) -> str:
    """`ATTRIBUTION.md`: by licence that asks for it, whose works are in the corpus, and where they come from."""
    parts: dict[str, list[dict[str, Any]]] = {}
    packages: dict[str, list[str]] = {}
    for package in manifest.get("packages", ()):
        name = f"{package.get('package', '')} {package.get('version') or ''}".strip()
        packages.setdefault(package.get("source", ""), []).append(name)
    for source in plan.sources:
        held = statistics["sources"].get(source.id, {})
        for licence, amounts in held.get("licences", {}).items():
            about = {"source": source, "documents": amounts["documents"], "packages": packages.get(source.id, [])}
            parts.setdefault(licence, []).append(about)
    licences = [(licence, obligations(licence), parts[licence]) for licence in sorted(parts)]
    return attribution_template().render(title=statistics["title"], digest=statistics["digest"], licences=licences)


@cache
def attribution_template() -> Template:
    """The template of `ATTRIBUTION.md`, compiled once a process."""
    environment = markdown_environment(TEMPLATES)
    environment.filters |= {"md": markdown, "counted": figures.counted, "names": licence_names}
    environment.filters["sentence"] = figures.sentence
    return environment.get_template("attribution.md.j2")
