"""What the archives of licence tests are written with: a file, and whether it may enter."""

from collections.abc import Callable

File = tuple[str, bool | None, str]
"""Path, whether the file may enter (None: it tells of others), text."""
IN, OUT, EVIDENCE = True, False, None
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction. The above copyright notice and this
permission notice shall be included in all copies or substantial portions of the Software."""


def adder(files: list[File]) -> Callable[[str, bool | None, str], None]:
    """A function that adds a file to these."""
    return lambda path, verdict, text: files.append((path, verdict, text))
