"""Encodings as browsers read them. What is expected is written as text and encoded by Python, or given as bytes."""

import codecs
import time

import pytest
import webencodings

from configs.errors import InputError
from pipeline.readers.charset import PRESCAN_BYTES, declared_in_page, decode, known

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. "
JAPANESE = "すべての人間は、生まれながらにして自由であり、尊厳と権利とについて平等である。"
CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. "


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("ISO-8859-1", "cp1252", "“x” – café €"),
        (" latin1\t", "cp1252", "“x”"),
        ("us-ascii", "cp1252", "’"),
        ("x-sjis", "cp932", "①②～髙" + JAPANESE),
        ("GB2312", "gbk", "镕" + CHINESE),
        ("gb18030", "gb18030", "𠀀" + CHINESE),
        ("big5-hkscs", "big5hkscs", "這是中文文本"),
        ("x-euc-jp", "euc_jp", JAPANESE),
        ("csISO2022JP", "iso2022_jp", "x " + JAPANESE + " y"),
        ("ks_c_5601-1987", "cp949", "똠방각하" + KOREAN),
        ("koi8-r", "koi8-r", RUSSIAN),
        ("cp1251", "cp1251", RUSSIAN),
        ("iso-8859-9", "cp1254", "Türkçe ğüşiö"),
        ("tis-620", "cp874", "มนุษย์ทั้งหลายเกิดมามีอิสระ"),
        ("macintosh", "mac_roman", "naïve"),
        ("iso-8859-8-i", "iso8859-8", "כל בני אדם נולדו בני חורין"),
    ],
)
def test_labels_mean_what_browsers_take_them_for(label, codec, text):
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("koi8-u", b"\xf1\xae\xbe\xc1", "ЯўЎа"),
        ("windows-1252", b"\x81\x8d\xe9", "\x81\x8dé"),
        ("gbk", b"\x80\xc8\xcb", "€人"),
        ("gb18030", b"\xa8\xbc\xc8\xcb", "ḿ人"),
        ("euc-jp", b"\xad\xa1\xf9\xa1\xa1\xc1", "①纊～"),
        ("iso-2022-jp", b"a\x1b$B-!\x1b(I1\x1b(J\\\x1b(Bz", "a①ｱ¥z"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("shift_jis", b"\x5c\x82\xa0\x82\xa2\x82\xa4\x82", "\\あいう\ufffd"),
    ],
)
def test_decoders_follow_the_standard_where_python_does_not(label, data, text):
    assert decode(data, label) == text


def test_labels_are_those_of_the_standard():
    assert (known("unicode-1-1-utf-8"), known("ISO-8859-1"), known("hz-gb-2312")) == (
        "utf-8",
        "windows-1252",
        "replacement",
    )
    assert [known(label) for label in ("x-unknown", "utf-7", "rot13", "ünïcode", "", None)] == [None] * 6


def test_what_browsers_refuse_is_an_error_that_names_it():
    with pytest.raises(InputError, match="page 7: in an encoding that browsers refuse, ISO-2022-KR"):
        decode(b"\x1b$)C\x0e", "ISO-2022-KR", name="page 7")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_beats_every_label(codec):
    assert decode(RUSSIAN.encode(codec), "windows-1252") == RUSSIAN


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["<p>plain", "<!DOCTYPE html><p>" + RUSSIAN, "<html lang=ja><p>" + JAPANESE])
def test_utf_16_and_32_without_a_mark_show_by_their_zeros(codec, text):
    assert decode(text.encode(codec), html=True) == text


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META CHARSET = 'Shift_JIS' >", "shift_jis"),
        (b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "windows-1251"),
        (b"<meta content='text/html;charset=\"big5\"' http-equiv=content-type />", "big5"),
        (b'<meta name=x content="charset=big5">', None),
        (b"<!-- <meta charset=big5> --><meta charset=gbk>", "gbk"),
        (b'<a title="<meta charset=big5>"><meta charset=gbk>', "gbk"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<meta charset=nonsense><meta charset=gbk>", "gbk"),
        (b"<meta charset=gbk charset=big5>", "gbk"),
        (b'<?xml version="1.0" encoding="windows-1251"?><html>', "windows-1251"),
        (b"<title>x</title>" + b"<!-- long -->" * 200 + b"<meta charset=gbk>", "gbk"),
        (b"x" * PRESCAN_BYTES + b"<meta charset=gbk>", None),
        (b"<metacharset=gbk><meta><meta/charset=big5 />", "big5"),
        (b"<meta charset=", None),
        (b"", None),
    ],
)
def test_pages_declare_their_encoding(head, encoding):
    assert declared_in_page(head) == encoding


def test_the_transport_beats_the_page():
    page = b"<meta charset=koi8-r>" + RUSSIAN.encode("cp1251")
    assert RUSSIAN in decode(page, "windows-1251", html=True)


def test_an_unknown_label_gives_way_to_the_page_and_then_to_detection():
    assert RUSSIAN in decode(b"<meta charset=koi8-r>" + RUSSIAN.encode("koi8-r"), "x-unknown", html=True)
    assert RUSSIAN in decode(b"<meta charset=x-unknown>" + RUSSIAN.encode("cp1251"), "none", html=True)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp932", JAPANESE),
        ("euc_jp", JAPANESE),
        ("iso2022_jp", JAPANESE),
        ("gbk", CHINESE * 2),
        ("cp949", KOREAN * 2),
        ("cp1251", RUSSIAN * 2),
        ("koi8-r", RUSSIAN * 2),
        ("cp1252", "Élève à côté “x” – déjà"),
        ("utf-8", KOREAN),
    ],
)
def test_undeclared_text_is_detected(codec, text):
    assert decode(text.encode(codec)) == text


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1251", "gb2312", "utf-16", "utf-8"])
def test_utf_8_is_known_under_a_wrong_label(label):
    assert decode((CHINESE + "é").encode(), label) == CHINESE + "é"


def test_a_label_that_most_bytes_contradict_gives_way():
    assert decode((RUSSIAN * 2).encode("cp1251"), "utf-8") == RUSSIAN * 2


def test_a_few_damaged_bytes_are_no_reason_to_distrust_a_label():
    assert decode(RUSSIAN.encode() + b"\xff" + RUSSIAN.encode(), "utf-8") == RUSSIAN + "\ufffd" + RUSSIAN
    assert decode(("naïve " * 3 + "é").encode()[:-1], "utf-8") == "naïve " * 3


def test_every_label_decodes_any_bytes_in_linear_time():
    noise = bytes(range(256)) * 300
    labels = set(webencodings.labels.LABELS.values()) - {"replacement"}
    started = time.process_time()
    for label in sorted(labels):
        for data in (noise, b"\x81" * 30_000, b"\x1b$B" * 10_000, b"\xfe\xff" * 15_000):
            decode(data, label, html=True)
    assert time.process_time() - started < 60


def test_no_label_of_a_file_reaches_pythons_own_codecs():
    for label in ("base64", "zip", "unicode_escape", "idna", "punycode", "utf-7"):
        assert codecs.lookup(label)
        assert decode(b"a+AGE-\\u0041", label) == "a+AGE-\\u0041"
