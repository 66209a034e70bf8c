"""JSON that holds text but no table of documents: catalogues of messages (MediaWiki and other programs of the web),
lists of verses. All strings of a file are one running text, in their order.
"""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.readers.containers import Member
from pipeline.readers.encodings import decode
from pipeline.readers.messages import clean_message
from pipeline.readers.rows import Context, Row, join_messages
from pipeline.readers.streams import input_errors


def strings(value: Any) -> Iterator[str]:
    """The strings of a JSON value, depth first; not keys, nor what stands under keys with `@` (notes to translators).

    Keeps a stack of its own: a hostile file may nest deeper than Python calls can.
    """
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, str):
            yield top
        elif isinstance(top, dict):
            stack.extend(item for key, item in reversed(top.items()) if not key.startswith("@"))
        elif isinstance(top, list):
            stack.extend(reversed(top))


def read_json(member: Member, context: Context) -> Iterator[Row]:
    """One JSON value: its strings, each once and cleaned as other catalogues are, in documents of `document_bytes`.

    Raises InputError where the file is no JSON, or is nested deeper than the parser goes.
    """
    data = member.stream.document()
    if not data:
        return
    text = decode(data, context.source.encoding, member.name)
    with input_errors(member.name):
        value = json.loads(text, parse_int=float, strict=False)
    seen = dict.fromkeys(message for message in map(clean_message, strings(value)) if message)
    yield from join_messages(iter(seen), int(context.source.document_bytes))
