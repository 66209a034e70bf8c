"""dictd: indices and entries that do not fit each other cost what does not fit, in bounded time."""

import time

from tests.pipeline.readers_help import make_source, read, texts


def read_pair(folder, index: bytes, entries: bytes, **package):
    (folder / "d.index").write_bytes(index)
    (folder / "d.dict").write_bytes(entries)
    return read(make_source("dictd", str(folder), **package))


def test_entries_that_are_damaged_cost_only_themselves(tmp_path):
    index = b"a\tA\tG\nb\tG\tG\nc\tM\tG\nd\t///w\tB\nno index line\ne\tA?\tB\nf\tA\t" + b"A" * 11 + b"B\n"
    rows, problems = read_pair(tmp_path, index, b"apple\n\xff\xff\xff\xff\xff\ncitrus"[:18])
    assert texts(rows) == ["apple\ncitrus"]
    assert len(problems) == 5


def test_entries_in_another_encoding(tmp_path):
    rows, problems = read_pair(tmp_path, b"a\tA\tE\n", "déjà".encode("latin-1"), encoding="latin-1")
    assert (texts(rows), problems) == (["déjà"], [])


def test_overlapping_entries_and_endless_numbers_take_linear_time(tmp_path):
    start = time.process_time()
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    index = "".join(f"w\t{first}{second}\tD6A\n" for first in digits for second in digits).encode()
    rows, problems = read_pair(tmp_path, index + b"x\tA\t" + b"/" * 500_000 + b"\n", b"word " * 4000)
    assert time.process_time() - start < 10
    assert problems[-1].cause == "damaged: its entries overlap"
    assert sum(map(len, texts(rows))) < 100_000
