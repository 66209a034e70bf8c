"""Grouping: what Beam's own runner gives, in memory and on disk, and the same partition whenever it is asked."""

from collections import defaultdict

import apache_beam as beam
import pytest
from apache_beam import coders
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.transforms.window import GlobalWindows
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.spark import grouping
from pipeline.runtime.spark.grouping import Grouping, OpenGrouping

PAIRS = coders.WindowedValueCoder(coders.TupleCoder([coders.StrUtf8Coder(), coders.BytesCoder()]))
GROUPS = coders.WindowedValueCoder(
    coders.TupleCoder([coders.StrUtf8Coder(), coders.IterableCoder(coders.BytesCoder())])
)
Pairs = list[tuple[str, bytes]]
pairs = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=20)), max_size=60)


def opened() -> OpenGrouping:
    """A grouping of text keys and bytes, in the global window."""
    grouped = OpenGrouping(Grouping(b"", "pairs", "groups", "global"))
    strategy = beam.transforms.core.Windowing(GlobalWindows())
    grouped._context = type(  # type: ignore[assignment]
        "Context",
        (),
        {"coders": {"pairs": PAIRS, "groups": GROUPS}, "windowing_strategies": {"global": strategy}},
    )()
    return grouped


def encoded(elements: list[tuple[str, bytes]]) -> bytes:
    """Elements one after the other, as they travel."""
    return b"".join(PAIRS.encode_nested(GlobalWindows.windowed_value(element)) for element in elements)


def shuffled(chunks: list[bytes], partitions: int) -> dict[str, list[bytes]]:
    """All groups, each of which must be in one partition and come once."""
    rows: dict[int, list[bytes]] = defaultdict(list)
    for chunk in chunks:
        for place, row in opened().rows([chunk], partitions):
            rows[place].append(row)
    found: dict[str, list[bytes]] = {}
    for place in rows:
        for chunk in opened().groups(rows[place]):
            stream = coders.coder_impl.create_InputStream(chunk)
            while stream.size():
                key, values = GROUPS.get_impl().decode_from_stream(stream, True).value
                assert key not in found
                found[key] = sorted(values)
    return found


def expected(elements: list[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    """The same by a dictionary."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for key, value in elements:
        found[key].append(value)
    return {key: sorted(values) for key, values in found.items()}


@settings(deadline=None, max_examples=40)
@given(pairs, pairs, st.integers(1, 4))
def test_each_key_has_all_its_values_once(left: Pairs, right: Pairs, n: int) -> None:
    assert shuffled([encoded(left), encoded(right)], n) == expected(left + right)


def test_what_does_not_fit_in_memory_is_sorted_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "SORTED_BYTES", 500)
    monkeypatch.setattr(grouping, "ROW_BYTES", 100)
    monkeypatch.setattr(grouping, "CHUNK_BYTES", 50)
    elements = [(f"key {number % 37}", bytes([number % 256]) * 9) for number in range(1000)]
    assert shuffled([encoded(elements[:500]), encoded(elements[500:])], 3) == expected(elements)


def test_a_repeated_task_sends_every_key_to_the_same_partition() -> None:
    elements = [(f"key {number}", b"x") for number in range(200)]

    def places(order: list[tuple[str, bytes]]) -> dict[bytes, int]:
        rows = opened().rows([encoded(order)], 7)
        return {key: place for place, row in rows for key, _ in grouping.marshal.loads(row)}

    assert places(elements) == places(elements[::-1])


def test_rows_leave_before_all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "ROW_BYTES", 100)
    read = []

    def chunks() -> object:
        for number in range(50):
            read.append(number)
            yield encoded([("one key", b"0123456789")])

    next(opened().rows(chunks(), 3))  # type: ignore[arg-type]
    assert len(read) < 20


def test_groups_are_those_of_beams_own_runner() -> None:
    elements = [("a", b"1"), ("b", b"2"), ("a", b"3")]
    buffer = GroupingBuffer(PAIRS, GROUPS, beam.transforms.core.Windowing(GlobalWindows()))
    buffer.append(encoded(elements))
    rows = [row for _, row in opened().rows([encoded(elements)], 1)]
    assert b"".join(opened().groups(rows)) == buffer.partition(1)[0][0]
