"""The environment of the peers: made once from `requirements.txt`, apart from ours because their needs clash."""

import subprocess
import sys
from pathlib import Path

from benchmarks import ROOT

REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"


def peers_python(venv: Path) -> Path:
    """Python of the peers' environment at `venv`, made or renewed if its requirements have changed."""
    python, mark = venv / "bin" / "python", venv / ".installed"
    wanted = REQUIREMENTS.read_text()
    if mark.exists() and mark.read_text() == wanted:
        return python
    print(f"Making the environment of the peers in {venv}", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True)
    mark.write_text(wanted)
    return python
