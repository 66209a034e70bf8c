"""Receipts of takedowns: written and signed once, checked by anybody."""

import re
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.shown import shown
from governance.signing import fingerprint, is_signed, public_pem, read_public_key
from pipeline.corpus import reading
from pipeline.corpus.seal import RECEIPTS, canonical, read_seal
from pipeline.corpus.tombstones import LOG, read_log, tombstone_ids
from pipeline.corpus.verify import Verdict
from pipeline.runtime import storage

FORMAT = 1
_ID = re.compile("[0-9a-f]{32}")


def signed_part(receipt: dict[str, Any]) -> bytes:
    """The bytes of a receipt that its signature covers: all but the signature."""
    return canonical({name: value for name, value in receipt.items() if name != "signature"})


def is_whole(receipt: Any) -> bool:
    """Whether a receipt is as it was signed, and says all that one says."""
    if not isinstance(receipt, dict) or not isinstance(receipt.get("signature"), dict):
        return False
    if not all(isinstance(receipt.get(name), str) for name in ("request", "entry", "before", "after", "seal")):
        return False
    ids = receipt.get("removed")
    if not isinstance(ids, list) or not all(isinstance(name, str) and _ID.fullmatch(name) for name in ids):
        return False
    return is_signed(receipt["signature"], signed_part(receipt))


def check_receipt(corpus: str, path: str, public_key: str | None, verdict: Verdict) -> dict[str, Any]:
    """Check a receipt, and that the corpus honours it; adds what is off to the verdict. Returns what it says, short.

    Raises InputError where there is not a receipt.
    """
    try:
        receipt = storage.read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"is not a receipt ({shown(error, 100)})", "Give a file of takedowns/receipts") from None
    if not is_whole(receipt):
        verdict.add(path, "is not as it was signed, or is not signed")
        return {"signed": False}
    signer = receipt["signature"]["public_key"]
    if public_key is not None and read_public_key(public_key) != signer:
        verdict.add(path, f"is signed with another key than {shown(public_key)}")
    elif public_key is None:
        verdict.notes.append(
            f"the receipt is signed with the key {fingerprint(signer)}; --public-key says whose that is"
        )
    _check_corpus(corpus, path, receipt, verdict)
    names = ("request", "received", "applied", "before", "after")
    return {"signed": True, "key": fingerprint(signer), **{name: receipt.get(name) for name in names}}


def _check_corpus(corpus: str, path: str, receipt: dict[str, Any], verdict: Verdict) -> None:
    try:
        entries = read_log(corpus)
    except ValueError:
        return  # told by verify
    if receipt["entry"] not in [entry["entry"] for entry in entries]:
        verdict.add(LOG, f"does not hold the takedown {shown(receipt['request'], 80)} of the receipt")
    removed = np.array([bytes.fromhex(name) for name in receipt["removed"]], "S16")
    missing = np.setdiff1d(removed, tombstone_ids(corpus))
    if len(missing):
        verdict.add("takedowns", f"has no tombstones of {len(missing):,} documents that the receipt names")
    kept = 0
    for batch in reading.ledger_batches(corpus, ["id", "decision"]):
        ids = reading.packed_ids(batch["id"])
        is_kept = np.array([value == "kept" for value in batch["decision"].to_pylist()])
        kept += int(np.isin(ids[is_kept], removed).sum())
    if kept:
        verdict.add("ledger", f"keeps {kept:,} documents that the receipt says were removed")
    manifest = reading.read_manifest(corpus)
    if manifest["digest"] != receipt["after"]:
        verdict.notes.append(
            f"the corpus has changed since: its digest is {manifest['digest']}, not {receipt['after']}"
        )
    elif entries and entries[-1]["entry"] == receipt["entry"] and _seal(corpus) != receipt["seal"]:
        verdict.add("seal.json", "is not that of the receipt: files were changed and sealed anew since")


def _seal(corpus: str) -> str:
    try:
        return str(read_seal(corpus)["seal"])
    except (OSError, ValueError):
        return ""


def check_receipts(corpus: str, verdict: Verdict) -> list[dict[str, Any]]:
    """Check that the receipts in a corpus are as they were signed: no seal covers them, since they name it.

    Returns those that are.
    """
    keys: set[bytes] = set()
    whole: list[dict[str, Any]] = []
    others: list[str] = []
    for path in reading.files_below(corpus, RECEIPTS):
        if path.endswith(".json"):
            try:
                receipt = storage.read_json_as_written(storage.join(corpus, path))
            except (OSError, ValueError):
                receipt = None
            if is_whole(receipt):
                whole.append(receipt)
                keys.add(public_pem(receipt["signature"]["public_key"]))
            else:
                verdict.add(path, "is not as it was signed")
        else:
            others.append(path)
    for path in others if keys else ():
        fs, inner = storage.filesystem(storage.join(corpus, path))
        if fs.cat_file(inner) not in keys:
            verdict.add(path, "is not the public key of a receipt")
    return whole
