"""Environments of the peers: each made once from its requirements, apart from ours because their needs clash."""

import subprocess
import sys
from pathlib import Path

from benchmarks import ROOT

REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"
TOKENIZER_REQUIREMENTS = ROOT / "benchmarks" / "requirements-tokenizer.txt"


def peers_python(venv: Path, requirements: Path = REQUIREMENTS) -> Path:
    """Python of a peers' environment at `venv`, made or renewed if its requirements have changed."""
    python, mark = venv / "bin" / "python", venv / ".installed"
    wanted = requirements.read_text()
    if mark.exists() and mark.read_text() == wanted:
        return python
    print(f"Making the environment of the peers in {venv}", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    subprocess.run([*install, "--requirement", str(requirements)], check=True)
    mark.write_text(wanted)
    return python
