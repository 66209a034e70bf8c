"""Manual pages become readable text."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers import man
from pipeline.readers.man import man_to_text, unescape
from tests.pipeline.readers_help import deb_bytes, make_source, read

MAN = r""".\" -*- coding: UTF-8 -*-
'\" t
.de Sp
.if t .sp .5v
..
.TH CAT 1 "juin 2020" "GNU" "Commandes"
.SH NOM
cat \- concaténer des \fIfichiers\fP
.SH SYNOPSIS
\fBcat\fP [\fI\,OPTION\/\fP]... [\fIFICHIER\fP]...
.SH "DEUX MOTS"
.\" a comment
.PP
Première ligne,
deuxième ligne.\" hidden
.if n .ad l
.ie \n(.g .ds Aq \(aq
.el \{\
.  ds Aq '
.  ft R
.\}
.TP
\fB\-A\fP, \fB\-\-show\-all\fP
équivalent à
.BR -v ,
voir
.BR ls (1)
et
.I fichier
.IP \(bu 2
Un point
.nf
  for x in 1 2
      echo \e$x
.fi
Suite.
.TS
l l.
a	b
.TE
.UR https://x.example
le site
.UE .
"""

MDOC = r""".Dd January 1, 2020
.Dt ECHO 1
.Os
.Sh NAME
.Nm echo
.Nd write arguments
.Sh SYNOPSIS
.Nm
.Op Fl n
.Op Ar string ...
.Sh DESCRIPTION
The
.Nm
utility writes
.Pq see Xr printf 1 ,
.Dq quoted text .
.Bl -tag -width indent
.It Fl n
Do not print
.It Ar file
A file
.El
"""


def test_man_pages_are_filled_and_freed_of_markup():
    assert man_to_text(MAN).split("\n") == [
        "NOM",
        "cat - concaténer des fichiers",
        "SYNOPSIS",
        "cat [OPTION]... [FICHIER]...",
        "DEUX MOTS",
        "Première ligne, deuxième ligne.",
        "-A, --show-all",
        "équivalent à -v, voir ls(1) et fichier",
        "• Un point",
        "  for x in 1 2",
        "      echo \\$x",
        "Suite.",
        "https://x.example le site.",
    ]


def test_mdoc_pages_are_filled_and_freed_of_markup():
    assert man_to_text(MDOC).split("\n") == [
        "NAME",
        "echo – write arguments",
        "SYNOPSIS",
        "echo [-n] [string ...]",
        "DESCRIPTION",
        "The echo utility writes (see printf(1)), “quoted text”.",
        "-n",
        "Do not print",
        "file",
        "A file",
    ]


@pytest.mark.parametrize(
    ("roff", "text"),
    [
        (r"\(co \(lqa\(rq \[u00E9] \['e] \*(Tm", "© “a” é é ™"),
        (r"\f(CWcode\fR \f[B]b\f[] \s-1SMALL\s0 \s'+2'x", "code b SMALL x"),
        (r"a\ b\~c\0d\&e\|f\^g\%h", "a b c defgh"),
        (r"\h'1i'x\v'-1'y\\n", "xy\\n"),
        ("\\", "\\"),
    ],
)
def test_escapes(roff, text):
    assert unescape(roff) == text


def test_pages_that_include_another_give_nothing():
    assert man_to_text(".so man1/other.1\n") == ""


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=".\\'\"{}[]()BISHTPenf*us \n-a", max_size=200))
def test_any_page_is_converted_without_an_error(page):
    man_to_text(page)


def test_compressed_pages_of_a_package_are_found(tmp_path):
    files = {"./usr/share/man/fr/man1/cat.1.gz": gzip.compress(MAN.encode()), "./usr/share/doc/x.txt": b"no"}
    (tmp_path / "m.deb").write_bytes(deb_bytes(files))
    rows, problems = read(
        make_source("man", "m", client="apt", languages_by_path={"*/man/fr/*": "fr"}), {0: [str(tmp_path / "m.deb")]}
    )
    assert [(row["key"], row["language"]) for row in rows] == [("m!usr/share/man/fr/man1/cat.1.gz", "fr")]
    assert not problems


_PIECES = [*"\\\\\\f([]*s'aqBR+-1&ex\" é", "u00E9", "\\(aq", "\\fB", "\\h'5'", "\\*(lq"]


@settings(deadline=None, max_examples=2000)
@given(st.lists(st.sampled_from(_PIECES), max_size=12))
def test_escapes_are_those_of_the_pattern(pieces: list[str]) -> None:
    """The loop that takes common escapes apart finds in a line what the pattern finds."""
    line = "".join(pieces)
    expected = man._ANY_ESCAPE.sub(lambda match: "" if match[0].startswith('\\"') else man._escape(match[0]), line)
    assert man.unescape(line) == expected
