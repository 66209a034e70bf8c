"""The commands of docs/sharing.md publish a corpus and nothing of `.work`: run as they stand there, by the programs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "sharing.md").read_text()


@pytest.fixture
def shared(corpus: Path) -> Path:
    """A built corpus called my-corpus, with a lock that a killed build left."""
    place = corpus.rename(corpus.with_name("my-corpus"))
    (place / ".lock").write_text("{}")
    assert any((place / ".work").rglob("*.arrow"))
    return place


def published(corpus: Path) -> set[str]:
    """All files but those that must stay here."""
    names = {path.relative_to(corpus).as_posix() for path in corpus.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith(".work/") and name != ".lock"}


def command(beginning: str) -> list[str]:
    """The words of the one command of the page that begins so."""
    [line] = re.findall(rf"^{re.escape(beginning)}.*$", PAGE, re.MULTILINE)
    return shlex.split(line)


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload of small files asks for; keeps the names of what is sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        answer: dict[str, Any] = {"url": f"{server.address}/datasets/NAME/my-corpus", "errors": [], "warnings": []}
        if "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            server.asked |= set(names)
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            answer = {"files": [{"path": name, **modes} for name in names]}
        elif "/commit/" in self.path:
            rows = [json.loads(line) for line in body.splitlines()]
            server.sent |= {row["value"]["path"] for row in rows if row["key"] == "file"}
            answer = {
                "commitOid": "0" * 40,
                "commitUrl": f"{server.address}/datasets/NAME/my-corpus/commit/{0:040}",
                "hookOutput": "",
            }
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address, server.asked, server.sent = f"http://127.0.0.1:{server.server_port}", set(), set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_hf_upload_sends_nothing_of_the_work_folder(shared: Path, hub: Any, tmp_path: Path) -> None:
    program, *words = command("hf upload")
    own = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_none", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    environment = {**os.environ, **own, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    said = subprocess.run(
        [Path(sys.executable).with_name(program), *words], cwd=shared.parent, env=environment, capture_output=True
    )
    assert said.returncode == 0, said.stderr.decode()
    assert hub.asked == hub.sent == published(shared)


@pytest.mark.parametrize("program", ["rclone", "rsync"])
def test_copies_to_stores_and_servers_leave_the_work_folder(program: str, shared: Path, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    target = tmp_path / "target"
    words = [re.sub(r"^(remote:bucket/my-corpus|server:my-corpus/)$", str(target), word) for word in command(program)]
    subprocess.run(words, cwd=shared.parent, check=True, capture_output=True)
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == published(shared)


def test_git_adds_nothing_of_the_work_folder(shared: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    [script] = re.findall(r"cd my-corpus\n(git init.*?)```", PAGE, re.DOTALL)
    if shutil.which("git-lfs") is None:
        script = script.replace(" && git lfs install --local", "").replace("git lfs track", "true")
    own = {f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **own, "GIT_CONFIG_GLOBAL": os.devnull}
    expected = published(shared)
    subprocess.run(["bash", "-ec", script], cwd=shared, check=True, capture_output=True, env=environment)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=shared, check=True, capture_output=True, text=True).stdout
    assert {name for name in listed.split("\0") if name} - {".gitattributes"} == expected
