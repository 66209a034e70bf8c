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
from governance.provider import ATTESTATIONS, Statements
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


def _attested(name: str, said: Statements) -> list[Entry]:
    """Yes, no or not applicable, with the description that belongs to a yes."""
    answer = said.attestations.get(name)
    entries = [_said(f"Used: {ATTESTATIONS[name]}", answer)]
    if answer == "yes":
        entries.append(Entry("Modalities", "text", CORPUS))
    if answer == "yes" or name in said.descriptions:
        entries.append(_said("Description", said.descriptions.get(name)))
    return entries


def _synthetic(said: Statements) -> list[Entry]:
    """Synthetic data, with the models that made it."""
    entries = _attested("synthetic_data", said)
    if said.attestations.get("synthetic_data") == "yes":
        for key, question in (
            ("synthetic_models", "General-purpose AI models on the market that made it, with links to their summaries"),
            ("synthetic_other_models", "Other models that made it, and what they were trained on"),
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
        Section("1.1", "Provider", [
            _said("Name and contact", f"{provider.name}, {provider.contact}"),
            Entry("Authorised representative", provider.representative or "none is named", PROVIDER),
        ]),
        Section("1.2", "Model", [
            _said("Versioned names", ", ".join(model.names)),
            _said("Depends on", model.dependencies),
            _said(
                "Placed on the Union market", f"{model.placed_on_market:%d/%m/%Y}" if model.placed_on_market else None
            ),
        ]),
        Section("1.3", "Modalities, size and characteristics of the training data", [
            Entry("Modalities", "text" + (", source code among it" if code else ""), CORPUS),
            Entry("Images, audio, video, other", "none in the corpus", CORPUS),
            Entry("Size of text", f"{band} (about {tokens:,}, {how}; {figures.size(statistics['bytes'])} of text in "
                  f"{figures.counted(statistics['documents'], 'document')})", CORPUS),
            _said("Kinds of content", model.content),
            _said(
                "Latest date of data acquisition",
                f"{model.latest_acquisition:%m/%Y}" if model.latest_acquisition else None,
            ),
            _said("Trained on new data after that date", model.continuous),
            Entry("Languages", f"{len(natural)} natural languages, {len(code)} programming languages; of the "
                  f"{len(EU_LANGUAGES)} official languages of the Union {len(european)}"
                  + (f": {', '.join(european)}" if european else ""), CORPUS, rows),
            *([Entry("Other characteristics", _characteristics(natural), CORPUS)] if natural else []),
            *([Entry("Other characteristics", model.characteristics, PROVIDER)] if model.characteristics else []),
            *([Entry("Comments", model.comments, PROVIDER)] if model.comments else []),
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
    public_entries = [Entry("Used", "yes" if public else "no", CORPUS)]
    if public:
        public_entries += [
            Entry("Modalities", "text", CORPUS),
            Entry(
                f"Large ones, from {LARGE:.0%} of the public datasets", f"{len(large)}", CORPUS, _listed(large, total)
            ),
            Entry("Others", _described(small) if small else "none", CORPUS),
        ]
    if "public_data" in said.descriptions:
        public_entries.append(_said("Description", said.descriptions["public_data"]))
    return [
        Section("2.1", "Publicly available datasets", public_entries),
        Section("2.2.1", "Data licensed by rightsholders", [*_attested("licensed_data", said), *_of(of, "licensed")]),
        Section("2.2.2", "Private data from other third parties", [
            *_attested("other_private_data", said), *_of(of, "private"),
        ]),
        Section("2.3", "Data crawled and scraped from the web", _crawled(corpus, of.get("crawled", {}), said)),
        Section("2.4", "User data", [
            *_attested("user_data_model", said), *_attested("user_data_services", said), *_of(of, "user"),
        ]),
        Section("2.5", "Synthetic data", [*_synthetic(said), *_of(of, "synthetic")]),
        Section("2.6", "Other sources", [*_attested("other_data", said), *_of(of, "other")]),
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
    entries = [_said("Used: " + ATTESTATIONS["crawlers"], said.attestations.get("crawlers"))]
    if not sources and said.attestations.get("crawlers") != "yes":
        return [*entries, Entry("Web archives in the corpus", "none", CORPUS)]
    names = "; ".join(f"{each.name}: {each.purpose}".rstrip(": ") for each in crawling.crawlers)
    total = sum(source["bytes"] for source in sources.values()) or 1
    period = f"{crawling.begin:%m/%Y} to {crawling.end:%m/%Y}" if crawling.begin and crawling.end else ""
    entries += [
        _said("Crawlers and their purposes", names),
        _said("Behaviour of the crawlers", crawling.behaviour),
        _said("Period of collection", period),
        _said("Content and sources", said.descriptions.get("crawlers")),
        Entry("Modalities", "text", CORPUS),
        Entry("Web archives in the corpus", f"{len(sources)}", CORPUS, _listed(sources, total)),
    ]  # fmt: skip
    amounts = all_domains(domains(corpus))
    share, most = (0.05, 1000) if said.provider.sme else (0.10, None)
    top = top_domains(amounts, share, most)
    which = "5 %, at most 1,000" if said.provider.sme else "10 %"
    rows = [["Domain", "Text"], *([name, figures.size(size)] for name, size in top)] if top else []
    entries.append(Entry(f"Domains, the largest {which} of {len(amounts):,}", f"{len(top):,}", CORPUS, rows))
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
        Section("3.1", "Respect of reservations of rights", [
            _said(ATTESTATIONS["code_of_practice"].capitalize(), said.attestations.get("code_of_practice")),
            _said("Measures", said.descriptions.get("reservations")),
            Entry("Opt-outs that the build heeds", _protocols(manifest), CORPUS),
            Entry("Enforced by the build", "; ".join(counted) or "nothing was left out for licence or consent", CORPUS),
            Entry("Licences denied", denied, CORPUS),
            Entry("Taken down", f"{figures.counted(taken, 'document')}; requests: {len(log):,}", CORPUS),
        ]),
        Section("3.2", "Removal of illegal content", [
            _said("Measures", said.descriptions.get("illegal_content")),
            Entry("Filtered by lists of flagged words", figures.counted(flagged, "document"), CORPUS),
            Entry("Personal data replaced", kinds, CORPUS),
        ]),
        Section("3.3", "Other", [
            Entry("Other information", said.descriptions.get("other_processing", "none"), PROVIDER),
        ]),
    ]  # fmt: skip


def _protocols(manifest: Mapping[str, Any]) -> str:
    """Ways of opting out that the recipe has the build heed in web archives."""
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
        lines.append(f"Version {markdown(summary['version'])}, last update {summary['updated']}.")
    lines += [f"{markdown(name.capitalize())}: {markdown(at)}." for name, at in summary["document"].items() if at]
    for section in summary["sections"]:
        lines += ["", f"## {section['number']} {markdown(section['title'])}", ""]
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


def _table(rows: Iterable[list[str]]) -> Iterable[str]:
    for number, row in enumerate(rows):
        yield f"| {' | '.join(markdown(cell) for cell in row)} |"
        if number == 0:
            yield f"|{' --- |' * len(row)}"
