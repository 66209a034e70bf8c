"""Redaction: what is taken, what is left, and the laws of the counts. All personal data here is made up."""

import logging
import pickle
import socket
from functools import cache
from typing import Any, get_args

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError
from configs.load import load_languages
from configs.models import PII_KINDS, PiiKind
from pipeline.pii import Redactor
from pipeline.pii.phones import plan
from pipeline.pii.redactor import recounted

REGIONS = {code: language.phone_regions for code, language in load_languages().natural.items()}
ALL = Redactor(get_args(PiiKind), REGIONS)

SECRET = "f3J9sKq0ZpX7vB2mN8tL4cWy"
ARMOUR = "MIIEpAIBAAKCAQEA7bqXk2Lw9sTn4vYc\n" * 4
TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"

LETTERS = "kQzRwXbNvTpLmYcHgJdFsGhBnM"  # no digits

TAKEN = [
    ("KEY", "en", f'api_key = "{SECRET}"', 'api_key = "PI:KEY"'),
    ("KEY", "python", f"client_secret: '{SECRET}',", "client_secret: 'PI:KEY',"),
    ("KEY", "en", f"Authorization: Bearer {SECRET}", "Authorization: Bearer PI:KEY"),
    ("KEY", "en", f"https://host/path?token={SECRET}&a=1", "https://host/path?token=PI:KEY&a=1"),
    ("KEY", "en", "id AKIAQ7W3E5R9T1Y6U8I0 ok", "id PI:KEY ok"),
    ("KEY", "python", "x = 'ghp_" + "a1B2c3D4e5F6" * 3 + "'", "x = 'PI:KEY'"),
    ("KEY", "python", "x = 'xoxb-" + "123456789012-a1B2c3D4e5F6" + "'", "x = 'PI:KEY'"),
    ("KEY", "python", "x = 'AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q" + "'", "x = 'PI:KEY'"),
    ("KEY", None, f"see {TOKEN} there", "see PI:KEY there"),
    (
        "KEY",
        None,
        f"a\n-----BEGIN RSA PRIVATE KEY-----\n{ARMOUR}-----END RSA PRIVATE KEY-----\nb",
        "a\nPI:KEY\nb",
    ),
    ("EMAIL", "en", "mail jane.doe@acme-corp.com.", "mail PI:EMAIL."),
    ("EMAIL", "fr", "josé.núñez@université-paris.fr", "PI:EMAIL"),
    ("EMAIL", "zh-Hans", "我的邮箱是foo@bar.com联系", "我的邮箱是PI:EMAIL联系"),
    ("EMAIL", "ar", "البريد:jane@acme.org،", "البريد:PI:EMAIL،"),
    ("EMAIL", "python", "# Jane <jane@acme.co.uk>", "# Jane <PI:EMAIL>"),
    ("EMAIL", "zh-Hans", "邮箱：ｊａｎｅ．ｄｏｅ＠ｇｍａｉｌ．ｃｏｍ。", "邮箱：PI:EMAIL。"),
    ("EMAIL", "zh-Hans", "我的邮箱jane＠gmail.com，或者", "我的邮箱PI:EMAIL，或者"),
    ("EMAIL", "zh-Hant", "聯絡jane@gmail．com（陳）", "聯絡PI:EMAIL（陳）"),
    ("USER", "en", "thanks @jane_doe!", "thanks PI:USER!"),
    ("USER", "zh-Hant", "感謝@jane_doe的幫助", "感謝PI:USER的幫助"),
    ("USER", "es", "(@jane99, @otto.)", "(PI:USER, PI:USER.)"),
    ("IP_ADDRESS", "en", "server 81.2.69.142 answered.", "server PI:IP_ADDRESS answered."),
    ("IP_ADDRESS", "en", "at 2a00:1450:4001:81b::200e.", "at PI:IP_ADDRESS."),
    ("IP_ADDRESS", "en", "81.2.69.142 81.2.69.143", "PI:IP_ADDRESS PI:IP_ADDRESS"),
    ("IP_ADDRESS", "python", 'host = "81.2.69.142:8080"', 'host = "PI:IP_ADDRESS:8080"'),
    ("PHONE", "en", "call +44 20 7946 0958 now", "call PI:PHONE now"),
    ("PHONE", None, "whatever +44 20 7946 0958", "whatever PI:PHONE"),
    ("PHONE", "en", "(212) 456-7890", "PI:PHONE"),
    ("PHONE", "fr", "tél : 01 42 68 53 00", "tél : PI:PHONE"),
    ("PHONE", "zh-Hans", "电话:010-6552 9988", "电话:PI:PHONE"),
    ("IBAN", "en", "to DE89 3704 0044 0532 0130 00, please", "to PI:IBAN, please"),
    ("IBAN", "fr", "GB82WEST12345698765432", "PI:IBAN"),
    ("CREDIT_CARD", "en", "card 4111 1111 1111 1111.", "card PI:CREDIT_CARD."),
    ("CREDIT_CARD", "en", "4012888888881881", "PI:CREDIT_CARD"),
    ("CREDIT_CARD", "en", "amex 3782-822463-10005", "amex PI:CREDIT_CARD"),
    ("KEY", "python", f'login("hf_{LETTERS}abcdefgh")', 'login("PI:KEY")'),
    ("KEY", "en", "AKIAIOSFODNN7EXAMPLE of the manual", "PI:KEY of the manual"),
    ("KEY", "en", "ASIAQWERTZUIOPLKJHGF.", "PI:KEY."),
    ("KEY", "en", f"glpat-{LETTERS[:20]} is old", "PI:KEY is old"),
    ("KEY", "en", f"github_pat_{LETTERS[:22]}_{LETTERS}{LETTERS} x", "PI:KEY x"),
    ("KEY", "en", f"https://hooks.slack.com/services/T0AB1CD2E/B0FG3HI4J/{LETTERS[:24]}", "https://PI:KEY"),
    ("KEY", "en", f"https://discord.com/api/webhooks/123456789012345678/{LETTERS}{LETTERS}a", "https://PI:KEY"),
    ("KEY", "en", f"SG.{LETTERS[:22]}.{LETTERS}{LETTERS[:17]}!", "PI:KEY!"),
    ("KEY", "en", f"bot 123456789:AAF{LETTERS}xyzKLMN ok", "bot PI:KEY ok"),
    ("KEY", "en", f"M{LETTERS[:23]}.Gx3_kQ.{LETTERS}a", "PI:KEY"),
    ("KEY", "en", "SK" + "0123456789abcdef" * 2, "PI:KEY"),
    ("KEY", "en", f"密钥：npm_{LETTERS}kLmNoPqRsT。", "密钥：PI:KEY。"),
    ("KEY", "en", "postgres://app:tr0ub4dor@db.acme.io/main", "postgres://app:PI:KEY@db.acme.io/main"),
    ("KEY", "en", "https://jane:s3cretpw@host.acme.io/", "https://jane:PI:KEY@host.acme.io/"),
    ("KEY", "en", "Server=db;User Id=sa;Password=gr8Horse;", "Server=db;User Id=sa;Password=PI:KEY;"),
    ("KEY", "python", 'db_password = "kV9!rotzQ2"', 'db_password = "PI:KEY"'),
    ("KEY", "en", f"TOKEN={TOKEN}", "TOKEN=PI:KEY"),
    ("EMAIL", "en", "in jane@acme.com.txt", "in PI:EMAIL.txt"),
    ("USER", "en", "Use @kwame-boateng and @aissa.ndiaye.", "Use PI:USER and PI:USER."),
    (
        "USER",
        "en",
        "The senator @JaneDoe told reporters so on Monday",
        "The senator PI:USER told reporters so on Monday",
    ),
    ("USER", "ca", "Dono les gràcies a @jordi pel dinar", "Dono les gràcies a PI:USER pel dinar"),
    ("USER", "fr", "Merci @awadiop pour la photo", "Merci PI:USER pour la photo"),
    ("USER", "ar", "شكرا @leila على المساعدة", "شكرا PI:USER على المساعدة"),
    ("IP_ADDRESS", "en", "from “81.2.69.142” and «81.2.69.143»", "from “PI:IP_ADDRESS” and «PI:IP_ADDRESS»"),
    (
        "IP_ADDRESS",
        "zh-Hans",
        "用户81.2.69.142于昨天，地址：81.2.69.143。",
        "用户PI:IP_ADDRESS于昨天，地址：PI:IP_ADDRESS。",
    ),
    ("IP_ADDRESS", "ar", "العنوان\u200f81.2.69.142\u200f", "العنوان\u200fPI:IP_ADDRESS\u200f"),
    ("IP_ADDRESS", "ar", "من ٨١.٢.٦٩.١٤٢ إلى", "من PI:IP_ADDRESS إلى"),
    ("IP_ADDRESS", "ur", "پتہ ۸۱.۲.۶۹.۱۴۲۔", "پتہ PI:IP_ADDRESS۔"),
    ("IP_ADDRESS", "hi", "८१.२.६९.१४२ से, आईपी १२.२४.३६.४८", "PI:IP_ADDRESS से, आईपी PI:IP_ADDRESS"),
    ("IP_ADDRESS", "zh-Hans", "地址８１．２．６９．１４２，", "地址PI:IP_ADDRESS，"),
    ("IP_ADDRESS", "th", "จาก ๘๑.๒.๖๙.๑๔๒", "จาก PI:IP_ADDRESS"),
    ("IP_ADDRESS", "en", "—2a00:1450:81b::200e—", "—PI:IP_ADDRESS—"),
    ("IP_ADDRESS", "en", "::ffff:81.2.69.142 and 2a00:1450:81b::2%eth0", "PI:IP_ADDRESS and PI:IP_ADDRESS%eth0"),
    ("IP_ADDRESS", "en", "fe80::211:22ff:fe33:4455%en0", "PI:IP_ADDRESS%en0"),
    ("PHONE", "en", "Mob: 97654 32109 or 09765432109", "Mob: PI:PHONE or PI:PHONE"),
    ("PHONE", "en", "Contact (+91) 9765432109, 0091 97654 32109", "Contact PI:PHONE, PI:PHONE"),
    ("PHONE", "en", "my cell is 0803 123 4567 in Lagos", "my cell is PI:PHONE in Lagos"),
    ("PHONE", "ar", "هاتف: ٠١٠٢٣٤٥٦٧٨٩", "هاتف: PI:PHONE"),
    ("PHONE", "hi", "मोबाइल: ९७६५४३२१०९", "मोबाइल: PI:PHONE"),
    ("PHONE", "vi", "SĐT 0987 654 321", "SĐT PI:PHONE"),
    ("PHONE", "en", "https://wa.me/447911123456?text=hi", "https://wa.me/PI:PHONE?text=hi"),
    ("PHONE", "pt", "wa.me/5511987654321, wa.me/c/5511987654322", "wa.me/PI:PHONE, wa.me/c/PI:PHONE"),
    ("PHONE", "javascript", 'open("https://wa.me/5511987654321")', 'open("https://wa.me/PI:PHONE")'),
    (
        "PHONE",
        "en",
        "https://api.whatsapp.com/send?text=a%20b&phone=%2B447911123456&x=1",
        "https://api.whatsapp.com/send?text=a%20b&phone=PI:PHONE&x=1",
    ),
    ("PHONE", "es", "viber://chat?number=%2b447911123456", "viber://chat?number=PI:PHONE"),
    ("PHONE", "vi", "Trần Thị Hoa, Huế, 0987 654 321", "Trần Thị Hoa, Huế, PI:PHONE"),
    ("PHONE", "sw", "Piga simu 0712 345 678 leo", "Piga simu PI:PHONE leo"),
    ("PHONE", "sw", "Piga simu 859-292-3680 leo", "Piga simu PI:PHONE leo"),  # of another country: nothing of it stays
    ("PHONE", "sw", "Piga simu (021) 555-1234", "Piga simu PI:PHONE"),
    ("PHONE", "zh-Hans", "电话：０１０－６５５２９９８８", "电话：PI:PHONE"),
    ("PHONE", "sw", "Piga simu 859 292 3680 leo", "Piga simu PI:PHONE leo"),
    ("PHONE", "en", "phone 86 131 2345 6789 in 2024", "phone PI:PHONE in 2024"),
    ("PHONE", "en", "phone 31 20 624 1111, on 3 May", "phone PI:PHONE, on 3 May"),
    ("PHONE", "en", "phone 31 20 624 on 12 03 2024", "phone PI:PHONE on 12 03 2024"),
    ("PHONE", "en", "call 0803 123 4567 2024 times", "call PI:PHONE 2024 times"),
    ("PHONE", "fr", "Tél. 90 12 34 56 24 heures", "Tél. PI:PHONE 24 heures"),
    ("PHONE", "fr", "(+229) 97 12 34 56, +225 07123456", "PI:PHONE, PI:PHONE"),  # older plans
    ("PHONE", "vi", "00 84 123 456 7890", "PI:PHONE"),
    ("PHONE", "pt", "+55 (11) 9123-4567", "PI:PHONE"),
    ("PHONE", "en", "Call me on 712 345 678 or text 555-0142", "Call me on PI:PHONE or text PI:PHONE"),
    ("PHONE", "en", "Contact: Jane Doe, 020 7946 0958", "Contact: Jane Doe, PI:PHONE"),
    ("PHONE", "id", "No. HP saya 0812 3456 7890", "No. HP saya PI:PHONE"),
    ("PHONE", "fr", "mon portable : 06 12 34 56 78", "mon portable : PI:PHONE"),
    ("IP_ADDRESS", "en", "src_ip 11.11.7.1 and 16.3.10.25:8080", "src_ip PI:IP_ADDRESS and PI:IP_ADDRESS:8080"),
    ("IP_ADDRESS", "en", "2001:658:22a:cafe::/64", "PI:IP_ADDRESS/64"),  # a household's network
    ("USER", "en", "It costs $five or $six, thanks @delphij", "It costs $five or $six, thanks PI:USER"),
    ("IBAN", "fr", "IBAN : fr7630006000011234567890189.", "IBAN : PI:IBAN."),
    ("IBAN", "zh-Hans", "账户GB82WEST12345698765432号", "账户PI:IBAN号"),
    ("IBAN", "de", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000 BIC", "PI:IBAN BIC"),
    ("CREDIT_CARD", "en", "2223 0031 2200 3222, 5061 4604 1012 0223 210", "PI:CREDIT_CARD, PI:CREDIT_CARD"),
    ("CREDIT_CARD", "zh-Hans", "卡号4012888888881881，有效期", "卡号PI:CREDIT_CARD，有效期"),
    ("CREDIT_CARD", "en", "4111 1111 1111 1111 12/27 123", "PI:CREDIT_CARD 12/27 123"),
    ("NATIONAL_ID", "en", "my SSN is 536-22-1234", "my SSN is PI:NATIONAL_ID"),
    ("NATIONAL_ID", "hi", "Aadhaar 2345 6789 0124", "Aadhaar PI:NATIONAL_ID"),
    ("NATIONAL_ID", "en", "codice fiscale RSSMRA85T10A562S", "codice fiscale PI:NATIONAL_ID"),
]

LEFT = [
    ("python", f'sha256 = "{"e3b0c442" * 8}"'),
    ("python", 'token = "123e4567-e89b-12d3-a456-426614174000"'),
    ("python", "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    ("javascript", '"integrity": "sha512-f3J9sKq0ZpX7vB2mN8tL4cWyQ1xZ0a=="'),
    ("javascript", 'src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA9TXL0Y4OHwAAAABJRU5ErkJggg=="'),
    ("en", '"NextToken": "dlhcKMHMzpCBGFukz6IO3JMcWiJAamCV"'),
    ("en", "AWS_SECRET=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("en", "-----BEGIN PUBLIC KEY-----\n" + ARMOUR + "-----END PUBLIC KEY-----"),
    ("en", "user@example.com, a@mail.example.org, root@localhost, x@host.invalid"),
    ("en", "git clone git@github.com:owner/name.git"),
    ("javascript", 'import x from "@angular/core"; lodash@4.17.21; icon@2x.png'),
    ("python", "@app.route\n@property\ndef f(): ..."),
    ("java", "@Override public void f() {}"),
    ("en", "@param x the value\n@return nothing, @see that"),
    ("en", 'as in @angular/core or {"@type": 1}'),
    ("en", "If the @SoftRemoved is set, newer than @latest or @v1.2.0, see @options.lst"),
    ("en", "4711 @RolesAllowed is kept\n+ 4712 Implement @FancyListener\n+ 4713 say why @BeanThing fails"),
    ("ar", "مع تسمح بالاتصال 192.168.0.0/24 الشبكة"),  # a word that also stands before telephone numbers
    ("en", "call 192.168.0.0/24 now"),
    ("nl", "Bel 0212 345 500 EUR, 0212 345 12:30"),
    ("fr", "+229 000 000 00, +229 97 12 34, +225 97 12 34 56"),
    ("zh-Hans", "价格＠１．５０元，见＠例子．没有，ａ＠ｂ，注意：＠"),
    ("en", "127.0.0.1 0.0.0.0 192.168.1.1 10.0.0.7 172.16.3.4 224.0.0.1 255.255.255.0"),
    ("hi", "१९२.१६८.१.१, ८१.२.६९, ८१.२.६९.१४२.५, २०२४-०१-१५ १०:२०, ३३३.२.६९.१४२"),
    ("en", "wa.me/1234567 wa.me/message/ABC12345678901 https://host/a/447911123456 x=447911123456"),
    ("en", "Install @babel/core, then @my-scope/name and @acme.io/pkg@1.2; “@scope/name” is a package."),
    ("en", "192.0.2.33 198.51.100.7 203.0.113.9 2001:db8::1 fe80::1 ::1"),
    ("en", "version 81.2.69.142, v81.2.69.142, libfoo-81.2.69.142, foo==81.2.69.142"),
    ("en", "deps: update V8 to 9.5.172.19, patched from 9.5.172.18"),
    ("en", "deps: upgrade to V8 9.5.172.19; not supported by HTTP/2 (RFC 7540 8.1.2.4)"),
    ("en", 'd="M18c0 1.52-.87 2.83-2.12 43.51.98.32 2.03z"'),
    ("en", "arn:aws:secretsmanager:us-west-2:1:secret:MyTestDatabaseSecret1-a1B2c3"),
    ("en", "SSN in commit/3505782801 of the NHS"),
    ("en", "See 3.2.4.1 and OID 1.3.6.1.4.1.311 and 2.5.29.35"),
    ("cpp", "std::vector a::b dead::beef Foo::Bar 12:30:45 00:1b:44:11:3a:b7"),
    ("en", "1939-1945, 2024-11-24 10:30, 12.05.2021, ISBN 978-3-16-148410-0, $1 200 300 400"),
    ("es", "teléfono, 12.05.2021 - 14.05.2021"),
    ("en", "1 2 3 4 5 6 7 8 9 10, 3.14159265358979, 1700000000000, 252.227-7013"),
    ("en", "DE88 3704 0044 0532 0130 00"),  # wrong check digits
    ("en", "4111 1111 1111 1112"),  # wrong Luhn digit
    ("python", "x**2 + 4012888888881881*y; default_rng(4012888888881881)"),
    ("en", "Put @dataclass above. The @Service annotation, @staticmethod, @Inject, @unless and @endforeach."),
    ("en", "In Perl @names and @ARGV are arrays; push @names, $x;"),
    ("en", "@node Top, Next\n@section Use of @code{x} and @samp{y}\n@end table"),
    ("en", "crontab: @daily, @reboot. what is left: <@acme.com>"),
    ("en", "1.2.3.4. FETCH Command\n12.34.56.78. Sentence"),
    ("es", "versión 81.2.69.142"),
    ("zh-Hans", "版本81.2.69.142已发布"),
    ("en", "nginx 18.20.33.41, Firmware 81.2.69.142, 81.2.69.142 firmware, Oracle 11.2.0.4"),
    ("python", "rows = [4012888888881881, 5555555555554444]"),
    ("en", "0.4012888888881881, order 4012888888881881, 1234 4111 1111 1111 1111 5678"),
    ("en", "Order 0803 123 4567, 0.252.227.7013, factura 0712 345 678, 1 380 004 385 people, 1990 1995 2000 2005"),
    ("en", "AKIAXXXXXXXXXXXXXXXX sk-circle-fade-dot-animation-delay-long hf_hub_download_with_retries_and_more"),
    ("en", "postgres://user:password@db, https://x:$TOKEN@y, redis://:{secret}@z, Password={0};"),
    ("en", "536-22-1234"),  # nothing near says what it is
    ("en", 'ls: general.txt 123 2011-01-26, "0/1/2/3/4/5/6/7/8/file.txt", and 11 recursive calls\n479001600 times'),
    ("javascript", "g.min.call(g, 2147483648); cell.x.mul(73856093)"),
    ("en", "us/call 100   600.00; WA 98226-9062; HP 9000/803; in Mobile by Jane. CVE-2026-113003"),
    ("en", "1990-Mar-02 3.014 1990, 0-11-000322-5, <Buffer 01 02 03 04 05>, length 65520 (65516 bytes), [0123456789]"),
    ("fr", "numéro d’inœud « 2738404 », corpus Text totalisant 3 141 622 octets"),
    ("es", "numero2 menores que 2 ^ 48 (281 474 976 710 656)"),
    ("en", "fix from 2.67.3–2.67.4 (work by Iain); Wed May 12 2021 20:30:48; `0762482339`"),
    (
        "en",
        "RFC 5280, 4.2.1.12; from CDC spec 5.2.3.1; users of 3.6.14 and 3.6.14.1 upgrade; pip list: novas (3.1.1.3)",
    ),
    ("es", "véase Sección 6.2.4.3, “La configuración” del servidor ssh"),
    ("ar", "ssh (انظر قسم 9.2.1.4، “إنشاء الأنفاق”)"),
    ("en", "2002::/16, 2001:4860::, Jun 6 2006:: new"),
    ("go", "PrivateKey: testEd25519PrivateKey, masterSecret = masterFromPreMasterSecret(c)"),
    ("python", "password = ReadOnlyPasswordHashField(label)"),
    ("en", "see [protocol://][user[:password]@]proxyhost"),
    ("en", "for my $line (@processed) { print $fh $line; } and you could say @numbers = (0 + $first)"),
    ("en", "language[_territory][.codeset][@modifier] and @WTMP_FILE_LOC here"),
    (
        "en",
        "New in version 3.11.\n@enum.property\nA decorator similar to property\n>>> @fun.register\n... def _(arg): ...",
    ),
    ("en", "PI:EMAIL PI:KEY token=PI:KEY PI:EMAIL@acme.com"),
]


@cache
def presidio(name: str) -> Any:
    """A recogniser of Presidio, the oracle; its suffix list is the one that comes with `tldextract`."""
    from presidio_analyzer import predefined_recognizers
    from tldextract import TLDExtract

    logging.getLogger("presidio-analyzer").disabled = True
    recognizer = getattr(predefined_recognizers, name)()
    if name == "EmailRecognizer":
        known_suffix = TLDExtract(suffix_list_urls=(), cache_dir=None)
        recognizer.validate_result = lambda pattern_text: known_suffix(pattern_text).fqdn != ""
    return recognizer


def spans(name: str, entity: str, text: str) -> list[tuple[int, int]]:
    return [(found.start, found.end) for found in presidio(name).analyze(text, [entity], None)]


def redact(texts: list[str], languages: list[str | None]) -> tuple[pa.LargeStringArray, dict[str, pa.Array]]:
    return ALL.redact(pa.array(texts, pa.large_string()), pa.array(languages, pa.string()))


@pytest.mark.parametrize(("kind", "language", "text", "expected"), TAKEN)
def test_personal_data_is_replaced_by_its_kind(kind: str, language: str | None, text: str, expected: str) -> None:
    redacted, counts = redact([text], [language])
    assert redacted[0].as_py() == expected
    assert counts[f"pii_{kind.lower()}"][0].as_py() == expected.count(f"PI:{kind}")
    assert sum(column[0].as_py() for column in counts.values()) == expected.count("PI:")


@pytest.mark.parametrize(("language", "text"), LEFT)
def test_what_belongs_to_nobody_is_left(language: str, text: str) -> None:
    assert ALL.redact_text(text, language) == text


def test_only_enabled_kinds_are_taken_and_counted() -> None:
    text = pa.array(["jane@acme.com +44 20 7946 0958"], pa.large_string())
    redacted, counts = Redactor(("PHONE",), REGIONS).redact(text, pa.array(["en"]))
    assert redacted.to_pylist() == ["jane@acme.com PI:PHONE"]
    assert {name: column.to_pylist() for name, column in counts.items()} == {"pii_phone": [1]}
    assert counts["pii_phone"].type == pa.int32()


def test_an_untouched_batch_is_returned_as_it_is() -> None:
    texts = pa.array(["nothing here", "", "ఏమీ లేదు"], pa.large_string())
    redacted, counts = ALL.redact(texts, pa.array(["en", None, "te"]))
    assert redacted is texts
    assert all(column.to_pylist() == [0, 0, 0] for column in counts.values())


def test_no_documents_at_all() -> None:
    redacted, counts = redact([], [])
    assert len(redacted) == 0
    assert all(len(column) == 0 for column in counts.values())


def test_slices_nulls_and_dictionary_languages() -> None:
    texts = pa.array(["x jane@acme.com", None, "héllo", "q otto@acme.com z", "jane@acme.com"], pa.large_string())
    languages = pa.array(["en", "en", None, "fr", "sw"]).dictionary_encode()
    redacted, counts = ALL.redact(texts.slice(1, 3), languages.slice(1, 3))
    assert redacted.to_pylist() == [None, "héllo", "q PI:EMAIL z"]
    assert counts["pii_email"].to_pylist() == [0, 0, 1]
    redacted.validate(full=True)


def test_nothing_is_found_across_the_border_of_two_documents() -> None:
    redacted, _ = redact(["call +44 20 79", "46 0958 jane", "@acme.com"], ["en", "en", "en"])
    assert redacted.to_pylist() == ["call +44 20 79", "46 0958 jane", "@acme.com"]


PIECES = st.sampled_from(
    [text for _, _, text, _ in TAKEN]
    + [text for _, text in LEFT]
    + [" ", "\n", "@", ".", ":", "-", "1", "a", "é", "中", "PI:", "key=", "+", "jane@acme.com", "81.2.69.142", "🙂"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=6).map("".join), st.sampled_from(["en", "hi", "zh-Hans", "python", None, "und"]))
def test_a_second_redaction_changes_nothing_and_counts_are_replacements(text: str, language: str | None) -> None:
    once, counts = redact([text], [language])
    twice, _ = ALL.redact(once, pa.array([language], pa.string()))
    assert twice is once
    for kind in PII_KINDS:
        marker = f"PI:{kind}"
        assert counts[f"pii_{kind.lower()}"][0].as_py() == once[0].as_py().count(marker) - text.count(marker)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=4).map("".join), max_size=6))
def test_a_document_is_redacted_alike_alone_and_in_a_batch(texts: list[str]) -> None:
    together, _ = redact(texts, ["en"] * len(texts))
    assert together.to_pylist() == [ALL.redact_text(text, "en") for text in texts]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_comes_back_valid(text: str) -> None:
    redact([text.encode("utf-8", "replace").decode()], ["en"])[0].validate(full=True)


MAILBOX = st.from_regex(
    r"[a-z][a-z0-9._+]{0,12}[a-z0-9]@[a-z]{2,8}(-[a-z]{2,4})?\.(com|de|co\.uk|xx|corpx|in)", fullmatch=True
).filter(lambda mailbox: mailbox.partition("@")[0] not in ("git", "hg", "svn", "bzr"))  # repositories, to us
ADDRESS = st.ip_addresses().map(str)
CARD = st.from_regex(r"4[0-9]{15}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(MAILBOX)
def test_mailboxes_are_judged_as_presidio_judges_them(mailbox: str) -> None:
    verdict = bool(spans("EmailRecognizer", "EMAIL_ADDRESS", mailbox))
    assert (ALL.redact_text(f"to {mailbox} now", "en") != f"to {mailbox} now") == verdict


@settings(max_examples=300, deadline=None)
@given(CARD)
def test_cards_are_judged_as_presidio_judges_them(card: str) -> None:
    verdict = bool(spans("CreditCardRecognizer", "CREDIT_CARD", card)) and len(set(card)) > 1
    assert (Redactor(("CREDIT_CARD",), {}).redact_text(f"card {card}.", "en") != f"card {card}.") == verdict


@settings(max_examples=300, deadline=None)
@given(ADDRESS)
def test_an_address_that_is_taken_is_one_for_presidio(address: str) -> None:
    redacted = ALL.redact_text(f"host {address} up", "en")
    if redacted != f"host {address} up":
        assert redacted == "host PI:IP_ADDRESS up"
        assert (0, len(address)) in (spans("IpRecognizer", "IP_ADDRESS", address))


def test_written_out_addresses_are_taken_when_asked_for() -> None:
    text = (
        "jane.doe [at] acme [dot] org, jane (at) acme.co.uk, JANE AT ACME DOT COM; we met at home. Dot by dot (at) it."
    )
    taken = "PI:EMAIL, PI:EMAIL, PI:EMAIL; we met at home. Dot by dot (at) it."
    assert Redactor(("EMAIL",), {}, obfuscated_email=True).redact_text(text, "en") == taken
    assert Redactor(("EMAIL",), {}).redact_text(text, "en") == text


REGION = st.sampled_from(sorted({region for regions in REGIONS.values() for region in regions}))


@settings(max_examples=300, deadline=None)
@given(REGION, st.from_regex(r"0?[1-9][0-9]{6,10}", fullmatch=True))
def test_numbers_are_valid_as_phonenumbers_says(region: str, digits: str) -> None:
    of_it = plan(region)
    assert of_it is not None
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return
    if str(number.country_code) == of_it.code and not digits.startswith(of_it.code):
        assert (of_it.national(digits) is not None) == phonenumbers.is_valid_number_for_region(number, region)


@pytest.mark.parametrize("region", sorted({region for regions in REGIONS.values() for region in regions}))
def test_example_numbers_of_a_region_are_taken_behind_a_word(region: str) -> None:
    redactor = Redactor(("PHONE",), {"en": (region,)})
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        number = phonenumbers.example_number_for_type(region, kind)
        for form in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
            written = phonenumbers.format_number(number, form)
            assert (
                sum(map(str.isdigit, written)) < 7 or redactor.redact_text(f"tel: {written}", "en") == "tel: PI:PHONE"
            )


def test_counts_follow_the_lines_that_are_cut_later() -> None:
    before = pa.array(["PI:EMAIL PI:USER\nx", "PI:EMAIL\nPI:EMAIL", "y"], pa.large_string())
    after = pa.array(["x", "PI:EMAIL", "y"], pa.large_string())
    counts = {"pii_email": pa.array([1, 1, 0], pa.int32()), "pii_user": pa.array([1, 0, 0], pa.int32())}
    told = recounted(counts, before, after)
    assert {name: column.to_pylist() for name, column in told.items()} == {
        "pii_email": [0, 0, 0], "pii_user": [0, 0, 0],
    }  # fmt: skip
    assert recounted(counts, before, before) == counts


def test_markers_that_a_source_wrote_itself_are_not_counted_when_they_are_cut() -> None:
    before, after = pa.array(["PI:EMAIL\nx"], pa.large_string()), pa.array(["x"], pa.large_string())
    assert recounted({"pii_email": pa.array([0], pa.int32())}, before, after)["pii_email"].to_pylist() == [0]


def test_a_redactor_travels_to_a_worker() -> None:
    assert pickle.loads(pickle.dumps(ALL)).redact_text("jane@acme.com", "en") == "PI:EMAIL"


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"FACE.*KEY, EMAIL"):
        Redactor(("FACE",), {})  # type: ignore[arg-type]


def test_nothing_is_logged_and_nothing_is_fetched(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    caplog.set_level(logging.DEBUG)
    for _, language, text, expected in TAKEN:
        assert ALL.redact_text(text, language) == expected
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_cards_of_national_schemes_go_behind_a_word_that_names_them() -> None:
    redactor = Redactor(("CREDIT_CARD",), {})
    for number in ("8600000000000015", "9860 0000 0000 0018", "9704000000000018", "100000000000017"):
        assert redactor.redact_text(f"Kartennummer: {number}.", "de") == "Kartennummer: PI:CREDIT_CARD."
        assert number in redactor.redact_text(f"sum: {number}.", "de")


def test_an_issuers_hexadecimal_key_without_a_digit_goes() -> None:
    assert ALL.redact_text("with shpat_fdbaaeeecafabdadafbfaddaacddcfaa now", "en") == "with PI:KEY now"
