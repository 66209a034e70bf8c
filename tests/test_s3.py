"""Builds over a real S3 server behind a proxy that fails; `make clusters` fetches the server."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.runtime import storage
from tests.s3_server import KEY, SECRET, store, versitygw
from tests.small_build import build, write_inputs

pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'openroots[s3]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(versitygw() is None, reason="versitygw is not installed: make clusters fetches it"),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    recipe = write_inputs(folder)
    return recipe, build(recipe, folder / "out")["digest"]


@pytest.fixture
def s3(tmp_path):
    with store(tmp_path / "s3") as (server, proxy):
        yield server, proxy


def command(*arguments: str, proxy, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "openroots.cli", *arguments],
        env={**os.environ, **proxy.environment(), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def start_build(recipe: Path, proxy, output: str = "s3://bucket/out", **environment: str) -> subprocess.Popen[str]:
    arguments = ("build-corpus", "--recipe", str(recipe), "--workers", "1", "--output", output)
    return command(*arguments, proxy=proxy, **environment)


def ran(*arguments: str, proxy, **environment: str) -> str:
    """What a command that must end well tells on standard error."""
    process = command(*arguments, proxy=proxy, **environment)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    return told


def uploads_left(server) -> list[Path]:
    """Parts of uploads that were neither completed nor thrown away."""
    return [path for path in server.folder.rglob("*") if path.is_file() and ".sgwtmp" in path.parts]


def test_busy_cut_and_away_for_ten_seconds_gives_the_same_bytes(local, s3):
    server, proxy = s3
    proxy.busy, proxy.cut = 0.05, 0.05
    process = start_build(local[0], proxy)
    while not proxy.requests["PUT"]:
        time.sleep(0.1)
    server.stop()
    threading.Timer(10, server.start).start()
    _, told = process.communicate(timeout=500)
    assert process.returncode == 0 and f"digest  {local[1]}" in told
    assert not uploads_left(server)
    for arguments in (("verify", "s3://bucket/out"), ("why", "--corpus", "s3://bucket/out", "in/1.jsonl")):
        other = command(*arguments, proxy=proxy)
        assert other.wait(timeout=300) == 0


def test_a_build_that_is_killed_is_resumed_at_once_on_the_same_machine(local, s3):
    _, proxy = s3
    process = start_build(local[0], proxy)
    while not proxy.requests["DELETE"]:
        time.sleep(0.1)
        if process.poll() is not None or proxy.requests["PUT"] > 40:
            break
    process.kill()
    process.communicate()
    again = start_build(local[0], proxy)
    _, told = again.communicate(timeout=500)
    assert again.returncode == 0 and f"digest  {local[1]}" in told


def test_a_store_that_stays_away_a_bucket_that_is_not_there_and_a_wrong_key_are_one_line(local, s3):
    _, proxy = s3
    for output, environment, says in (
        ("s3://none/out", {}, "no such bucket"),
        ("s3://bucket/out", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "the store refuses it"),
        ("s3://bucket/out", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "does not answer"),
    ):
        process = start_build(local[0], proxy, output, **environment)
        _, told = process.communicate(timeout=200)
        assert process.returncode == 1
        assert says in told and len(told.strip().splitlines()) <= 2, told


@pytest.fixture(scope="module")
def finished(local, tmp_path_factory):
    """A store with a finished build, `s3://bucket/out`, and its inputs, `s3://bucket/in`; what the build told."""
    with store(tmp_path_factory.mktemp("finished")) as (server, proxy):
        process = start_build(local[0], proxy)
        _, told = process.communicate(timeout=500)
        assert process.returncode == 0, told
        inputs = server.folder / "bucket" / "in"
        inputs.mkdir()
        for path in (local[0].parent / "in").iterdir():
            (inputs / path.name).write_bytes(path.read_bytes())
        yield server, proxy, told


STORAGE_OPTIONS = """, storage_options={{"key": {key!r}, "secret": {secret!r}, "endpoint_url": {endpoint!r}}})"""


@pytest.mark.parametrize("by", ["environment", "storage_options"])
def test_the_line_that_the_summary_prints_loads_a_language(finished, tmp_path, by):
    _, proxy, told = finished
    (line,) = re.findall(r"(datasets\.load_dataset\(.*\))", told.replace("\n", " "))
    ours = ("AWS_", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")  # offline, `datasets` reads no store either
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if by == "environment":
        environment |= proxy.environment()
    else:
        endpoint = proxy.environment()["AWS_ENDPOINT_URL"]
        line = line.removesuffix(")") + STORAGE_OPTIONS.format(key=KEY, secret=SECRET, endpoint=endpoint)
    code = f"import datasets\nfound = {line.replace('LANGUAGE', 'fr')}\nprint(found.num_rows, found[0]['language'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert re.fullmatch(r"[1-9]\d* fr", done.stdout.strip()), done.stderr


def test_every_command_reads_and_writes_a_store(finished):
    server, proxy, _ = finished
    bucket = "s3://bucket"
    ran("deduplicate", f"{bucket}/in/*.jsonl", "--output", f"{bucket}/deduplicated", proxy=proxy)
    ran("why", "--corpus", f"{bucket}/deduplicated", "in/1.jsonl", proxy=proxy)
    train = ("train-tokenizer", "--corpus", f"{bucket}/out", "--vocab-size", "400", "--output", f"{bucket}/tokenizer")
    ran(*train, proxy=proxy)
    encode = ("encode", "--tokenizer", f"{bucket}/tokenizer")
    ran(*encode, "--input", f"{bucket}/out", "--output", f"{bucket}/tokens", proxy=proxy)
    ran(*encode, "--text", f"{bucket}/in/*.jsonl", "--output", f"{bucket}/own-tokens", proxy=proxy)
    ran("pack", "--tokens", f"{bucket}/tokens", "--sequence-length", "64", "--output", f"{bucket}/packed", proxy=proxy)
    for output in ("deduplicated", "tokenizer", "tokens", "own-tokens", "packed"):
        assert (server.folder / "bucket" / output).is_dir(), output
    assert not uploads_left(server)


def test_an_upload_in_parts_that_was_cut_off_is_given_up_by_the_next_command(local, s3, monkeypatch):
    _, proxy = s3
    for name, value in proxy.environment().items():
        monkeypatch.setenv(name, value)
    ran("build-corpus", "--recipe", str(local[0]), "--workers", "1", "--output", "s3://bucket/out", proxy=proxy)
    fs = storage.filesystem("s3://bucket/out")[0].fs
    ours, others = "out/data/fr/shard-00000-of-00001.arrow", "out/elsewhere"
    for key in (ours, others):
        started = fs.call_s3("create_multipart_upload", Bucket="bucket", Key=key)
        part = {"Bucket": "bucket", "Key": key, "UploadId": started["UploadId"], "PartNumber": 1}
        fs.call_s3("upload_part", **part, Body=b"x" * (5 << 20))
    ran("build-corpus", "--recipe", str(local[0]), "--workers", "1", "--output", "s3://bucket/out", proxy=proxy)
    left = fs.call_s3("list_multipart_uploads", Bucket="bucket").get("Uploads", ())
    assert [upload["Key"] for upload in left] == [others]
