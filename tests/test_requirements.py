"""requirements.lock pins what the extras need, and docs/clients.md says of which it does not."""

import re
import tomllib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
UNLOCKED = {"evaluate", "gpt2", "kenlm", "wandb"}


@lru_cache(1)
def locked() -> list[Requirement]:
    return [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def pins(name: str) -> list[Version]:
    found = [one for one in locked() if canonicalize_name(one.name) == canonicalize_name(name)]
    return [Version(next(iter(one.specifier)).version) for one in found]


def check(requirement: Requirement, by: str) -> None:
    exact = next(iter(requirement.specifier), None)
    if exact is not None and exact.operator == "==" and "*" not in exact.version:
        return
    versions = pins(requirement.name)
    assert versions, f"{by} needs {requirement.name}, which requirements.lock does not pin"
    assert any(requirement.specifier.contains(version, prereleases=True) for version in versions), (
        f"{by}: {requirement}"
    )


@pytest.mark.parametrize("extra", ["", *sorted(EXTRAS.keys() - UNLOCKED)])
def test_the_lock_pins_what_an_extra_names(extra: str) -> None:
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(line)
        if requirement.name != "openroots":
            check(requirement, f"[{extra}]")


def test_the_lock_pins_what_locked_packages_need() -> None:
    for package in locked():
        try:
            lines = requires(package.name) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            needed = Requirement(line)
            if needed.name.startswith(("torch", "triton", "nvidia-", "cuda-")):
                continue  # chosen with PyTorch's version, which pyproject.toml pins
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                check(needed, package.name)


def test_a_locked_version_is_named_once_for_a_python() -> None:
    for name in {canonicalize_name(one.name) for one in locked()}:
        markers = [str(one.marker) for one in locked() if canonicalize_name(one.name) == name]
        assert len(markers) == len(set(markers)), name


def test_the_documentation_names_the_extras_without_pins() -> None:
    text = " ".join((ROOT / "docs" / "clients.md").read_text().split())
    [said] = re.findall(r"pins all extras but (.*?):", text)
    assert set(re.findall(r"`(\w+)`", said)) == UNLOCKED
