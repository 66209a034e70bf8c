"""OpenRoots: build open multilingual text corpora, source by source, with a ledger of every document.

The public names are imported on first use, so that `import openroots` stays fast.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "BuildLockedError": "configs.errors",
    "ConfigurationError": "configs.errors",
    "Engine": "pipeline.runtime.engine",
    "InputError": "configs.errors",
    "LanguageIdentifier": "pipeline.language_id",
    "OpenRootsError": "configs.errors",
    "Redactor": "pipeline.pii",
    "Tokenizer": "tokenizer.load",
    "build_corpus": "pipeline.build",
    "fertility": "openroots.fertility_command",
    "load_languages": "configs.load",
    "load_recipe": "configs.load",
    "look_up": "pipeline.ledger",
    "train_tokenizer": "openroots.tokenizer_command",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'openroots' has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)
