"""What code assigns to itself as its licence."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from configs.models import LicencePolicy
from governance.licence_comments import ANY, SYNTAX, comment_words
from governance.licence_detection import own_notices
from governance.licence_phrases import SOURCE_TRIGGER, TRIGGER
from governance.licence_words import PLAIN
from governance.licences import LicenceGate


@pytest.mark.parametrize(
    ("language", "text", "spdx"),
    [
        ("python", '"""Tools."""\n__version__ = "1"\n__license__ = "GPL"\n', "GPL-1.0-or-later"),
        ("python", "__licence__ = 'Apache License 2.0'\n", "Apache-2.0"),
        ("c", 'int f;\nMODULE_AUTHOR("x");\nMODULE_LICENSE("GPL v2");\n', "GPL-2.0-only"),
        ("c", 'MODULE_LICENSE("Dual MIT/GPL");\n', "MIT OR GPL-1.0-or-later"),
        ("python", '# Licensed under the MIT License.\n__license__ = "GPL"\n', "MIT AND GPL-1.0-or-later"),
        ("python", 'text = "__license__ = GPL"\nprint(__license__)\n', None),
        ("python", "__license__ = read('LICENSE')\n", None),
        ("c", '/* Modules say MODULE_LICENSE to the kernel. */\nchar *s = "MODULE_LICENSE";\n', None),
    ],
)
def test_assigned_licences(language: str, text: str, spdx: str | None) -> None:
    assert own_notices(pa.array([text], pa.large_string()), [language]) == [spdx]


@pytest.mark.parametrize("spdx", ["EUPL-1.2", "OSL-3.0", "CECILL-2.1", "AGPL-3.0-only"])
def test_copyleft_of_whole_programs_is_denied_to_code_by_default(spdx: str) -> None:
    gate = LicenceGate(LicencePolicy(), frozenset())
    assert not gate.judge(spdx, True).admitted
    assert gate.judge(f"MIT OR {spdx}", True).admitted


_PIECES = [
    "licen", "LIC", "en", "g", "p", "l", "GPL", "EPL", "internal", "Use", "public", "domain", "trade", "secret", "лиц",
    "ЛИЦ", "енз", "许", "可", "/*", "*/", "//", "#", "--", "\n", "\r\n", "'", '"', "’", "‘", '"""', "'''", 'r"""',
    "<!--", "-->", "<?php", "*", "|", "-", ".", "(", "_", "\\", "\xa0", "\u200b", "--[[", "]]", "@", "é", "x",
    " ", "\t",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(_PIECES), max_size=9),
    st.sampled_from([*SYNTAX.values(), ANY, PLAIN]),
)
@example(['"""', "lic", '"""', " ", '"""', "en"], SYNTAX["python"])
@example(["//", "internal", "\u00a0*", " ", "Use"], SYNTAX["c"])
@example(["#", "LIC", "’", "en"], SYNTAX["python"])
def test_a_file_without_a_word_of_licences_has_none_in_its_comments(pieces: list[str], syntax: int) -> None:
    source = "".join(pieces).encode()
    words, _ = comment_words(source, syntax)
    assert SOURCE_TRIGGER.search(source) or not TRIGGER.search(words)
