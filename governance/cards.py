"""Cards: what a reader must know of a corpus (`README.md`) and of each language in it (`cards/LANGUAGE.md`).

The corpus card is a Hugging Face dataset card: its YAML head lists languages, licences and size, and tells `datasets`
which files belong to which language. Titles, paths and excerpts come from sources and are escaped for Markdown.
"""

import html
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Template

from configs.load import Plan
from governance import figures
from governance.rendering import markdown_environment

TEMPLATES = Path(__file__).parent / "templates"

HUB_LICENCES = {
    "AFL-3.0": "afl-3.0", "AGPL-3.0-only": "agpl-3.0", "AGPL-3.0-or-later": "agpl-3.0", "Apache-2.0": "apache-2.0",
    "Artistic-2.0": "artistic-2.0", "BSD-2-Clause": "bsd-2-clause", "BSD-3-Clause": "bsd-3-clause",
    "BSL-1.0": "bsl-1.0", "CC-BY-2.0": "cc-by-2.0", "CC-BY-2.5": "cc-by-2.5", "CC-BY-3.0": "cc-by-3.0",
    "CC-BY-4.0": "cc-by-4.0", "CC-BY-SA-3.0": "cc-by-sa-3.0", "CC-BY-SA-4.0": "cc-by-sa-4.0", "CC0-1.0": "cc0-1.0",
    "CC-BY-NC-4.0": "cc-by-nc-4.0", "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0", "CC-BY-ND-4.0": "cc-by-nd-4.0",
    "ECL-2.0": "ecl-2.0", "EPL-1.0": "epl-1.0", "EPL-2.0": "epl-2.0", "EUPL-1.1": "eupl-1.1",
    "GFDL-1.1-or-later": "gfdl", "GFDL-1.2-or-later": "gfdl", "GFDL-1.3-only": "gfdl", "GFDL-1.3-or-later": "gfdl",
    "GPL-2.0-only": "gpl-2.0", "GPL-2.0-or-later": "gpl-2.0", "GPL-3.0-only": "gpl-3.0",
    "GPL-3.0-or-later": "gpl-3.0", "ISC": "isc", "LGPL-2.1-only": "lgpl-2.1", "LGPL-2.1-or-later": "lgpl-2.1",
    "LGPL-3.0-only": "lgpl-3.0", "LGPL-3.0-or-later": "lgpl-3.0", "LPPL-1.3c": "lppl-1.3c", "MIT": "mit",
    "MPL-2.0": "mpl-2.0", "MS-PL": "ms-pl", "NCSA": "ncsa", "ODbL-1.0": "odbl", "OFL-1.1": "ofl-1.1",
    "OSL-3.0": "osl-3.0", "PDDL-1.0": "pddl", "PostgreSQL": "postgresql", "Unlicense": "unlicense",
    "WTFPL": "wtfpl", "Zlib": "zlib",
}  # fmt: skip
"""SPDX id → id on the Hugging Face Hub, for those it knows; all others are `other` there."""

SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)  # fmt: skip

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]|#~"})


def markdown(value: Any) -> str:
    """Text that shows as it is in Markdown, also within a table: one line, no markup, no HTML."""
    line = " ".join(str(value).split())
    return html.escape(line, quote=False).translate(_MARKDOWN)


def fenced(text: str) -> str:
    """A code block that the text cannot end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def quoted(text: str, language: str) -> str:
    """A quotation as HTML that says its language and lets the reader's program find the direction of writing."""
    line = " ".join(text.split())
    escaped = html.escape(line, quote=False).replace("[", "&#91;").replace("]", "&#93;")
    return f'<blockquote lang="{html.escape(language)}" dir="auto">{escaped}</blockquote>'


def hub_licences(expressions: Iterable[str]) -> tuple[list[str], list[str]]:
    """Licence ids for the Hub, and the SPDX ids that it does not know, both sorted, of all expressions."""
    names = {
        name for expression in expressions for name in re.split(r"\s+(?:AND|OR|WITH)\s+|[()\s]+", expression) if name
    }
    unknown = sorted(name for name in names if name not in HUB_LICENCES)
    known = sorted({HUB_LICENCES[name] for name in names if name in HUB_LICENCES})
    return known + (["other"] if unknown else []), unknown


def size_category(documents: int) -> str:
    """The Hub's category for a number of rows."""
    return next((name for limit, name in SIZES if documents < limit), "n>1T")


def head(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The YAML head of the corpus card."""
    held = {code: entry for code, entry in statistics["languages"].items() if entry["documents"]}
    natural = sorted(code for code, entry in held.items() if entry["kind"] == "natural")
    has_code = any(entry["kind"] == "programming" for entry in held.values())
    licences, unknown = hub_licences(licence for entry in held.values() for licence in entry["licences"])
    data: dict[str, Any] = {
        "pretty_name": statistics["title"],
        **hub_languages(natural, has_code=has_code),
        "multilinguality": ["multilingual" if len(natural) > 1 else "monolingual"],
        "license": licences or ["unknown"],
        "size_categories": [size_category(statistics["documents"])],
        "task_categories": ["text-generation"],
        "task_ids": ["language-modeling"],
    }
    if unknown:
        data |= {"license_name": "-and-".join(unknown).lower(), "license_link": "README.md"}
    if held:
        ending = figures.shard_ending(statistics["files"])
        # By the digest `datasets` tells this corpus from another in a folder of the same name: of local data it looks
        # at the head of the card alone, and would open what it kept of the other.
        whole = {"config_name": "all", "description": f"digest {statistics['digest']}", "default": True}
        data["configs"] = [whole | {"data_files": f"data/*/*{ending}"}]
        data["configs"] += [{"config_name": code, "data_files": f"data/{code}/*{ending}"} for code in sorted(held)]
    return data


def hub_languages(codes: Iterable[str], *, has_code: bool = False) -> dict[str, list[str]]:
    """The keys of a card's head that name languages (BCP-47), as the Hub takes them.

    `language` has ISO 639 codes, without script or region, and `code`; other codes stand in `language_bcp47`.
    """
    codes = sorted(codes)
    primary = {re.split("[-_]", code.lower())[0] for code in codes}
    known = sorted(code for code in primary if re.fullmatch("[a-z]{2,3}", code))
    longer = [code for code in codes if code not in known]
    return {"language": known + (["code"] if has_code else []), **({"language_bcp47": longer} if longer else {})}


@cache
def card_template(name: str) -> Template:
    """A template of cards, compiled once a process: `corpus_card.md.j2` or `language_card.md.j2`."""
    # Markdown, not HTML: `md` escapes for it, and every value from a source goes through it.
    environment = markdown_environment(TEMPLATES)
    environment.filters |= {
        "md": markdown,
        "fenced": fenced,
        "code": "`{}`".format,
        "count": figures.count,
        "counted": figures.counted,
        "size": figures.size,
        "percent": figures.percent,
        "number": figures.number,
        "stage": figures.stage,
        "reason": figures.reason,
        "sentence": figures.sentence,
        "kind": figures.kind,
        "words": figures.words,
    }
    environment.globals["quoted"] = quoted
    return environment.get_template(name)


def corpus_card(statistics: Mapping[str, Any], manifest: Mapping[str, Any], plan: Plan) -> str:
    """README.md of a corpus: YAML head that `datasets` reads, then prose and tables.

    statistics and manifest: contents of `statistics.json` and `manifest.json`.
    """
    front = yaml.safe_dump(head(statistics), allow_unicode=True, sort_keys=False, width=120)
    held = {code: entry for code, entry in statistics["languages"].items() if entry["documents"]}
    body = card_template("corpus_card.md.j2").render(
        s=statistics,
        manifest=manifest,
        recipe=plan.recipe,
        held=dict(sorted(held.items(), key=lambda item: (-item[1]["bytes"], item[0]))),
        names={code: plan.languages.name(code) for code in statistics["languages"]},
        kinds=", ".join(f"`{kind}`" for kind in plan.recipe.personal_data.kinds) or "none",
        example="sw" if "sw" in held else next(iter(held), None),
        small=[code for code, entry in held.items() if entry["bytes"] < 100_000],
    )
    return f"---\n{front}---\n\n{body}"


def language_card(code: str, statistics: Mapping[str, Any], plan: Plan) -> str:
    """cards/LANGUAGE.md: sources, licences, losses, personal data, measures and excerpts of one language."""
    entry = statistics["languages"][code]
    examples = [example for drop in statistics["drops"] for example in drop["examples"] if example["language"] == code]
    return card_template("language_card.md.j2").render(
        s=statistics,
        code=code,
        language=entry,
        examples=examples,
        measures=_measures(entry, statistics["bins"]),
        must_know=_must_know(code, entry, statistics),
        fairness=_fairness(code, entry["kind"], statistics["fairness"]),
        not_applied=_not_applied(entry, plan),
        plan=plan,
    )


def _measures(entry: Mapping[str, Any], bins: Mapping[str, list[float]]) -> list[dict[str, Any]]:
    """Median and thresholds of each measure; a median is exact to the width of a histogram's bin."""
    return [
        {
            "name": name,
            "median": figures.typical(histogram["counts"], bins[name], 0.5),
            **{limit: histogram.get(limit) for limit in ("min", "max")},
        }
        for name, histogram in entry["histograms"].items()
        if any(histogram["counts"])
    ]


def _fairness(code: str, kind: str, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each stage took of a language, beside the mean; stages that took nothing of any language are left out."""
    if code not in table["languages"]:
        return []
    flagged = {flag["stage"] for flag in table["flagged"] if flag["language"] == code}
    losses = table["languages"][code]["stages"]
    return [
        {"stage": name, **losses[name], "mean": table["mean"][kind][name], "flagged": name in flagged}
        for name in table["stages"]
        if losses[name]["documents"] or table["mean"][kind][name]["documents_share"]
    ]


def _not_applied(entry: Mapping[str, Any], plan: Plan) -> list[str]:
    """Measures that were taken of a natural language's documents and have no threshold."""
    if entry["kind"] != "natural" or not plan.recipe.quality.enabled:
        return []
    names = ("special_characters", "letter_order", "closed_class_words")
    return [name for name in names if not {"min", "max"} & set(entry["histograms"].get(name, {}))]


def _must_know(code: str, entry: Mapping[str, Any], statistics: Mapping[str, Any]) -> list[str]:
    """What stands out in the figures of a language, in sentences."""
    said = []
    if entry["bytes"] < 1_000_000:
        said.append(
            f"There are only {figures.size(entry['bytes'])} of it. A model that sees so little memorises these texts "
            "rather than learning the language."
        )
    first = max(entry["sources"].items(), key=lambda item: item[1]["bytes"])
    share = first[1]["bytes"] / entry["bytes"] if entry["bytes"] else 0
    if share > 0.8:
        title = statistics["sources"].get(first[0], {}).get("title", first[0])
        said.append(
            f"{figures.percent(share)} of its text comes from one source, {markdown(title)}: its topics and "
            "register are that source's."
        )
    entered = entry["entered"]["documents"]
    if entered and entry["documents"] < entered / 2:
        said.append(f"More than half of the documents that entered were dropped ({entered - entry['documents']:,}).")
    for flag in statistics["fairness"]["flagged"]:
        if flag["language"] == code:
            said.append(
                f"The stage {figures.stage(flag['stage'])} dropped {flag['documents']:,} of its "
                f"{figures.counted(flag['of_documents'], 'document')} ({figures.loss(flag)})."
            )
    guessed = sum(documents for declared, documents in entry["declared"].items() if declared != code)
    if guessed:
        said.append(
            f"No source declared the language of {figures.counted(guessed, 'document')}; software identified it."
        )
    if entry["kind"] == "natural" and entry["roots_share"] is None:
        said.append("ROOTS, the corpus of BLOOM, does not include this language.")
    if entry["bytes_weighted"] > entry["bytes"]:
        said.append(
            f"Its documents are meant to be seen {entry['bytes_weighted'] / entry['bytes']:.2g} times on average ("
            "column `epochs`)."
        )
    return said
