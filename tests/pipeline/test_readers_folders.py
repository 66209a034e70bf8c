"""Folders, patterns and names: nothing but files is opened, what cannot be read is told, a changed file is noticed."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import InputError
from pipeline.readers import list_units, streams
from pipeline.readers.folders import LocalFolder, match
from tests.pipeline.readers_help import make_source, read, texts


def make(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def states(folder: Path, pattern: str = "") -> list[str]:
    return [unit.state for unit in list_units(make_source("text", str(folder) + pattern), {})]


def test_pipes_sockets_and_devices_are_told_and_never_opened(tmp_path):
    make(tmp_path / "in", {"a.txt": "fine"})
    os.mkfifo(tmp_path / "in" / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "in" / "socket.txt"))
        (tmp_path / "in" / "null.txt").symlink_to("/dev/zero")
        rows, problems = read(make_source("text", str(tmp_path / "in")))
    assert texts(rows) == ["fine"]
    assert {problem.file: problem.cause.split(",")[0] for problem in problems} == {
        "in/pipe.txt": "a named pipe",
        "in/socket.txt": "a socket",
        "in/null.txt": "a link that leads out of its folder",
    }


def test_a_pipe_that_is_named_itself_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    rows, problems = read(make_source("text", str(tmp_path / "*.txt")))
    assert not rows and "a named pipe" in problems[0].cause


def test_a_pipe_that_took_the_place_of_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match="named pipe"), streams.open_file(str(tmp_path / "pipe.txt"), "pipe.txt"):
        pass


def test_links_that_loop_end_and_are_told(tmp_path):
    make(tmp_path / "in", {"deep/a.txt": "once"})
    (tmp_path / "in" / "deep" / "up").symlink_to("..")
    (tmp_path / "in" / "self").symlink_to(".")
    (tmp_path / "in" / "b.txt").symlink_to("c.txt")
    (tmp_path / "in" / "c.txt").symlink_to("b.txt")
    (tmp_path / "in" / "gone.txt").symlink_to("nowhere.txt")
    for pattern in ("in", "in/**", "in/**/*.txt"):
        rows, problems = read(make_source("text", str(tmp_path / pattern)))
        assert texts(rows) == ["once"]
        assert len(problems) == 3


@pytest.mark.parametrize("pattern", ["*.txt", "**/*.txt", "odd.txt"])
def test_what_is_lost_has_the_same_name_wherever_its_folder_lies(tmp_path, pattern):
    make(tmp_path / "in", {"a.txt": "fine"})
    (tmp_path / "in" / "odd.txt").symlink_to("nowhere")
    problems = read(make_source("text", f"{tmp_path}/in/{pattern}"))[1]
    assert [problem.file for problem in problems] == ["in/odd.txt"]


def test_an_include_that_matches_nothing_is_told(tmp_path):
    make(tmp_path / "in", {"a.txt": "fine"})
    rows, problems = read(make_source("text", f"{tmp_path}/in", include=("in/*.txt",)))
    assert (rows, [problem.file for problem in problems]) == ([], ["in"])
    assert "`include`" in problems[0].cause
    assert texts(read(make_source("text", f"{tmp_path}/in", include=("*.txt",)))[0]) == ["fine"]


def test_a_link_to_what_nothing_else_reads_is_read(tmp_path):
    make(tmp_path / "in", {"store/4f2a": "stored", "d.txt": "plain"})
    (tmp_path / "in" / "a.txt").symlink_to("store/4f2a")
    (tmp_path / "in" / "b.txt").symlink_to("d.txt")
    rows, problems = read(make_source("text", str(tmp_path / "in")))
    assert sorted(texts(rows)) == ["plain", "stored"]
    assert not problems


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv where run as root")
def test_folders_and_files_that_may_not_be_read_are_told(tmp_path):
    make(tmp_path / "in", {"shut/a.txt": "a", "b.txt": "b", "c.txt": "c"})
    program = (
        "from tests.pipeline.readers_help import *\n"
        f"rows, problems = read(make_source('text', {str(tmp_path / 'in')!r}))\n"
        "print(texts(rows), sorted((problem.file, problem.cause) for problem in problems))"
    )
    (tmp_path / "in" / "shut").chmod(0)
    (tmp_path / "in" / "c.txt").chmod(0)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run([*drop, sys.executable, "-c", program], capture_output=True, text=True, check=False)
    (tmp_path / "in" / "shut").chmod(0o755)
    assert done.stdout.startswith("['b']"), done.stderr
    assert "('in/shut', 'a folder that cannot be listed (Permission denied)')" in done.stdout
    assert "('in/c.txt', 'permission denied')" in done.stdout


@pytest.mark.parametrize(
    "pattern", ["data [2020]", "data [2020]/*.txt", "data [2020]/a[1].txt", "data [[]2020]/a*.txt", "data*/a[[]1].txt"]
)
def test_names_that_exist_are_taken_as_they_are(tmp_path, pattern):
    make(tmp_path, {"data [2020]/a[1].txt": "brackets", "data 2/a1.txt": "none"})
    rows, problems = read(make_source("text", str(tmp_path / pattern)))
    assert texts(rows) == ["brackets"]
    assert not problems


def test_a_star_in_a_name_is_a_star(tmp_path):
    make(tmp_path, {"*.txt": "star", "b.txt": "other", "what?.txt": "question"})
    assert texts(read(make_source("text", str(tmp_path / "*.txt")))[0]) == ["star"]
    assert texts(read(make_source("text", str(tmp_path / "what?.txt")))[0]) == ["question"]


def test_a_pattern_reads_no_file_twice(tmp_path):
    make(tmp_path, {"in/a.txt": "a", "in/b/c.txt": "c", "in/b/d/e.txt": "e"})
    for pattern in ("in/**", "in/*", "**/*.txt", "**"):
        assert sorted(texts(read(make_source("text", str(tmp_path / pattern)))[0])) == ["a", "c", "e"]


def test_patterns_match_what_pathlib_matches(tmp_path):
    make(
        tmp_path, {f"{folder}/{name}.txt": name for folder in ("x", "x/y", "z/y", "z/y/x") for name in ("a", "ab", "b")}
    )
    for pattern in ("x/*.txt", "*/y/a*.txt", "**/a.txt", "z/**/b.txt", "?/*/[a]*.txt", "**/y/*.txt"):
        _, found = match(f"{tmp_path}/{pattern}")
        assert [file.path for file in found.files] == sorted(map(str, tmp_path.glob(pattern))), pattern


@pytest.mark.parametrize(
    "name", ["new\nline.txt", "esc\x1b[31m.txt", "bidi\u202etxt.txt", "talk::one.txt", "a%b#?.txt"]
)
def test_strange_names_are_read_and_shown_escaped(tmp_path, name):
    make(tmp_path / "in", {name: "text"})
    rows, problems = read(make_source("text", str(tmp_path / "in")))
    assert texts(rows) == ["text"] and not problems
    assert rows[0]["uri"].isprintable()


def test_a_name_that_is_not_utf_8_is_read(tmp_path):
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)  # noqa: PTH102
    for name in (b"caf\xe9.txt", b"caf\xe8.txt"):
        with open(folder + b"/" + name, "w") as file:
            file.write("text")
    rows, problems = read(make_source("text", str(tmp_path / "in")))
    assert [row["uri"] for row in rows] == ["in/caf\\xe8.txt", "in/caf\\xe9.txt"] and not problems
    assert len({row["key"] for row in rows}) == 2


def test_a_changed_file_changes_the_state_of_its_unit(tmp_path):
    make(tmp_path / "in", {"sub/a.txt": "five", "b.txt": "b"})
    seen = {tuple(states(tmp_path / "in"))}
    path = tmp_path / "in" / "sub" / "a.txt"
    before = path.stat()

    def replaced() -> None:
        (tmp_path / "new").write_text("nine")
        shutil.copystat(path, tmp_path / "new")
        (tmp_path / "new").replace(path)

    def rewritten() -> None:
        path.write_text("four")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def added() -> None:
        make(tmp_path / "in", {"sub/c.txt": "c"})

    for number, change in enumerate((replaced, rewritten, added, (tmp_path / "in" / "b.txt").unlink), 2):
        change()
        seen.add(tuple(states(tmp_path / "in")))
        assert len(seen) == number, change
    assert tuple(states(tmp_path / "in")) in seen
    assert states(tmp_path / "in", "/sub/*.txt") == states(tmp_path / "in", "/sub/*.txt")


def test_files_that_go_between_listing_and_reading_are_told(tmp_path):
    make(tmp_path / "in", {"a.txt": "a", "b.txt": "b"})
    found = LocalFolder(str(tmp_path / "in"), lambda path: not (tmp_path / "in" / "a.txt").unlink(missing_ok=True))
    assert [file.path for file in found.walk().files] in (["b.txt"], ["a.txt", "b.txt"])


def test_the_output_and_the_cache_are_not_read_again(tmp_path):
    make(tmp_path, {"a.txt": "a", "out/.work/b.txt": "b", "out/README.md": "r", "build/cache/c.txt": "c"})
    skip = [str(tmp_path / "out"), str(tmp_path / "build" / "cache")]
    for pattern in ("", "/*", "/**/*.txt", "/**/*.md"):
        units = list_units(make_source("text", f"{tmp_path}{pattern}"), {}, skip) if pattern != "/**/*.md" else []
        names = [name for unit in units for name in (unit.members or [unit.name])]
        assert all("b.txt" not in name and "c.txt" not in name and "README" not in name for name in names)
        assert not units or any("a.txt" in name for name in names)
    assert list_units(make_source("text", str(tmp_path / "out" / "README.md")), {}, skip)


def test_many_files_are_listed_fast(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number}.txt").touch()
    units = list_units(make_source("text", str(folder)), {})
    assert [len(unit.members) for unit in units] == [1000, 1000, 1000]
