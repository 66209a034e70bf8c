"""Take documents down: a new corpus without them, a line in the log, tombstones, and a signed receipt.

Only files that hold something of a removed document are rewritten; all others are hard links or copies. The new
corpus has no `.work`: that of the old one holds the texts. Everything follows from the old corpus and the request, so
that a takedown that was killed is simply given again.
"""

import datetime
import html
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from configs.errors import ConfigurationError, InputError, OutputError
from configs.shown import shown_list
from governance.consent import Refusal
from governance.requests import Request
from governance.signing import public_pem, sign
from pipeline.corpus import passages, reading, rewriting, seal
from pipeline.corpus.find import Matcher, Wanted, find, starts_of
from pipeline.corpus.neighbours import Neighbours, near_duplicates
from pipeline.corpus.opt_outs import OptOuts, refused
from pipeline.corpus.plan import plan_of
from pipeline.corpus.receipts import FORMAT, is_whole, signed_part
from pipeline.corpus.tombstones import INDEX, LOG, log_line, read_log, tombstone_ids
from pipeline.pii.outward import Outward, redactor_of
from pipeline.reasons import OPTED_OUT, TAKEDOWN
from pipeline.runtime import storage
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import check_output

STATE = f"{reading.WORK}/takedown.json"
_TEMPORARY = re.compile(r".*\.[0-9a-f]{8}\.tmp")


@dataclass
class Removed:
    """Documents to remove: ids (hexadecimal) with `kept` or `dropped`, and how each was found."""

    fates: dict[str, str] = field(default_factory=dict)
    near: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    needles: list[bytes] = field(default_factory=list)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    """By id, the rule of an opt-out; those who asked by a request are not named."""
    unmatched: list[int] = field(default_factory=list)

    @property
    def ids(self) -> np.ndarray:
        """Sorted, dtype S16."""
        return np.sort(np.array([bytes.fromhex(name) for name in self.fates], "S16"))

    @property
    def details(self) -> dict[str, str]:
        """By id, what the ledger says of an opt-out."""
        return {name: refusal.detail for name, refusal in self.refusals.items()}


def takedown(
    corpus: str,
    request: Request,
    digest: str,
    output: str,
    key: Ed25519PrivateKey,
    progress: reading.Progress = lambda _: None,
    work: str | None = None,
    opt_outs: OptOuts | None = None,
) -> dict[str, Any]:
    """Write the corpus without what the request names, or opt-outs refuse, into `output`; returns the signed receipt.

    `digest` is the SHA-256 of the request's file; `work` says where the corpus' work files are, where they were moved.
    The old corpus is not touched. Raises OpenRootsError: where nothing is found, where `output` is not ours, where text
    to be removed would remain.
    """
    manifest = reading.read_manifest(corpus)
    _check_place(corpus, output)
    for removal in request.remove:
        Wanted(**removal.given).check()
    try:
        earlier = [entry["request"] for entry in read_log(corpus)]
    except ValueError as error:
        raise InputError(storage.join(corpus, LOG), str(error), "Do not trust this corpus: verify it") from None
    if request.id in earlier:
        raise ConfigurationError(
            f"the corpus has a takedown `{request.id}` already; give this request an id of its own"
        )
    state = {"request": digest, "corpus": manifest["digest"]}
    if done := _done(output, request, state):
        return done
    _check_state(output, state)
    removed = _look_up(corpus, request, manifest, work, progress)
    if opt_outs is not None:
        progress("comparing addresses with opt-outs")
        for name, (fate, refusal) in refused(corpus, opt_outs).items():
            removed.fates[name], removed.refusals[name] = fate, refusal
    already = set(map(bytes.hex, reading.unpacked(tombstone_ids(corpus))))
    if removed.fates and already.issuperset(removed.fates):
        raise ConfigurationError("everything that matches the request has been taken down already; nothing was removed")
    removed.fates = {name: fate for name, fate in removed.fates.items() if name not in already}
    if not removed.fates:
        raise ConfigurationError(
            "no document of the corpus matches the request; nothing was removed"
            if opt_outs is None
            else "no document of the corpus comes from a site that opts out; nothing was removed"
        )
    with build_lock(output, "corpus"):
        _begin(output, state)
        folder = reading.work_folder(corpus, work)
        neighbours = Neighbours.of(corpus, manifest, removed.ids, folder)
        if request.near_duplicates:
            removed.near = near_duplicates(corpus, manifest, neighbours, removed.ids) - set(removed.fates) - already
            removed.fates |= _fates(corpus, removed.near)
            neighbours = Neighbours.of(corpus, manifest, removed.ids, folder)
        return _write(corpus, folder, manifest, request, digest, removed, neighbours, output, key, progress)


def _check_place(corpus: str, output: str) -> None:
    """Refuse an output that is the old corpus, lies in it, or holds it. Raises ConfigurationError, OutputError."""
    old, new = (storage.filesystem(path)[1].rstrip("/") + "/" for path in (corpus, output))
    if old.startswith(new) or new.startswith(old):
        raise ConfigurationError(
            "--output must be a new folder beside the old corpus, which stays as it is until you remove it"
        )
    check_output(output, "corpus")


def _done(output: str, request: Request, state: dict[str, str]) -> dict[str, Any] | None:
    """The receipt of this very takedown, where it has ended."""
    try:
        receipt = storage.read_json(storage.join(output, seal.RECEIPTS, f"{request.id}.json"))
        ended = {"request": receipt["request_sha256"], "corpus": receipt["before"]} == state
        is_here = is_whole(receipt) and storage.read_json(storage.join(output, seal.SEAL))["seal"] == receipt["seal"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(receipt) if ended and is_here and not storage.exists(storage.join(output, STATE)) else None


def _check_state(output: str, state: dict[str, str]) -> None:
    """Refuse a folder with something else in it than a part of this takedown. Raises OutputError."""
    try:
        known = storage.read_json(storage.join(output, STATE))
    except (OSError, ValueError):
        known = None
    if known != state and (known is not None or storage.exists(storage.join(output, "data"))):
        raise OutputError("--output holds another corpus, or another takedown that did not finish; choose a new folder")


def _begin(output: str, state: dict[str, str]) -> None:
    """Note what is being done, so that the same command resumes. Sweep half-written files."""
    _check_state(output, state)
    storage.write_json(storage.join(output, STATE), state)
    storage.remove(output, [name for name in storage.list_files(output) if _TEMPORARY.fullmatch(name)])


def _look_up(
    corpus: str, request: Request, manifest: dict[str, Any], work: str | None, progress: reading.Progress
) -> Removed:
    removed = Removed()
    for number, removal in enumerate(request.remove, 1):
        progress(f"searching for [[remove]] table {number} of {len(request.remove)}")
        wanted = Wanted(**removal.given)
        found = find(corpus, wanted, work=work)
        if removal.text is not None:
            removed.needles += Matcher(wanted, manifest).needles
        removed.notes += [note for note in found.notes if note not in removed.notes]
        if not found.rows:
            removed.unmatched.append(number)
        for row in found.rows:
            if removed.fates.get(row["id"]) != "kept":
                removed.fates[row["id"]] = row["decision"]
    return removed


def _fates(corpus: str, names: set[str]) -> dict[str, str]:
    """`kept` or `dropped` of documents, by the ledger."""
    fates: dict[str, str] = {}
    for batch in reading.ledger_batches(corpus, ["id", "decision"]) if names else ():
        mine = batch.filter(pc.is_in(batch["id"], pa.array(sorted(names), pa.string())))
        fates |= dict(zip(mine["id"].to_pylist(), mine["decision"].to_pylist(), strict=True))
    return fates


def _write(
    corpus: str,
    work: reading.WorkFolder,
    manifest: dict[str, Any],
    request: Request,
    digest: str,
    removed: Removed,
    neighbours: Neighbours,
    output: str,
    key: Ed25519PrivateKey,
    progress: reading.Progress,
) -> dict[str, Any]:
    ids = removed.ids
    reason = OPTED_OUT if removed.refusals else TAKEDOWN
    progress("writing shards")
    shards = rewriting.rewrite_shards(corpus, output, manifest, ids)
    progress("writing index and ledger")
    rewriting.rewrite_index(corpus, output, ids)
    rewriting.sketch_shards(corpus, output, shards)
    marks = rewriting.Marks(ids, TAKEDOWN, reason, f"request {request.id}", removed.details)
    lost = rewriting.rewrite_ledger(corpus, output, marks)
    after = rewriting.new_manifest(manifest, shards, lost, marks)
    counts = {fate: sum(value == fate for value in removed.fates.values()) for fate in ("kept", "dropped")}
    redact = Outward(redactor_of(plan_of(manifest))).name
    entry = log_line(
        read_log(corpus),
        {
            "request": request.id,
            "received": request.received.isoformat(),
            "applied": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "reason": redact(request.reason_without_names),
            "request_sha256": digest,
            "asked": [sorted(removal.given) for removal in request.remove] or [["opt_outs"]],
            "removed_from_corpus": counts["kept"],
            "removed_from_ledger": counts["dropped"],
            "near_duplicates": len(removed.near),
            "loss": _loss(manifest, lost),
            **({"rules": _rules(removed.refusals)} if removed.refusals else {}),
            "before": manifest["digest"],
            "after": after["digest"],
        },
    )
    if removed.refusals:  # a site asks for its own pages alone, not for others with the same text
        tombstones = neighbours.ids_alone()
    else:
        tombstones = neighbours.table() if request.near_duplicates else neighbours.without_likeness(corpus)
    _write_takedowns(corpus, output, entry, tombstones)
    after["takedowns"] = [*manifest.get("takedowns", ()), {"request": request.id, "entry": entry["entry"]}]
    after["problems"] = [p for p in manifest.get("problems", ()) if not _is_asked(p["file"], request)]
    progress("writing report and cards")
    rewriting.write_descriptions(corpus, output, work, after, removed.fates, removed.needles)
    _refuse_remains(output, removed.needles)
    seal.write_seals(output)
    receipt = {
        "format": FORMAT,
        **{name: value for name, value in entry.items() if name != "previous"},
        "removed": sorted(removed.fates),
        "nothing_found_for": removed.unmatched,
        "notes": removed.notes,
        "seal": seal.read_seal(output)["seal"],
    }
    receipt["signature"] = sign(key, signed_part(receipt))
    storage.write_json(storage.join(output, seal.RECEIPTS, f"{request.id}.json"), receipt)
    with storage.create(storage.join(output, seal.RECEIPTS, "public-key.pem")) as stream:
        stream.write(public_pem(receipt["signature"]["public_key"]))
    storage.remove_tree(storage.join(output, reading.WORK))  # last: this removes the note of what is being done
    return receipt


def _loss(manifest: dict[str, Any], lost: dict[tuple[str, str], list[int]]) -> dict[str, dict[str, Any]]:
    """What was kept and is removed, by language and by source; of a language also the share of its documents."""
    loss: dict[str, dict[str, Any]] = {"language": {}, "source": {}}
    for (language, source), (documents, size) in sorted(lost.items()):
        for kind, name in (("language", language), ("source", source)):
            total = loss[kind].setdefault(name, {"documents": 0, "bytes": 0})
            total["documents"] += documents
            total["bytes"] += size
    for language, total in loss["language"].items():
        total["share"] = round(total["documents"] / (manifest["languages"][language]["documents"] or 1), 6)
    return loss


def _rules(refusals: Mapping[str, Refusal]) -> dict[str, int]:
    """How many documents each kind of rule removed."""
    return dict(sorted(Counter(refusal.kind or refusal.rule for refusal in refusals.values()).items()))


def _is_asked(file: str, request: Request) -> bool:
    return any(removal.uri is not None and file.startswith(starts_of(removal.uri)) for removal in request.remove)


def _write_takedowns(corpus: str, output: str, entry: dict[str, Any], table: pa.Table) -> None:
    """The log with its new line; tombstones of earlier takedowns, and those of this one."""
    entries = read_log(corpus)
    for path in (*reading.files_below(corpus, INDEX), *reading.files_below(corpus, seal.RECEIPTS)):
        reading.link_or_copy(storage.join(corpus, path), storage.join(output, path))
    lines = b"".join(seal.canonical(each) + b"\n" for each in (*entries, entry))
    with storage.create(storage.join(output, LOG)) as stream:
        stream.write(lines)
    path = storage.join(output, INDEX, f"{len(entries):05d}.arrow")
    with storage.create(path) as stream, pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)


def _refuse_remains(output: str, needles: list[bytes]) -> None:
    """Make sure that no page, card or table beside the shards still holds a passage. Raises OutputError."""
    if not needles:
        return
    remains = []
    for path in storage.list_files(output):
        if path.rsplit(".", 1)[-1] not in ("json", "jsonl", "md", "html") or path.startswith(reading.WORK):
            continue
        fs, inner = storage.filesystem(storage.join(output, path))
        text = html.unescape(fs.cat_file(inner).decode("utf-8", "replace"))
        if passages.holds(pa.array([text, text.replace("\\n", " ").replace('\\"', " ")], pa.large_string()), needles):
            remains.append(path)
    for path in reading.ledger_parts(output):
        for batch in reading.ledger_batches(output, ["detail", "uri", "key"]):
            if any(passages.holds(batch[name], needles) for name in batch.schema.names):
                remains.append(path)
                break
        break
    if remains:
        raise OutputError(
            f"text to be removed remains in {shown_list(remains)} of the new corpus: no receipt "
            "was signed. Take the passage out of the recipe's own words, or ask by id"
        )
