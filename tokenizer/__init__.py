"""Byte-level BPE: count pre-tokens, learn merges, write a standard `tokenizer.json`."""

import configs  # noqa: F401 - finds a place for compiled kernels
