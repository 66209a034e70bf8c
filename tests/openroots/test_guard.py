"""How the command meets the system: signals, pipes, closed streams, locales, names with markup and escapes."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.small_build import write_inputs

COMMAND = [sys.executable, "-m", "openroots.cli"]
MINIMAL = {"PATH": os.environ["PATH"]}


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("openroots", f"{sys.executable} -m openroots.cli")
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, errors="replace", env={**os.environ, **environment}
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("openroots languages >&-", 0),
        ("openroots languages 2>&- <&-", 0),
        ("openroots languages > /dev/full", 1),
        ("openroots languages | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0),
        ("openroots sources --recipe $'a\\e[2Jb'", 1),
        ("openroots sources --recipe $'a\\xff'", 1),
    ],
)
def test_odd_streams_and_names_end_without_a_traceback(line: str, status: int) -> None:
    done = shell(line)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr and "\x1b[2J" not in done.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"TERM": "", "COLUMNS": "1"},
        {"TERM": "dumb", "COLUMNS": "0"},
    ],
)
def test_any_locale_and_terminal_will_do(environment: dict[str, str]) -> None:
    done = shell("openroots languages", **environment)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "Swahili" in done.stdout


def test_no_environment_at_all_will_do() -> None:
    done = subprocess.run([*COMMAND, "languages"], capture_output=True, env=MINIMAL)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_build_with_one_line_and_a_rerun_resumes(tmp_path: Path, number: int, status: int) -> None:
    command = [*COMMAND, "build-corpus", "--recipe", str(write_inputs(tmp_path)), "--output", str(tmp_path / "[/b]out")]
    heard = partial(signal.signal, number, signal.SIG_DFL)  # under nohup these tests, and builds, ignore SIGHUP
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("records/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    last = said.strip().splitlines()[-1]
    assert re.fullmatch(r".*stopped by SIG\w+: what was finished is kept in .*out; the same command resumes", last)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "[/b]out/report.html" in done.stderr, done.stderr
