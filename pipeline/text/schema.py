"""The columns of a document as it goes through the stages, and the ledger's.

Documents travel as `pyarrow.RecordBatch`es of about 1 000 rows. A stage adds columns; none deletes a row silently.
"""

import pyarrow as pa

DICTIONARY = pa.dictionary(pa.int32(), pa.string())
CHARACTERS_MAX = 4000
"""Of a name or message in a column beside the text; what is longer ends in `…`."""

RAW = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # the document's own key in its source
        pa.field("text", pa.large_string(), nullable=False),  # valid UTF-8, not yet NFC
        pa.field("language", pa.string()),  # as the source declares it; null: it does not say
        pa.field("licence", pa.string()),  # SPDX; null: the source's
        pa.field("uri", pa.string(), nullable=False),  # file, with the member of an archive behind `!`
        pa.field("metadata", pa.string(), nullable=False),  # a JSON object
        pa.field("licence_nearby", pa.string()),  # what lies around the file, see `governance.licence_detection.pack`
    ]
)
"""What a reader yields."""

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),  # xxh3-128 of source id and key
        pa.field("text", pa.large_string(), nullable=False),  # UTF-8, NFC; code as it is
        pa.field("source", DICTIONARY, nullable=False),
        pa.field("language", DICTIONARY, nullable=False),  # BCP-47 or programming language; `und` if not declared
        pa.field("licence", DICTIONARY, nullable=False),  # SPDX expression: the one that counts
        pa.field("licence_declared", DICTIONARY, nullable=False),  # by the row, the package or the source
        pa.field("licence_detected", DICTIONARY),  # in the file or around it; null: nothing was
        pa.field("uri", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),  # its file, member or place in it, `#` and its own key in that
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("bytes_in", pa.int64(), nullable=False),  # UTF-8 bytes of `text` on entering
    ]
)
"""What `ingest` writes."""

COMPARED = pa.schema(
    [
        pa.field("note", pa.string()),  # what columns do not say, in words
        pa.field("measure", DICTIONARY),  # what was compared with a threshold, such as `words`; null: nothing was
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),  # null: any value was too much
    ]
)
"""Why a stage took a document out; null throughout where it stays."""

KEPT_INSTEAD = pa.schema(
    [
        pa.field("kept_id", pa.binary(16)),  # the document kept instead
        pa.field("kept_source", DICTIONARY),  # its source; where it is in a finished build, that build
        pa.field("similarity", pa.float32()),  # estimated Jaccard with it, of near-duplicates
    ]
)
"""What a duplicate is a duplicate of; null throughout where a document is none."""

LEDGER = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("source", DICTIONARY, nullable=False),
        pa.field("language", DICTIONARY, nullable=False),  # as identified; as declared where it left before
        pa.field("bytes", pa.int64(), nullable=False),  # on entering
        pa.field("bytes_kept", pa.int64(), nullable=False),  # after redaction and line cuts; 0 if dropped
        pa.field("decision", DICTIONARY, nullable=False),  # kept | dropped
        pa.field("stage", DICTIONARY, nullable=False),  # where it left; `write` if kept
        pa.field("reason", DICTIONARY, nullable=False),
        *COMPARED,
        *KEPT_INSTEAD,
        pa.field("language_declared", DICTIONARY),  # by the source, `und` if it does not say; null: nothing was read
        pa.field("language_identified", DICTIONARY),  # null: nobody was asked
        pa.field("uri", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),  # as in DOCUMENT
    ]
)
"""One row for every document that entered, as it is within a build."""


def _outward(field: pa.Field) -> pa.Field:
    if field.name == "note":
        return pa.field("detail", pa.string(), nullable=False)
    is_plain = not pa.types.is_dictionary(field.type) and field.type != pa.binary(16)
    return field if is_plain else field.with_type(pa.string())


LEDGER_WRITTEN = pa.schema([_outward(field) for field in LEDGER])
"""The ledger as it is written: plain strings, which every program reads; `detail` says in words what columns say, and
what they do not."""
