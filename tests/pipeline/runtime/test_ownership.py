"""Nothing of the user's is overwritten or removed."""

import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from configs.errors import OutputError
from pipeline.runtime.lock import build_lock
from pipeline.runtime.ownership import MARKER, check_file, check_output


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def a_project(folder: Path) -> None:
    for name in ("data/my.jsonl", "ledger/accounts.xlsx", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("only copy")


def a_manifest_of_something_else(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"name": "my-extension", "digest": "x"}')


def a_hidden_file(folder: Path) -> None:
    (folder / ".env").write_text("SECRET=1")


def a_lock_of_something_else(folder: Path) -> None:
    (folder / ".lock").write_text("")
    (folder / ".work").mkdir()


@pytest.mark.parametrize("fill", [a_project, a_manifest_of_something_else, a_hidden_file, a_lock_of_something_else])
def test_a_folder_with_files_of_others_is_refused_before_anything_is_written(
    tmp_path: Path, fill: Callable[[Path], None]
) -> None:
    fill(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="not OpenRoots' own"), build_lock(str(tmp_path), "corpus"):
        pass
    assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", ["corpus", "tokens", "packed", "tokenizer", "run"])
def test_new_empty_and_own_folders_pass(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").touch()
    for name in ("new", "empty", "new", "empty"):
        with build_lock(str(tmp_path / name), kind):
            (tmp_path / name / "manifest.json").write_text("half a manif")


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with build_lock(str(tmp_path / "out"), "corpus"):
        pass
    with pytest.raises(OutputError, match="holds a corpus, not token shards"):
        check_output(str(tmp_path / "out"), "tokens")


def test_a_folder_among_the_files_of_another_output_is_refused(tmp_path: Path) -> None:
    with build_lock(str(tmp_path / "out"), "corpus"):
        pass
    with pytest.raises(OutputError, match="lies within the files of"):
        check_output(str(tmp_path / "out" / "data" / "xx"), "tokens")
    check_output(str(tmp_path / "out" / "tokenizer"), "tokenizer")


def test_a_file_and_a_dangling_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="is a file"):
        check_output(str(tmp_path / "file"), "corpus")
    with pytest.raises(OutputError, match="symbolic link to nothing"):
        check_output(str(tmp_path / "link"), "corpus")


def test_a_link_to_a_folder_with_files_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    a_hidden_file(tmp_path / "theirs")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match="not OpenRoots' own"):
        check_output(str(tmp_path / "link"), "corpus")


def test_in_an_object_store_it_is_the_same() -> None:
    store = fsspec.filesystem("memory")
    store.pipe_file("/owned/theirs/data.csv", b"1")
    with pytest.raises(OutputError, match="not OpenRoots' own"):
        check_output("memory://owned/theirs", "corpus")
    with build_lock("memory://owned/ours", "corpus"):
        assert store.exists(f"/owned/ours/{MARKER}")
    check_output("memory://owned/ours", "corpus")


def test_a_message_shows_names_escaped_and_few_of_many(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"\x1b[2J{number:04d}").touch()
    with pytest.raises(OutputError) as caught:
        check_output(str(tmp_path), "corpus")
    assert "\x1b" not in str(caught.value) and "1,997 more" in str(caught.value) and len(str(caught.value)) < 1000


def test_a_file_of_others_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    check_file(str(path), "--html", signs=(b"OpenRoots",))
    path.write_text("<html>my thesis</html>")
    with pytest.raises(OutputError, match="was not written by OpenRoots"):
        check_file(str(path), "--html", signs=(b"OpenRoots",))
    path.write_text("<html>made by OpenRoots</html>")
    check_file(str(path), "--html", signs=(b"OpenRoots",))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(OutputError, match="cannot be read"):
        check_output(str(tmp_path / "closed"), "corpus")
