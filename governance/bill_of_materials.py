"""A corpus as an SPDX 3.0.1 bill of materials (JSON-LD): profiles Core, Software, Dataset, AI and SimpleLicensing.

The corpus is a DatasetPackage of files; its sources, and the packages that they were fetched as, are Packages that it
descends from. SPDX asks of a dataset when it was built and released, which nobody knows of a source: so sources are
plain packages whose purpose is data. What is not known is left out or NOASSERTION.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from license_expression import combine_expressions

from configs.load import spdx_list
from governance import figures

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
EXPRESSION_MAX = 4000
"""Characters of a licence expression for the whole corpus; a longer one is NOASSERTION, the licences stand singly."""
_ADDRESS = re.compile(r"https?://[^\s,;<>\"]+")
_OWN = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Published:
    """What a corpus does not know of itself: who publishes it, where, when it was built and released; and when the bill
    is made."""

    supplier: str
    built: datetime
    created: datetime
    released: datetime | None = None
    location: str | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A model that was trained on the corpus: name, version, and its settings as names and values."""

    name: str
    version: str
    settings: Mapping[str, Any]


@dataclass
class _Graph:
    """Elements by id, all of one namespace."""

    base: str
    elements: list[dict[str, Any]] = field(default_factory=list)
    relationships: int = 0

    def add(self, kind: str, local: str, **values: Any) -> str:
        """Add an element, without what is None or empty; returns its id."""
        name = f"{self.base}{local}"
        held = {key: value for key, value in values.items() if value not in (None, "", [], {})}
        self.elements.append({"type": kind, "spdxId": name, "creationInfo": "_:creation", **held})
        return name

    def relate(self, begin: str, kind: str, ends: Iterable[str]) -> None:
        """Add a relationship of one element to others."""
        if to := list(ends):
            self.relationships += 1
            values = {"from": begin, "relationshipType": kind, "to": to, "completeness": "complete"}
            self.add("Relationship", f"relationship-{self.relationships}", **values)


def bill_of_materials(
    statistics: Mapping[str, Any],
    manifest: Mapping[str, Any],
    published: Published,
    model: TrainedModel | None = None,
) -> dict[str, Any]:
    """The bill of a corpus, of its `statistics.json` and `manifest.json`, for `json.dumps`."""
    graph = _Graph(f"urn:openroots:{statistics['digest']}:")
    version = manifest["versions"]["openroots"]
    tool = graph.add("Tool", "tool", name=f"OpenRoots {version}")
    supplier = graph.add("Organization", "supplier", name=published.supplier)
    licences = _Licences(graph)
    corpus = _corpus(graph, statistics, manifest, published, supplier)
    graph.relate(corpus, "hasConcludedLicense", [licences.all_of(_held_licences(statistics))])
    files = [_file(graph, path, entry) for path, entry in sorted(statistics["files"].items())]
    graph.relate(corpus, "contains", files)
    for source in manifest["sources"]:
        package = _source(graph, source)
        graph.relate(package, "ancestorOf", [corpus])
        graph.relate(package, "hasDeclaredLicense", [licences.of(source["licence"])])
        found = statistics["sources"].get(source["id"], {}).get("licences", {})
        graph.relate(package, "hasConcludedLicense", [licences.all_of(found)] if found else ())
        fetched = [entry for entry in manifest["packages"] if entry.get("source") == source["id"]]
        graph.relate(package, "contains", [_fetched(graph, source["id"], i, one) for i, one in enumerate(fetched)])
    if model:
        graph.relate(_model(graph, model, published, supplier), "trainedOn", [corpus])
    root = graph.add(
        "software_Sbom", "bill", name=f"Bill of materials of {statistics['title']}", rootElement=[corpus],
        element=[element["spdxId"] for element in graph.elements], software_sbomType=["build"],
    )  # fmt: skip
    profiles = ["core", "software", "dataset", "simpleLicensing", *(["ai"] if model else [])]
    graph.add(
        "SpdxDocument", "document", name=statistics["name"], rootElement=[root], profileConformance=profiles,
        element=[element["spdxId"] for element in graph.elements],
    )  # fmt: skip
    creation = {
        "type": "CreationInfo", "@id": "_:creation", "specVersion": "3.0.1", "created": _time(published.created),
        "createdBy": [supplier], "createdUsing": [tool],
    }  # fmt: skip
    return {"@context": CONTEXT, "@graph": [creation, *graph.elements]}


class _Licences:
    """Licence expressions as elements, each once."""

    def __init__(self, graph: _Graph) -> None:
        self._graph, self._known, self._texts = graph, dict[str, str](), dict[str, str]()

    def of(self, expression: str) -> str:
        """The element of an expression."""
        if expression not in self._known:
            own = []
            for name in sorted(set(_OWN.findall(expression))):
                if name not in self._texts:
                    text = "the terms are those that the source names"
                    kind = "simplelicensing_SimpleLicensingText"
                    self._texts[name] = self._graph.add(kind, name, simplelicensing_licenseText=text)
                own.append({"type": "DictionaryEntry", "key": name, "value": self._texts[name]})
            self._known[expression] = self._graph.add(
                "simplelicensing_LicenseExpression", f"licence-{len(self._known)}",
                simplelicensing_licenseExpression=expression, simplelicensing_customIdToUri=own,
            )  # fmt: skip
        return self._known[expression]

    def all_of(self, expressions: Iterable[str]) -> str:
        """The element of all of some expressions together."""
        parts = sorted(set(expressions))
        if not parts:
            return self.of("NOASSERTION")
        whole = str(combine_expressions(parts, relation="AND", unique=True, licensing=spdx_list()).render())
        return self.of(whole if len(whole) <= EXPRESSION_MAX else "NOASSERTION")


def _held_licences(statistics: Mapping[str, Any]) -> set[str]:
    return {licence for entry in statistics["languages"].values() for licence in entry.get("licences", ())}


def _corpus(
    graph: _Graph, statistics: Mapping[str, Any], manifest: Mapping[str, Any], published: Published, supplier: str
) -> str:
    replaced = sorted(statistics["personal_data"])
    stages = [
        f"{stage['stage']}: {stage['documents_kept']:,} of {stage['documents_in']:,} documents kept"
        for stage in manifest["stages"]
    ]
    return graph.add(
        "dataset_DatasetPackage",
        "corpus",
        name=statistics["title"],
        description=statistics["description"],
        software_packageVersion=statistics["digest"],
        software_primaryPurpose="data",
        software_downloadLocation=published.location or f"urn:xxh3-128:{statistics['digest']}",
        suppliedBy=supplier,
        originatedBy=[supplier],
        builtTime=_time(published.built),
        releaseTime=_time(published.released or published.built),
        verifiedUsing=[_hash("other", statistics["digest"], "xxh3-128 over the documents, as manifest.json has it")],
        dataset_datasetType=["text"],
        dataset_datasetSize=statistics["bytes"],
        dataset_dataCollectionProcess="; ".join(f"{one['title']} ({one['provenance']})" for one in manifest["sources"]),
        dataset_dataPreprocessing=stages,
        dataset_datasetNoise="the ledger says why each document was dropped; statistics.json counts them by reason",
        dataset_hasSensitivePersonalInformation="noAssertion",
        dataset_anonymizationMethodUsed=[f"{kind} replaced in the text" for kind in replaced],
        dataset_knownBias=list(_biases(statistics)),
        dataset_intendedUse="training and evaluation of language models and tokenizers",
    )


def _biases(statistics: Mapping[str, Any]) -> Iterable[str]:
    """What stages took from a language beyond the mean."""
    for entry in statistics.get("fairness", {}).get("flagged", ()):
        yield (
            f"stage {entry['stage']} dropped {entry['documents']:,} of {entry['of_documents']:,} documents in "
            f"{entry['language']} ({figures.loss(entry)})"
        )


def _source(graph: _Graph, source: Mapping[str, Any]) -> str:
    address = _ADDRESS.search(source["provenance"])
    custodian = graph.add("Organization", f"custodian-{source['id']}", name=source["custodian"])
    return graph.add(
        "software_Package",
        f"source-{source['id']}",
        name=source["title"],
        summary=source["provenance"],
        comment=f"Consent: {source['consent']}. Personal data: {source['personal_data']}.",
        software_primaryPurpose="data",
        software_downloadLocation=address.group().rstrip(".)") if address else None,
        originatedBy=[custodian],
    )


def _fetched(graph: _Graph, source: str, number: int, package: Mapping[str, Any]) -> str:
    return graph.add(
        "software_Package",
        f"package-{source}-{number}",
        name=str(package["package"]),
        summary=f"fetched by {package['client']}, file {package['file']}",
        software_packageVersion=package["version"] or None,
        software_primaryPurpose="archive",
        verifiedUsing=[_hash("sha256", package["sha256"])],
    )


def _file(graph: _Graph, path: str, entry: Mapping[str, Any]) -> str:
    return graph.add(
        "software_File",
        f"file-{path}",
        name=path,
        software_primaryPurpose="data" if path.startswith("data/") else "evidence",
        verifiedUsing=[_hash("sha256", entry["sha256"])],
    )


def _model(graph: _Graph, model: TrainedModel, published: Published, supplier: str) -> str:
    settings = [
        {"type": "DictionaryEntry", "key": key, "value": str(value)} for key, value in sorted(model.settings.items())
    ]
    return graph.add(
        "ai_AIPackage",
        "model",
        name=model.name,
        software_packageVersion=model.version,
        software_primaryPurpose="model",
        software_downloadLocation=f"urn:openroots:model:{model.name}",
        suppliedBy=supplier,
        releaseTime=_time(published.released or published.built),
        ai_typeOfModel=["transformer", "language model"],
        ai_hyperparameter=settings,
        ai_useSensitivePersonalInformation="noAssertion",
    )


def _hash(algorithm: str, value: str, comment: str | None = None) -> dict[str, Any]:
    return {"type": "Hash", "algorithm": algorithm, "hashValue": value, **({"comment": comment} if comment else {})}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
