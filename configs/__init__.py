"""What to build, as data: languages, sources, recipes, and the models that validate them."""

from pathlib import Path

CONFIGS = Path(__file__).parent
"""Folder of the TOML files that come with the package."""
