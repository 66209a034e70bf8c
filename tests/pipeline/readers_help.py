"""Made-up sources and archives for the tests of the readers."""

import io
import struct
import tarfile
from typing import Any

from configs.errors import InputError
from configs.load import load_languages
from configs.models import Columns, Package, Source
from pipeline.readers import list_units, read_unit
from pipeline.text.schema import RAW


def make_source(reader: str, path: str = "pkg", client: str = "path", columns: dict | None = None, **package: Any):
    fields = {name: package.pop(name) for name in ("document_bytes", "documents", "encoding") if name in package}
    return Source(
        id="made-up",
        title="Made up",
        packages=(Package(name=path, **package),),
        reader=reader,
        client=client,
        columns=Columns(**(columns or {})),
        licence="CC0-1.0",
        custodian="nobody",
        provenance="made up",
        **fields,
    )


def read(source: Source, located: dict | None = None, batch_documents: int = 100, batch_bytes: int = 1 << 20):
    """All rows of a source as dictionaries, and the problems."""
    problems: list[InputError] = []
    rows: list[dict] = []
    for unit in list_units(source, located or {}):
        batches = read_unit(
            unit,
            source,
            load_languages(),
            batch_documents=batch_documents,
            batch_bytes=batch_bytes,
            on_problem=problems.append,
        )
        for batch in batches:
            assert batch.schema == RAW
            batch.validate(full=True)
            rows += batch.to_pylist()
    return rows, problems


def texts(rows: list[dict]) -> list[str]:
    return [row["text"] for row in rows]


def tar_bytes(files: dict[str, bytes], mode: str = "w:gz", extra: list[tarfile.TarInfo] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for info in extra or []:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def deb_bytes(files: dict[str, bytes], extra: list[tarfile.TarInfo] | None = None) -> bytes:
    parts = [("debian-binary", b"2.0\n"), ("control.tar.gz", tar_bytes({"./control": b"Package: x\n"}))]
    parts.append(("data.tar.xz", tar_bytes(files, "w:xz", extra)))
    out = b"!<arch>\n"
    for name, data in parts:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def mo_bytes(messages: dict[str, str], order: str = "<") -> bytes:
    pairs = sorted((key.encode(), value.encode()) for key, value in {"": "Language: xh\n", **messages}.items())
    count, body, tables = len(pairs), b"", []
    start = 28 + 16 * count
    for column in (0, 1):
        for pair in pairs:
            tables.append(struct.pack(order + "II", len(pair[column]), start + len(body)))
            body += pair[column] + b"\0"
    head = struct.pack(order + "IIIIIII", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    return head + b"".join(tables) + body
