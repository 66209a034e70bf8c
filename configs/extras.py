"""Packages that only some commands need."""

from importlib.util import find_spec

from configs.errors import ConfigurationError


def need(package: str, extra: str) -> None:
    """Raise ConfigurationError that says what to install, where a package is not there."""
    if find_spec(package) is None:
        raise ConfigurationError(f"this needs `{package}`, which is not installed: pip install 'openroots[{extra}]'")
