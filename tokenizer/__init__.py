"""Byte-level BPE: count pre-tokens, learn merges, write a standard `tokenizer.json`."""
