"""Fetching with the real clients: pip from a folder of wheels, npm from a local package, apt where there is one."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from configs.errors import OutputError, SourceError
from configs.load import Plan, load_languages, load_recipe, parse_sources
from configs.models import Recipe
from pipeline.fetch import fetch

REST = {"title": "t", "reader": "text", "licence": "MIT", "custodian": "c", "provenance": "p"}


def plan(**sources):
    parsed = parse_sources({name: {**REST, **entry} for name, entry in sources.items()}, "test")
    return Plan(Recipe(name="test", title="t", sources=tuple(parsed)), load_languages(), tuple(parsed.values()))


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels in place of an index, so that pip needs no network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        with zipfile.ZipFile(folder / f"openroots_words-{version}-py3-none-any.whl", "w") as wheel:
            info = f"openroots_words-{version}.dist-info"
            wheel.writestr("words/text.txt", f"edition {version}")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: openroots-words\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def pip_plan(**package):
    return plan(words={"client": "pip", "packages": [{"name": "openroots-words", "language": "ny", **package}]})


def test_pip_brings_the_wheel_as_it_is(wheels, tmp_path):
    report = fetch(pip_plan(version="1.0"), str(tmp_path / "cache"))
    (path,) = report.located["words"][0]
    assert Path(path).read_bytes() == (wheels / "openroots_words-1.0-py3-none-any.whl").read_bytes()
    assert report.packages[0]["version"] == "1.0"
    assert report.unavailable == report.languages_lost == []


def test_what_is_there_is_not_fetched_again(wheels, tmp_path):
    first = fetch(pip_plan(), str(tmp_path / "cache"))
    shutil.rmtree(wheels)
    assert fetch(pip_plan(), str(tmp_path / "cache")).packages == first.packages


def test_an_archive_that_changed_is_fetched_again(wheels, tmp_path):
    (path,) = fetch(pip_plan(), str(tmp_path / "cache")).located["words"][0]
    good = Path(path).read_bytes()
    with open(path, "r+b") as stream:
        stream.write(b"damage")
    fetch(pip_plan(), str(tmp_path / "cache"))
    assert Path(path).read_bytes() == good


def test_a_damaged_record_is_made_anew(wheels, tmp_path):
    fetch(pip_plan(), str(tmp_path / "cache"))
    (tmp_path / "cache/fetched.json").write_text("{")
    assert fetch(pip_plan(), str(tmp_path / "cache")).unavailable == []
    assert json.loads((tmp_path / "cache/fetched.json").read_text())


def test_another_sha256_than_the_pinned_ends_the_build(wheels, tmp_path):
    with pytest.raises(SourceError, match=r"openroots-words 1\.0 has sha256 .* is pinned"):
        fetch(pip_plan(version="1.0", sha256="0" * 64), str(tmp_path / "cache"))


def test_a_package_that_is_not_there_loses_its_language_only(wheels, tmp_path):
    two = plan(
        words={"client": "pip", "packages": [{"name": "openroots-words", "language": "ny"}]},
        none={"client": "pip", "packages": [{"name": "openroots-no-such-words", "language": "wo"}]},
    )
    report = fetch(two, str(tmp_path / "cache"))
    assert list(report.located) == ["words"]
    assert [(entry["source"], entry["package"]) for entry in report.unavailable] == [
        ("none", "openroots-no-such-words")
    ]
    assert "knows no such package" in report.unavailable[0]["cause"]
    assert report.languages_lost == ["wo"]


def test_offline_fetches_nothing(wheels, tmp_path):
    report = fetch(pip_plan(), str(tmp_path / "cache"), offline=True)
    assert report.unavailable[0]["remedy"] == "build once without --offline"
    assert not (tmp_path / "cache").exists()


def test_two_sources_share_a_package(wheels, tmp_path):
    package = {"client": "pip", "packages": [{"name": "openroots-words"}]}
    report = fetch(plan(one=package, two=package), str(tmp_path / "cache"))
    assert report.located["one"] == report.located["two"]
    assert len(list((tmp_path / "cache/pip").iterdir())) == 1


def test_progress_counts_to_the_end(wheels, tmp_path):
    seen = []
    fetch(pip_plan(), str(tmp_path / "cache"), on_progress=lambda *call: seen.append(call))
    assert seen == [("openroots-words", 1, 1)]


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_packs(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package/package.json").write_text('{"name": "words", "version": "3.1.4", "license": "MIT"}')
    source = {"client": "npm", "packages": [{"name": str(tmp_path / "package")}]}
    report = fetch(plan(words=source), str(tmp_path / "cache"))
    assert report.packages[0]["version"] == "3.1.4"
    assert report.located["words"][0][0].endswith("words-3.1.4.tgz")


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
def test_apt_names_the_remedy(tmp_path):
    source = {"client": "apt", "packages": [{"name": "openroots-no-such-package"}]}
    report = fetch(plan(words=source), str(tmp_path / "cache"))
    assert "apt-get update" in report.unavailable[0]["remedy"]


@pytest.mark.parametrize(("client", "program"), [("npm", "npm"), ("apt", "apt-cache")])
def test_a_client_that_is_missing_is_named(client, program, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    report = fetch(plan(words={"client": client, "packages": [{"name": "x"}]}), str(tmp_path / "cache"))
    assert report.unavailable[0]["cause"] == f"{program} is not installed"


@pytest.fixture
def silent_registry(tmp_path, monkeypatch):
    """An npm that waits for a registry in vain, and notes each call."""
    client = tmp_path / "bin" / "npm"
    client.parent.mkdir()
    client.write_text(
        f"#!/bin/sh\necho called >> {tmp_path}/calls\nsleep 0.5\necho 'npm error code ETIMEDOUT' >&2\nexit 1\n"
    )
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent), prepend=":")
    return tmp_path / "calls"


def test_a_registry_that_is_away_is_asked_a_few_times_not_once_a_package(silent_registry, tmp_path):
    packages = [{"name": f"words-{number}"} for number in range(30)]
    report = fetch(plan(words={"client": "npm", "packages": packages}), str(tmp_path / "cache"))
    assert {entry["cause"] for entry in report.unavailable} == {"npm cannot reach its registry"}
    assert len(report.unavailable) == 30 and len(silent_registry.read_text().split()) <= 8


def test_what_is_waited_for_is_told(silent_registry, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.fetch.WAITING_SECONDS", 0.1)
    told = []
    source = {"client": "npm", "packages": [{"name": "words"}]}
    fetch(plan(words=source), str(tmp_path / "cache"), on_waiting=lambda *call: told.append(call))
    assert (["words"], 0, 1) in told


def test_files_of_the_user_need_no_fetching(tmp_path):
    assert fetch(load_recipe("tiny"), str(tmp_path / "cache")).packages == []
    assert not (tmp_path / "cache").exists()


def test_a_cache_elsewhere_than_on_disk_is_refused():
    with pytest.raises(SourceError, match="local folder"):
        fetch(pip_plan(), "s3://bucket/cache")


def test_a_cache_that_cannot_be_written_is_named(wheels, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch(pip_plan(), str(tmp_path / "file/cache"))
