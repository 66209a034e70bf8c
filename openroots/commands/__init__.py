"""The sub-commands that live in a file of their own; `openroots.cli` imports each when it is called or listed."""
