# ruff: noqa: E501 - files as they are
"""A second archive declared MIT, written after what the first had taught was mended.

Headers of well-known projects, languages and formats that the first one lacks. Answers stand before the first run.
"""

from tests.pipeline.licence_files import EVIDENCE, IN, MIT, OUT, File, adder

C = "static int mul(int x, int y) { return x * y; }\n"
PY = "def mul(x, y):\n    return x * y\n"
JS = "export const mul = (x, y) => x * y;\n"
RB = "def mul(x, y) = x * y\n"
LUA = "local function mul(x, y) return x * y end\n"
JAVA = "class B { int b; }\n"
GO = "package b\n\nfunc B() int { return 2 }\n"
RS = "pub fn b() -> i32 { 2 }\n"
PHP = "echo 2;\n"
CS = "class B { int b; }\n"
SC = "object B { val b = 2 }\n"
APACHE = "                                 Apache License\n                           Version 2.0, January 2004\n                        http://www.apache.org/licenses/\n"
GPL3 = "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n\n Copyright (C) 2007 Free Software Foundation, Inc. <https://fsf.org/>\n Everyone is permitted to copy and distribute verbatim copies\n of this license document, but changing it is not allowed.\n"
FILES: list[File] = []
f = adder(FILES)


f("q/LICENSE.md", EVIDENCE, "MIT License\n===========\n\nCopyright 2022 Q\n\n" + MIT)
# headers of well-known style, not used before
f("q/linux.c", OUT, "// SPDX-License-Identifier: GPL-2.0\n/*\n * Driver for the Q widget\n */\n" + C)
f(
    "q/qt.cpp",
    OUT,
    "/****************************************************************************\n**\n** Copyright (C) 2016 The Q Company Ltd.\n** Contact: https://www.example.org/licensing/\n**\n** $QT_BEGIN_LICENSE:GPL-EXCEPT$\n** GNU General Public License Usage\n** Alternatively, this file may be used under the terms of the GNU\n** General Public License version 3 as published by the Free Software\n** Foundation with exceptions as appearing in the file LICENSE.GPL3-EXCEPT\n** included in the packaging of this file.\n**\n** $QT_END_LICENSE$\n**\n****************************************************************************/\n"
    + C,
)
f(
    "q/emacs.py",
    OUT,
    "# This file is part of GNU Q.\n\n# GNU Q is free software: you can redistribute it and/or modify\n# it under the terms of the GNU General Public License as published by\n# the Free Software Foundation, either version 3 of the License, or\n# (at your option) any later version.\n\n"
    + PY,
)
f(
    "q/gcc.c",
    OUT,
    "/* This file is part of GCC.\n\nGCC is free software; you can redistribute it and/or modify it under\nthe terms of the GNU General Public License as published by the Free\nSoftware Foundation; either version 3, or (at your option) any later\nversion.\n\nUnder Section 7 of GPL version 3, you are granted additional\npermissions described in the GCC Runtime Library Exception, version\n3.1, as published by the Free Software Foundation. */\n"
    + C,
)
f(
    "q/drupal.php",
    OUT,
    "<?php\n\n/**\n * @file\n * Contains Q.\n *\n * @package Q\n * @license http://www.gnu.org/licenses/gpl-2.0.html GNU General Public License, version 2\n */\n"
    + PHP,
)
f(
    "q/wp.php",
    OUT,
    "<?php\n/*\nPlugin Name: Q\nPlugin URI: https://example.org\nVersion: 1.2\nAuthor: Q\nLicense: GPLv2 or later\nLicense URI: http://www.gnu.org/licenses/gpl-2.0.html\n*/\n"
    + PHP,
)
f(
    "q/moodle.php",
    OUT,
    "<?php\n// This file is part of Moodle - http://moodle.org/\n//\n// Moodle is free software: you can redistribute it and/or modify\n// it under the terms of the GNU General Public License as published by\n// the Free Software Foundation, either version 3 of the License, or\n// (at your option) any later version.\n"
    + PHP,
)
f(
    "q/magento.php",
    OUT,
    "<?php\n/**\n * NOTICE OF LICENSE\n *\n * This source file is subject to the Open Software License (OSL 3.0)\n * that is bundled with this package in the file LICENSE.txt.\n */\n"
    + PHP,
)
f(
    "q/odoo.py",
    OUT,
    "# -*- coding: utf-8 -*-\n# Part of Q. See LICENSE file for full copyright and licensing details.\n# License AGPL-3.0 or later (http://www.gnu.org/licenses/agpl).\n"
    + PY,
)
f("q/odoo2.py", OUT, "# Copyright 2020 Q\n# License LGPL-3 or later (http://www.gnu.org/licenses/lgpl).\n" + PY)
f(
    "q/ext.js",
    OUT,
    "/*\nThis file is part of Ext JS\n\nGNU General Public License Usage\nThis file may be used under the terms of the GNU General Public License version 3.0 as published by the\nFree Software Foundation and appearing in the file LICENSE included in the packaging of this file.\n*/\n"
    + JS,
)
f("q/ghost.js", OUT, "/**\n * Q - a thing\n * Copyright (C) 2015 Q\n * GPL v2 License\n */\n" + JS)
f(
    "q/ansible.py",
    OUT,
    "#!/usr/bin/python\n# -*- coding: utf-8 -*-\n# (c) 2017, Q <q@example.org>\n# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)\n\n"
    + PY,
)
f(
    "q/eth.go",
    OUT,
    "// Copyright 2014 The go-q Authors\n// This file is part of go-q.\n//\n// go-q is free software: you can redistribute it and/or modify\n// it under the terms of the GNU General Public License as published by\n// the Free Software Foundation, either version 3 of the License, or\n// (at your option) any later version.\n\n"
    + GO,
)
f(
    "q/grafana.go",
    OUT,
    "// Copyright Q Labs\n// Use of this source code is governed by the GNU Affero General Public License version 3 that can be found in the LICENSE file.\n\n"
    + GO,
)
f(
    "q/parity.rs",
    OUT,
    "// Copyright (C) Q Technologies\n// This file is part of Q.\n// SPDX-License-Identifier: GPL-3.0-or-later WITH Classpath-exception-2.0\n\n"
    + RS,
)
f(
    "q/mono.cs",
    OUT,
    "//\n// Authors:\n//   Q <q@example.org>\n//\n// Terms of the GNU Lesser General Public License, version 2.1 apply.\n//\n"
    + CS,
)
f(
    "q/cs_region.cs",
    OUT,
    "#region License\n/*\nQ - a library\nCopyright (c) 2009 Q\n\nThis library is free software; you can redistribute it and/or\nmodify it under the terms of the GNU Lesser General Public\nLicense as published by the Free Software Foundation; either\nversion 2.1 of the License, or (at your option) any later version.\n*/\n#endregion\n"
    + CS,
)
f(
    "q/scala_gpl.scala",
    OUT,
    "/*  __ *\\\n**     Q Scala API         **\n**     (c) 2005, LGPL v3   **\n\\*                         */\n/* This program is licensed under the LGPL v3 */\n"
    + SC,
)
f("q/lua_gpl.lua", OUT, "--- Q module.\n-- @module q\n-- @author Q\n-- @license GPLv3\n-- @copyright Q, 2014\n" + LUA)
f("q/lua_mit.lua", IN, "--- Q module.\n-- @module q\n-- @author Q\n-- @license MIT/X11\n-- @copyright Q, 2014\n" + LUA)
f(
    "q/redmine.rb",
    OUT,
    "# frozen_string_literal: true\n\n# Q - project management\n# Copyright (C) 2006  Q\n#\n# This program is free software; you can redistribute it and/or\n# modify it under the terms of the GNU General Public License\n# as published by the Free Software Foundation; either version 2\n# of the License, or (at your option) any later version.\n"
    + RB,
)
f("q/ruby_meta.rb", OUT, "#--\n# Copyright (c) 2010 Q\n# License: LGPL\n#++\n" + RB)
f(
    "q/chromium.c",
    IN,
    "// Copyright 2013 The Q Authors\n// Use of this source code is governed by a BSD-style license that can be\n// found in the LICENSE file.\n"
    + C,
)
f(
    "q/rustlike.rs",
    IN,
    "// Copyright 2014 The Q Project Developers. See the COPYRIGHT\n// file at the top-level directory of this distribution.\n//\n// Licensed under the Apache License, Version 2.0 <LICENSE-APACHE> or the MIT license\n// <LICENSE-MIT>, at your option.\n"
    + RS,
)
f(
    "q/sqlite.c",
    IN,
    "/*\n** 2001 September 15\n**\n** The author disclaims copyright to this source code.  In place of\n** a legal notice, here is a blessing:\n**\n**    May you do good and not evil.\n**    May you find forgiveness for yourself and forgive others.\n*/\n"
    + C,
)
f(
    "q/stb.c",
    IN,
    "/* q.h - v1.2 - public domain - https://example.org\n   no warranty implied; use at your own risk\n\n   This software is available under 2 licenses -- choose whichever you prefer.\n   ALTERNATIVE A - MIT License\n   ALTERNATIVE B - Public Domain (www.unlicense.org) */\n"
    + C,
)
f(
    "q/zlib.c",
    IN,
    "/* This software is provided 'as-is', without any express or implied warranty. Altered source versions must be plainly marked as such, and must not be misrepresented as being the original software. */\n"
    + C,
)
f(
    "q/jq.js",
    IN,
    "/*!\n * jQuery Q Plugin v1.3.1\n * https://example.org\n *\n * Copyright 2013 Q\n * Released under the MIT license\n */\n"
    + JS,
)
f(
    "q/jq_dual.js",
    IN,
    "/*\n * Copyright (c) 2009 Q (http://example.org)\n * Dual licensed under the MIT (http://www.opensource.org/licenses/mit-license.php)\n * and GPL (http://www.opensource.org/licenses/gpl-license.php) licenses.\n */\n"
    + JS,
)
f(
    "q/dojo.js",
    IN,
    "/*\n\tCopyright (c) 2004-2011, Q Foundation All Rights Reserved.\n\tAvailable via Academic Free License >= 2.1 OR the modified BSD license.\n\tsee: http://example.org/license for details\n*/\n"
    + JS,
)
f(
    "q/yui.js",
    IN,
    "/*\nYUI 3.18.1 (build f7e7bcb)\nCopyright 2014 Q Inc. All rights reserved.\nLicensed under the BSD License.\nhttp://example.org/license/\n*/\n"
    + JS,
)
f("q/closure.js", IN, "/*\n\n Copyright The Q Library Authors.\n SPDX-License-Identifier: Apache-2.0\n*/\n" + JS)
f("q/mathjax.js", IN, "/*! For license information please see main.js.LICENSE.txt */\n" + JS)
f(
    "q/fsfdual.c",
    IN,
    "/* This program is free software. It comes without any warranty, to\n * the extent permitted by applicable law. You can redistribute it\n * and/or modify it under the terms of the Do What The Fuck You Want\n * To Public License, Version 2. */\n"
    + C,
)
f(
    "q/hpnd.c",
    IN,
    "/* Permission to use, copy, modify, distribute, and sell this software and its documentation for any purpose is hereby granted without fee, provided that the above copyright notice appear in all copies */\n"
    + C,
)
f(
    "q/boost.cpp",
    IN,
    "// Distributed under the Boost Software License, Version 1.0.\n// (See accompanying file LICENSE_1_0.txt or copy at http://www.boost.org/LICENSE_1_0.txt)\n"
    + C,
)
f("q/psf.py", IN, '"""Q.\n\nReleased under the PSF License.\n"""\n' + PY)
f(
    "q/cc0.py",
    IN,
    "# To the extent possible under law, the author has waived all copyright and related rights to this file (CC0 1.0).\n"
    + PY,
)
f(
    "q/openssl_dual.c",
    IN,
    "/*\n * This product is dual-licensed: you may use it under either the terms of the BSD licence\n * or under those of the GNU General Public License (GPL), version 2,\n * at your choice.\n */\n"
    + C,
)
f("q/ncbi.c", IN, '/* This software is a "United States Government Work" and is in the public domain. */\n' + C)
# non-English, other wording than a
f("q/de_a.py", OUT, "# Lizenz: GNU Affero General Public License, Version 3 (siehe LIZENZ.txt)\n" + PY)
f(
    "q/de_b.java",
    OUT,
    "/*\n * Dieser Quelltext darf nach den Bedingungen der GNU Lesser General Public License\n * verwendet und verbreitet werden.\n */\n"
    + JAVA,
)
f("q/de_c.c", OUT, "/* Freigegeben unter GPL-2.0-or-later */\n" + C)
f("q/de_d.py", IN, "# Anders als das Vorbild, das der GPL unterliegt, ist dieser Code frei verwendbar (MIT).\n" + PY)
f("q/de_e.py", IN, "# Lizenziert unter der Apache-Lizenz, Version 2.0\n" + PY)
f("q/fr_a.py", OUT, "# Copyright (C) 2010 Q\n# Licence : GNU GPL version 3 ou ultérieure\n" + PY)
f("q/fr_b.c", OUT, "/* Ce logiciel est soumis à la licence publique générale GNU (GPL). */\n" + C)
f("q/fr_c.js", IN, "// Distribué selon les termes de la licence BSD.\n" + JS)
f("q/fr_d.py", IN, "# On ne peut pas utiliser cette bibliothèque : elle est sous GPL.\n" + PY)
f("q/es_a.py", OUT, "# Liberado bajo licencia GPL versión 3\n" + PY)
f(
    "q/es_b.java",
    OUT,
    "/**\n * Este fichero se distribuye bajo los términos de la GNU Lesser General Public License.\n */\n" + JAVA,
)
f("q/es_c.py", IN, "# No usar código con licencia GPL en este módulo.\n" + PY)
f("q/es_d.py", IN, "# Licencia MIT. Copyright 2020.\n" + PY)
f("q/pt_a.js", OUT, "/* Licença: LGPL 3.0 */\n" + JS)
f("q/pt_b.js", IN, "/* Licenciado sob a licença Apache, versão 2.0 */\n" + JS)
f("q/it_a.py", OUT, "# Distribuito con licenza GPL versione 3\n" + PY)
f("q/nl_a.py", OUT, "# Licentie: GPL versie 2\n" + PY)
f("q/sv_a.py", OUT, "# Licensierad under GNU GPL version 3.\n" + PY)
f("q/cs_a.py", OUT, "# Šířeno pod licencí GNU GPL verze 2.\n" + PY)
f("q/pl_a.py", OUT, "# Program udostępniany na warunkach licencji GNU GPL v3\n" + PY)
f("q/ru_a.c", OUT, "/* Данный файл распространяется на условиях GNU GPL версии 3. */\n" + C)
f("q/ru_b.c", IN, "/* Проверяем, не распространяется ли файл под лицензией GPL. */\n" + C)
f("q/uk_a.py", OUT, "# Ліцензія: GPLv2\n" + PY)
f("q/ja_a.py", OUT, "# 本ソフトウェアは GNU General Public License に従って配布されます。\n" + PY)
f("q/ja_b.py", OUT, "# LGPL ライセンスで提供します。\n" + PY)
f("q/ja_c.py", IN, "# GPL のコードは使用しないこと。\n" + PY)
f("q/ja_d.py", IN, "# Apache License 2.0 のもとで配布されています。\n" + PY)
f("q/zh_a.c", OUT, "/* 本文件遵循 GNU Lesser General Public License 发布 */\n" + C)
f("q/zh_b.c", OUT, "/* 许可证：GPL v2 */\n" + C)
f("q/zh_c.c", IN, "/* 不要在这里使用 GPL 代码。 */\n" + C)
f("q/zht.c", OUT, "/* 本程式採用 GPLv3 授權 */\n" + C)
f("q/ko_a.c", OUT, "/* 라이선스: GPL-2.0 */\n" + C)
f("q/vi_a.py", OUT, "# Giấy phép: GPLv3\n" + PY)
f("q/ar_a.py", OUT, "# الرخصة: GPL v3\n" + PY)
f("q/hi_a.py", OUT, "# लाइसेंस: GPLv3\n" + PY)
f("q/el_a.py", OUT, "# Άδεια: GPL v2\n" + PY)
f("q/hu_a.py", OUT, "# Licenc: GPL v3\n" + PY)
f("q/fi_a.py", OUT, "# Lisenssi: GPLv3\n" + PY)
f("q/ro_a.py", OUT, "# Licență: GPL v3\n" + PY)
# talk
f(
    "q/k1.py",
    IN,
    '"""SPDX utilities.\n\nThe function maps names such as ``GPLv2`` to identifiers such as ``GPL-2.0-only``.\n"""\n'
    + PY,
)
f("q/k2.go", IN, "// IsCopyleft reports whether the licence is one of the GNU family (GPL, LGPL, AGPL).\n" + GO)
f(
    "q/k3.java",
    IN,
    '/**\n * Adds a licence header to each file.\n * <p>For the GPL it adds: "This program is free software".\n */\n'
    + JAVA,
)
f(
    "q/k4.c",
    IN,
    "/* GNU extension: statement expressions. The GNU General Public License has nothing to do with it. */\n" + C,
)
f("q/k5.js", IN, "// ffmpeg must be built without --enable-gpl, otherwise the binary is GPL.\n" + JS)
f("q/k6.py", IN, "# Why not GNU readline? Because it is GPL and we want to stay permissive.\n" + PY)
f("q/k7.rb", IN, "# Reads the list of licences (GPL-2.0, GPL-3.0, MIT) from GitHub.\n" + RB)
f("q/k8.rs", IN, '/// Parses `license = "GPL-3.0"` in a manifest.\n' + RS)
f(
    "q/k9.py",
    IN,
    'LICENSES = [\n    ("GPL-3.0", "GNU General Public License v3.0"),\n    ("MIT", "MIT License"),\n]\n# end of licences\n',
)
f("q/k10.cs", IN, "/// <remarks>The iText library is AGPL; do not upgrade beyond 4.1.6.</remarks>\n" + CS)
f("q/k11.php", IN, "<?php\n/* The GD extension is bundled; the GPL'd version is not. */\n" + PHP)
f("q/k12.c", IN, "/* Clean-room implementation; the author has never seen the GPL-licensed original. */\n" + C)
f("q/k13.py", IN, "# Packages whose licence is not GPL compatible are skipped.\n" + PY)
f("q/k14.ts", IN, "/** Shown when the repository is under the AGPL. */\n" + JS)
f("q/k15.java", IN, "// Hibernate is LGPL, which is fine for dynamic linking.\n" + JAVA)
f("q/k16.py", IN, "# A user reported that GPL-licensed plugins fail to load (issue 12).\n" + PY)
f("q/k17.lua", IN, "-- The data format was documented by people who read the kernel's GPL sources.\n" + LUA)
f(
    "q/k18.py",
    IN,
    'HEADER = (\n    "# This program is free software; you can redistribute it and/or modify\\n"\n    "# it under the terms of the GNU General Public License\\n"\n)\n',
)
f("q/k19.rb", IN, "GPL = %q{\n# Licensed under the GNU General Public License\n}\n" + RB)
f("q/k20.php", IN, "<?php\n$h = <<<'TXT'\n// Licensed under the GPL v2\nTXT;\n" + PHP)
f("q/k21.java", IN, 'class T {\n  String t = """\n      /* SPDX-License-Identifier: GPL-2.0-only */\n      """;\n}\n')
f("q/k22.scala", IN, 'object T {\n  val t = """\n// Licensed under the LGPL\n"""\n}\n')
f(
    "q/k23.ts",
    IN,
    "it('finds the GPL', () => {\n  expect(find('// SPDX-License-Identifier: GPL-3.0')).toBe('GPL-3.0');\n});\n",
)
f("q/k24.py", IN, "# Tested with GPL, LGPL and AGPL headers.\n" + PY)
f(
    "q/k25.c",
    IN,
    '/* The following is what a GPL header looks like:\n *\n *   "This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License"\n *\n * We look for its first ten words. */\n'
    + C,
)
f(
    "q/k26.py",
    IN,
    "# This module works with software licensed under the GPL as well as with proprietary software.\n" + PY,
)
f("q/k27.js", IN, "// @see https://en.wikipedia.org/wiki/GNU_Lesser_General_Public_License\n" + JS)
f(
    "q/k28.go",
    IN,
    "// Package licenses knows the texts of the MIT License, the Apache License and the GNU General Public License.\n"
    + GO,
)


# folders
def d(name: str, files: dict[str, str], code: dict[str, str], verdict: bool) -> None:
    """A package below the archive: what tells of its licence, its code, and whether that may enter."""
    for path, text in files.items():
        f(f"q/deps/{name}/{path}", EVIDENCE, text)
    for path, text in code.items():
        f(f"q/deps/{name}/{path}", verdict, text)


d("copying", {"COPYING": GPL3}, {"src/lib/x/y/z.c": C}, OUT)
d("lower", {"license": GPL3}, {"x.c": C}, OUT)
d("txt", {"license.txt": "GNU GPL v3\n\nSee https://www.gnu.org/licenses/gpl-3.0.html\n"}, {"x.c": C}, OUT)
d(
    "rst",
    {
        "LICENSE.rst": "License\n=======\n\nThis library is distributed under the GNU Lesser General Public License version 3.\n"
    },
    {"x.py": PY},
    OUT,
)
d("gplname", {"gpl-3.0.txt": GPL3}, {"x.c": C}, OUT)
d("agpl", {"AGPL-3.0.txt": "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n"}, {"x.js": JS}, OUT)
d(
    "html",
    {
        "LICENSE.html": "<html><head><title>GNU General Public License</title></head><body><h1>GNU GENERAL PUBLIC LICENSE</h1><p>Version 2, June 1991</p></body></html>"
    },
    {"x.c": C},
    OUT,
)
d(
    "mpl",
    {"LICENSE": "Mozilla Public License Version 2.0\n==================================\n\n1. Definitions\n"},
    {"x.js": JS},
    OUT,
)
d(
    "epl",
    {
        "epl-v20.html": "<h1>Eclipse Public License - v 2.0</h1>",
        "pom.xml": "<project><licenses><license><name>Eclipse Public License v2.0</name><url>x</url></license></licenses></project>",
    },
    {"X.java": JAVA},
    OUT,
)
d(
    "cddl",
    {
        "pom.xml": "<project><licenses><license><name>CDDL + GPLv2 with classpath exception</name></license></licenses></project>"
    },
    {"X.java": JAVA},
    OUT,
)
d(
    "apache",
    {
        "LICENSE": APACHE,
        "NOTICE": "This product includes software under the GNU General Public License test suite names.\n",
    },
    {"x.java": JAVA},
    IN,
)
d("isc", {"package.json": '{"name":"x","license":"ISC"}'}, {"x.js": JS}, IN)
d("npm_dual", {"package.json": '{"name":"x","license":"(MIT OR GPL-3.0-or-later)"}'}, {"x.js": JS}, IN)
d("npm_and", {"package.json": '{"name":"x","license":"(MIT AND LGPL-2.1-only)"}'}, {"x.js": JS}, OUT)
d("npm_obj", {"package.json": '{"name":"x","license":{"type":"GPL-2.0","url":"u"}}'}, {"x.js": JS}, OUT)
d("npm_list", {"package.json": '{"name":"x","licenses":[{"type":"MIT"},{"type":"GPL"}]}'}, {"x.js": JS}, IN)
d("npm_bom", {"package.json": '\ufeff{"name":"x","license":"AGPL-3.0"}'}, {"x.js": JS}, OUT)
d(
    "npm_nested",
    {"package.json": '{"name":"x","license":"GPL-3.0"}', "lib/package.json": '{"type":"module"}'},
    {"lib/x.js": JS},
    OUT,
)
d(
    "npm_in",
    {"package.json": '{"name":"x","license":"GPL-3.0"}', "node_modules/y/package.json": '{"name":"y","license":"MIT"}'},
    {"node_modules/y/x.js": JS},
    IN,
)
d("npm_see", {"package.json": '{"name":"x","license":"SEE LICENSE IN LICENSE"}', "LICENSE": GPL3}, {"x.js": JS}, OUT)
d(
    "cargo_ws",
    {
        "Cargo.toml": '[workspace]\nmembers=["a"]\n\n[workspace.package]\nlicense = "GPL-3.0-only"\n',
        "a/Cargo.toml": '[package]\nname="a"\nlicense.workspace = true\n',
    },
    {"a/src/x.rs": RS},
    OUT,
)
d("cargo_slash", {"Cargo.toml": '[package]\nlicense = "MIT/GPL-2.0"\n'}, {"src/x.rs": RS}, IN)
d("cargo_mpl", {"Cargo.toml": '[package]\nlicense = "MPL-2.0"\n'}, {"src/x.rs": RS}, OUT)
d(
    "py639",
    {"pyproject.toml": '[project]\nname="x"\nlicense = "LGPL-3.0-or-later"\nlicense-files = ["LICENSE"]\n'},
    {"x/x.py": PY},
    OUT,
)
d(
    "pycls",
    {
        "pyproject.toml": '[project]\nname="x"\nclassifiers = ["License :: OSI Approved :: GNU Affero General Public License v3"]\n'
    },
    {"x/x.py": PY},
    OUT,
)
d(
    "pymit",
    {
        "pyproject.toml": '[project]\nname="x"\nlicense = {text = "MIT"}\nclassifiers = ["License :: OSI Approved :: MIT License"]\n'
    },
    {"x/x.py": PY},
    IN,
)
d("setupcfg", {"setup.cfg": "[metadata]\nname = x\nlicense = GPLv3\n"}, {"x/x.py": PY}, OUT)
d("egg", {"x.egg-info/PKG-INFO": "Metadata-Version: 1.1\nName: x\nLicense: GNU LGPL\n\nText\n"}, {"x/x.py": PY}, OUT)
d(
    "gemdual",
    {"x.gemspec": "Gem::Specification.new do |s|\n  s.licenses = ['Ruby', 'BSD-2-Clause']\nend\n"},
    {"lib/x.rb": RB},
    IN,
)
d(
    "gemgpl",
    {"x.gemspec": 'Gem::Specification.new do |s|\n  s.name = %q{x}\n  s.license = "GPL-2.0-or-later".freeze\nend\n'},
    {"lib/x.rb": RB},
    OUT,
)
d("composer_or", {"composer.json": '{"license": ["MIT", "GPL-3.0-only"]}'}, {"x.php": "<?php\n" + PHP}, IN)
d("composer_prop", {"composer.json": '{"license": "proprietary"}'}, {"x.php": "<?php\n" + PHP}, OUT)
d(
    "pomgpl",
    {
        "pom.xml": '<?xml version="1.0"?>\n<project xmlns="http://maven.apache.org/POM/4.0.0">\n <licenses>\n  <license>\n   <name>GPL 3</name>\n   <distribution>repo</distribution>\n  </license>\n </licenses>\n</project>'
    },
    {"X.java": JAVA},
    OUT,
)
d(
    "pomdual",
    {
        "pom.xml": "<project><licenses><license><name>Apache-2.0</name></license><license><name>LGPL-2.1-or-later</name></license></licenses></project>"
    },
    {"X.java": JAVA},
    IN,
)
d(
    "gradle",
    {
        "build.gradle": "publishing { publications { maven { pom { licenses { license {\n name = 'GNU General Public License v3.0'\n url = 'x' } } } } } }\n"
    },
    {"X.java": JAVA},
    OUT,
)
d(
    "nuget_file",
    {
        "X.nuspec": '<package><metadata><license type="file">LICENSE.txt</license></metadata></package>',
        "LICENSE.txt": GPL3,
    },
    {"X.cs": CS},
    OUT,
)
d("r", {"DESCRIPTION": "Package: x\nTitle: X\nLicense: GPL (>= 2)\n"}, {"src/x.cpp": C}, OUT)
d(
    "rmit",
    {"DESCRIPTION": "Package: x\nLicense: MIT + file LICENSE\n", "LICENSE": "YEAR: 2020\nCOPYRIGHT HOLDER: X\n"},
    {"src/x.cpp": C},
    IN,
)
d(
    "ros",
    {
        "package.xml": '<?xml version="1.0"?>\n<package format="3"><name>x</name><license file="LICENSE">GPLv3</license></package>'
    },
    {"src/x.cpp": C},
    OUT,
)
d(
    "opam",
    {"x.opam": 'opam-version: "2.0"\nlicense: "LGPL-2.1-or-later WITH OCaml-LGPL-linking-exception"\n'},
    {"x.c": C},
    OUT,
)
d(
    "readme_rst",
    {
        "README.rst": "X\n=\n\nText.\n\nLicense\n-------\n\nX is released under the GNU GPL v3, see the file COPYING.\n\nAuthors\n-------\n\nQ\n"
    },
    {"x.py": PY},
    OUT,
)
d(
    "readme_mit",
    {
        "README.md": "# X\n\nA replacement for the GPL-licensed Y.\n\n## License\n\n[MIT](LICENSE)\n\n## Credits\n\nGPL\n"
    },
    {"x.py": PY},
    IN,
)
d("readme_none", {"README.md": "# X\n\nLike Y, which is under the GPL.\n"}, {"x.py": PY}, IN)
d(
    "reuse_multi",
    {
        "REUSE.toml": 'version = 1\nSPDX-PackageName = "x"\n\n[[annotations]]\npath = "**"\nprecedence = "closest"\nSPDX-FileCopyrightText = "2024 X"\nSPDX-License-Identifier = "AGPL-3.0-or-later"\n\n[[annotations]]\npath = ["docs/**", "*.lua"]\nSPDX-FileCopyrightText = "2024 X"\nSPDX-License-Identifier = "CC0-1.0"\n'
    },
    {"src/x.c": C},
    OUT,
)
f("q/deps/reuse_multi/x.lua", IN, LUA)
f("q/deps/reuse_multi/docs/conf.py", IN, PY)
f("q/deps/reuse_multi/src/own.c", IN, "// SPDX-License-Identifier: MIT\n" + C)
d(
    "reuse_nested",
    {
        "sub/REUSE.toml": 'version = 1\n\n[[annotations]]\npath = "*.c"\nSPDX-FileCopyrightText = "X"\nSPDX-License-Identifier = ["LGPL-3.0-only", "MIT"]\n'
    },
    {"sub/x.c": C},
    OUT,
)
d(
    "reuse_side",
    {"x.c.license": "SPDX-FileCopyrightText: X\n\nSPDX-License-Identifier: MIT\n", "COPYING": GPL3},
    {"x.c": C},
    IN,
)
d(
    "reuse_snippet",
    {},
    {
        "x.py": PY
        + "# SPDX-SnippetBegin\n# SPDX-License-Identifier: GPL-3.0-only\n# SPDX-SnippetCopyrightText: 2022 X\ndef z():\n    pass\n# SPDX-SnippetEnd\n"
    },
    OUT,
)
d(
    "deb_dual",
    {
        "debian/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: X\nLicense: GPL-3+ or Expat\n\nFiles: a/* b/?.c\nCopyright: X\nLicense: GPL-3+ and Expat\n"
    },
    {"main.c": C, "b/long.c": C},
    IN,
)
f("q/deps/deb_dual/a/x.c", OUT, C)
f("q/deps/deb_dual/b/y.c", OUT, C)
d(
    "deb_perl",
    {"debian/copyright": "Format: x\n\nFiles: *\nCopyright: X\nLicense: Artistic or GPL-1+\n"},
    {"x.c": C},
    IN,
)
d(
    "deb_custom",
    {
        "debian/copyright": "Format: x\n\nFiles: *\nCopyright: X\nLicense: own-licence\n This program is free software; you can redistribute it and/or modify it under the terms of the GNU\n General Public License.\n"
    },
    {"x.c": C},
    OUT,
)
d("deb_case", {"debian/copyright": "format: x\n\nfiles: *\ncopyright: X\nlicense: gpl-2\n"}, {"x.c": C}, OUT)
d("spdxdoc", {"LICENSES/BSD-3-Clause.txt": "x"}, {"x.c": C}, IN)
d("unknown", {"LICENSE": "You may look at this code on Tuesdays, provided that you hum.\n"}, {"x.c": C}, OUT)
d("header_beats", {"COPYING": GPL3}, {"x.c": "/* " + MIT + " */\n" + C}, IN)
d("header_beats2", {"LICENSE": MIT}, {"x.c": "/* This is free software under the GPL v2; see COPYING. */\n" + C}, OUT)
