"""gettext catalogues: what `polib` finds in sound ones, and no more than the file itself in others."""

import struct
import time

import polib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers.gettext import mo_messages, po_messages
from tests.pipeline.readers_help import make_source, mo_bytes, read, texts

message = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\4\r\x85\u2028\u2029\x1c\x1d\x1e\v\f"), max_size=20
)


def sound(problem):
    raise AssertionError(problem)


@settings(deadline=None)
@given(st.lists(st.builds(polib.POEntry, msgid=message, msgstr=message, msgctxt=message | st.none()), max_size=5))
def test_plain_catalogues_hold_what_polib_wrote(entries):
    file = polib.POFile()
    file.extend(entries)
    expected = [(entry.msgid, entry.msgstr) for entry in entries if entry.msgid and entry.msgstr]
    assert list(po_messages(str(file), "a.po", sound)) == expected


@settings(deadline=None)
@given(st.dictionaries(message.filter(bool), message, max_size=5))
def test_compiled_catalogues_hold_what_polib_wrote(messages):
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=utf-8"}
    file.extend(polib.POEntry(msgid=original, msgstr=translation) for original, translation in messages.items())
    read_back = dict(mo_messages(file.to_binary(), "utf-8", "a.mo", sound))
    assert read_back == {original: text for original, text in messages.items() if text}


def test_plural_forms_contexts_and_escapes():
    text = r"""msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\n"

#~ msgid "old"
#~ msgstr "vieux"
#| msgid "before"
msgctxt "menu"
msgid "one \"file\""
msgid_plural "%d "
"files"
msgstr[0] "un\tfichier"
msgstr[1] "%d fich\151er\x73"
msgid "half"
msgid_plural "halves"
msgstr[0] "moitié"
msgstr[1] ""
#, c-format, fuzzy
msgid "no"
msgstr "non"
msgid "yes"
msgstr ""
"oui"
"""
    assert list(po_messages(text, "a.po", sound)) == [
        ("%d files", "un\tfichier"),
        ("%d files", "%d fichiers"),
        ("yes", "oui"),
    ]


def test_a_catalogue_that_is_the_path_of_a_file_stays_a_path(tmp_path):
    secret = tmp_path / "secret.po"
    secret.write_text('msgid "a"\nmsgstr "a word that lies outside"\n')
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.po").write_text(str(secret))
    (tmp_path / "in" / "b.po").write_text("/etc/passwd\n")
    rows, problems = read(make_source("gettext", str(tmp_path / "in")))
    assert not rows
    assert [problem.cause for problem in problems] == ["not a line of a .po file"] * 2


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-2", "koi8-r", "cp932"])
def test_the_headers_charset_counts_where_the_source_names_none(tmp_path, encoding):
    word = {"iso-8859-2": "žluťoučký", "koi8-r": "привет", "cp932": "表示する"}.get(encoding, "détour")
    header = f'msgid ""\nmsgstr "Content-Type: text/plain; charset={encoding}\\n"\n\n'
    (tmp_path / "a.po").write_bytes(f'{header}msgid "x"\nmsgstr "{word}"\n'.encode(encoding))
    assert texts(read(make_source("gettext", str(tmp_path)))[0]) == [word]


def test_the_sources_encoding_wins_over_the_header(tmp_path):
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "a.po").write_bytes(f'{header}msgid "x"\nmsgstr "déjà"\n'.encode("latin-1"))
    assert texts(read(make_source("gettext", str(tmp_path), encoding="latin-1"))[0]) == ["déjà"]


def test_messages_that_overlap_are_refused(tmp_path):
    count, long = 50_000, b"x" * 500_000
    start = 28 + 16 * count
    head = struct.pack("<IIIIIII", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    data = head + struct.pack("<II", 1, start) * count + struct.pack("<II", len(long), start) * count + long
    (tmp_path / "a.mo").write_bytes(data)
    before = time.process_time()
    rows, problems = read(make_source("gettext", str(tmp_path)))
    assert time.process_time() - before < 10
    assert len(rows) <= 1
    assert problems[-1].cause == "damaged: its messages overlap"


def test_a_message_that_does_not_decode_costs_only_itself(tmp_path):
    (tmp_path / "a.mo").write_bytes(
        mo_bytes({"a": "good word", "b": "bad zzz", "c": "fine"}).replace(b"zzz", b"\xff" * 3)
    )
    rows, problems = read(make_source("gettext", str(tmp_path)))
    assert texts(rows) == ["good word\nfine"]
    assert problems[0].cause == "not valid UTF-8 at byte 4"
