"""The programming language of a file, by name and, where an extension is shared, by content."""

import zipfile

import pytest

from configs import CONFIGS
from pipeline.code_language import HEAD_BYTES, identify_code

C_HEADER = b"""#ifndef A_H
#define A_H
#include <stdio.h>
/* class Foo: not this; std::string neither */
#ifdef __cplusplus
extern "C" {
namespace a {}
#endif
struct point { int x, y; };
int f(const char *operator_name);
#ifdef __cplusplus
}
#endif
#endif
"""
TRANSPORT = (b"G" + bytes([64, 17, 16]) + b"\xff" * 184) * 20


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("a/b.py", b"x = 1", "python"),
        ("x.deb!./usr/share/a.rb", b"puts 1", "ruby"),
        ("A.PY", b"x = 1", "python"),
        ("a.c", b"class foo", "c"),
        ("a.C", b"int x;", "cpp"),
        ("a.H", b"int x;", "cpp"),
        ("a.h", C_HEADER, "c"),
        ("a.h", b"", "c"),
        ("a.h", b"#include <vector>\nstd::vector<int> f();", "cpp"),
        ("a.h", b"namespace a {\nint f();\n}", "cpp"),
        ("a.h", b"template <typename T>\nT f(T);", "cpp"),
        ("a.h", b"struct A {\n  virtual ~A();\n};", "cpp"),
        ("a.h", b"#import <UIKit/UIKit.h>\n@interface A : B\n@end", None),
        ("a.ts", b"export const x: number = 1;", "typescript"),
        ("a.ts", b"\xef\xbb\xbfimport a from 'a';", "typescript"),
        ("a.ts", b'<?xml version="1.0"?>\n<!DOCTYPE TS><TS version="2.1">', None),
        ("a.ts", b"<!DOCTYPE TS><TS>", None),
        ("a.ts", TRANSPORT, None),
        ("a.tsx", b"export const A = () => <div/>;", "typescript"),
        ("a.cs", b"namespace A { class B {} }", "csharp"),
        ("a.php", b"<?php echo 1;", "php"),
        ("a.php", b"<html><?= $x ?></html>", "php"),
        ("a.php", b"just words", None),
        ("a.rs", b"fn main() {}", "rust"),
        ("a.rs", b'<?xml version="1.0"?><rss>', None),
        ("a.lua", b"\x1bLuaS\0\x19\x93", None),
        ("a.js", b"a" * 9000, "javascript"),
        ("a.txt", b"int x;", None),
        ("py", b"x = 1", None),
        ("Makefile", b"all:", None),
        ("dir.py/README", b"x", None),
    ],
)
def test_language_of_a_file(path, head, language):
    assert identify_code(path, head) == language


def test_committed_code_is_identified_by_its_folders_language():
    found = {}
    with zipfile.ZipFile(CONFIGS / "data" / "tiny" / "code.zip") as archive:
        for name in archive.namelist():
            if (language := identify_code(name, archive.read(name))) is not None:
                found.setdefault(name.split("/")[1], set()).add(language)
    assert found["secp256k1"] == {"c"}
    assert found["leveldb"] <= {"cpp", "c"}
    assert {language for languages in found.values() for language in languages} >= {"c", "cpp", "php", "rust", "scala"}


@pytest.mark.parametrize("block", [b"/*", b'"\\', b"//", b"((((", b"G", b"#ifdef __cplusplus\n", b"a::", b"<"])
def test_only_the_head_of_hostile_files_is_read(block):
    head = block * (HEAD_BYTES // len(block))
    assert identify_code("a.h", head + block * 100_000) == identify_code("a.h", head)
