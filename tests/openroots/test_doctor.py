"""`openroots doctor`: what would stop a build is named before it is sent."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openroots.cli import main


def doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit status, and findings by what was looked at."""
    result = CliRunner().invoke(main, ["doctor", "--json", *arguments])
    report: dict[str, Any] = json.loads(result.output.splitlines()[-1])
    assert report["ok"] == (result.exit_code == 0)
    return result.exit_code, {finding["what"]: finding for finding in report["findings"]}


def closed_port() -> int:
    """A port at which nothing answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_this_machine_alone_is_well(tmp_path: Path) -> None:
    status, found = doctor("--output", str(tmp_path / "corpus"))
    assert status == 0
    assert found["output"]["state"] == "good"
    assert not list(tmp_path.rglob("*.json"))


def test_a_job_server_that_does_not_answer_is_named_with_a_remedy() -> None:
    status, found = doctor("--runner=PortableRunner", f"--job_endpoint=127.0.0.1:{closed_port()}")
    assert status == 1
    assert "start the job server" in found["job_endpoint"]["remedy"]
    assert found["workers"]["state"] == "unknown"


def test_a_worker_pool_that_does_not_answer_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        status, found = doctor(
            "--runner=PortableRunner",
            f"--job_endpoint=127.0.0.1:{server.getsockname()[1]}",
            "--environment_type=EXTERNAL",
            f"--environment_config=127.0.0.1:{closed_port()}",
        )
    assert status == 1
    assert found["job_endpoint"]["state"] == "good"
    assert "worker pool" in found["environment_config"]["remedy"]


def test_what_dataflow_needs_is_asked_for() -> None:
    status, found = doctor("--runner=DataflowRunner", "--temp_location=/tmp/x")
    assert status == 1
    assert {"project", "region", "temp_location", "sdk_container_image"} <= {
        what for what, finding in found.items() if finding["state"] == "bad"
    }


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, found = doctor("--output", str(tmp_path / "file" / "corpus"))
    assert status == 1
    assert "a part of the path is a file" in found["output"]["found"]


def test_workers_of_a_runner_are_asked(tmp_path: Path) -> None:
    status, found = doctor("--runner=FnApiRunner", "--output", str(tmp_path / "corpus"))
    assert status == 0
    assert found["workers"]["state"] == "good"


@pytest.mark.parametrize("option", ["--job_endpont=x:1", "--outptu=x"])
def test_a_slip_of_the_pen_is_refused(option: str) -> None:
    assert CliRunner().invoke(main, ["doctor", option]).exit_code == 2


def test_each_finding_is_a_line_for_people() -> None:
    result = CliRunner().invoke(
        main, ["doctor", "--runner=PySparkRunner", f"--spark_master=spark://[::1]:{closed_port()}"]
    )
    assert any(line.startswith("✗ spark_master:") and "--spark_master" in line for line in result.output.splitlines())
