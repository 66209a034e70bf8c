# ruff: noqa: E501 - files as they are
"""Files of an archive declared MIT: path, whether the file may enter (None: it tells of others), text.

The answers were written before the first run. Notices in other languages, divided and framed; tags; choices and
exceptions; talk about licences; banners; folders with metadata, REUSE and DEP-5.
"""

from tests.pipeline.licence_files import EVIDENCE, IN, MIT, OUT, File, adder

C = "int add(int first, int second) { return first + second; }\n"
PY = "def add(first, second):\n    return first + second\n"
JS = "export function add(first, second) { return first + second; }\n"
RB = "def add(first, second)\n  first + second\nend\n"
LUA = "local function add(first, second) return first + second end\n"
FILES: list[File] = []
f = adder(FILES)


# --- root is MIT
f("r/LICENSE", EVIDENCE, "The MIT License\n\nCopyright (c) 2019 Someone\n\n" + MIT)
# --- non-English notices
f(
    "r/de1.c",
    OUT,
    "/* Dieses Programm ist freie Software. Sie können es unter den Bedingungen der\n * GNU General Public License, wie von der Free Software Foundation veröffentlicht,\n * weitergeben und/oder modifizieren, entweder gemäß Version 2 der Lizenz oder\n * (nach Ihrer Option) jeder späteren Version. */\n"
    + C,
)
f("r/de2.py", OUT, "# Diese Datei steht unter der GNU GPL, Version 3.\n" + PY)
f("r/de3.py", IN, "# Diese Datei steht unter der MIT-Lizenz.\n" + PY)
f("r/de4.js", OUT, "/**\n * Lizenz: GPLv3 oder später\n */\n" + JS)
f("r/de5.c", IN, "/* Wir verwenden hier bewusst keinen Code, der unter der GPL steht. */\n" + C)
f("r/de6.rb", OUT, "# Veröffentlicht unter der Lesser General Public License (LGPL) 2.1\n" + RB)
f("r/de7.py", IN, "# Prüft, ob eine Abhängigkeit unter der GPL lizenziert ist.\n" + PY)
f(
    "r/fr1.c",
    OUT,
    "/* Ce programme est un logiciel libre ; vous pouvez le redistribuer et/ou le\n * modifier au titre des clauses de la Licence Publique Générale GNU, telle que\n * publiée par la Free Software Foundation ; soit la version 2 de la Licence, ou\n * (à votre discrétion) une version ultérieure quelconque. */\n"
    + C,
)
f("r/fr2.py", OUT, "# Ce fichier est distribué sous licence GPL v3.\n" + PY)
f("r/fr3.php", IN, "<?php\n// Ce fichier est distribué sous la licence MIT.\necho 1;\n")
f(
    "r/fr4.java",
    OUT,
    "/*\n * Ce logiciel est régi par la licence CeCILL soumise au droit français et respectant\n * les principes de diffusion des logiciels libres.\n */\nclass A { int a; }\n",
)
f("r/fr5.py", IN, "# Vérifie que le paquet n'est pas sous licence GPL.\n" + PY)
f(
    "r/es1.py",
    OUT,
    "# Este programa es software libre: usted puede redistribuirlo y/o modificarlo\n# bajo los términos de la Licencia Pública General GNU publicada\n# por la Fundación para el Software Libre, ya sea la versión 3\n# de la Licencia, o (a su elección) cualquier versión posterior.\n"
    + PY,
)
f("r/es2.js", OUT, "// Licencia: GPL-3.0\n" + JS)
f("r/es3.js", IN, "// Publicado bajo la licencia MIT.\n" + JS)
f(
    "r/pt1.py",
    OUT,
    "# Este programa é software livre; você pode redistribuí-lo e/ou\n# modificá-lo sob os termos da Licença Pública Geral GNU, conforme\n# publicada pela Free Software Foundation; tanto a versão 2 da\n# Licença como (a seu critério) qualquer versão mais nova.\n"
    + PY,
)
f("r/pt2.c", OUT, "/* Distribuído sob a licença GPL versão 2 */\n" + C)
f(
    "r/it1.c",
    OUT,
    "/* Questo programma è software libero: è lecito redistribuirlo o modificarlo secondo i\n * termini della Licenza Pubblica Generica GNU come pubblicata dalla Free Software\n * Foundation; o la versione 3 della licenza o (a propria scelta) una versione successiva. */\n"
    + C,
)
f("r/it2.py", IN, "# Rilasciato sotto licenza MIT\n" + PY)
f(
    "r/ru1.py",
    OUT,
    "# Это программа является свободным программным обеспечением. Вы можете\n# распространять и/или модифицировать её согласно условиям Стандартной\n# Общественной Лицензии GNU, опубликованной Фондом Свободного Программного\n# Обеспечения, версии 2 или, по Вашему желанию, любой более поздней версии.\n"
    + PY,
)
f("r/ru2.py", OUT, "# Лицензия: GPLv3\n" + PY)
f("r/ru3.py", IN, "# Распространяется по лицензии MIT\n" + PY)
f(
    "r/ja1.c",
    OUT,
    "/* このプログラムはフリーソフトウェアです。あなたはこれを、フリーソフトウェア\n * 財団によって発行された GNU 一般公衆利用許諾契約書(バージョン2か、希望によっては\n * それ以降のバージョンのうちどれか)の定める条件の下で再頒布または改変することができます。 */\n"
    + C,
)
f("r/ja2.py", OUT, "# このファイルは GPLv3 ライセンスの下で公開されています。\n" + PY)
f("r/ja3.py", IN, "# このファイルは MIT ライセンスの下で公開されています。\n" + PY)
f("r/ja4.rb", OUT, "# ライセンス: GPL\n" + RB)
f("r/ja5.py", IN, "# 依存パッケージが GPL ライセンスかどうかを調べる。\n" + PY)
f(
    "r/zh1.py",
    OUT,
    "# 本程序为自由软件；您可依据自由软件基金会所发表的GNU通用公共许可证条款，\n# 对本程序再次发布和/或修改；无论您依据的是本许可证的第二版，或（您可选的）任一日后发行的版本。\n"
    + PY,
)
f("r/zh2.js", OUT, "// 本项目基于 GPL-3.0 协议开源\n" + JS)
f("r/zh3.js", IN, "// 本项目基于 MIT 协议开源\n" + JS)
f("r/ko1.py", OUT, "# 이 프로그램은 GPL v3 라이선스로 배포됩니다.\n" + PY)
f("r/pl1.py", OUT, "# Ten plik jest rozpowszechniany na licencji GPL w wersji 2.\n" + PY)
f(
    "r/nl1.py",
    OUT,
    "# Dit programma is vrije software: u kunt het verspreiden en/of wijzigen onder de\n# voorwaarden van de GNU Algemene Publieke Licentie, versie 3.\n"
    + PY,
)
f("r/nl2.py", OUT, "# Uitgebracht onder de GPL.\n" + PY)
f("r/tr1.py", OUT, "# Bu dosya GNU Genel Kamu Lisansı sürüm 3 ile lisanslanmıştır.\n" + PY)
f("r/id1.py", OUT, "# Berkas ini dilisensikan di bawah Lisensi Publik Umum GNU versi 2.\n" + PY)
# --- broken over lines, framing
f(
    "r/broken1.c",
    OUT,
    "/***********************************\n *  This    program   is   free    *\n *  software;   you   can   redis- *\n *  tribute it and/or  modify  it  *\n *  under the terms of the GNU Ge- *\n *  neral Public  License as  pub- *\n *  lished by the  Free   Software *\n *  Foundation;  version 2         *\n ***********************************/\n"
    + C,
)
f(
    "r/broken2.py",
    OUT,
    "####################################\n## This file is free software:    ##\n## you may copy it under the      ##\n## GNU Lesser                     ##\n## General Public License         ##\n####################################\n"
    + PY,
)
f("r/broken3.lua", OUT, "--[==[\n  Licensed\n  under\n  the\n  GNU\n  General\n  Public\n  License\n  v2\n]==]\n" + LUA)
f("r/broken4.rb", OUT, "=begin\nThis library is distributed under\nthe LGPL.\n=end\n" + RB)
f(
    "r/broken5.scala",
    OUT,
    "/* outer /* inner */\n * Licensed under the GNU Affero General Public License, version 3 */\nobject A { val a = 1 }\n",
)
f(
    "r/broken6.rs",
    OUT,
    "//! A crate.\n//!\n//! Licensed under the terms of the\n//! GNU GPL, version 3 or later.\npub fn a() -> i32 { 1 }\n",
)
f("r/broken7.cs", OUT, "/// <summary>Adds.</summary>\n/// <license>GPL-2.0-only</license>\nclass A { int a; }\n")
f(
    "r/broken8.cpp",
    OUT,
    "// +------------------------------------------------+\n// | This file is part of Frob.                     |\n// | Frob is free software, licensed under the      |\n// | GNU General Public License (version 3).        |\n// +------------------------------------------------+\n"
    + C,
)
f(
    "r/broken9.go",
    OUT,
    "// Copyright 2021 The Frob Authors\n// This file is part of the frob library.\n//\n// The frob library is free software: you can redistribute it and/or modify\n// it under the terms of the GNU Lesser General Public License as published by\n// the Free Software Foundation, either version 3 of the License, or\n// (at your option) any later version.\n\n//go:build linux\n\npackage frob\n\nfunc A() int { return 1 }\n",
)
f(
    "r/crlf.c",
    OUT,
    (
        "/* This program is free software; you can redistribute it and/or modify\r\n * it under the terms of the GNU General Public License\r\n */\r\n"
        + C
    ),
)
f("r/hash.php", OUT, "<?php\n# Licence: GNU GPL version 2\necho 1;\n")
f("r/html.php", OUT, "<!-- This template is released under the GPLv2 -->\n<?php echo 1; ?>\n")
f("r/shebang.js", OUT, "#!/usr/bin/env node\n'use strict';\n/*! frob v1.0 | (c) Someone | license GPL-3.0 */\n" + JS)
f(
    "r/doc.py",
    OUT,
    "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nr'''Frob the knob.\n\nThis module is free software: you can redistribute it and/or modify it under the terms of the\nGNU General Public License.\n'''\n"
    + PY,
)
f(
    "r/rst.py",
    OUT,
    '"""\nFrob\n====\n\n:copyright: (c) 2012 by Someone.\n:license: AGPLv3, see LICENSE for more details.\n"""\n' + PY,
)
f(
    "r/rst_mit.py",
    IN,
    '"""\nFrob\n====\n\n:copyright: (c) 2012 by Someone.\n:license: BSD, see LICENSE for more details.\n"""\n' + PY,
)
f("r/jsdoc.ts", OUT, "/**\n * @file Frob\n * @copyright 2020 Someone\n * @license AGPL-3.0-or-later\n */\n" + JS)
f("r/jsdoc_mit.ts", IN, "/**\n * @fileoverview Frob\n * @license MIT\n */\n" + JS)
# --- SPDX variants
f(
    "r/s1.go",
    OUT,
    "// SPDX-FileCopyrightText: 2021 Someone\n// SPDX-License-Identifier: LGPL-2.0-or-later\npackage a\nfunc A() int { return 1 }\n",
)
f("r/s2.rs", IN, "// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-3.0-or-later\npub fn a() -> i32 { 1 }\n")
f("r/s3.c", OUT, "/* SPDX-License-Identifier: (GPL-2.0-only OR LGPL-2.1-only) */\n" + C)
f("r/s4.java", OUT, "// SPDX-License-Identifier: GPL-2.0-only WITH Classpath-exception-2.0\nclass A { int a; }\n")
f("r/s5.py", IN, "# SPDX-FileCopyrightText: 2021 Someone <a@example.org>\n" + PY)
f("r/s6.js", OUT, "/* eslint-disable */ // SPDX-License-Identifier: AGPL-3.0\n" + JS)
f("r/s7.py", OUT, "# spdx-license-identifier: gpl-3.0-only\n" + PY)
f("r/s8.c", OUT, "/* SPDX-License-Identifier: BSD-3-Clause AND GPL-2.0-only */\n" + C)
f("r/s9.php", OUT, "<?php\n/**\n * SPDX-License-Identifier: AGPL-3.0-or-later\n */\necho 1;\n")
f("r/s10.cpp", IN, "/*\n * SPDX-License-Identifier: BSL-1.0\n */\n" + C)
f("r/s11.lua", OUT, "--\n-- SPDX-License-Identifier: GPL-2.0\n--\n" + LUA)
f("r/s12.cs", IN, "// SPDX-License-Identifier: MIT-0\nclass A { int a; }\n")
f("r/s13.c", OUT, "// SPDX-License-Identifier: GPL-2.0-only /* kernel */\n" + C)
f("r/s14.py", IN, "# The tag SPDX-License-Identifier: GPL-3.0-only is what we look for in other files.\n" + PY)
f("r/s15.py", IN, 'TAG = "SPDX-License-Identifier: " + "GPL-3.0-only"\n' + PY)
# --- dual, exceptions, Perl etc.
f("r/d1.js", IN, "/*! Licensed MIT or GPL, at your option. */\n" + JS)
f("r/d2.js", IN, "// Released under MIT/GPLv2 licenses\n" + JS)
f(
    "r/d3.c",
    IN,
    "/* This file may be used under the terms of the BSD license or, alternatively,\n * the GNU General Public License version 2. */\n"
    + C,
)
f(
    "r/d4.c",
    OUT,
    "/* Parts of this file are under the MIT license, other parts are licensed under the GNU General Public License version 2. */\n"
    + C,
)
f(
    "r/d5.java",
    OUT,
    '/*\n * This code is free software; you can redistribute it and/or modify it\n * under the terms of the GNU General Public License version 2 only, as\n * published by the Free Software Foundation.  Oracle designates this\n * particular file as subject to the "Classpath" exception as provided\n * by Oracle in the LICENSE file that accompanied this code.\n */\nclass A { int a; }\n',
)
f("r/d6.rb", IN, "# You may distribute this under the same terms as Ruby itself.\n" + RB)
f("r/d7.py", IN, "# This module may be used, modified and distributed under the same terms as Perl itself.\n" + PY)
f("r/d8.c", IN, "/* Distributed under the Artistic License 2.0. */\n" + C)
f(
    "r/d9.js",
    OUT,
    "/* ***** BEGIN LICENSE BLOCK *****\n * Version: GPL 2.0/LGPL 2.1\n *\n * The contents of this file are subject to the GNU General Public License\n * Version 2 or, alternatively, the GNU Lesser General Public License 2.1.\n * ***** END LICENSE BLOCK ***** */\n"
    + JS,
)
f(
    "r/d10.java",
    OUT,
    '/*\n * DO NOT ALTER OR REMOVE COPYRIGHT NOTICES OR THIS HEADER.\n *\n * The contents of this file are subject to the terms of either the GNU\n * General Public License Version 2 only ("GPL") or the Common Development\n * and Distribution License("CDDL") (collectively, the "License").\n */\nclass A { int a; }\n',
)
f("r/d11.c", IN, "/* You can choose either the zlib license or the GNU GPL v2 for this file. */\n" + C)
f("r/d12.c", OUT, "/* Licensed under the GPL with the OpenSSL exception. */\n" + C)
f(
    "r/d13.c",
    OUT,
    "/* eCos is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License.\n * As a special exception, if other files instantiate templates or use macros from this file, this file does not by\n * itself cause the resulting work to be covered by the GNU General Public License. */\n"
    + C,
)
f(
    "r/mpl.js",
    OUT,
    "/* This Source Code Form is subject to the terms of the Mozilla Public\n * License, v. 2.0. If a copy of the MPL was not distributed with this\n * file, You can obtain one at https://mozilla.org/MPL/2.0/. */\n"
    + JS,
)
f(
    "r/epl.java",
    OUT,
    "/*\n * All rights reserved. This program and the accompanying materials\n * are made available under the terms of the Eclipse Public License v1.0\n * which accompanies this distribution.\n */\nclass A { int a; }\n",
)
f(
    "r/epl_edl.java",
    IN,
    "/*\n * This program and the accompanying materials are made available under the\n * terms of the Eclipse Distribution License v. 1.0, which is available at\n * http://www.eclipse.org/org/documents/edl-v10.php.\n *\n * SPDX-License-Identifier: BSD-3-Clause\n */\nclass A { int a; }\n",
)
f(
    "r/edl2.java",
    IN,
    "/*\n * This program and the accompanying materials are made available under the\n * terms of the Eclipse Distribution License v. 1.0, which is available at\n * http://www.eclipse.org/org/documents/edl-v10.php.\n */\nclass A { int a; }\n",
)
f(
    "r/cddl.java",
    OUT,
    "/* The contents of this file are subject to the terms of the Common Development and Distribution License (the License). */\nclass A { int a; }\n",
)
f(
    "r/sspl.go",
    OUT,
    "// Licensed under the Server Side Public License, version 1 (SSPL).\npackage a\nfunc A() int { return 1 }\n",
)
f(
    "r/isc.c",
    IN,
    "/* Permission to use, copy, modify, and distribute this software for any\n * purpose with or without fee is hereby granted, provided that the above\n * copyright notice and this permission notice appear in all copies. */\n"
    + C,
)
f(
    "r/bsd3.c",
    IN,
    "/* Redistribution and use in source and binary forms, with or without modification, are permitted provided that the\n * following conditions are met: 1. Redistributions of source code must retain the above copyright notice. 2. In binary\n * form. 3. Neither the name of the copyright holder */\n"
    + C,
)
f(
    "r/pd.c",
    IN,
    "/* The author disclaims copyright to this source code. This file is placed in the public domain. */\n" + C,
)
f("r/unl.lua", IN, "-- This is free and unencumbered software released into the public domain.\n" + LUA)
f(
    "r/apache.rs",
    IN,
    "// Licensed to the Apache Software Foundation (ASF) under one\n// or more contributor license agreements. The ASF licenses this file\n// to you under the Apache License, Version 2.0.\npub fn a() -> i32 { 1 }\n",
)
f("r/nc.py", OUT, "# Free for personal and academic use only; commercial use requires a licence.\n" + PY)
f(
    "r/prop.cs",
    OUT,
    "// CONFIDENTIAL. This source code is the property of Acme Corp. Unauthorized reproduction of this file is prohibited.\nclass A { int a; }\n",
)
f("r/wtfpl.lua", IN, "-- Licensed under the WTFPL, version 2\n" + LUA)
# --- talk
f(
    "r/t1.py",
    IN,
    '"""Parse Debian copyright files.\n\nFor example, "License: GPL-2+" becomes GPL-2.0-or-later.\n"""\n' + PY,
)
f("r/t2.c", IN, "/* readline is GPL, therefore this program uses libedit by default. */\n" + C)
f(
    "r/t3.c",
    IN,
    "/* The algorithm was inspired by the one in gzip, which is licensed under the GPL, but no code was copied. */\n"
    + C,
)
f(
    "r/t4.go",
    IN,
    "// busybox is distributed under the GPLv2; we only run its binary.\npackage a\nfunc A() int { return 1 }\n",
)
f("r/t5.js", IN, "// TODO: ask the authors of foo.js, released under the LGPL, whether we may use it.\n" + JS)
f(
    "r/t6.py",
    IN,
    '# Licences that we deny\nDENIED = {\n    "GPL-2.0-only",  # GNU General Public License v2.0\n    "AGPL-3.0",  # GNU Affero General Public License v3\n}\n',
)
f(
    "r/t7.java",
    IN,
    "/**\n * Enumerates open source licences.\n */\nenum Licence {\n  /** The GNU General Public License, version 2. */\n  GPL2,\n  /** The MIT licence. */\n  MIT;\n}\n",
)
f(
    "r/t8.py",
    IN,
    'GPL_HEADER = """\\\nThis program is free software: you can redistribute it and/or modify\nit under the terms of the GNU General Public License as published by\nthe Free Software Foundation\n"""\n',
)
f("r/t9.js", IN, "const banner = `/*\n * Licensed under the GNU GPL v3.\n */`;\n" + JS)
f(
    "r/t10.rb",
    IN,
    "TEXT = <<~EOS\n  # This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License.\nEOS\n"
    + RB,
)
f(
    "r/t11.php",
    IN,
    "<?php\n$licenses = ['gpl' => 'GNU General Public License v3'];\n// The GPL option inserts a header that says \"Licensed under the GNU GPL\".\necho 1;\n",
)
f(
    "r/t12.go",
    IN,
    'package a\n\nvar tests = []struct{ in, want string }{\n\t{"// SPDX-License-Identifier: GPL-2.0", "GPL-2.0"},\n\t{"/* Licensed under the LGPL */", "LGPL"},\n}\n',
)
f("r/t13.rs", IN, 'const HEADER: &str = r#"\n// SPDX-License-Identifier: GPL-3.0-only\n"#;\npub fn a() -> i32 { 1 }\n')
f("r/t14.cs", IN, 'class A {\n  const string H = @"\n// Licensed under the GNU General Public License v3\n";\n}\n')
f("r/t15.lua", IN, "local text = [[\n-- Licensed under the GPL version 2\n]]\n" + LUA)
f("r/t16.cpp", IN, 'const char* h = R"(\n// SPDX-License-Identifier: GPL-2.0-only\n)";\n' + C)
f("r/t17.py", IN, "# This is not GPL code: it was rewritten from the specification.\n" + PY)
f("r/t18.c", IN, "/* Note: linking with libfoo makes the resulting binary subject to the GPL. */\n" + C)
f("r/t19.py", IN, "# Unlike the original, which was under the AGPL, this rewrite is MIT licensed.\n" + PY)
f("r/t20.py", IN, "# See https://www.gnu.org/licenses/gpl-3.0.html for what the GPL demands of users.\n" + PY)
f("r/t21.java", IN, "/** Returns the text of the GNU Lesser General Public License. */\nclass A { int a; }\n")
f(
    "r/t22.scala",
    IN,
    "// Uses the JDK, which comes under GPLv2 with the Classpath Exception; our code is Apache 2.0.\nobject A { val a = 1 }\n",
)
f("r/t23.c", IN, "/* Linux kernel: GPL. FreeBSD kernel: BSD. Which of them is better is a matter of taste. */\n" + C)
f(
    "r/t24.js",
    IN,
    "// MySQL is dual licensed under the GPL and a commercial licence, so drivers talk to it over the wire.\n" + JS,
)
f("r/t25.py", IN, 'def test_gpl():\n    """A file under the GPL is refused."""\n    assert refused("x")\n')
f("r/t26.py", IN, "# If your project is licensed under the GPL, set `copyleft = true` below.\ncopyleft = False\n")
f("r/t27.ts", IN, "// The user picks a licence: MIT, Apache-2.0 or GPL-3.0.\n" + JS)
f("r/t28.c", IN, "/* The GNU C library is covered by the LGPL. We do not ship it. */\n" + C)
# --- minified banners
f(
    "r/m1.js",
    OUT,
    "/*! frob.js v2.1.0 | GPL-3.0-or-later | https://example.org/frob */\n!function(){var a=1;window.a=a}();\n",
)
f("r/m2.js", IN, "/*! frob.js v2.1.0 | MIT | https://example.org/frob */\n!function(){var a=1;window.a=a}();\n")
f("r/m3.js", OUT, "!function(){var a=1;window.a=a}();/** @license Frob (c) 2018 Someone, AGPLv3 */\n")
f(
    "r/m4.js",
    OUT,
    "/*!\n * @license\n * Frob - licensed under the LGPL-3.0 (see COPYING)\n */\n!function(){var a=1}();\n",
)
f(
    "r/m5.js",
    IN,
    "/**\n * @license React v16\n * Copyright (c) Facebook, Inc. and its affiliates.\n *\n * This source code is licensed under the MIT license found in the\n * LICENSE file in the root directory of this source tree.\n */\nvar a=1;\n",
)
f(
    "r/m6.js",
    OUT,
    "// @license magnet:?xt=urn:btih:1f739d935676111cfff4b4693e3816e664797050&dn=gpl-3.0.txt GPL-v3-or-Later\n"
    + JS
    + "// @license-end\n",
)
f(
    "r/m7.js",
    IN,
    "// @license magnet:?xt=urn:btih:d3d9a9a6595521f9666a5e94cc830dab83b65699&dn=expat.txt Expat\n"
    + JS
    + "// @license-end\n",
)
# --- folders
f(
    "r/third_party/gplib/LICENSE",
    EVIDENCE,
    "                    GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991\n\n Copyright (C) 1989, 1991 Free Software Foundation, Inc.\n",
)
f("r/third_party/gplib/src/a.c", OUT, C)
f("r/third_party/gplib/src/b.c", IN, "/* " + MIT + " */\n" + C)
f(
    "r/third_party/permissive/LICENCE.md",
    EVIDENCE,
    "# ISC License\n\nPermission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice\n",
)
f("r/third_party/permissive/a.c", IN, C)
f(
    "r/third_party/lesser/COPYING.LESSER",
    EVIDENCE,
    "                   GNU LESSER GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n",
)
f("r/third_party/lesser/a.c", OUT, C)
f(
    "r/third_party/lib/COPYING.LIB",
    EVIDENCE,
    "\t\t  GNU LIBRARY GENERAL PUBLIC LICENSE\n\t\t       Version 2, June 1991\n",
)
f("r/third_party/lib/a.c", OUT, C)
f("r/third_party/de/LIZENZ", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
f("r/third_party/de/a.c", OUT, C)
f("r/third_party/fr/LICENCE", EVIDENCE, "CeCILL FREE SOFTWARE LICENSE AGREEMENT\n\nVersion 2.1 dated 2013-06-21\n")
f("r/third_party/fr/a.c", OUT, C)
f("r/third_party/readme/README.md", EVIDENCE, "# Frob\n\nA frobber.\n\n## License\n\nGPL-3.0\n")
f("r/third_party/readme/a.c", OUT, C)
f(
    "r/third_party/readme2/README.md",
    EVIDENCE,
    "# Frob\n\nChecks that nothing under the GPL-3.0 is in your tree.\n\n## License\n\nMIT\n",
)
f("r/third_party/readme2/a.c", IN, C)
f("r/third_party/short/LICENSE", EVIDENCE, "AGPL-3.0-or-later\n")
f("r/third_party/short/a.c", OUT, C)
f("r/third_party/both/LICENSE.MIT", EVIDENCE, MIT)
f("r/third_party/both/LICENSE.GPL", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
f("r/third_party/both/a.c", IN, C)
f("r/third_party/gomod/go.mod", EVIDENCE, "module example.org/frob\n\ngo 1.21\n")
f("r/third_party/gomod/LICENSE", EVIDENCE, "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n")
f("r/third_party/gomod/internal/deep/er/a.go", OUT, "package er\n\nfunc A() int { return 1 }\n")
f(
    "r/third_party/cargo/Cargo.toml",
    EVIDENCE,
    '[package]\nname = "x"\nversion = "0.1.0"\nlicense = "GPL-3.0-or-later"\n',
)
f("r/third_party/cargo/src/a.rs", OUT, "pub fn a() -> i32 { 1 }\n")
f("r/third_party/cargo2/Cargo.toml", EVIDENCE, '[package]\nname = "x"\nlicense-file = "LICENSE.txt"\n')
f("r/third_party/cargo2/LICENSE.txt", EVIDENCE, "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999\n")
f("r/third_party/cargo2/src/a.rs", OUT, "pub fn a() -> i32 { 1 }\n")
f(
    "r/third_party/setup/setup.py",
    OUT,
    'from setuptools import setup\n\nsetup(\n    name="x",\n    classifiers=[\n        "Programming Language :: Python",\n        "License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)",\n    ],\n)\n',
)
f("r/third_party/setup/x/a.py", OUT, PY)
f(
    "r/third_party/setup2/setup.py",
    IN,
    'from setuptools import setup\n\nsetup(name="x", license="BSD 3-Clause", classifiers=["License :: OSI Approved :: BSD License"])\n',
)
f("r/third_party/setup2/x/a.py", IN, PY)
f("r/third_party/pyproject/pyproject.toml", EVIDENCE, '[project]\nname = "x"\nlicense = {text = "GPL-2.0-or-later"}\n')
f("r/third_party/pyproject/x/a.py", OUT, PY)
f("r/third_party/pyproject2/pyproject.toml", EVIDENCE, '[project]\nname = "x"\nlicense = {file = "COPYING"}\n')
f("r/third_party/pyproject2/COPYING", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
f("r/third_party/pyproject2/x/a.py", OUT, PY)
f("r/third_party/poetry/pyproject.toml", EVIDENCE, '[tool.poetry]\nname = "x"\nlicense = "AGPL-3.0-only"\n')
f("r/third_party/poetry/x/a.py", OUT, PY)
f(
    "r/third_party/gem/frob.gemspec",
    EVIDENCE,
    "Gem::Specification.new do |spec|\n  spec.name = 'frob'\n  spec.license       = 'GPL-3.0'\nend\n",
)
f("r/third_party/gem/lib/frob.rb", OUT, RB)
f(
    "r/third_party/gem2/frob.gemspec",
    EVIDENCE,
    "Gem::Specification.new do |spec|\n  spec.name = 'frob'\n  spec.licenses = %w(MIT GPL-2.0)\nend\n",
)
f("r/third_party/gem2/lib/frob.rb", IN, RB)
f(
    "r/third_party/pom/pom.xml",
    EVIDENCE,
    "<project>\n  <licenses>\n    <license>\n      <name>GNU Lesser General Public License, Version 3</name>\n      <url>http://www.gnu.org/licenses/lgpl-3.0.html</url>\n    </license>\n  </licenses>\n</project>\n",
)
f("r/third_party/pom/src/main/java/A.java", OUT, "class A { int a; }\n")
f(
    "r/third_party/pom2/pom.xml",
    EVIDENCE,
    "<project>\n  <dependencies><dependency><artifactId>x</artifactId></dependency></dependencies>\n  <licenses>\n    <license>\n      <name>The Apache Software License, Version 2.0</name>\n    </license>\n  </licenses>\n</project>\n",
)
f("r/third_party/pom2/A.java", IN, "class A { int a; }\n")
f("r/third_party/composer/composer.json", EVIDENCE, '{"name": "a/b", "license": "LGPL-3.0-or-later"}')
f("r/third_party/composer/src/a.php", OUT, "<?php\necho 1;\n")
f("r/third_party/composer2/composer.json", EVIDENCE, '{"name": "a/b", "license": "(GPL-2.0-or-later or MIT)"}')
f("r/third_party/composer2/src/a.php", IN, "<?php\necho 1;\n")
f("r/third_party/npm1/package.json", EVIDENCE, '{"name": "x", "license": "SEE LICENSE IN EULA.txt"}')
f("r/third_party/npm1/EULA.txt", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
f("r/third_party/npm1/a.js", OUT, JS)
f("r/third_party/npm2/package.json", EVIDENCE, '{"name": "x", "licenses": [{"type": "AGPL", "url": "x"}]}')
f("r/third_party/npm2/a.js", OUT, JS)
f("r/third_party/npm3/package.json", EVIDENCE, '{"name": "x", "license": "UNLICENSED", "private": true}')
f("r/third_party/npm3/a.js", OUT, JS)
f("r/third_party/npm4/package.json", EVIDENCE, '{"name": "x"}')
f("r/third_party/npm4/a.js", IN, JS)
f("r/third_party/npm5/node_modules/@scope/y/package.json", EVIDENCE, '{"name": "y", "license": "EUPL-1.2"}')
f("r/third_party/npm5/node_modules/@scope/y/lib/a.js", OUT, JS)
f("r/third_party/npm5/node_modules/z/package.json", EVIDENCE, '{"name": "z", "license": "0BSD"}')
f("r/third_party/npm5/node_modules/z/a.js", IN, JS)
f("r/third_party/rock/frob-1.0-1.rockspec", EVIDENCE, 'package = "frob"\ndescription = {\n  license = "GPL-2"\n}\n')
f("r/third_party/rock/a.lua", OUT, LUA)
f(
    "r/third_party/nuget/Frob.nuspec",
    EVIDENCE,
    '<package><metadata><license type="expression">GPL-3.0-only</license></metadata></package>',
)
f("r/third_party/nuget/A.cs", OUT, "class A { int a; }\n")
f(
    "r/third_party/csproj/Frob.csproj",
    EVIDENCE,
    '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><PackageLicenseExpression>LGPL-3.0-only</PackageLicenseExpression></PropertyGroup></Project>',
)
f("r/third_party/csproj/A.cs", OUT, "class A { int a; }\n")
f(
    "r/third_party/sbt/build.sbt",
    EVIDENCE,
    'name := "frob"\nlicenses += ("GPL-3.0", url("https://www.gnu.org/licenses/gpl-3.0.html"))\n',
)
f("r/third_party/sbt/A.scala", OUT, "object A { val a = 1 }\n")
f("r/third_party/meson/meson.build", EVIDENCE, "project('frob', 'c', license: 'LGPL-2.1-or-later', version: '1')\n")
f("r/third_party/meson/a.c", OUT, C)
f("r/third_party/cff/CITATION.cff", EVIDENCE, "cff-version: 1.2.0\nlicense: GPL-3.0-or-later\ntitle: Frob\n")
f("r/third_party/cff/a.py", OUT, PY)
f(
    "r/third_party/codemeta/codemeta.json",
    EVIDENCE,
    '{"@context": "https://doi.org/10.5063/schema/codemeta-2.0", "license": "https://spdx.org/licenses/AGPL-3.0-only"}',
)
f("r/third_party/codemeta/a.py", OUT, PY)
f("r/third_party/perl/META.json", EVIDENCE, '{"name": "x", "license": ["gpl_3"]}')
f("r/third_party/perl/a.c", OUT, C)
f("r/third_party/spec/frob.spec", EVIDENCE, "Name: frob\nVersion: 1\nLicense: GPLv2+\n\n%description\nFrob\n")
f("r/third_party/spec/a.c", OUT, C)
f(
    "r/third_party/wheel/frob-1.0.dist-info/METADATA",
    EVIDENCE,
    "Metadata-Version: 2.4\nName: frob\nLicense-Expression: LGPL-3.0-or-later\n\nText",
)
f("r/third_party/wheel/frob/a.py", OUT, PY)
# --- REUSE
f("r/third_party/reuse/LICENSES/GPL-3.0-only.txt", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
f("r/third_party/reuse/LICENSES/MIT.txt", EVIDENCE, MIT)
f(
    "r/third_party/reuse/REUSE.toml",
    EVIDENCE,
    'version = 1\n\n[[annotations]]\npath = ["lib/**.c", "tool.c"]\nprecedence = "aggregate"\nSPDX-FileCopyrightText = "x"\nSPDX-License-Identifier = "GPL-3.0-only"\n\n[[annotations]]\npath = "free/**"\nSPDX-FileCopyrightText = "x"\nSPDX-License-Identifier = "MIT"\n',
)
f("r/third_party/reuse/lib/deep/a.c", OUT, C)
f("r/third_party/reuse/lib/b.c", OUT, "// SPDX-License-Identifier: MIT\n" + C)
f("r/third_party/reuse/tool.c", OUT, C)
f("r/third_party/reuse/free/a.c", IN, C)
f("r/third_party/reuse/other/a.c", IN, C)
f(
    "r/third_party/reuse2/LICENSES/AGPL-3.0-or-later.txt",
    EVIDENCE,
    "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n",
)
f("r/third_party/reuse2/a.c", OUT, C)  # the only licence of the folder's package
f("r/third_party/reuse3/data.js", OUT, JS)
f(
    "r/third_party/reuse3/data.js.license",
    EVIDENCE,
    "SPDX-FileCopyrightText: 2021 Someone\nSPDX-License-Identifier: CC-BY-NC-4.0\n",
)
f(
    "r/third_party/reuse4/.reuse/dep5",
    EVIDENCE,
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n\nFiles: *\nCopyright: x\nLicense: GPL-2.0-or-later\n\nFiles: ok/*\nCopyright: x\nLicense: MIT\n",
)
f("r/third_party/reuse4/a.c", OUT, C)
f("r/third_party/reuse4/ok/a.c", IN, C)
# --- DEP-5
f(
    "r/third_party/deb/debian/copyright",
    EVIDENCE,
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: frob\n\nFiles: *\nCopyright: 2019 x\nLicense: MIT\n\nFiles: src/gnu/*.c\n src/gnu/*.h\n tools/one.py\nCopyright: 2019 y\nLicense: LGPL-2.1+\n\nFiles: src/dual/*\nCopyright: z\nLicense: GPL-2 or BSD-3-clause\n\nFiles: src/exc/*\nCopyright: z\nLicense: GPL-3+ with Autoconf exception\n\nFiles: debian/*\nCopyright: d\nLicense: GPL-2+\n\nLicense: LGPL-2.1+\n This library is free software.\n\nLicense: MIT\n "
    + MIT.replace("\n", "\n ")
    + "\n",
)
f("r/third_party/deb/a.c", IN, C)
f("r/third_party/deb/src/gnu/a.c", OUT, C)
f("r/third_party/deb/src/gnu/a.h", OUT, C)
f("r/third_party/deb/tools/one.py", OUT, PY)
f("r/third_party/deb/tools/two.py", IN, PY)
f("r/third_party/deb/src/dual/a.c", IN, C)
f("r/third_party/deb/src/exc/a.c", OUT, C)
f("r/third_party/deb/debian/helper.py", OUT, PY)
f(
    "r/third_party/deb2/debian/copyright",
    EVIDENCE,
    "This package was debianized by Someone.\n\nCopyright (C) 2003 Someone\n\nLicense:\n\n   This package is free software; you can redistribute it and/or modify\n   it under the terms of the GNU General Public License as published by\n   the Free Software Foundation; either version 2 of the License, or\n   (at your option) any later version.\n\nOn Debian systems, the complete text of the GNU General Public License can be found in /usr/share/common-licenses/GPL-2.\n",
)
f("r/third_party/deb2/a.c", OUT, C)
# --- plain ones
f("r/plain.py", IN, PY)
f("r/plain.scala", IN, "// A comment on nothing in particular.\nobject A { val a = 1 }\n")
f("r/sub/LICENSE_of_fonts.txt", EVIDENCE, "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n")
f("r/sub/a.py", IN, PY)
f(
    "r/late.py",
    OUT,
    PY * 40
    + "\n\n# This file incorporates work covered by the following notice:\n#\n#   This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public\n#   License version 2.\n"
    + PY,
)
