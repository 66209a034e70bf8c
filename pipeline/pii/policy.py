"""What a recipe makes of personal data that was found: by source, by language, or for all documents."""

import hashlib
from collections.abc import Sequence

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import ConfigurationError
from configs.models import PersonalData, PiiAction
from configs.shown import shown
from pipeline.pii.redactor import Redactor
from pipeline.text.columns import decode

KEY_BYTES_MIN, KEY_BYTES_MAX = 16, 4096


def actions_of(batch: pa.RecordBatch, policy: PersonalData) -> list[PiiAction]:
    """The action for each row of a batch with `source` and `language`: its source's, its language's, or all's."""
    if not (policy.by_source or policy.by_language):
        return [policy.action] * batch.num_rows
    rows = zip(decode(batch["source"]).to_pylist(), decode(batch["language"]).to_pylist(), strict=True)
    return [policy.by_source.get(source, policy.by_language.get(language, policy.action)) for source, language in rows]


def treated(
    batch: pa.RecordBatch, redactor: Redactor, actions: Sequence[PiiAction]
) -> tuple[pa.LargeStringArray, dict[str, pa.Array]]:
    """Texts as the actions leave them, and counts by kind; see `Redactor.redact`.

    `detect` leaves a text as it is; `pseudonymise` puts `PI:KIND-` and twelve digits in place of what was found, the
    same for the same value; the others put `PI:KIND`.
    """
    texts, counts = redactor.redact(batch["text"], batch["language"])
    if "detect" in actions:
        seen = pa.array([action == "detect" for action in actions])
        texts = pc.if_else(seen, batch["text"], texts)
    rows = [row for row, action in enumerate(actions) if action == "pseudonymise"]
    if rows:
        place = pa.array(rows)
        named, _ = redactor.redact(batch["text"].take(place), batch["language"].take(place), pseudonyms=True)
        mask = np.zeros(len(texts), bool)
        mask[rows] = True
        texts = pc.replace_with_mask(texts, pa.array(mask), named)
    return texts, counts


def pseudonym_key(policy: PersonalData) -> bytes | None:
    """The key of pseudonyms; None where none are asked for. Raises ConfigurationError where it cannot be read."""
    if "pseudonymise" not in policy.actions:
        return None
    if policy.key_file is None:
        raise ConfigurationError("personal_data.key_file: `pseudonymise` needs a file with a secret key in it")
    where = f"personal_data.key_file {shown(policy.key_file)}"
    try:
        with fsspec.open(policy.key_file, "rb") as stream:
            key = bytes(stream.read(KEY_BYTES_MAX)).strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{where}: cannot be read ({shown(error, 200)})") from None
    if len(key) < KEY_BYTES_MIN:
        raise ConfigurationError(f"{where}: has fewer than {KEY_BYTES_MIN} bytes; make one: openssl rand -hex 32")
    return hashlib.blake2b(key, digest_size=32).digest()
