"""Stores that fail: what is waited out, what is refused, and that nothing is lost or half written."""

import errno
import random
import uuid

import pyarrow as pa
import pytest

from configs.errors import ConfigurationError, OutputError, StorageError
from pipeline.corpus import seal
from pipeline.runtime import recall, storage, stores
from pipeline.runtime.ownership import check_output
from pipeline.runtime.shards import Sections
from tests.faulty_store import AWAY, FaultyStore, faults, times


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(stores, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(stores, "_LONGEST_WAIT", 0.01)
    monkeypatch.setattr(recall, "_run", "")  # builds that ran in this process before
    recall.forget()


@pytest.fixture
def bucket() -> str:
    return f"faulty://{uuid.uuid4().hex}"


@pytest.mark.parametrize("error", [AWAY, TimeoutError(), OSError(errno.EBUSY, "Please reduce your request rate.")])
def test_a_store_that_comes_back_is_waited_for(bucket, error):
    with faults(times(5, error)):
        storage.write_json(f"{bucket}/a.json", {"a": 1})
    with faults(times(5, error)):
        assert storage.read_json(f"{bucket}/a.json") == {"a": 1}
    with faults(times(5, error)):
        assert list(storage.list_files(bucket)) == ["a.json"]
    with faults(times(5, error)):
        storage.remove(bucket, ["a.json"])
    with faults(times(5, error)):
        assert not storage.exists(f"{bucket}/a.json")


def test_a_store_that_stays_away_is_an_error_of_its_own_and_no_missing_file(bucket, monkeypatch):
    monkeypatch.setenv("OPENROOTS_STORE_PATIENCE", "0.05")
    storage.write_json(f"{bucket}/a.json", {})
    with faults(lambda *_: AWAY):
        for call in (storage.read_json, storage.exists, storage.list_files, storage.size_of):
            with pytest.raises(StorageError, match="does not answer"):
                call(f"{bucket}/a.json")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError("Access Denied"), "its rights"),
        (type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})("x"), "no credentials"),
        (FileNotFoundError("The specified bucket does not exist"), "create it"),
        (OSError(errno.EINVAL, "Bad"), "refuses it"),
        (ValueError("Invalid endpoint: host:9000"), r"Invalid endpoint: host:9000; correct .* AWS_ENDPOINT_URL"),
        (type("ParamValidationError", (Exception,), {"__module__": "botocore.exceptions"})("Bucket x"), "correct the"),
    ],
)
def test_what_does_not_pass_is_told_at_once_in_one_line(bucket, error, says):
    with faults(lambda *_: error), pytest.raises(StorageError, match=says) as raised:
        storage.write_text(f"{bucket}/a", "a")
    assert "\n" not in str(raised.value)


def test_an_error_of_ours_is_never_taken_for_the_store(bucket):
    with pytest.raises(ZeroDivisionError):
        stores.attempt(lambda: 1 / 0, bucket)


@pytest.mark.parametrize("size", [10, stores.BLOCK + 10])
def test_what_fails_while_it_is_written_leaves_nothing(bucket, size):
    with pytest.raises(ValueError, match="no"), storage.create(f"{bucket}/a") as stream:
        stream.write(b"x" * size)
        raise ValueError("no")
    assert storage.list_files(bucket) == {}


@pytest.mark.parametrize("size", [0, 1, stores.BLOCK - 1, stores.BLOCK, stores.BLOCK + 1, 2 * stores.BLOCK + 7])
def test_what_is_written_is_read_again(bucket, size):
    data = random.Random(size).randbytes(size)
    with storage.create(f"{bucket}/a") as stream:
        stream.write(data)
    assert (stream.size, stream.digest) == (size, storage.file_digest(f"{bucket}/a"))
    assert storage.read_bytes(f"{bucket}/a") == data
    fs, inner = storage.filesystem(f"{bucket}/a")
    with fs.open(inner) as file:
        assert file.read() == data
        for place in random.Random(1).choices(range(size + 1), k=20):
            file.seek(place)
            assert file.read(1000) == data[place : place + 1000]
        assert file.seek(0, 2) == size and file.read(1) == b""


def test_a_small_file_costs_one_request(bucket):
    storage.write_text(f"{bucket}/a", "text")
    FaultyStore.requests.clear()
    fs, inner = storage.filesystem(f"{bucket}/a")
    with fs.open(inner) as file:
        file.seek(0, 2)
        file.seek(0)
        assert file.read() == b"text"
    assert FaultyStore.requests == {"get": 1}


def test_a_file_that_ends_early_is_never_taken_for_whole(bucket):
    with storage.create(f"{bucket}/a") as stream:
        stream.write(b"x" * (2 * stores.BLOCK))
    fs, inner = storage.filesystem(f"{bucket}/a")
    with fs.open(inner) as file:
        file.read(10)
        assert file.size == 2 * stores.BLOCK
        with storage.create(f"{bucket}/a") as stream:
            stream.write(b"x" * (stores.BLOCK + 5))
        with pytest.raises(StorageError, match="changed while it was read"):
            file.read()


@pytest.mark.parametrize("path", ["ftp://no-such-host.invalid/x", "github://host/y"])
def test_a_place_that_fsspec_knows_but_cannot_open_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{path} cannot be opened: .*s3://"):
        stores.open_filesystem(path)


@pytest.mark.parametrize("path", ["s3://", "s3:/x", "s3:x", "gs:///folder", "gs:/a/b", "s4://b/x", "S3://b/x"])
def test_a_url_without_a_bucket_is_refused(path):
    with pytest.raises(ConfigurationError, match=r"no bucket|did you mean"):
        storage.filesystem(path)


def test_signs_of_patterns_in_a_path_are_taken_as_they_are(bucket):
    for name in ("[x]*/lock.json", "x-other/lock.json", "x/lock.json"):
        storage.write_text(f"{bucket}/{name}", name)
    storage.remove(f"{bucket}/[x]*", ["lock.json"])
    assert set(storage.list_files(bucket)) == {"x-other/lock.json", "x/lock.json"}
    storage.write_text(f"{bucket}/x?/a", "")
    storage.remove_tree(f"{bucket}/x?")
    assert set(storage.list_files(bucket)) == {"x-other/lock.json", "x/lock.json"}


def test_no_bucket_is_made(bucket):
    fs, inner = storage.filesystem(bucket)
    fs.makedirs(inner)
    assert not FaultyStore.pseudo_dirs or inner not in FaultyStore.pseudo_dirs


def test_objects_of_others_are_never_overwritten(bucket):
    storage.write_text(f"{bucket}/data/theirs.arrow", "")
    with pytest.raises(OutputError, match="not OpenRoots' own"):
        check_output(bucket, "corpus")
    with pytest.raises(OutputError, match="it is a file"):
        check_output(f"{bucket}/data/theirs.arrow", "corpus")
    check_output(f"{bucket}/mine", "corpus")


def test_elsewhere_a_file_appears_under_its_name_when_it_is_whole():
    folder = f"memory://{uuid.uuid4().hex}"
    with storage.create(f"{folder}/a/b") as stream:
        stream.write(b"x")
    with storage.create(f"{folder}/a/b") as stream:
        stream.write(b"xyz")
        assert storage.read_bytes(f"{folder}/a/b") == b"x"
    assert {name: entry.size for name, entry in storage.list_files(folder).items()} == {"a/b": 3}


def streams(path: str, texts: list[str]) -> list[storage.Span]:
    """A file of one Arrow stream a text; where they stand."""
    starts = []
    with storage.create(path) as stream, Sections(stream, pa.schema([("text", pa.large_string())])) as sections:
        for text in texts:
            starts.append(sections.begin())
            sections.write_batch(pa.record_batch({"text": pa.array([text], pa.large_string())}))
    ends = [*starts[1:], stream.size]
    return [storage.Span(start, end, stream.size) for start, end in zip(starts, ends, strict=True)]


def test_of_a_large_file_the_streams_that_are_asked_for_cross_the_network_alone(bucket):
    texts = [letter * size for letter, size in (("a", 100), ("b", stores.BLOCK + 9), ("c", 5), ("d", 70))]
    spans = streams(f"{bucket}/a", texts)
    for text, span in zip(texts, spans, strict=True):
        FaultyStore.requests.clear()
        FaultyStore.bytes_sent = 0
        with storage.open_stream(f"{bucket}/a", span=span) as batches:
            assert batches.read_all()["text"].to_pylist() == [text]
        assert FaultyStore.bytes_sent == span.end - span.at
        assert set(FaultyStore.requests) == {"get"}


def test_of_a_small_file_the_first_stream_brings_all(bucket):
    spans = streams(f"{bucket}/a", ["a" * 100, "b"])
    recall.forget()
    FaultyStore.requests.clear()
    with recall.kept():
        for span in spans:
            with storage.open_stream(f"{bucket}/a", span=span) as batches:
                batches.read_all()
    assert FaultyStore.requests == {"get": 1}


def test_what_a_process_has_written_it_does_not_fetch_however_large(bucket):
    content = random.Random(0).randbytes(2 * stores.BLOCK + 5)
    with recall.kept():
        with storage.create(f"{bucket}/a") as stream:
            stream.write(content)
        FaultyStore.requests.clear()
        assert storage.read_bytes(f"{bucket}/a") == content
        assert storage.size_of(f"{bucket}/a") == len(content)
        fs, inner = storage.filesystem(f"{bucket}/a")
        with fs.open(inner) as file:
            file.seek(-7, 2)
            assert file.read() == content[-7:]
        assert not FaultyStore.requests
    assert storage.read_bytes(f"{bucket}/a") == content
    assert FaultyStore.requests == {"get": 1}


def test_what_is_kept_on_disk_has_a_bound_and_is_dropped_with_the_file(bucket, monkeypatch):
    size = stores.BLOCK + 1
    monkeypatch.setattr(recall, "DISK_BYTES", 2 * size)
    with recall.kept():
        for name in "abc":
            with storage.create(f"{bucket}/{name}") as stream:
                stream.write(name.encode() * size)
        storage.remove(bucket, ["b"])
        FaultyStore.requests.clear()
        assert storage.read_bytes(f"{bucket}/c")[:1] == b"c"
        assert not FaultyStore.requests
        assert storage.read_bytes(f"{bucket}/a")[:1] == b"a"
        assert FaultyStore.requests == {"get": 1}
        with pytest.raises(FileNotFoundError):
            storage.read_bytes(f"{bucket}/b")


def test_a_package_that_a_store_needs_is_one_line(monkeypatch):
    def lacking(*_, **__):
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(stores.fsspec, "url_to_fs", lacking)
    with pytest.raises(ConfigurationError, match=r"gs://b/c: needs .* pip install .openroots\[gcs\]., here and on"):
        storage.filesystem("gs://b/c")


def test_hadoop_without_java_is_one_line(monkeypatch):
    def lacking(*_, **__):
        raise OSError("Unable to load libjvm\n" + "dlopen(/usr/lib/jvm/libjvm.so) failed\n" * 200)

    monkeypatch.setattr(stores.fsspec, "url_to_fs", lacking)
    with pytest.raises(ConfigurationError, match=r"Unable to load libjvm; .* JAVA_HOME") as told:
        storage.filesystem("hdfs://name/corpus")
    assert "\n" not in str(told.value)


def test_no_bucket_is_said_of_a_file_in_it_as_well():
    with pytest.raises(ConfigurationError, match=r"names no bucket; give s3://BUCKET"):
        storage.read_json(storage.join("s3://", "manifest.json"))


def test_a_large_file_that_is_read_twice_is_fetched_once(bucket, monkeypatch):
    monkeypatch.setattr(stores, "BLOCK", 1000)
    monkeypatch.setattr(recall, "ENTRY_BYTES", 1000)
    path, data = f"{bucket}/shard.arrow", random.Random(0).randbytes(3500)
    with storage.create(path) as stream:
        stream.write(data)
    recall.begin_run("the run of another process's file")
    FaultyStore.requests.clear()
    storage.bring(path)
    fs, inner = storage.filesystem(path)
    for _ in range(2):
        with fs.open(inner, "rb") as stream:
            assert stream.read() == data
    assert FaultyStore.requests["get"] == 4


def test_a_seal_holds_what_another_process_has_written_since(bucket):
    path = f"{bucket}/out/step/names.json"
    with recall.kept():
        storage.write_json(path, {"endings": []})
        fs, inner = storage.filesystem(path)
        fs.fs.pipe_file(inner, b'{"endings": [".arrow"]}')
        sizes = {name: entry.size for name, entry in storage.list_files(f"{bucket}/out").items()}
        seal._write(f"{bucket}/out", "digest", sizes, {})
    assert seal.broken(f"{bucket}/out", seal.read_seal(f"{bucket}/out")) == {}


def test_a_file_too_large_for_this_machines_disk_is_left_in_the_store(bucket, monkeypatch):
    monkeypatch.setattr(stores, "BLOCK", 1000)
    monkeypatch.setattr(recall, "ENTRY_BYTES", 1000)
    monkeypatch.setattr(recall, "DISK_BYTES", 2000)
    with storage.create(f"{bucket}/shard.arrow") as stream:
        stream.write(b"x" * 3500)
    recall.begin_run("another run")
    storage.bring(f"{bucket}/shard.arrow")
    assert recall.size_of(f"{bucket}/shard.arrow") is None


@pytest.mark.parametrize("below", [".", "../corpus", "a/./b", "a//b"])
def test_an_output_that_stores_name_differently_is_refused(bucket, below):
    with pytest.raises(OutputError, match="write --output without it"):
        check_output(f"{bucket}/{below}", "corpus")
