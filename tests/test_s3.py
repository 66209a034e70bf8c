"""Builds over a real S3 server behind a proxy that fails; `make clusters` fetches the server."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.s3_server import store, versitygw
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
