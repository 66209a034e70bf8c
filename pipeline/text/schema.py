"""The columns of a document as it goes through the stages, and the ledger's.

Documents travel as `pyarrow.RecordBatch`es of about 1 000 rows. A stage adds columns; none deletes a row silently.
"""

import pyarrow as pa

DICTIONARY = pa.dictionary(pa.int32(), pa.string())

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
        pa.field("detail", pa.string(), nullable=False),  # measure, value and threshold; the document kept instead
        pa.field("uri", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),  # as in DOCUMENT
    ]
)
"""One row for every document that entered, as it is within a build."""

LEDGER_WRITTEN = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # 32 hexadecimal digits
        *(
            field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
            for field in LEDGER
            if field.name != "id"
        ),
    ]
)
"""The ledger as it is written: plain strings, which every program reads."""
