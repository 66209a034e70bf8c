"""Verify a finished corpus: every byte against its seal, and what its files say against one another.

Digests tell that nothing changed since the build; the rest, that what was built is coherent: the ledger balances and
agrees with the shards, every licence passes the recipe's policy, cards and statistics say what the shards hold, and
nothing that was taken down is there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from configs.errors import InputError, OpenRootsError
from configs.shown import shown, shown_list
from governance.licences import LicenceGate
from pipeline.corpus import reading, seal
from pipeline.corpus.neighbours import documents_with_text_of
from pipeline.corpus.plan import plan_of
from pipeline.corpus.seal import RECEIPTS
from pipeline.corpus.tombstones import LOG, read_log, tombstone_ids, tombstone_texts
from pipeline.ingest import trusted_licences
from pipeline.runtime import storage
from pipeline.text.columns import decode
from pipeline.write import corpus_digest_of


@dataclass(frozen=True)
class Problem:
    """Something that is off: the file by its path in the corpus, and what is wrong with it."""

    file: str
    problem: str


@dataclass
class Verdict:
    """What was found: problems; files and bytes read, documents counted; notes that are no problems."""

    problems: list[Problem] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    documents: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, file: str, problem: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(file, problem))


@dataclass
class _Shards:
    """What the shards hold, counted from them."""

    documents: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    licences: dict[str, set[str]] = field(default_factory=dict)
    ids: list[np.ndarray] = field(default_factory=list)


def verify(corpus: str, work: str | None = None) -> Verdict:
    """Verify the corpus in a folder (any fsspec path), and its work files, which may lie elsewhere.

    Raises InputError where there is no corpus.
    """
    verdict = Verdict()
    manifest = _manifest(corpus, verdict)
    known = manifest or {}
    broken: set[str] = set()
    shards = _Shards()
    checks: tuple[tuple[str, Callable[[], None]], ...] = (
        (seal.SEAL, lambda: _check_public(corpus, verdict)),
        (seal.SEAL, lambda: _check_work(corpus, work, verdict)),
        ("manifest.json", lambda: _check_foreign(corpus, known, verdict)),
        ("manifest.json", lambda: _check_digest(known, verdict)),
        ("data", lambda: _count_shards(corpus, known, shards, verdict, broken)),
        ("ledger", lambda: _check_ledger(corpus, known, shards, verdict, broken)),
        ("statistics.json", lambda: _check_statistics(corpus, known, shards, verdict)),
        ("README.md", lambda: _check_cards(corpus, known, shards, verdict)),
        ("takedowns", lambda: _check_takedowns(corpus, known, shards, verdict)),
    )
    for place, check in checks if manifest is not None else checks[:2]:
        try:
            check()
            broken |= {problem.file for problem in verdict.problems} if place == seal.SEAL else set()
        except (OpenRootsError, OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            if not any(problem.file.startswith(place) for problem in verdict.problems):
                verdict.add(place, f"cannot be checked: {shown(error, 200)}")
    return verdict


def _manifest(corpus: str, verdict: Verdict) -> dict[str, Any] | None:
    """The manifest; None, and a problem, where it is damaged. Raises InputError where nothing is a corpus here."""
    try:
        return reading.read_manifest(corpus)
    except InputError as error:
        if not storage.exists(storage.join(corpus, seal.SEAL)) and not storage.exists(storage.join(corpus, "data")):
            raise
        verdict.add("manifest.json", error.cause)
        return None


def _check_public(corpus: str, verdict: Verdict) -> None:
    _check_seal(corpus, "", seal.public_files(storage.list_files(corpus)), verdict)


def _check_work(corpus: str, work: str | None, verdict: Verdict) -> None:
    try:
        place = reading.work_folder(corpus, work)
    except ValueError as error:
        verdict.add(reading.ELSEWHERE, str(error))
        return
    found = [name for name in storage.list_files(place.path) if name not in (seal.SEAL, *seal.LOCKS)]
    if not found:
        verdict.notes.append(
            f"there is no {place.name}: what a rerun would resume from was removed, or moved (--work says where)"
        )
        return
    _check_seal(place.path, f"{place.name}/", found, verdict)


def _check_seal(folder: str, prefix: str, names: Sequence[str], verdict: Verdict) -> None:
    """Check a folder against its seal; `names` are the files in it, `prefix` precedes them in messages."""
    sealed = seal.seal_or_fault(folder)
    if isinstance(sealed, str):
        verdict.add(f"{prefix}{seal.SEAL}", sealed)
        return
    for name, problem in seal.broken(folder, sealed).items():
        verdict.add(f"{prefix}{name}", problem)
    verdict.files += len(sealed["files"])
    verdict.bytes += sum(entry["bytes"] for entry in sealed["files"].values())
    for name in names:
        if name not in sealed["files"]:
            verdict.add(f"{prefix}{name}", "is not of this corpus: its seal does not name it")


def _check_foreign(corpus: str, manifest: dict[str, Any], verdict: Verdict) -> None:
    named = set(reading.shard_paths(manifest))
    told = {problem.file for problem in verdict.problems}
    for path in reading.files_below(corpus, "data"):
        if path not in named and path not in told:
            verdict.add(path, "is not of this corpus: its manifest does not name it")


def _check_digest(manifest: dict[str, Any], verdict: Verdict) -> None:
    """The digest of the corpus follows from the digests of its shards."""
    entries = [(path.removeprefix("data/"), shard["digest"]) for path, shard in reading.shard_paths(manifest).items()]
    if corpus_digest_of(entries) != manifest["digest"]:
        verdict.add("manifest.json", "its digest is not that of the shards it names")


def _count_shards(corpus: str, manifest: dict[str, Any], shards: _Shards, verdict: Verdict, broken: set[str]) -> None:
    plan = plan_of(manifest)
    trusted = frozenset(licence for source in plan.sources for licence in trusted_licences(source))
    gate = LicenceGate(plan.recipe.licences, frozenset(plan.languages.programming), trusted)
    sources = {source.id for source in plan.sources}
    for path, entry in reading.shard_paths(manifest).items():
        if path in broken:
            continue
        language, documents, size = entry["language"], 0, 0
        with reading.open_arrow(storage.join(corpus, path)) as (_, batches):
            for batch in batches:
                documents += batch.num_rows
                size += pc.sum(pc.binary_length(batch["text"])).as_py() or 0
                shards.ids.append(reading.packed_ids(batch["id"]))
                held = {
                    name: set(pc.unique(decode(batch[name])).to_pylist()) for name in ("language", "licence", "source")
                }
                shards.licences.setdefault(language, set()).update(held["licence"])
                if others := sorted(held["language"] - {language}):
                    verdict.add(path, f"holds documents in {shown_list(others)}")
                if others := sorted(held["source"] - sources):
                    verdict.add(path, f"holds documents of {shown_list(others)}, which the recipe does not name")
                for licence in sorted(held["licence"]):
                    ruling = gate.judge(licence, language in plan.languages.programming)
                    if not ruling.admitted:
                        verdict.add(
                            path, f"holds documents that the licence policy refuses: {shown(ruling.detail, 200)}"
                        )
        if documents != entry["documents"] or size != entry["bytes"]:
            verdict.add(
                path,
                f"holds {documents:,} documents of {size:,} bytes; "
                f"the manifest says {entry['documents']:,} of {entry['bytes']:,}",
            )
        shards.documents[language] = shards.documents.get(language, 0) + documents
        shards.bytes[language] = shards.bytes.get(language, 0) + size
    verdict.documents = sum(shards.documents.values())


def _check_ledger(corpus: str, manifest: dict[str, Any], shards: _Shards, verdict: Verdict, broken: set[str]) -> None:
    if broken & set(reading.ledger_parts(corpus)):
        return
    kept: list[np.ndarray] = []
    sums: dict[tuple[str, str], list[int]] = {}
    for batch in reading.ledger_batches(corpus, ["id", "bytes", "decision", "stage", "reason"]):
        kept.append(reading.packed_ids(batch["id"].filter(pc.equal(batch["decision"], "kept"))))
        table = pa.Table.from_batches([batch.drop_columns(["id"])])
        for row in table.group_by(["stage", "reason"]).aggregate([("bytes", "sum"), ([], "count_all")]).to_pylist():
            total = sums.setdefault((row["stage"], row["reason"]), [0, 0])
            total[0] += row["count_all"]
            total[1] += row["bytes_sum"]
    _check_balance(manifest, sums, verdict)
    if broken & set(reading.shard_paths(manifest)):
        return
    in_shards, in_ledger = _joined(shards.ids), _joined(kept)
    if not np.array_equal(in_shards, in_ledger):
        only = len(np.setdiff1d(in_shards, in_ledger)), len(np.setdiff1d(in_ledger, in_shards))
        verdict.add(
            "ledger",
            f"does not agree with the shards: {only[0]:,} documents of the shards are not kept in it, "
            f"{only[1]:,} that it keeps are in no shard",
        )


def _check_balance(manifest: dict[str, Any], sums: dict[tuple[str, str], list[int]], verdict: Verdict) -> None:
    entered = [sum(total[place] for total in sums.values()) for place in (0, 1)]
    stages = manifest["stages"]
    if stages and entered != [stages[0]["documents_in"], stages[0]["bytes_in"]]:
        verdict.add(
            "ledger",
            f"has {entered[0]:,} documents of {entered[1]:,} bytes; the manifest says that "
            f"{stages[0]['documents_in']:,} of {stages[0]['bytes_in']:,} entered",
        )
    left = entered
    for stage in stages:
        out = [sum(total[place] for (name, _), total in sums.items() if name == stage["stage"]) for place in (0, 1)]
        left = [left[0] - out[0], left[1] - out[1]]
        said = [stage["documents_dropped"], stage["bytes_dropped"], stage["documents_kept"], stage["bytes_kept"]]
        if [*out, *left] != said:
            verdict.add(
                "ledger", f"does not balance at the stage `{shown(stage['stage'], 40)}`: {[*out, *left]}, not {said}"
            )
    drops = {(drop["stage"], drop["reason"]): [drop["documents"], drop["bytes"]] for drop in manifest["drops"]}
    found = {key: total for key, total in sums.items() if key[0] != "write"}
    for key in sorted(set(drops) | set(found)):
        if drops.get(key) != found.get(key):
            verdict.add(
                "ledger", f"drops by `{shown(key[1], 60)}`: {found.get(key)}; the manifest says {drops.get(key)}"
            )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate([*parts, np.zeros(0, "S16")]))


def _check_statistics(corpus: str, manifest: dict[str, Any], shards: _Shards, verdict: Verdict) -> None:
    statistics = storage.read_json(storage.join(corpus, "statistics.json"))
    if statistics["digest"] != manifest["digest"]:
        verdict.add("statistics.json", "is of another corpus: its digest is not the manifest's")
    for code, documents in shards.documents.items():
        entry = statistics["languages"].get(code, {"documents": 0, "bytes": 0, "licences": {}})
        if [entry["documents"], entry["bytes"]] != [documents, shards.bytes[code]]:
            verdict.add(
                "statistics.json", f"counts {entry['documents']:,} documents in {code}; the shards hold {documents:,}"
            )
        if set(entry["licences"]) != shards.licences.get(code, set()):
            verdict.add("statistics.json", f"names other licences for {code} than the shards hold")
    described = storage.read_json(storage.join(corpus, "croissant.json"))
    for file in described["distribution"]:
        about = statistics["files"].get(file["@id"])
        if file["@type"] == "cr:FileObject" and (about is None or about["sha256"] != file["sha256"]):
            verdict.add("croissant.json", f"describes {shown(file['@id'], 100)} differently from statistics.json")


def _check_cards(corpus: str, manifest: dict[str, Any], shards: _Shards, verdict: Verdict) -> None:
    fs, inner = storage.filesystem(storage.join(corpus, "README.md"))
    card = fs.cat_file(inner).decode("utf-8")
    head = yaml.safe_load(card.split("---\n", 2)[1])
    configs = {entry["config_name"] for entry in head.get("configs", ())} - {"all"}
    held = {code for code, documents in shards.documents.items() if documents}
    if configs != held:
        verdict.add("README.md", f"names other languages than the shards hold: {shown(sorted(configs ^ held), 200)}")
    if manifest["digest"] not in card:
        verdict.add("README.md", "does not name the digest of the corpus")
    cards = {path.removeprefix("cards/").removesuffix(".md") for path in reading.files_below(corpus, "cards", ".md")}
    for code in sorted(cards ^ held):
        missing = code in held
        verdict.add(
            f"cards/{shown(code, 60)}.md", "is missing" if missing else "is of a language that the corpus does not hold"
        )


def _check_takedowns(corpus: str, manifest: dict[str, Any], shards: _Shards, verdict: Verdict) -> None:
    """Nothing taken down is in a shard; the log of takedowns is unbroken."""
    from pipeline.corpus.receipts import check_receipts

    receipts = check_receipts(corpus, verdict)
    removed = tombstone_ids(corpus)
    texts = tombstone_texts(corpus)
    for path, name in documents_with_text_of(corpus, manifest, texts) if len(texts) else ():
        verdict.add(path, f"holds a text that was taken down, as document {name}")
    back = np.intersect1d(_joined(shards.ids), removed)
    if len(back):
        first = reading.unpacked(back[:1])[0].hex()
        verdict.add("data", f"holds {len(back):,} documents that were taken down, {first} first")
    try:
        entries = read_log(corpus)
    except ValueError as error:
        verdict.add(LOG, str(error))
        return
    if len(removed) and not entries:
        verdict.add(LOG, "is missing, though documents were taken down")
    known = {entry["entry"] for entry in entries}
    for place, told in (("manifest.json", manifest.get("takedowns", ())), (RECEIPTS, receipts)):
        for takedown in told:
            if takedown["entry"] not in known:
                verdict.add(LOG, f"lacks the takedown {shown(takedown['request'], 80)}, which {place} names")


def lines(verdict: Verdict) -> Iterator[str]:
    """Problems as lines for people: path, then what is wrong."""
    for problem in verdict.problems:
        yield f"{problem.file}: {problem.problem}"
