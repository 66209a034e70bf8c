"""Archives of some 850 files whose right answers were written before the code had seen them."""

from pathlib import Path

import pytest

from tests.pipeline import licences_fifth, licences_first, licences_fourth, licences_second, licences_third
from tests.pipeline.licence_files import File
from tests.pipeline.test_licences_of_archives import judged, tar


@pytest.mark.parametrize(
    "files",
    [licences_first.FILES, licences_second.FILES, licences_third.FILES, licences_fourth.FILES, licences_fifth.FILES],
    ids=["first", "second", "third", "fourth", "fifth"],
)
def test_every_file_is_judged_by_what_it_and_its_folders_say(files: list[File], tmp_path: Path) -> None:
    found = judged(tar(tmp_path / "a.tar.gz", {path: text for path, _, text in files}))
    wrong = {path: found[path] for path, verdict, _ in files if verdict is not None and found[path][0] != verdict}
    assert not wrong
