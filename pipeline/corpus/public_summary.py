"""The public summary of training content that Article 53(1)(d) of the EU's AI Act asks for.

Sections and questions follow the template of the AI Office of 24 July 2025 (C(2025) 8311). What can be counted comes
from the corpus, `corpus`; what a person must answer comes from `provider.toml`, `provider`; what nobody answered is
listed as `missing`, never guessed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from configs.errors import ConfigurationError
from configs.models import ConsentPolicy
from governance import figures
from governance.cards import markdown
from governance.provider import ATTESTATIONS, COMMENTED, Statements
from pipeline.corpus import reading
from pipeline.corpus.audit import refused
from pipeline.corpus.concentration import all_domains, domains, top_domains
from pipeline.corpus.tombstones import read_log
from pipeline.runtime import storage

TEMPLATE = "AI Office of the European Commission, 24 July 2025, C(2025) 8311"
BYTES_PER_TOKEN = 4.0
"""For the estimate where tokens are not given; the bands are a thousand times as wide as its error."""

BANDS = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))
EU_LANGUAGES = frozenset((
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr",
    "hu", "it", "lt", "lv", "mt", "nl", "pl", "pt", "ro", "sk", "sl", "sv",
))  # fmt: skip
"""Official languages of the Union (Regulation No 1/58)."""

PARTS = {
    "1.1": ["1 General information"],
    "2.1": ["2 List of data sources"],
    "2.2.1": ["2.2 Private non-publicly available datasets obtained from third parties"],
    "3.1": ["3 Data processing aspects"],
}
"""Headings of the template that stand above a section."""

LARGE = 0.03
"""Share of the public datasets from which one is named."""

WEB_READERS = ("warc", "wet")
CORPUS, PROVIDER, MISSING = "corpus", "provider", "missing"


@dataclass
class Entry:
    """A question with its answer and where that comes from."""

    question: str
    answer: str
    basis: str
    rows: list[list[str]] = field(default_factory=list)
    """A table of the answer; its first row is the head."""


@dataclass
class Section:
    """A section of the template."""

    number: str
    title: str
    entries: list[Entry] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    """Of the parts of the template that begin with this section, outermost first."""


def public_summary(corpus: str, said: Statements) -> dict[str, Any]:
    """The summary of a corpus as JSON-able sections. Raises InputError, ConfigurationError."""
    manifest = reading.read_manifest(corpus)
    statistics = storage.read_json(storage.join(corpus, "statistics.json"))
    kinds = _kinds(manifest, said)
    sections = [
        *_general(statistics, manifest, said),
        *_sources(corpus, statistics, kinds, said),
        *_processing(corpus, manifest, said),
    ]
    for section in sections:
        section.headings = PARTS.get(section.number, [])
        if section.number in COMMENTED and (comment := said.comments.get(section.number)):
            section.entries.append(Entry("Additional comments (optional)", comment, PROVIDER))
    missing = [
        f"{section.number} {entry.question}"
        for section in sections
        for entry in section.entries
        if entry.basis == MISSING
    ]
    versions = [{**change.model_dump(), "date": f"{change.date:%d/%m/%Y}"} for change in said.changes]
    return {
        "template": TEMPLATE,
        "title": f"Public summary of training content: {', '.join(said.model.names)}",
        "corpus": {"name": manifest["name"], "digest": manifest["digest"]},
        "version": versions[-1]["version"] if versions else "",
        "updated": versions[-1]["date"] if versions else "",
        "changes": versions,
        "document": said.document.model_dump(),
        "advice": list(_advice(said)),
        "sections": [asdict(section) for section in sections],
        "missing": missing,
        "complete": not missing,
    }


def _advice(said: Statements) -> Iterator[str]:
    """What the template does not ask for, but the published grading of summaries looks for, and is not said."""
    if not said.changes:
        yield "a version and the date of the last update: [[changes]]"
    named = (
        ("source", "the address where the summary is published"),
        ("versions", "the address that lists all its versions"),
        ("notices", "where its changes are announced"),
    )
    for key, what in named:
        if not getattr(said.document, key):
            yield f"{what}: document.{key}"


def _kinds(manifest: Mapping[str, Any], said: Statements) -> dict[str, str]:
    """How each source was obtained. Raises ConfigurationError where `provider.toml` names one that is not there."""
    kinds = {source["id"]: "crawled" if source["reader"] in WEB_READERS else "public" for source in manifest["sources"]}
    for kind, names in said.sources.model_dump().items():
        for name in names:
            if name not in kinds:
                raise ConfigurationError(f"sources.{kind}: the corpus has no source `{name}`")
            kinds[name] = kind
    return kinds


def _said(question: str, answer: object, basis: str = PROVIDER) -> Entry:
    text = "" if answer is None else str(answer)
    return Entry(question, text or "not answered", basis if text else MISSING)


DESCRIBED = {
    "other_private_data": "General description of non-publicly known private datasets obtained from third parties",
    "user_data_services": "General description of the provider's services or products that were used to collect the "
    "user data",
    "other_data": "Narrative description of these data sources and the data",
}
"""What those who answer yes are asked."""


def _attested(name: str, said: Statements) -> list[Entry]:
    """Yes, no or not applicable, with the description that belongs to a yes."""
    answer = said.attestations.get(name)
    entries = [_said(ATTESTATIONS[name], answer)]
    if answer == "yes":
        entries.append(Entry("Modality(ies) of the content covered", "text", CORPUS))
    if name == "other_private_data" and answer == "yes":
        entries.append(
            Entry(
                "List of publicly known private datasets", said.descriptions.get("known_private_data", "none"), PROVIDER
            )
        )
    if (answer == "yes" and name in DESCRIBED) or name in said.descriptions:
        entries.append(_said(DESCRIBED.get(name, "Description"), said.descriptions.get(name)))
    return entries


def _synthetic(said: Statements) -> list[Entry]:
    """Synthetic data, with the models that made it."""
    entries = _attested("synthetic_data", said)
    if said.attestations.get("synthetic_data") == "yes":
        for key, question in (
            (
                "synthetic_models",
                "General-purpose AI model(s) used to generate the synthetic data, if available on the "
                "market, with links to their summaries",
            ),
            (
                "synthetic_other_models",
                "Other AI models used to generate the synthetic data, and what they were trained on",
            ),
        ):
            entries.append(_said(question, said.descriptions.get(key)))
    return entries


def _characteristics(natural: Sequence[Mapping[str, Any]]) -> str:
    """Scripts by their share of natural text."""
    total = sum(entry["bytes"] for entry in natural) or 1
    scripts: dict[str, int] = {}
    for entry in natural:
        scripts[entry["script"] or "Zyyy"] = scripts.get(entry["script"] or "Zyyy", 0) + entry["bytes"]
    ordered = sorted(scripts.items(), key=lambda item: (-item[1], item[0]))
    return "Scripts (ISO 15924): " + ", ".join(f"{name} {figures.percent(size / total)}" for name, size in ordered)


OTHER_CHARACTERISTICS = "Other relevant characteristics of the overall training data"


def _general(statistics: Mapping[str, Any], manifest: Mapping[str, Any], said: Statements) -> list[Section]:
    provider, model = said.provider, said.model
    estimated = int(statistics["bytes_weighted"] / BYTES_PER_TOKEN)
    tokens = estimated if model.tokens is None else model.tokens
    band = next((name for limit, name in BANDS if tokens < limit), "more than 10 trillion tokens")
    how = "as the provider counts" if model.tokens is not None else f"estimated at {BYTES_PER_TOKEN:g} bytes a token"
    held_natural = {
        code: entry
        for code, entry in statistics["languages"].items()
        if entry["kind"] == "natural" and entry["documents"]
    }
    natural = list(held_natural.values())
    european = sorted(entry["name"] for code, entry in held_natural.items() if code.split("-")[0] in EU_LANGUAGES)
    code = [entry for entry in statistics["languages"].values() if entry["kind"] != "natural" and entry["documents"]]
    rows = [["Language", "Text", "Share"]]
    held = sorted([*natural, *code], key=lambda entry: -entry["bytes"])
    rows += [[entry["name"], figures.size(entry["bytes"]), figures.percent(entry["share"])] for entry in held]
    return [
        Section("1.1", "Provider identification", [
            _said("Provider name and contact details", f"{provider.name}, {provider.contact}"),
            Entry("Authorised representative name and contact details",
                  provider.representative or "none is named", PROVIDER),
        ]),
        Section("1.2", "Model identification", [
            _said("Versioned model name(s)", ", ".join(model.names)),
            _said("Model dependencies", model.dependencies),
            _said(
                "Date of placement of the model on the Union market",
                f"{model.placed_on_market:%d/%m/%Y}" if model.placed_on_market else None,
            ),
        ]),
        Section("1.3", "Modalities, overall training data size and other characteristics", [
            Entry("Modality", "text" + (", source code among it" if code else "")
                  + "; no images, audio, video or other", CORPUS),
            Entry("Training data size",
                  f"{band} (about {tokens:,}, {how}; {figures.size(statistics['bytes'])} of text in "
                  f"{figures.counted(statistics['documents'], 'document')})", CORPUS),
            _said("Types of content", model.content),
            _said(
                "Latest date of data acquisition/collection for model training",
                f"{model.latest_acquisition:%m/%Y}" if model.latest_acquisition else None,
            ),
            _said("Continuously trained on new or dynamic data after that date", model.continuous),
            Entry("Description of the linguistic characteristics of the overall training data",
                  f"{figures.counted(len(natural), 'natural language')}, "
                  f"{figures.counted(len(code), 'programming language')}; of the "
                  f"{len(EU_LANGUAGES)} official languages of the Union {len(european)}"
                  + (f": {', '.join(european)}" if european else ""), CORPUS, rows),
            *([Entry(OTHER_CHARACTERISTICS, _characteristics(natural), CORPUS)] if natural else []),
            *([Entry(OTHER_CHARACTERISTICS, model.characteristics, PROVIDER)] if model.characteristics else []),
            *([Entry("Additional comments (optional)", model.comments, PROVIDER)] if model.comments else []),
        ]),
    ]  # fmt: skip


def _sources(corpus: str, statistics: Mapping[str, Any], kinds: Mapping[str, str], said: Statements) -> list[Section]:
    held = {name: entry for name, entry in statistics["sources"].items() if entry["documents"]}
    of = {
        kind: {name: entry for name, entry in held.items() if kinds.get(name) == kind} for kind in set(kinds.values())
    }
    public = of.get("public", {})
    total = sum(entry["bytes"] for entry in public.values()) or 1
    large = {name: entry for name, entry in public.items() if entry["bytes"] / total >= LARGE}
    small = {name: entry for name, entry in public.items() if name not in large}
    used = "yes" if public else "no"
    public_entries = [Entry("Have you used publicly available datasets to train the model?", used, CORPUS)]
    if public:
        public_entries += [
            Entry("Modality(ies) of the content covered by the datasets concerned", "text", CORPUS),
            Entry("List of large publicly available datasets",
                  f"{len(large)} of at least {100 * LARGE:.0f} % of all publicly available datasets",
                  CORPUS, _listed(large, total)),
            Entry("General description of other publicly available datasets not listed above",
                  _described(small) if small else "there are none", CORPUS),
        ]  # fmt: skip
    if "public_data" in said.descriptions:
        public_entries.append(_said("Further description", said.descriptions["public_data"]))
    return [
        Section("2.1", "Publicly available datasets", public_entries),
        Section("2.2.1", "Datasets commercially licensed by rightsholders or their representatives", [
            *_attested("licensed_data", said), *_of(of, "licensed"),
        ]),
        Section("2.2.2", "Private datasets obtained from other third parties", [
            *_attested("other_private_data", said), *_of(of, "private"),
        ]),
        Section("2.3", "Data crawled and scraped from online sources", _crawled(corpus, of.get("crawled", {}), said)),
        Section("2.4", "User data", [
            *_attested("user_data_model", said), *_attested("user_data_services", said), *_of(of, "user"),
        ]),
        Section("2.5", "Synthetic data", [*_synthetic(said), *_of(of, "synthetic")]),
        Section("2.6", "Other sources of data", [*_attested("other_data", said), *_of(of, "other")]),
    ]  # fmt: skip


def _listed(sources: Mapping[str, Mapping[str, Any]], total: int) -> list[list[str]]:
    rows = [["Name", "Where from", "Licence", "Text", "Share"]]
    for _, entry in sorted(sources.items(), key=lambda item: -item[1]["bytes"]):
        share = figures.percent(entry["bytes"] / total)
        rows.append([entry["title"], entry["provenance"], entry["licence"], figures.size(entry["bytes"]), share])
    return rows


def _described(sources: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"{entry['title']} ({entry['custodian']}, {entry['licence']})" for entry in sources.values())


def _of(of: Mapping[str, Mapping[str, Any]], kind: str) -> list[Entry]:
    sources = of.get(kind, {})
    total = sum(entry["bytes"] for entry in sources.values())
    return [Entry("Sources in the corpus", f"{len(sources)}", CORPUS, _listed(sources, total))] if sources else []


def _crawled(corpus: str, sources: Mapping[str, Mapping[str, Any]], said: Statements) -> list[Entry]:
    crawling = said.crawling
    entries = [_said(ATTESTATIONS["crawlers"], said.attestations.get("crawlers"))]
    if not sources and said.attestations.get("crawlers") != "yes":
        return [*entries, Entry("Web archives in the corpus", "none", CORPUS)]
    names = "; ".join(each.name for each in crawling.crawlers)
    purposes = "; ".join(f"{each.name}: {each.purpose}" for each in crawling.crawlers if each.purpose)
    total = sum(source["bytes"] for source in sources.values()) or 1
    period = f"{crawling.begin:%m/%Y} to {crawling.end:%m/%Y}" if crawling.begin and crawling.end else ""
    entries += [
        _said("Crawler name(s)/identifier(s)", names),
        _said("Purposes of the crawler(s)", purposes),
        _said("General description of crawler behaviour", crawling.behaviour),
        _said("Period of data collection", period),
        _said("Comprehensive description of the type of content and online sources crawled",
              said.descriptions.get("crawlers")),
        Entry("Type of modality covered", "text", CORPUS),
        Entry("Web archives in the corpus", f"{len(sources)}", CORPUS, _listed(sources, total)),
    ]  # fmt: skip
    amounts = all_domains(domains(corpus))
    share, most = (0.05, 1000) if said.provider.sme else (0.10, None)
    top = top_domains(amounts, share, most)
    which = "5 %, at most 1,000" if said.provider.sme else "10 %"
    rows = [["Domain", "Text"], *([name, figures.size(size)] for name, size in top)] if top else []
    said_of = f"{len(top):,} of {figures.counted(len(amounts), 'domain')}: the largest {which}, by size of text"
    entries.append(Entry("Summary of the most relevant domain names crawled", said_of, CORPUS, rows))
    return entries


def _processing(corpus: str, manifest: Mapping[str, Any], said: Statements) -> list[Section]:
    counted = [
        f"{figures.counted(drop['documents'], 'document')} left out: {figures.reason(drop['reason'])}"
        for drop in refused(dict(manifest))
    ]
    try:
        log = read_log(corpus)
    except ValueError:
        log = []
    taken = sum(entry.get("removed_from_corpus", 0) for entry in log)
    policy = manifest["recipe"].get("licences", {})
    denied = ", ".join([*policy.get("deny", ()), *(f"{each} (code)" for each in policy.get("deny_code", ()))]) or "none"
    reasons = {drop["reason"]: drop["documents"] for drop in manifest["drops"]}
    flagged = reasons.get("flagged_words_max", 0)
    kinds = ", ".join(map(figures.kind, manifest["recipe"].get("personal_data", {}).get("kinds", ()))) or "none"
    return [
        Section("3.1", "Respect of reservation of rights from text and data mining exception or limitation", [
            _said(ATTESTATIONS["code_of_practice"], said.attestations.get("code_of_practice")),
            _said("Measures implemented before model training to respect reservations of rights, with the opt-out "
                  "protocols and solutions honoured", said.descriptions.get("reservations")),
            Entry("Opt-outs that the build heeds", _protocols(manifest), CORPUS),
            Entry("Enforced by the build", "; ".join(counted) or "nothing was left out for licence or consent", CORPUS),
            Entry("Licences denied", denied, CORPUS),
            Entry("Taken down", f"{figures.counted(taken, 'document')}; requests: {len(log):,}", CORPUS),
        ]),
        Section("3.2", "Removal of illegal content", [
            _said("General description of measures taken", said.descriptions.get("illegal_content")),
            Entry("Filtered by lists of flagged words", figures.counted(flagged, "document"), CORPUS),
            Entry("Personal data replaced", kinds, CORPUS),
        ]),
        Section("3.3", "Other information (optional)", [
            Entry("Other relevant information about data processing",
                  said.descriptions.get("other_processing", "none"), PROVIDER),
        ]),
    ]  # fmt: skip


def _protocols(manifest: Mapping[str, Any]) -> str:
    """Ways of opting out that the build honours in web archives, as the recipe says."""
    policy = ConsentPolicy.model_validate(manifest["recipe"].get("consent", {}))
    ways = [
        (policy.robots, f"robots.txt for {', '.join(policy.agents)}"),
        (policy.ai_txt, "ai.txt"),
        (policy.tdm, "TDM Reservation Protocol (file, header, meta element)"),
        (policy.noai, "noai in X-Robots-Tag and meta elements"),
        (policy.signals, "Content-Signal and Content-Usage"),
        (policy.rsl, "RSL licences"),
        (bool(policy.block_lists), f"block lists of {', '.join(entry.date for entry in policy.block_lists)}"),
        (True, "lists and rules of later days, by takedown"),
    ]
    return "; ".join(name for heeded, name in ways if heeded)


def as_markdown(summary: Mapping[str, Any]) -> str:
    """The summary in Markdown; everything from outside escaped."""
    lines = [f"# {markdown(summary['title'])}", "", f"Template: {summary['template']}."]
    lines.append(f"Corpus {markdown(summary['corpus']['name'])}, digest `{summary['corpus']['digest']}`.")
    if summary["version"]:
        lines += ["", f"Version of the Summary: {markdown(summary['version'])}. Last update: {summary['updated']}."]
    lines += [f"{markdown(name.capitalize())}: {markdown(at)}." for name, at in summary["document"].items() if at]
    for section in summary["sections"]:
        lines += [line for heading in section["headings"] for line in ("", f"{_level(heading)} {markdown(heading)}")]
        heading = f"{section['number']} {markdown(section['title'])}"
        lines += ["", f"{_level(heading)} {heading}", ""]
        for entry in section["entries"]:
            lines.append(f"- **{markdown(entry['question'])}**: {markdown(entry['answer'])} *({entry['basis']})*")
            if entry["rows"]:
                lines += ["", *_table(entry["rows"]), ""]
    if summary["changes"]:
        lines += ["", "## Versions", ""]
        lines += [f"- {markdown(c['version'])}, {c['date']}: {markdown(c['change'])}" for c in summary["changes"]]
    if summary["missing"]:
        lines += ["", "## Not answered", "", *(f"- {markdown(name)}" for name in summary["missing"])]
    return "\n".join(lines) + "\n"


def _level(heading: str) -> str:
    """The marks of a heading by its number: `##` of 1, `###` of 1.1."""
    return "##" + "#" * heading.split(" ", 1)[0].count(".")


def _table(rows: Iterable[list[str]]) -> Iterable[str]:
    for number, row in enumerate(rows):
        yield f"| {' | '.join(markdown(cell) for cell in row)} |"
        if number == 0:
            yield f"|{' --- |' * len(row)}"
