"""`croissant.json`: the corpus in MLCommons Croissant 1.1 (JSON-LD), for search engines and loaders that know it.

Files: one FileSet for each language's shards and one for the ledger. Record sets: one for each language, its fields
the columns of the shards. What it says on responsible AI, provenance and terms of use is in `croissant_responsible`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from configs.load import Plan
from governance.croissant_responsible import provenance, responsible, terms_of_use
from governance.figures import shard_ending

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "sdVersion": "cr:sdVersion",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
}
"""The JSON-LD context that the specification prescribes (Croissant 1.1, appendix), with PROV-O and ODRL."""

PARQUET = "application/x-parquet"
JSON_LINES = "application/jsonlines"
ENCODINGS = {".arrow": "application/vnd.apache.arrow.file", ".parquet": PARQUET, ".jsonl.zst": JSON_LINES}
"""Media types by the ending of a shard's name."""

TEXT, INTEGER, FLOAT = "sc:Text", "sc:Integer", "sc:Float"

FIELDS: dict[str, tuple[str, str]] = {
    "id": (TEXT, "xxh3-128 of source and key, 32 hexadecimal digits"),
    "text": (TEXT, "the document, UTF-8; personal data replaced by PI:KIND"),
    "source": (TEXT, "registry id of the source"),
    "language": (TEXT, "BCP-47 or programming language"),
    "licence": (TEXT, "SPDX expression of the document: the one that counts"),
    "licence_declared": (TEXT, "as the source declares it"),
    "licence_detected": (TEXT, "as found in the file or around it; empty: nothing was"),
    "uri": (TEXT, "where it came from"),
    "key": (TEXT, "its own key in its source: file, member, and row or own id"),
    "metadata": (TEXT, "a JSON object with what else is known"),
    "bytes_in": (INTEGER, "UTF-8 bytes on entering"),
    "language_declared": (TEXT, "language that the source declares; `und` if none"),
    "language_score": (FLOAT, "0 to 1, what language identification gives to the language"),
    "language_share": (FLOAT, "0 to 1, the share of the document in its language"),
    "languages": (TEXT, "languages of the document by share, such as `sw 0.82, en 0.18`"),
    "language_votes": (TEXT, "what each voter of language identification answered, and its score"),
    "cluster_size": (INTEGER, "documents in the cluster of duplicates of which this one was kept"),
    "epochs": (INTEGER, "how often a trainer should see the document"),
}
"""Columns that every corpus has: type and meaning."""

LEDGER_FIELDS: dict[str, tuple[str, str]] = {
    "id": FIELDS["id"],
    "source": (TEXT, "registry id of the source"),
    "language": (TEXT, "as identified; as declared where the document left before"),
    "bytes": (INTEGER, "UTF-8 bytes on entering"),
    "bytes_kept": (INTEGER, "UTF-8 bytes in the corpus; 0 if dropped"),
    "decision": (TEXT, "kept or dropped"),
    "stage": (TEXT, "stage at which the document left; `write` if kept"),
    "reason": (TEXT, "why"),
    "detail": (TEXT, "why, in words: what the next columns say, and what they do not"),
    "measure": (TEXT, "what was compared with a threshold, such as `words`; empty where nothing was"),
    "value": (FLOAT, "what was measured"),
    "threshold": (FLOAT, "what it was compared with; empty where any value was too much"),
    "kept_id": (TEXT, "of a duplicate, the id of the document kept instead"),
    "kept_source": (TEXT, "the source of that document; where it is in a finished build, that build"),
    "similarity": (FLOAT, "estimated Jaccard similarity with it, of near-duplicates"),
    "language_declared": (TEXT, "language that the source declares; `und` if none"),
    "language_identified": (TEXT, "language that was identified; empty where none was asked for"),
    "uri": (TEXT, "where it came from"),
    "key": (TEXT, "its own key in its source: file, member, and row or own id"),
}


def croissant(statistics: Mapping[str, Any], manifest: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The Croissant description of a corpus, for `json.dumps`. Paths are relative to the corpus' folder."""
    held = {code: entry for code, entry in statistics["languages"].items() if entry["documents"]}
    shards = {path: file for path, file in statistics["files"].items() if path.startswith("data/")}
    parts = {path: file for path, file in statistics["files"].items() if path.startswith("ledger/")}
    held_under = {
        licence: {"documents": counted["kept"], "bytes": counted["bytes"]}
        for licence, counted in sorted(statistics["licences"]["by_licence"].items())
        if counted["kept"]
    }
    ending = shard_ending(shards)
    encoding = ENCODINGS[ending]
    distribution = [_file(path, file, encoding) for path, file in shards.items()]
    distribution += [_file(path, file, PARQUET) for path, file in parts.items()]
    distribution += [
        _file_set(f"shards-{code}", f"Shards of {entry['name']}", f"data/{code}/*{ending}", encoding)
        for code, entry in held.items()
    ]
    columns = ("id", "text", "source") if encoding == JSON_LINES else None
    records = [_language_records(code, entry, columns) for code, entry in held.items()]
    if parts:
        distribution.append(_file_set("ledger", "The fate of every document", "ledger/*.parquet", PARQUET))
        fields = [_field("ledger-rows", "ledger", name, *meaning) for name, meaning in LEDGER_FIELDS.items()]
        records.append(_record_set("ledger-rows", "One row for every document that entered", fields))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": statistics["name"],
        "description": statistics["description"] or statistics["title"],
        "alternateName": statistics["title"],
        "version": "1.0.0",
        "identifier": f"xxh3-128:{statistics['digest']}",
        "license": [_licence_url(licence) for licence in held_under] or [_licence_url(plan.recipe.licence)],
        "inLanguage": [code for code, entry in held.items() if entry["kind"] == "natural"],
        "keywords": ["text corpus", "multilingual", "language modelling"],
        "creator": {"@type": "sc:Organization", "name": "OpenRoots"},
        "citeAs": f"{statistics['title']}, built with OpenRoots, digest {statistics['digest']}",
        "isAccessibleForFree": True,
        "usageInfo": terms_of_use(held_under, {licence: _licence_url(licence) for licence in held_under}),
        **responsible(statistics, plan),
        **provenance(statistics, plan, manifest["versions"].get("openroots", "")),
        "distribution": distribution,
        "recordSet": records,
    }


def _licence_url(expression: str) -> str:
    """The page of a licence on the SPDX list; an expression of several as it is."""
    plain = expression.replace("-", "").replace(".", "").replace("+", "").isalnum()
    known = plain and not expression.startswith(("NOASSERTION", "LicenseRef"))
    return f"https://spdx.org/licenses/{expression}.html" if known else expression


def _file(path: str, file: Mapping[str, Any], encoding: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": encoding,
        "sha256": file["sha256"],
    }


def _file_set(name: str, description: str, pattern: str, encoding: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": description,
        "encodingFormat": encoding,
        "includes": pattern,
    }


def _language_records(code: str, entry: Mapping[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    """The documents of a language; `columns` are those that its files have at the top, None: all."""
    name = f"documents-{code}"
    measures = {
        measure: (INTEGER if measure in ("words", "characters", "longest_line") else FLOAT, "a measure of quality")
        for measure in entry["histograms"]
        if measure not in ("bytes", "language_score", "language_share")
    }
    personal = {
        f"pii_{kind.lower()}": (INTEGER, f"pieces of personal data replaced by PI:{kind}")
        for kind in entry["personal_data"]
    }
    fields = [
        _field(name, f"shards-{code}", column, *meaning)
        for column, meaning in {**FIELDS, **measures, **personal}.items()
        if columns is None or column in columns
    ]
    return _record_set(name, f"{entry['documents']} documents in {entry['name']} ({code})", fields)


def _record_set(name: str, description: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "field": fields}


def _field(records: str, files: str, column: str, kind: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{column}",
        "name": column,
        "description": description,
        "dataType": kind,
        "source": {"fileSet": {"@id": files}, "extract": {"column": column}},
    }
