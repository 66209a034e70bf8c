# ruff: noqa: E501 - notices as they stand
"""Notices in comments: what declares a licence, and what only talks about one."""

import pytest

from governance.licence_comments import ANY, SYNTAX, comment_words
from governance.licence_metadata import metadata_licence, said
from governance.licence_notices import UNKNOWN, notice_of
from governance.licence_tree import licence_of_text
from governance.licence_words import CHARACTERS, HASH, SLASH, TRIPLE

CASES = [
    (
        "GPL-2.0-or-later",
        "/* This program is free software; you can redistribute it and/or modify\n * it under the terms of the GNU General Public License as published by\n * the Free Software Foundation; either version 2 of the License, or\n * (at your option) any later version. */",
    ),
    ("GPL-3.0-only", "// Licensed under the GPLv3\n"),
    ("GPL-3.0-or-later", "// Licensed under GPL v3+\n"),
    (
        "LGPL-2.1-or-later",
        "/* This library is free software; you can redistribute it and/or\n modify it under the terms of the GNU Lesser General Public\n License as published by the Free Software Foundation; either\n version 2.1 of the License, or (at your option) any later version.\n*/",
    ),
    ("MIT OR GPL-1.0-or-later", "/*!\n * jQuery X\n * Dual licensed under the MIT and GPL licenses.\n */"),
    ("MIT OR GPL-2.0-only", "/* Dual licensed under the MIT or GPL Version 2 licenses. */"),
    (
        "Apache-2.0",
        '/* Licensed under the Apache License, Version 2.0 (the "License");\n * you may not use this file except in compliance with the License. */',
    ),
    (None, "// We cannot use GPL code here; see the GPL for why.\n"),
    (None, "// Checks whether a dependency is licensed under the GPL\n"),
    (None, "// Returns true if the license is GPL-3.0-or-later\n"),
    (
        "MIT",
        "// Copyright 2010 X. All rights reserved.\n// Use of this source code is governed by an MIT-style\n// license that can be found in the LICENSE file.\n",
    ),
    (
        "BSD-3-Clause",
        "// Use of this source code is governed by a BSD-style\n// license that can be found in the LICENSE file.\n",
    ),
    (
        "MPL-2.0",
        "/* This Source Code Form is subject to the terms of the Mozilla Public\n * License, v. 2.0. If a copy of the MPL was not distributed with this\n * file, You can obtain one at http://mozilla.org/MPL/2.0/. */",
    ),
    (
        "MPL-1.1 OR GPL-2.0-or-later OR LGPL-2.1-or-later",
        """/* ***** BEGIN LICENSE BLOCK *****
 * Version: MPL 1.1/GPL 2.0/LGPL 2.1
 *
 * The contents of this file are subject to the Mozilla Public License Version
 * 1.1 (the "License"); you may not use this file except in compliance with
 * the License. You may obtain a copy of the License at
 * http://www.mozilla.org/MPL/
 *
 * Alternatively, the contents of this file may be used under the terms of
 * either the GNU General Public License Version 2 or later (the "GPL"), or
 * the GNU Lesser General Public License Version 2.1 or later (the "LGPL"),
 * in which case the provisions of the GPL or the LGPL are applicable instead
 * of those above. */""",
    ),
    ("GPL-2.0-or-later", "/* SPDX-License-Identifier: GPL-2.0+ */"),
    ("GPL-2.0-only WITH Linux-syscall-note", "/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */"),
    ("MIT OR GPL-2.0-only", "// SPDX-License-Identifier: (MIT OR GPL-2.0-only)\n"),
    (None, 'const char *x = "SPDX-License-Identifier: GPL-3.0";'),
    ("GPL-3.0-only", "// This file is part of Foo.\n// License: GPL-3.0\n"),
    ("GPL-3.0-only", "/** @license GPL-3.0 */"),
    ("GPL-3.0-only", "// GNU General Public License v3\n"),
    (
        "BSD-3-Clause",
        "/* Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that the following conditions\n are met:\n 1. Redistributions in binary form\n 2. Neither the name of the X nor */",
    ),
    (
        "MIT",
        '/* Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal ... The above copyright notice and this permission notice shall be included in all */',
    ),
    (None, "// Originally GPL, relicensed by agreement.\n"),
    ("BSD-3-Clause", "# :license: BSD, see LICENSE for details.\n# Split up in functions so it is importable.\n"),
    ("MIT", "// Formerly under the GPL. Now licensed under the MIT License.\n"),
    (
        "LicenseRef-proprietary",
        "/* Copyright X. All rights reserved. Unauthorized copying of this file is strictly prohibited. Proprietary and confidential. */",
    ),
    (
        "LGPL-3.0-or-later",
        """* This file is part of Foo.
 * Foo is free software: you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published by
 * the Free Software Foundation, either version 3 of the License, or
 * (at your option) any later version.""",
    ),
    (
        "AGPL-3.0-only",
        "// This code is released under the terms of version 3 of the GNU Affero General Public License.\n",
    ),
    ("GPL-2.0-or-later", "# GNU General Public License version 2 or later; see LICENSE.txt\n"),
    (
        "GPL-2.0-only",
        "# This software may be used and distributed according to the terms of the\n# GNU General Public License version 2, incorporated herein by reference.\n",
    ),
    (
        "GPL-2.0-only OR BSD-2-Clause",
        "/* This software is available to you under a choice of one of two licenses. You may choose to be licensed under the terms of the GNU General Public License (GPL) Version 2, available from the file COPYING, or the OpenIB.org BSD license below: Redistribution and use in source and binary forms, with or without modification, are permitted provided that in binary form */",
    ),
    ("GPL-1.0-or-later", "// Released under the GNU GPL.\n"),
    ("LGPL-2.1-only", "// License: LGPL 2.1\n"),
    ("GPL-3.0-only", "# Licence: GPLv3 (see http://www.gnu.org/licenses/gpl-3.0.html)\n"),
    (
        "Artistic-1.0-Perl OR GPL-1.0-or-later",
        "# This program is free software; you can redistribute it and/or modify it under the same terms as Perl itself.\n",
    ),
    ("LicenseRef-public-domain", "/* This code is in the public domain. */"),
    ("LicenseRef-public-domain", "/* Public domain. */"),
    (
        "CC-BY-NC-SA-4.0",
        "# This work is licensed under a Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International License.\n",
    ),
    ("SSPL-1.0", "// This program is licensed under the Server Side Public License, version 1\n"),
    ("MIT", "// Licensed under MIT\n"),
    ("MIT", "// MIT License\n"),
    (
        "Apache-2.0 OR MIT",
        "// Licensed under the Apache License, Version 2.0 <LICENSE-APACHE or\n// http://www.apache.org/licenses/LICENSE-2.0> or the MIT license\n// <LICENSE-MIT or http://opensource.org/licenses/MIT>, at your\n// option. This file may not be copied\n",
    ),
]


@pytest.mark.parametrize(("licence", "text"), CASES)
def test_what_declares_a_licence_is_told_and_what_talks_about_one_is_not(licence, text):
    text = f"/*{text}*/" if text.startswith("* ") else text
    words, head = comment_words(text.encode(), HASH | TRIPLE if text.startswith("#") else SLASH | CHARACTERS)
    assert notice_of(words, head) == licence


def test_words_are_those_of_comments_whatever_their_frame():
    framed = b'/*\n * Licensed under\n *   the GPL.\n */\nint x = 1; // SPDX\nchar *s = "// no";'
    words, head = comment_words(framed, SYNTAX["c"])
    assert words.startswith(b"licensed under|the gpl.") and b"spdx" in words[head:]
    assert b"no" not in words


@pytest.mark.parametrize(
    ("value", "licence"),
    [
        ("GPLv3", "GPL-3.0-only"), ("MIT/Apache-2.0", "MIT OR Apache-2.0"), ("MIT, GPL-2.0", "MIT AND GPL-2.0-only"),
        ("BSD", "BSD-3-Clause"), ("SEE LICENSE IN LICENSE", UNKNOWN), ("UNLICENSED", "LicenseRef-proprietary"),
        ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"), ("Foo Public License", UNKNOWN),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"), ("Dual BSD/GPL", "BSD-3-Clause OR GPL-1.0-or-later"),
        ("," * 5000, UNKNOWN), ("(" * 3000, UNKNOWN),
    ],
)  # fmt: skip
def test_what_metadata_says(value, licence):
    assert said(value) == licence


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"\xff\xfe", b"null", b'{"license": {"type": 5}}', b'{"license": []}']
)
def test_metadata_that_is_none_says_nothing(data):
    assert metadata_licence("package.json", data) is None
    assert metadata_licence("Cargo.toml", data) is None


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("GNU LESSER GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007", "LGPL-3.0-only"),
        ("  Apache License\n Version 2.0, January 2004\n http://www.apache.org/licenses/", "Apache-2.0"),
        ("Dual licensed under the MIT license and the GPL, version 2.", "MIT OR GPL-2.0-only"),
        ("MIT", "MIT"), ("nothing of the kind", None), ("", None),
    ],
)  # fmt: skip
def test_a_licence_file_is_the_licence_it_opens_with(text, licence):
    assert licence_of_text(text.encode()) == licence


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", "abc+1 // {}\n"),
        ("c", "abc+1 /* {} */ x\n"),
        ("java", "abc+1 // {}\n"),
        ("python", "abc+1 # {}\n"),
        ("ruby", "abc\n=begin\n{}\n=end\n"),
        ("php", "abc+1 # {}\n"),
        ("lua", "abc+1 -- {}\n"),
        ("lua", "abc+1 --[[ {} ]] x\n"),
        ("rust", "abc+1 /* /* {} */ */ x\n"),
        ("html", "abc+1 <!-- {} --> x\n"),
    ],
)
def test_a_comment_is_found_behind_code(language, code):
    words, head = comment_words(code.format("Licensed so").encode(), SYNTAX.get(language, ANY))
    assert b"licensed so" in words
    assert head == 0


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", 'abc+"// {}"\n'),
        ("cpp", 'abc+R"x(" // {})x"\n'),
        ("csharp", 'abc+@"\\" + "// {}"\n'),
        ("java", 'abc+"""\n// {}\n"""\n'),
        ("go", "abc+`\n// {}\n`\n"),
        ("rust", 'abc+r#"" // {}"#\n'),
        ("javascript", "abc+'// {}'\n"),
        ("php", "abc+<<<END\n# {}\nEND\n"),
        ("ruby", "abc+%q{{# {}}}\n"),
        ("lua", "abc+[[\n-- {}\n]]\n"),
        ("python", "abc+'''\n# {}\n'''\n"),
    ],
)
def test_no_comment_is_found_in_a_string_behind_code(language, code):
    words, _ = comment_words(code.format("Licensed so").encode(), SYNTAX[language])
    assert b"licensed" not in words


_GRANTED = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal in it, provided that this permission notice shall be included in all copies.\n"
_APACHE = 'Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file otherwise.\n'


@pytest.mark.parametrize(
    ("rider", "adds"),
    [
        (
            '"Commons Clause" License Condition v1.0: the License does not grant to you the right to sell.\n',
            "Commons-Clause",
        ),
        ("It may be used for non-commercial purposes only.\n", "noncommercial"),
        ("Commercial use is prohibited.\n", "noncommercial"),
        ("The software may not be used to train machine learning models.\n", "restricted-use"),
        ("It shall not be used by anybody for the military, or for surveillance.\n", "restricted-use"),
        ("Anti 996 License Version 1.0 applies too.\n", "restricted-use"),
    ],
)
def test_what_is_added_to_a_permissive_licence_and_takes_some_of_it_back_counts(rider: str, adds: str) -> None:
    assert licence_of_text((_GRANTED + rider).encode()) == f"MIT AND LicenseRef-{adds}"
    assert licence_of_text((_APACHE + rider).encode()) == f"Apache-2.0 AND LicenseRef-{adds}"
    whole = (
        "Apache License\nVersion 2.0, January 2004\nhttp://www.apache.org/licenses/\n" + "Terms and conditions.\n" * 99
    )
    for text in (rider + whole, whole + rider):
        assert f"LicenseRef-{adds}" in str(licence_of_text(text.encode()))
    assert f"LicenseRef-{adds}" in str(licence_of_text((rider + _GRANTED).encode()))


def test_mit_for_good_not_evil_is_json() -> None:
    assert licence_of_text((_GRANTED + "The Software shall be used for Good, not Evil.\n").encode()) == "JSON"


def test_clauses_that_permissive_licences_have_are_no_riders() -> None:
    names = "The name of the author may not be used to endorse or promote products derived from this software.\n"
    bsd = "Redistribution and use in source and binary forms are permitted. " + names + "1. Redistributions of source\n"
    assert "LicenseRef" not in str(licence_of_text(bsd.encode()))
    assert licence_of_text((_GRANTED + "Tools that train models on commercial data may be used.\n").encode()) == "MIT"


@pytest.mark.parametrize(
    ("value", "spdx"),
    [
        ("GPL (>= 2)", "GPL-2.0-or-later"),
        ("GPL (>= 2) | file LICENSE", "GPL-2.0-or-later"),
        ("LGPL (>= 2.1)", "LGPL-2.1-or-later"),
        ("Artistic-2.0 | GPL (>= 2)", "Artistic-2.0 OR GPL-2.0-or-later"),
        ("GPL-2 | GPL-3", "GPL-2.0-only OR GPL-3.0-only"),
    ],
)
def test_versions_of_r_packages(value: str, spdx: str) -> None:
    assert said(value) == spdx


@pytest.mark.parametrize(
    "words",
    [
        "gemäß Version 2 der Lizenz oder (nach Ihrer Option) jeder späteren Version",
        "versión 2 o cualquier versión posterior",
        "versie 2 of elke latere versie",
        "versione 2 o successiva",
        "version 2 ou ultérieure",
    ],
)
def test_or_later_is_read_in_other_languages(words: str) -> None:
    text = f"// This program is licensed under the GNU General Public License {words}.\n"
    assert notice_of(*comment_words(text.encode(), SYNTAX["c"])) == "GPL-2.0-or-later"
