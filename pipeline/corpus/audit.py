"""The audit of a corpus: what is in it, by what right, with what personal data and what bias.

Everything comes from the manifest, the statistics and the ledger of the corpus, and from a sample of its texts if one
is asked for, so that the audit claims no more than was measured; what was not measured is said. Files that are missing,
or of another size than sealed, are named, since the figures are not those of what is left.
"""

import tomllib
from functools import cache
from typing import Any

from configs import CONFIGS
from configs.errors import InputError
from pipeline.corpus import reading
from pipeline.corpus.concentration import all_domains, concentration, domains
from pipeline.corpus.persons import Persons
from pipeline.corpus.seal import cut_or_missing
from pipeline.corpus.tombstones import read_log
from pipeline.reasons import OPTED_OUT, TAKEDOWN
from pipeline.runtime import storage

FORMAT = 1


@cache
def speakers() -> dict[str, int]:
    """People who speak a language, by its code; see the head of the file for where the figures come from."""
    known: dict[str, int] = tomllib.loads((CONFIGS / "speakers.toml").read_text("utf-8"))["speakers"]
    return known


def audit(corpus: str, sample: int = 0, persons: Persons | None = None) -> dict[str, Any]:
    """All figures of the audit, JSON-able; with `sample`, also what takes a look at so many documents' text.

    `persons`: models that find names of people in the sample.

    `damaged` names the files that are missing or of another size than sealed; their digests are for `verify`.

    Raises InputError where the corpus is not whole enough to tell.
    """
    if sample:  # kernels, which nothing else here needs
        from pipeline.corpus.associations import associations
        from pipeline.corpus.second_look import second_look
    manifest = reading.read_manifest(corpus)
    try:
        statistics = storage.read_json(storage.join(corpus, "statistics.json"))
        languages, sources = statistics["languages"], statistics["sources"]
    except (OSError, ValueError, KeyError, TypeError):
        remedy = "Verify the corpus with `openroots verify`, or build it again"
        raise InputError(storage.join(corpus, "statistics.json"), "is missing or damaged", remedy) from None
    by_domain = domains(corpus)
    total = statistics["bytes"] or 1
    try:
        log = read_log(corpus)
    except ValueError as error:
        raise InputError(storage.join(corpus, "takedowns/log.jsonl"), str(error), "Do not trust this corpus") from None
    return {
        "format": FORMAT,
        "name": statistics["name"],
        "title": statistics["title"],
        "digest": manifest["digest"],
        "documents": statistics["documents"],
        "bytes": statistics["bytes"],
        "entered": statistics["entered"],
        "damaged": [{"file": name, "problem": problem} for name, problem in cut_or_missing(corpus).items()],
        "languages": _languages(languages, statistics, by_domain),
        "licences": _licences(languages, total),
        "denied": refused(manifest),
        "consent": _consent(manifest, log),
        "sources": [
            {
                "id": name,
                **{key: entry[key] for key in ("title", "custodian", "licence", "provenance", "consent")},
                "personal_data_note": entry["personal_data_note"],
                "documents": entry["documents"],
                "bytes": entry["bytes"],
                "share": entry["bytes"] / total,
                "entered": entry["entered"]["documents"],
                "findings": sum(found["findings"] for found in entry["personal_data"].values()),
            }
            for name, entry in sorted(sources.items(), key=lambda item: (-item[1]["bytes"], item[0]))
        ],
        "personal_data": {
            "kinds": list(manifest["recipe"].get("personal_data", {}).get("kinds", ())),
            "found": statistics["personal_data"],
            "per_megabyte": {
                kind: found["findings"] / (total / 1e6) for kind, found in statistics["personal_data"].items()
            },
        },
        "concentration": {
            "sources": concentration({name: entry["bytes"] for name, entry in sources.items() if entry["bytes"]}),
            "domains": concentration(all_domains(by_domain)),
        },
        "second_look": second_look(corpus, manifest, sample, persons) if sample else None,
        "associations": associations(corpus, manifest, sample) if sample else None,
        "flagged": [
            {**flag, "name": languages.get(flag["language"], {}).get("name", flag["language"])}
            for flag in statistics["fairness"]["flagged"]
        ],
        "drops": manifest["drops"],
        "takedowns": [
            {
                key: entry.get(key)
                for key in ("request", "received", "applied", "removed_from_corpus", "near_duplicates")
            }
            for entry in log
        ],
    }


def refused(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """What the manifest says of documents left out for their licence, or because their sites do not consent."""
    return [drop for drop in manifest["drops"] if drop["stage"] == "licence" or drop["reason"] == OPTED_OUT]


def _consent(manifest: dict[str, Any], log: list[dict[str, Any]]) -> dict[str, Any]:
    """The cost of consent: pages refused while the corpus was built, whose language nobody read; and what opt-outs took
    from each language of the finished corpus, with the share of what it had before the first of them."""
    at_build = sum(d["documents"] for d in manifest["drops"] if d["reason"] == OPTED_OUT and d["stage"] != TAKEDOWN)
    lost: dict[str, list[float]] = {}
    sources: dict[str, int] = {}
    for entry in log:
        if "rules" in entry:
            for code, about in entry["loss"]["language"].items():
                total = lost.setdefault(code, [0, 1.0])
                total[0] += about["documents"]
                total[1] *= 1 - about["share"]
            for name, about in entry["loss"]["source"].items():
                sources[name] = sources.get(name, 0) + about["documents"]
    return {
        "refused_at_build": at_build,
        "languages": [
            {"code": code, "documents": int(documents), "share": 1 - left}
            for code, (documents, left) in sorted(lost.items(), key=lambda item: (item[1][1], item[0]))
        ],
        "sources": [{"id": name, "documents": n} for name, n in sorted(sources.items(), key=lambda s: (-s[1], s[0]))],
    }


def _languages(
    languages: dict[str, Any], statistics: dict[str, Any], by_domain: dict[str, dict[str, int]]
) -> list[dict[str, Any]]:
    """A row a language, the largest first. Shares of speakers are among the languages of the table that are known."""
    natural = [code for code, entry in languages.items() if entry["kind"] == "natural"]
    people = {code: speakers()[code] for code in natural if code in speakers()}
    all_people = sum(people.values()) or 1
    flagged = {flag["language"] for flag in statistics["fairness"]["flagged"]}
    rows = []
    for code, entry in languages.items():
        held = {name: about["bytes"] for name, about in entry["sources"].items()}
        entered = entry["entered"]
        rows.append(
            {
                "code": code,
                "name": entry["name"],
                "kind": entry["kind"],
                "script": entry["script"],
                "documents": entry["documents"],
                "bytes": entry["bytes"],
                "share": entry["share"],
                "roots_share": entry["roots_share"],
                "speakers": people.get(code),
                "speakers_share": people[code] / all_people if code in people else None,
                "bytes_per_speaker": entry["bytes"] / people[code] if code in people else None,
                "lost_documents_share": 1 - entry["documents"] / entered["documents"] if entered["documents"] else None,
                "lost_bytes_share": max(0.0, 1 - entry["bytes"] / entered["bytes"]) if entered["bytes"] else None,
                "unfair": code in flagged,
                "sources": concentration(held),
                "domains": concentration(by_domain.get(code, {})),
                "findings": sum(found["findings"] for found in entry["personal_data"].values()),
            }
        )
    return sorted(rows, key=lambda row: (-row["bytes"], row["code"]))


def _licences(languages: dict[str, Any], total: int) -> list[dict[str, Any]]:
    sums: dict[str, list[int]] = {}
    for entry in languages.values():
        for licence, about in entry["licences"].items():
            amount = sums.setdefault(licence, [0, 0, 0])
            amount[0] += about["documents"]
            amount[1] += about["bytes"]
            amount[2] += 1
    return [
        {
            "licence": licence,
            "documents": amount[0],
            "bytes": amount[1],
            "share": amount[1] / total,
            "languages": amount[2],
        }
        for licence, amount in sorted(sums.items(), key=lambda item: (-item[1][1], item[0]))
    ]
