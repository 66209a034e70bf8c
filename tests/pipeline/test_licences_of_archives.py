# ruff: noqa: E501 - files as they are
"""An archive declared MIT, with other licences inside: every copyleft file is out, every permissive one in."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from configs.load import load_languages
from configs.models import LicencePolicy
from governance.licence_detection import LicenceJudge, own_notices, unpack
from governance.licences import LicenceGate
from pipeline.readers import list_units, read_unit
from tests.pipeline.readers_help import make_source

CODE = frozenset(load_languages().programming)
GPL_NOTICE = """/* This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU General Public License as published by
 * the Free Software Foundation; either version {version} of the License, or
 * (at your option) any later version.
 */
"""
MIT_TEXT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction. The above copyright notice and this
permission notice shall be included in all copies or substantial portions of the Software."""
GPL_TEXT = "GNU GENERAL PUBLIC LICENSE\n\nVersion {version}, 29 June 2007\n\nCopyright (C) Free Software Foundation"
LGPL_TEXT = "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 2.1, February 1999\n"
C = "int add(int first, int second) { return first + second; }\n"


def judged(path: Path, declared: str = "MIT", policy: LicencePolicy | None = None, **package) -> dict[str, tuple]:
    """Path in the archive → (admitted, effective licence, detected licence, reason, detail)."""
    source = make_source("code", str(path), **package).model_copy(update={"licence": declared, "kind": "code"})
    judge = LicenceJudge(LicenceGate(policy or LicencePolicy(), CODE, frozenset([declared])))
    found = {}
    for unit in list_units(source, {}):
        batches = read_unit(
            unit, source, load_languages(), batch_documents=100, batch_bytes=1 << 20, on_problem=print, licences=True
        )
        for batch in batches:
            own = own_notices(batch["text"], batch["language"].to_pylist())
            for row, said in zip(batch.to_pylist(), own, strict=True):
                answer = judge.judge(row["licence"] or declared, said, row["licence_nearby"], row["language"] in CODE)
                verdict = answer.verdict
                reason = "" if verdict.admitted else verdict.reason
                name = row["uri"].split("!", 1)[-1]
                found[name] = (verdict.admitted, answer.effective, answer.detected, reason, verdict.detail)
    return found


def tar(path: Path, files: dict[str, str | bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info, content = tarfile.TarInfo(name), data.encode() if isinstance(data, str) else data
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def admitted(files: dict[str, str | bytes], folder: Path, **options) -> set[str]:
    return {name for name, answer in judged(tar(folder / "a.tar.gz", files), **options).items() if answer[0]}


COPYLEFT = {
    "p/spdx.c": f"// SPDX-License-Identifier: GPL-3.0-or-later\n{C}",
    "p/spdx_old.c": f"/* SPDX-License-Identifier: GPL-2.0+ */\n{C}",
    "p/spdx_and.c": f"// SPDX-License-Identifier: MIT AND LGPL-2.1-only\n{C}",
    "p/notice.c": GPL_NOTICE.format(version=2) + C,
    "p/late.c": f"{C}\n// end of our part\n" + GPL_NOTICE.format(version=3) + C,
    "p/short.py": f'"""Tool.\n\nLicensed under the GPLv3.\n"""\nx = 1\n# {C}',
    "p/lesser.lua": f"-- This library is free software; you can redistribute it and/or\n-- modify it under the terms of the GNU Lesser General Public\n-- License, version 2.1.\n-- {C}",
    "p/affero.rb": f"# Released under the GNU Affero General Public License v3.0\n# {C}",
    "p/docblock.php": f"<?php\n/**\n * Plugin.\n *\n * @license GPL-2.0-or-later\n */\n{C}",
    "p/beside.c": C,
    "p/beside.c.license": "SPDX-FileCopyrightText: 2020 Somebody\n\nSPDX-License-Identifier: GPL-3.0-only\n",
    "p/vendor/lib/src/deep/a.c": C,
    "p/vendor/lib/COPYING": GPL_TEXT.format(version=3),
    "p/vendor/lesser/a.c": C,
    "p/vendor/lesser/COPYING": GPL_TEXT.format(version=3),
    "p/vendor/lesser/COPYING.LESSER": LGPL_TEXT,
    "p/node_modules/x/index.js": f"// {C}",
    "p/node_modules/x/package.json": '{"name": "x", "license": "GPL-3.0"}',
    "p/crate/src/lib.rs": C,
    "p/crate/Cargo.toml": '[package]\nname = "x"\nlicense = "AGPL-3.0-only"\n',
    "p/gem/lib/x.rb": C,
    "p/gem/x.gemspec": 'Gem::Specification.new do |s|\n  s.licenses = ["LGPL-3.0"]\nend\n',
    "p/maven/A.java": C,
    "p/maven/pom.xml": "<project><licenses><license><name>GNU General Public License v2</name></license></licenses></project>",
    "p/composer/a.php": f"<?php\n{C}",
    "p/composer/composer.json": '{"license": ["GPL-2.0-only"]}',
    "p/pip/x/a.py": f"# {C}",
    "p/pip/x.dist-info/METADATA": "Metadata-Version: 2.1\nName: x\nClassifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)\n\nText",
    "p/deb/debian/copyright": "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: a\nLicense: Expat\n\nFiles: lib/gnu/*\nCopyright: b\nLicense: GPL-2+\n a notice\n",
    "p/deb/lib/gnu/x.c": C,
    "p/reuse/REUSE.toml": 'version = 1\n\n[[annotations]]\npath = "src/**"\nSPDX-FileCopyrightText = "a"\nSPDX-License-Identifier = "GPL-3.0-or-later"\n\n[[annotations]]\npath = ["src/free/*.c"]\nSPDX-License-Identifier = "MIT"\n\n[[annotations]]\npath = "over/**"\nprecedence = "override"\nSPDX-License-Identifier = "LGPL-3.0-only"\n',
    "p/reuse/src/deep/x.c": C,
    "p/reuse/over/x.c": f"// SPDX-License-Identifier: MIT\n{C}",
    "p/old/.reuse/dep5": "Format: x\n\nFiles: a/*.c\nCopyright: a\nLicense: GPL-3.0-or-later\n",
    "p/old/a/x.c": C,
}  # fmt: skip
PERMISSIVE = {
    "p/LICENSE": f"MIT License\n\n{MIT_TEXT}",
    "p/package.json": '{"name": "p", "license": "MIT"}',
    "p/plain.c": C,
    "p/spdx_mit.c": f"// SPDX-License-Identifier: BSD-2-Clause\n{C}",
    "p/either.c": f"// SPDX-License-Identifier: MIT OR GPL-2.0-only\n{C}",
    "p/jquery.js": f"/*!\n * Dual licensed under the MIT and GPL licenses.\n */\n{C}",
    "p/apache.java": f"/* Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use this file\n * except in compliance with the License. */\n{C}",
    "p/about.c": f"// We may not copy from the GNU tools: they are under the GPL, and this is not.\n// Compatible with GPL code.\n{C}",
    "p/checker.py": '"""Checks whether a dependency is licensed under the GNU General Public License."""\nDENIED = ["GPL-3.0"]\nTEXT = """\n# SPDX-License-Identifier: GPL-3.0-only\nThis program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License.\n"""\n',
    "p/scanner.go": f'const tag = "SPDX-License-Identifier: GPL-2.0"\nconst text = `Licensed under the GPL`\n{C}',
    "p/formerly.rb": "# Formerly under the GPL. Now released under the MIT License.\nputs 1\n",
    "p/vendor/free/COPYING": f"Copyright\n\n{MIT_TEXT}",
    "p/vendor/free/a.c": C,
    "p/deb/lib/other.c": C,
    "p/reuse/src/free/x.c": C,
    "p/vendor/lib/own.c": f"/* Copyright me\n *\n * {MIT_TEXT} */\n{C}",
    "p/rust/Cargo.toml": '[package]\nlicense = "MIT/Apache-2.0"\n',
    "p/rust/LICENSE-MIT": MIT_TEXT,
    "p/rust/LICENSE-APACHE": "Apache License\nVersion 2.0, January 2004\n",
    "p/rust/src/lib.rs": C,
}  # fmt: skip


def code(files: dict) -> set[str]:
    return {name for name in files if name.endswith((".c", ".py", ".lua", ".rb", ".php", ".js", ".rs", ".java", ".go"))}


@pytest.mark.parametrize("order", ["evidence first", "evidence last"])
def test_every_copyleft_file_is_out_and_every_permissive_one_in(order, tmp_path):
    names = sorted(COPYLEFT | PERMISSIVE, key=lambda name: name in code(COPYLEFT | PERMISSIVE))
    files = {name: (COPYLEFT | PERMISSIVE)[name] for name in (names if order == "evidence first" else names[::-1])}
    assert admitted(files, tmp_path) == code(PERMISSIVE)


def test_a_conflict_is_a_reason_that_names_the_file_that_says_so(tmp_path):
    files = {"p/vendor/COPYING": GPL_TEXT.format(version=3), "p/LICENSE": MIT_TEXT, "p/vendor/a.c": C}
    answer = judged(tar(tmp_path / "a.tar.gz", files))["p/vendor/a.c"]
    assert answer[1:] == (
        "GPL-3.0-only", "GPL-3.0-only", "licence_conflict",
        "declared MIT, p/vendor/COPYING says GPL-3.0-only: GPL-3.0-only denied for code by GPL-*",
    )  # fmt: skip


def test_a_permissive_file_of_a_copyleft_package_is_in_by_its_own_header(tmp_path):
    files = {"p/COPYING": GPL_TEXT.format(version=2), "p/a.c": f"/* {MIT_TEXT} */\n{C}", "p/b.c": C}
    assert admitted(files, tmp_path, declared="GPL-2.0-only") == {"p/a.c"}


def test_a_package_that_contradicts_its_declaration_is_out_as_a_whole(tmp_path):
    files = {"p/COPYING": GPL_TEXT.format(version=2), "p/a.c": C}
    answer = judged(tar(tmp_path / "a.tar.gz", files))["p/a.c"]
    assert answer[:2] == (False, "MIT AND GPL-2.0-only") and answer[3] == "licence_conflict"


def test_a_declared_choice_stands_though_the_package_brings_one_text(tmp_path):
    files = {"p/COPYING": GPL_TEXT.format(version=2), "p/a.c": C}
    assert admitted(files, tmp_path, declared="MIT OR GPL-2.0-only") == {"p/a.c"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p/COPYING", b"\0\1\2binary\xff" * 100),
        ("p/LICENSE", b"The Foo Licence: you may use this on Sundays only, if you ask."),
        ("p/LICENSE", b"Proprietary and confidential. All rights reserved."),
    ],
)
def test_what_nobody_can_tell_is_unknown_and_dropped_by_default(name, data, tmp_path):
    files = {name: data, "p/a.c": C}
    answer = judged(tar(tmp_path / "a.tar.gz", files))["p/a.c"]
    assert not answer[0] and answer[3] == "licence_unknown" and name in answer[4]
    assert judged(tmp_path / "a.tar.gz", policy=LicencePolicy(unknown="review"))["p/a.c"][3] == "licence_review"
    assert judged(tmp_path / "a.tar.gz", policy=LicencePolicy(unknown="keep"))["p/a.c"][0]


def test_headers_in_utf_16_are_read(tmp_path):
    files = {"p/a.c": f"// SPDX-License-Identifier: GPL-3.0-only\r\n{C}".encode("utf-16"), "p/b.c": C}
    assert admitted(files, tmp_path) == {"p/b.c"}


def test_a_licence_text_in_utf_16_is_read(tmp_path):
    files = {"p/COPYING": GPL_TEXT.format(version=3).encode("utf-16"), "p/a.c": C}
    assert judged(tar(tmp_path / "a.tar.gz", files))["p/a.c"][2] == "GPL-3.0-only"


def test_a_licence_text_of_ten_megabytes_is_told_by_its_first(tmp_path):
    files = {"p/COPYING": GPL_TEXT.format(version=3) + "\nmore words of GPL" * 600_000, "p/a.c": C}
    assert judged(tar(tmp_path / "a.tar.gz", files))["p/a.c"][2] == "GPL-3.0-only"


@pytest.mark.parametrize(
    "name", ["p/copying", "p/Licence.TXT", "p/LICENSE.md", "p/License", "p/COPYING.txt", "p/GPL-3"]
)
def test_names_of_licence_files_are_known_in_any_case(name, tmp_path):
    assert admitted({name: GPL_TEXT.format(version=3), "p/a.c": C}, tmp_path) == set()


@pytest.mark.parametrize("name", ["p/license.c", "p/copying.py", "p/licenses.go"])
def test_code_about_licences_is_no_licence_file(name, tmp_path):
    assert admitted({name: f"/* GPL checks */ {C}", "p/a.c": C}, tmp_path) == {name, "p/a.c"}


def test_paths_out_of_the_archive_lend_no_licence(tmp_path):
    files = {"../COPYING": GPL_TEXT.format(version=3), "p/../../LICENSE": GPL_TEXT.format(version=3), "p/a.c": C}
    assert admitted(files, tmp_path) == {"p/a.c"}


def test_a_vendored_folder_within_a_vendored_folder_is_judged_by_the_nearest(tmp_path):
    files = {
        "p/LICENSE": MIT_TEXT, "p/a.c": C,
        "p/v/COPYING": GPL_TEXT.format(version=3), "p/v/b.c": C,
        "p/v/w/LICENSE": MIT_TEXT, "p/v/w/c.c": C,
        "p/v/w/x/package.json": '{"license": "LGPL-2.1"}', "p/v/w/x/y/d.c": C,
    }  # fmt: skip
    assert admitted(files, tmp_path) == {"p/a.c", "p/v/w/c.c"}


def test_members_of_a_zip_know_their_siblings(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a.c", C)
        archive.writestr("x/COPYING", GPL_TEXT.format(version=3))
        archive.writestr("y/b.c", C)
    assert {name for name, answer in judged(tmp_path / "a.zip").items() if answer[0]} == {"y/b.c"}


def test_an_archive_in_an_archive_knows_what_lies_around_it(tmp_path):
    inner = tar(tmp_path / "data.tar.gz", {"lib/a.rb": C}).read_bytes()
    metadata = b"--- !ruby/object:Gem::Specification\nname: x\nlicenses:\n- GPL-3.0\nversion: 1\n"
    outer = tar(tmp_path / "x.gem.tar.gz", {"data.tar.gz": inner, "metadata": metadata})
    assert [answer[2] for answer in judged(outer).values()] == ["GPL-3.0-only"]


def test_files_of_a_folder_know_their_siblings_and_a_changed_one_changes_the_unit(tmp_path):
    for name, text in {"in/a.c": C, "in/sub/deep/b.c": C, "in/sub/COPYING": GPL_TEXT.format(version=2)}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    answers = judged(tmp_path / "in")
    assert {name.rsplit("/", 1)[1] for name, answer in answers.items() if answer[0]} == {"a.c"}
    source = make_source("code", str(tmp_path / "in"))
    before = [unit.state for unit in list_units(source, {})]
    (tmp_path / "in/sub/COPYING").write_text(MIT_TEXT)
    assert [unit.state for unit in list_units(source, {})] != before


def test_a_file_named_alone_knows_its_siblings(tmp_path):
    (tmp_path / "LICENSE").write_text(GPL_TEXT.format(version=3))
    (tmp_path / "a.c").write_text(C)
    assert [answer[0] for answer in judged(tmp_path / "*.c").values()] == [False]


def test_evidence_is_packed_and_unpacked(tmp_path):
    answer = unpack("nested\0p/COPYING\0GPL-3.0-only")
    assert (answer.level, answer.basis, answer.spdx) == ("nested", "p/COPYING", "GPL-3.0-only")
