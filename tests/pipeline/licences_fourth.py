# ruff: noqa: E501 - files as they are
"""A fourth set of files whose right answers were written before the code had seen them: SPDX tags, notices, talk, vendored
packages, texts that only metadata points to, DEP-5, REUSE, licences as data."""

from tests.pipeline.licence_files import EVIDENCE, IN, MIT, OUT, File, adder

FILES: list[File] = []
add = adder(FILES)
PY = "def add(a, b):\n    return a + b\n"
C = "int add(int a, int b) { return a + b; }\n"
JS = "export function add(a, b) { return a + b; }\n"
GPL3N = """This file is part of Foo.

Foo is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.

Foo is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY.
"""


def c_comment(text: str) -> str:
    """The text as a comment of C."""
    return "/*\n" + "".join(f" * {line}\n".replace(" \n", "\n") for line in text.splitlines()) + " */\n"


# 1 SPDX
add("s01/a.py", OUT, "# SPDX-License-Identifier: GPL-2.0-only\n" + PY)
add("s02/a.py", IN, "# SPDX-License-Identifier: GPL-2.0-only OR MIT\n" + PY)
add("s03/a.py", OUT, "# SPDX-License-Identifier: MIT AND LGPL-2.1-or-later\n" + PY)
add("s04/a.c", OUT, "/* SPDX-License-Identifier: GPL-2.0 WITH Classpath-exception-2.0 */\n" + C)
add("s05/a.c", OUT, "// SPDX-License-Identifier: (GPL-2.0+ WITH Linux-syscall-note)\n" + C)
add("s06/a.c", IN, "// SPDX-License-Identifier: (GPL-2.0+ WITH Linux-syscall-note) OR BSD-3-Clause\n" + C)
add("s07/a.rs", IN, "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\nfn main() {}\n")
add("s08/a.c", OUT, "/* outer /* SPDX-License-Identifier: AGPL-3.0-only */ */\n" + C)
add("s09/a.rs", OUT, "/* a /* SPDX-License-Identifier: GPL-3.0-or-later */ b */\nfn main() {}\n")
add("s10/a.py", IN, 'X = "SPDX-License-Identifier: GPL-3.0-only"\n' + PY)
add("s11/a.py", IN, '"""Checks that every file has a line such as ``SPDX-License-Identifier: GPL-2.0-only``."""\n' + PY)
add("s13/a.lua", OUT, "--[[ SPDX-License-Identifier: GPL-2.0-or-later ]]\nlocal x = 1\nprint(x)\n")
add("s14/a.js", OUT, "/*! SPDX-License-Identifier: AGPL-3.0-or-later */\n" + JS)
add(
    "s15/a.py",
    OUT,
    "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# Copyright 2020 A. B.\n#\n# spdx-license-identifier: lgpl-3.0-or-later\n"
    + PY,
)
add("s16/a.py", IN, "# SPDX-FileCopyrightText: 2021 Foo\n#\n# SPDX-License-Identifier: BSD-2-Clause-Patent\n" + PY)
add("s17/a.py", OUT, "# SPDX-License-Identifier: LicenseRef-Proprietary\n" + PY)
add("s18/a.py", OUT, "# SPDX-License-Identifier: NOASSERTION\n" + PY)
add("s19/a.py", IN, "# SPDX-License-Identifier: CC0-1.0\n" + PY)
add("s20/a.py", IN, "# SPDX-SnippetBegin\n# SPDX-License-Identifier: Zlib\n" + PY + "# SPDX-SnippetEnd\n")
add(
    "s21/a.py",
    OUT,
    PY
    + "\n# SPDX-SnippetBegin\n# SPDX-SnippetCopyrightText: 2020 X\n# SPDX-License-Identifier: GPL-3.0-or-later\n"
    + PY
    + "# SPDX-SnippetEnd\n",
)
# notices
add("n01/a.c", OUT, c_comment(GPL3N) + C)
add(
    "n02/a.py",
    OUT,
    "# This library is free software; you can redistribute it and/or\n# modify it under the terms of the GNU Lesser General Public\n# License as published by the Free Software Foundation; either\n# version 2.1 of the License, or (at your option) any later version.\n"
    + PY,
)
add(
    "n03/a.java",
    IN,
    '/*\n * Licensed under the Apache License, Version 2.0 (the "License");\n * you may not use this file except in compliance with the License.\n * You may obtain a copy of the License at\n *\n *     http://www.apache.org/licenses/LICENSE-2.0\n */\nclass A { int add(int a, int b) { return a + b; } }\n',
)
add(
    "n04/a.js",
    OUT,
    "/* This Source Code Form is subject to the terms of the Mozilla Public\n * License, v. 2.0. If a copy of the MPL was not distributed with this\n * file, You can obtain one at https://mozilla.org/MPL/2.0/. */\n"
    + JS,
)
add("n05/a.js", IN, "/*! foo.js v1.2 | (c) 2011 Foo | Released under the MIT license | foo.org/license */\n" + JS)
add("n06/a.js", OUT, "/*! foo.js v1.2 | (c) 2011 Foo | Released under the GPL license | foo.org/license */\n" + JS)
add("n07/a.js", IN, "/* Dual licensed under the MIT or GPL Version 2 licenses. http://jquery.org/license */\n" + JS)
add(
    "n08/a.php",
    OUT,
    "<?php\n/**\n * @author A\n * @license http://www.gnu.org/copyleft/gpl.html GNU General Public License\n */\nfunction add($a, $b) { return $a + $b; }\n",
)
add("n09/a.php", IN, "<?php\n/**\n * @license MIT\n */\nfunction add($a, $b) { return $a + $b; }\n")
add(
    "n11/a.py",
    OUT,
    '"""Foo.\n\n:copyright: (c) 2012 by X.\n:license: AGPLv3, see LICENSE for more details.\n"""\n' + PY,
)
add("n12/a.py", IN, '"""Foo.\n\n:copyright: (c) 2012 by X.\n:license: BSD, see LICENSE for more details.\n"""\n' + PY)
add("n13/a.py", OUT, '__author__ = "X"\n__license__ = "GPL v2"\n' + PY)
add(
    "n15/a.go",
    IN,
    "// Copyright 2009 The Go Authors. All rights reserved.\n// Use of this source code is governed by a BSD-style\n// license that can be found in the LICENSE file.\n\npackage a\n\nfunc Add(a, b int) int { return a + b }\n",
)
add(
    "n16/a.go",
    OUT,
    "// Copyright 2019 Foo. All rights reserved.\n// Use of this source code is governed by the Business Source License\n// included in the LICENSE file.\n\npackage a\n\nfunc Add(a, b int) int { return a + b }\n",
)
add(
    "n17/a.c",
    IN,
    "/* Copyright (c) 1991 The Regents of the University of California.\n * Redistribution and use in source and binary forms, with or without\n * modification, are permitted provided that the following conditions are met:\n * 1. Redistributions of source code must retain the above copyright notice. */\n"
    + C,
)
add("n18/a.c", IN, "/* This is free and unencumbered software released into the public domain. */\n" + C)
add(
    "n19/a.c",
    OUT,
    "/* Copyright (C) 2001 ACME Corp. All rights reserved. Proprietary and confidential.\n * Unauthorized copying of this file is strictly prohibited. */\n"
    + C,
)
add("n20/a.c", OUT, "/* For non-commercial use only. Contact sales@acme.example for a commercial license. */\n" + C)
add(
    "n21/a.c",
    IN,
    "/*\n * zlib.h -- interface of the 'zlib' general purpose compression library\n * Copyright (C) 1995-2017 Jean-loup Gailly and Mark Adler\n * This software is provided 'as-is', without any express or implied\n * warranty.  In no event will the authors be held liable for any damages\n */\n"
    + C,
)
add("n22/a.c", OUT, "/* You may distribute this under the terms of the GNU GPL. */\n" + C)
add(
    "n23/a.cpp",
    OUT,
    "/****************************************************************************\n** $QT_BEGIN_LICENSE:LGPL$\n** GNU Lesser General Public License Usage\n** This file may be used under the terms of the GNU Lesser General Public License version 3\n** $QT_END_LICENSE$\n****************************************************************************/\n"
    + C,
)
add(
    "n24/a.rb",
    OUT,
    "# frozen_string_literal: true\n\n# Distributed under the terms of the EUPL, version 1.2 only.\ndef add(a, b) = a + b\n",
)
add(
    "n25/a.scala",
    OUT,
    "/* This program is licensed under the Server Side Public License, version 1. */\nobject A { def add(a: Int, b: Int) = a + b }\n",
)
# talk
add(
    "t01/a.py",
    IN,
    '"""Tool that reports whether a dependency is licensed under the GPL or LGPL."""\nDENY = ["GPL-3.0-only", "AGPL-3.0-only"]\n'
    + PY,
)
add("t02/a.py", IN, "# We do not use readline here because it is GPL licensed.\n" + PY)
add("t03/a.py", IN, "# TODO: the GPL header check fails on empty files\n" + PY)
add(
    "t04/tests/test_detect.py",
    IN,
    'NOTICE = """\nThis program is free software: you can redistribute it and/or modify\nit under the terms of the GNU General Public License as published by\nthe Free Software Foundation, either version 3 of the License.\n"""\n\ndef test_gpl():\n    assert detect(NOTICE) == "GPL-3.0"\n',
)
add(
    "t05/src/list.js",
    IN,
    'export const names = { "GPL-3.0": "GNU General Public License v3.0 only", "MIT": "MIT License" };\n',
)
add(
    "t06/a.c",
    IN,
    "/* Prints the licence: see --version. The output says that the program comes with no warranty, as the GPL requires\n * of the programs it covers; ours is not one of them. */\n"
    + C,
)
add("t07/a.py", IN, "# This module was rewritten from scratch; the old one was under the GPL.\n" + PY)
# vendored
add("v01/LICENSE", EVIDENCE, "MIT License\n\nCopyright (c) 2020 X\n\n" + MIT)
add("v01/src/a.c", IN, C)
add(
    "v01/third_party/foo/COPYING",
    EVIDENCE,
    "                    GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991\n\n Copyright (C) 1989, 1991 Free Software Foundation, Inc.\n Everyone is permitted to copy and distribute verbatim copies\n of this license document, but changing it is not allowed.\n",
)
add("v01/third_party/foo/src/foo.c", OUT, C.replace("add", "foo"))
add("v01/third_party/foo/src/x.c", IN, "/* SPDX-License-Identifier: ISC */\n" + C.replace("add", "fooy"))
add("v01/vendor/bar/package.json", EVIDENCE, '{"name":"bar","license":"LGPL-2.1+"}')
add("v01/vendor/bar/index.js", OUT, JS)
add(
    "v01/vendor/baz/package.json",
    EVIDENCE,
    '{"name":"baz","licenses":[{"type":"MIT","url":"x"},{"type":"GPL-2.0","url":"y"}]}',
)
add("v01/vendor/baz/index.js", IN, JS.replace("add", "baz"))
add("v01/vendor/qux/package.json", EVIDENCE, '{"name":"qux","license":"SEE LICENSE IN EULA.txt"}')
add("v01/vendor/qux/index.js", OUT, JS.replace("add", "qux"))
add("v01/vendor/unl/package.json", EVIDENCE, '{"name":"unl","license":"UNLICENSED"}')
add("v01/vendor/unl/index.js", OUT, JS.replace("add", "unl"))
add("v01/vendor/Unl2/package.json", EVIDENCE, '{"name":"unl2","license":"Unlicense"}')
add("v01/vendor/Unl2/index.js", IN, JS.replace("add", "unl2"))
add("v01/vendor/crate/Cargo.toml", EVIDENCE, '[package]\nname = "x"\nlicense = "MIT/Apache-2.0"\n')
add("v01/vendor/crate/src/lib.rs", IN, "pub fn a() -> i32 { 1 }\n")
add("v01/vendor/crate2/Cargo.toml", EVIDENCE, '[package]\nname = "x"\nlicense = "MPL-2.0"\n')
add("v01/vendor/crate2/src/lib.rs", OUT, "pub fn b() -> i32 { 1 }\n")
add("v01/vendor/crate3/Cargo.toml", EVIDENCE, '[package]\nname = "x"\nlicense-file = "TERMS.txt"\n')
add("v01/vendor/crate3/TERMS.txt", EVIDENCE, "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n")
add("v01/vendor/crate3/src/lib.rs", OUT, "pub fn c() -> i32 { 1 }\n")
add(
    "v01/gems/g1/g1.gemspec",
    EVIDENCE,
    'Gem::Specification.new do |s|\n  s.name = "g1"\n  s.licenses = ["GPL-3.0"]\nend\n',
)
add("v01/gems/g1/lib/g1.rb", OUT, "def g1 = 1\n")
add("v01/gems/g2/g2.gemspec", EVIDENCE, 'Gem::Specification.new do |spec|\n  spec.license = "MIT"\nend\n')
add("v01/gems/g2/lib/g2.rb", IN, "def g2 = 2\n")
add(
    "v01/java/m1/pom.xml",
    EVIDENCE,
    "<project><licenses><license><name>GNU Lesser General Public License, Version 2.1</name><url>http://www.gnu.org/licenses/lgpl-2.1.html</url></license></licenses></project>",
)
add("v01/java/m1/src/main/java/M1.java", OUT, "class M1 { int x = 1; }\n")
add(
    "v01/java/m2/pom.xml",
    EVIDENCE,
    "<project><licenses><license><name>EPL 2.0</name></license><license><name>GPL2 w/ CPE</name></license></licenses></project>",
)
add("v01/java/m2/src/main/java/M2.java", OUT, "class M2 { int x = 1; }\n")
add(
    "v01/java/m3/pom.xml",
    EVIDENCE,
    "<project xmlns='http://maven.apache.org/POM/4.0.0'><licenses><license><name>The Apache Software License, Version 2.0</name></license></licenses></project>",
)
add("v01/java/m3/src/main/java/M3.java", IN, "class M3 { int x = 1; }\n")
add("v01/php/p1/composer.json", EVIDENCE, '{"name":"x/y","license":["LGPL-2.1-only","GPL-3.0-or-later"]}')
add("v01/php/p1/src/a.php", OUT, "<?php\nfunction p1() { return 1; }\n")
add("v01/php/p2/composer.json", EVIDENCE, '{"name":"x/y","license":"(MIT or GPL-3.0-or-later)"}')
add("v01/php/p2/src/a.php", IN, "<?php\nfunction p2() { return 1; }\n")
add("v01/php/p3/composer.json", EVIDENCE, '{"name":"x/y","license":"proprietary"}')
add("v01/php/p3/src/a.php", OUT, "<?php\nfunction p3() { return 1; }\n")
add(
    "v01/py/q1/PKG-INFO",
    EVIDENCE,
    "Metadata-Version: 2.1\nName: q1\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: GNU Affero General Public License v3\n",
)
add("v01/py/q1/q1/a.py", OUT, PY.replace("add", "q1"))
add("v01/py/q2/PKG-INFO", EVIDENCE, "Metadata-Version: 2.4\nName: q2\nLicense-Expression: MIT OR GPL-2.0-only\n")
add("v01/py/q2/q2/a.py", IN, PY.replace("add", "q2"))
add("v01/py/q3/pyproject.toml", EVIDENCE, '[project]\nname = "q3"\nlicense = {file = "LIC"}\n')
add(
    "v01/py/q3/LIC",
    EVIDENCE,
    "GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007\n\nEveryone is permitted to copy and distribute verbatim copies of this license document, but changing it is not allowed.\n",
)
add("v01/py/q3/q3/a.py", OUT, PY.replace("add", "q3"))
add("v01/py/q4/pyproject.toml", EVIDENCE, '[project]\nname = "q4"\nlicense-files = ["terms/*"]\n')
add(
    "v01/py/q4/terms/T.txt",
    EVIDENCE,
    "GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007\n\nEveryone is permitted to copy and distribute verbatim copies of this license document, but changing it is not allowed.\n",
)
add("v01/py/q4/q4/a.py", OUT, PY.replace("add", "q4"))
add("v01/py/q5/pyproject.toml", EVIDENCE, '[tool.poetry]\nname = "q5"\nlicense = "LGPL-3.0-or-later"\n')
add("v01/py/q5/q5/a.py", OUT, PY.replace("add", "q5"))
add("v01/py/q6/pyproject.toml", EVIDENCE, '[project]\nname = "q6"\nlicense = {text = "BSD 3-Clause"}\n')
add("v01/py/q6/q6/a.py", IN, PY.replace("add", "q6"))
add("v01/py/q7/setup.cfg", EVIDENCE, "[metadata]\nname = q7\nlicense = GPLv3+\n")
add("v01/py/q7/q7/a.py", OUT, PY.replace("add", "q7"))
add("v01/py/q8/setup.cfg", EVIDENCE, "[metadata]\nname = q8\nlicense_files = NOTES.lic\n")
add("v01/py/q8/NOTES.lic", EVIDENCE, "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
add("v01/py/q8/q8/a.py", OUT, PY.replace("add", "q8"))
# DEP-5
add(
    "d01/debian/copyright",
    EVIDENCE,
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n\nFiles: *\nCopyright: 2010 A\nLicense: Expat\n\nFiles: src/gpl/* contrib/*.py\nCopyright: 2011 B\nLicense: GPL-2+\n On Debian systems see /usr/share/common-licenses/GPL-2.\n\nFiles: contrib/ok.py\nCopyright: 2012 C\nLicense: BSD-3-clause\n\nFiles: data?/x*.c\nCopyright: C\nLicense: LGPL-2.1 or MIT\n\nFiles: odd/*\nCopyright: D\nLicense: custom-terms\n You may use this on Sundays only.\n",
)
add("d01/src/a.c", IN, C.replace("add", "d1"))
add("d01/src/gpl/a.c", OUT, C.replace("add", "d2"))
add("d01/contrib/x.py", OUT, PY.replace("add", "d3"))
add("d01/contrib/deep/x.py", OUT, PY.replace("add", "d3b"))
add("d01/contrib/ok.py", IN, PY.replace("add", "d4"))
add("d01/data1/x1.c", IN, C.replace("add", "d5"))
add("d01/odd/a.c", OUT, C.replace("add", "d6"))
# REUSE
add(
    "r01/REUSE.toml",
    EVIDENCE,
    'version = 1\n\n[[annotations]]\npath = ["src/**", "lib/*.c"]\nprecedence = "aggregate"\nSPDX-FileCopyrightText = "2024 X"\nSPDX-License-Identifier = "GPL-3.0-or-later"\n\n[[annotations]]\npath = "src/free/**"\nSPDX-FileCopyrightText = "2024 X"\nSPDX-License-Identifier = "MIT"\n',
)
add("r01/src/a.c", OUT, C.replace("add", "r1"))
add("r01/src/free/a.c", IN, C.replace("add", "r2"))
add("r01/lib/a.c", OUT, C.replace("add", "r3"))
add("r01/lib/sub/a.c", IN, C.replace("add", "r4"))
add("r01/other/a.c", IN, C.replace("add", "r5"))
add("r01/other/b.c", OUT, C.replace("add", "r6"))
add("r01/other/b.c.license", EVIDENCE, "SPDX-FileCopyrightText: 2024 X\nSPDX-License-Identifier: AGPL-3.0-or-later\n")
add(
    "r02/.reuse/dep5",
    EVIDENCE,
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: y\n\nFiles: gen/*\nCopyright: 2020 Y\nLicense: EUPL-1.2\n",
)
add("r02/gen/a.c", OUT, C.replace("add", "r7"))
add("r02/man/a.c", IN, C.replace("add", "r8"))
add(
    "r03/sub/REUSE.toml",
    EVIDENCE,
    'version = 1\n[[annotations]]\npath = "*.py"\nprecedence = "override"\nSPDX-FileCopyrightText = "Y"\nSPDX-License-Identifier = "Apache-2.0"\n',
)
add("r03/sub/a.py", IN, "# SPDX-License-Identifier: GPL-3.0-only\n" + PY.replace("add", "r9"))
# licences as data/tests
add("f01/LICENSE", EVIDENCE, "MIT License\n\n" + MIT)
add("f01/tests/fixtures/licenses/gpl-3.0.txt", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
add("f01/tests/test_a.py", IN, PY.replace("add", "f1"))
add("f01/src/a.py", IN, PY.replace("add", "f2"))
add("f02/LICENSES/MIT.txt", EVIDENCE, MIT)
add("f02/LICENSES/GPL-3.0-or-later.txt", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
add("f02/src/a.py", IN, "# SPDX-License-Identifier: MIT\n" + PY.replace("add", "f4"))
# truncated zlib text
add(
    "z01/LICENSE",
    EVIDENCE,
    "This software is provided 'as-is', without any express or implied warranty. In no event will the authors be held liable for any damages arising from the use of this software.\n\nPermission is granted to anyone to use this software for any purpose, including commercial applications, and to alter it and redistribute it freely, subject to the following restrictions:\n\n1. The origin of this software must not be misrepresented;\n",
)
add("z01/a.c", IN, C.replace("add", "z1"))
