"""The README's commands work as they stand."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"(<!-- not run by the tests: [^>]*-->\n)?```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [(match[2], match[3]) for match in BLOCK.finditer(TEXT) if not match[1]]
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tiny: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README's reader has it: a built corpus, some text, the recipe of the README."""
    place = tmp_path_factory.mktemp("readme")
    (place / "build").mkdir()
    (place / "build" / "corpus").symlink_to(tiny[0])
    (place / "text").mkdir()
    with gzip.open(ROOT / "configs" / "data" / "tiny" / "declaration.jsonl.gz", "rt") as stream:
        rows = [line for line in stream if json.loads(line)["language"] == "sw"]
    (place / "text" / "a.jsonl.gz").write_bytes(gzip.compress("".join(rows).encode()))
    (place / "eval.jsonl").write_text('{"question": "How many people live on the island that is farthest from here?"}')
    (place / "my.toml").write_text(next(block for language, block in BLOCKS if language == "toml"))
    return place


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_command(folder: Path, command: str) -> None:
    done = run(command, folder)
    assert done.returncode == 0, done.stderr
    if not re.search("build-corpus|deduplicate|decontaminate|train|encode|pack", command):  # those speak on stderr
        assert done.stdout.strip()


def test_identify_and_redact_say_what_they_should(folder: Path) -> None:
    commands = {command.split("|")[-1].split()[1]: command for command in COMMANDS if "|" in command}
    assert run(commands["identify"], folder).stdout.startswith("sw\t")
    assert run(commands["redact"], folder).stdout == "Write to PI:EMAIL from PI:IP_ADDRESS\n"


def test_python(folder: Path) -> None:
    code = next(block for language, block in BLOCKS if language == "python")
    done = run(f"{sys.executable} - <<'END'\n{code}\nEND", folder)
    assert done.returncode == 0, done.stderr


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("http") or (ROOT / target).exists(), target
