# ruff: noqa: E501 - rules as they stand
"""What sites say of the training of models, by each of the ways there are."""

import pytest

from configs.errors import ConfigurationError
from configs.models import BlockList, ConsentPolicy
from governance.consent import Consent, read_block_lists

PAGE = "https://example.org/news/1.html"


def refusal(files=None, policy=None, uri=PAGE, **answer):
    consent = Consent(policy or ConsentPolicy())
    for path, text in (files or {}).items():
        consent.add(f"https://example.org{path}", text.encode(), "2026-02-03")
    found = consent.refusal(uri, "2026-02-04", **answer)
    return found.detail if found else None


@pytest.mark.parametrize(
    ("robots", "detail"),
    [
        ("User-agent: GPTBot\nDisallow: /\n", "robots.txt of example.org denies it to GPTBot (2026-02-03)"),
        ("User-agent: *\nDisallow: /\n", "robots.txt of example.org denies it to GPTBot (2026-02-03)"),
        ("User-agent: CCBot\nUser-agent: Other\nDisallow: /news/\n", "robots.txt of example.org denies it to CCBot (2026-02-03)"),
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n", "robots.txt of example.org: Content-Signal: search=yes, ai-train=no (2026-02-03)"),
        ("User-agent: *\nContent-Usage: train-ai=n\n", "robots.txt of example.org: Content-Usage: train-ai=n (2026-02-03)"),
        ("License: https://example.org/rsl.xml\n", "robots.txt of example.org: under the RSL licence https://example.org/rsl.xml (2026-02-03)"),
        ("User-agent: Googlebot\nDisallow: /\n", None),
        ("User-agent: GPTBot\nDisallow: /private/\n", None),
        ("User-agent: *\nContent-Signal: search=no, ai-train=yes\n", None),
        ("Content-Usage: /other/ train-ai=n\n", None),
        ("\0\xff<html>no rules</html>", None),
        ("", None),
    ],
)  # fmt: skip
def test_robots_txt(robots, detail):
    assert refusal({"/robots.txt": robots}) == detail


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("User-Agent: *\nDisallow: /\n", True),
        ("User-Agent: *\nDisallow: *.txt\nDisallow: *.html\n", True),
        ("User-Agent: *\nDisallow: *.jpg\n", False),
    ],
)
def test_ai_txt(text, refused):
    assert (refusal({"/ai.txt": text}) is not None) is refused


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ('[{"location": "/", "tdm-reservation": 1}]', True),
        ('[{"location": "/news/*.html$", "tdm-reservation": 1}]', True),
        ('[{"location": "/news/", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]', False),
        ('[{"location": "/other/", "tdm-reservation": 1}]', False),
        ("[[[[", False),
        ('{"location": "/"}', False),
    ],
)
def test_a_tdm_reservation_in_its_file(rules, refused):
    assert (refusal({"/.well-known/tdmrep.json": rules}) is not None) is refused


@pytest.mark.parametrize(
    ("fields", "page", "detail"),
    [
        ({"tdm-reservation": "1"}, b"", "header tdm-reservation: 1 (2026-02-04)"),
        ({}, b'<meta name="tdm-reservation" content="1">', "meta tdm-reservation: 1 (2026-02-04)"),
        ({"x-robots-tag": "noai, noimageai"}, b"", "header X-Robots-Tag: noai (2026-02-04)"),
        ({}, b"<META content='noimageai, NoAI' name=ROBOTS>", "meta robots: noai (2026-02-04)"),
        ({"content-usage": "train-ai=n"}, b"", "header content-usage: train-ai=n (2026-02-04)"),
        ({"link": '</l.xml>; rel="license"; type="application/rsl+xml"'}, b"", "under an RSL licence (2026-02-04)"),
        ({"x-robots-tag": "noindex, noimageai"}, b'<meta name="robots" content="nofollow">', None),
        ({"tdm-reservation": "0"}, b"<p>noai</p>", None),
    ],
)
def test_headers_and_meta_elements(fields, page, detail):
    assert refusal(fields=fields, page=page) == detail


def test_a_rule_is_of_its_host_alone():
    assert refusal({"/robots.txt": "User-agent: *\nDisallow: /\n"}, uri="https://other.example.org/a") is None


def test_of_several_crawls_the_latest_robots_txt_counts():
    consent = Consent(ConsentPolicy())
    consent.add("https://example.org/robots.txt", b"", "2026-03-01")
    consent.add("https://example.org/robots.txt", b"User-agent: *\nDisallow: /\n", "2026-01-01")
    assert consent.refusal(PAGE) is None


@pytest.mark.parametrize("key", ["robots", "signals"])
def test_each_way_can_be_switched_off(key):
    text = {"robots": "User-agent: *\nDisallow: /\n", "signals": "Content-Signal: ai-train=no\n"}[key]
    assert refusal({"/robots.txt": text}, ConsentPolicy(**{key: False})) is None


def test_a_block_list_names_domains_and_all_below_them(tmp_path):
    (tmp_path / "list.txt").write_text("# ours\nexample.org\n*.bücher.example # said so\n")
    lists = read_block_lists([BlockList(path=str(tmp_path / "list.txt"), date="2026-05-06")])
    consent = Consent(ConsentPolicy(), lists)
    refused = consent.refusal("http://a.b.example.org/x")
    assert refused and refused.detail == "on the block list list.txt (2026-05-06)"
    assert consent.refusal("https://xn--bcher-kva.example/")
    assert consent.refusal("https://notexample.org/") is None
    assert consent.refusal("no address") is None


def test_a_block_list_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nothing\.txt"):
        read_block_lists([BlockList(path=str(tmp_path / "nothing.txt"), date="2026-05-06")])


@pytest.mark.parametrize(
    ("robots", "refused"),
    [
        (b"\xef\xbb\xbfUser-agent: GPTBot\r\nDisallow: /\r\n", True),
        (b"User-agent: GPTBot\rDisallow: /\r", True),
        ("User-agent: GPTBot\nDisallow: /\n".encode("utf-16"), True),
        (b"# caf\xe9\nUSER-AGENT :  gptbot\nDISALLOW :/\n", True),
        (b"User-agent: *\rContent-Signal: ai-train=no\r", True),
        (b"User-agent: *\nContent-Usage: genai=n\n", True),
        (b"License: /rsl.xml\n", True),
        (b"User-agent: GPTBot\nDisallow: /news/\nAllow: /news/1.html\n", False),
        (b"User-agent: GPTBot\nAllow: /\nDisallow: /*.html$\n", True),
        (b"User-agent: GPTBot\nDisallow: /*.html$\nAllow: /news/*.html$\n", False),
        (b"User-agent: *\nCrawl-delay: 10\nDisallow:\n", False),
        (b"User-agent: GPTBot\nUser-agent: CCBot\nCrawl-delay: 5\nDisallow: /news\n\nUser-agent: *\nAllow: /\n", True),
        (b"User-agent: GPTBot\nDisallow: /private\n\nUser-agent: GPTBot\nDisallow: /news\n", True),
        (b"<!DOCTYPE html><pre>\nUser-agent: *\nDisallow: /\nLicense: https://e.org/l\n</pre>", False),
        (b"User-agent: *\nContent-Signal: retrain-ai-trainer=no\n", False),
        (b"Disallow: /\n", False),
        (b"User-agent: *\n" + b"# filling\n" * 60_000 + b"Disallow: /\n", False),
        (b"User-agent: *\n" + b"#" * (512_000 - 26) + b"\nDisallow: /other\n", False),
        (b"User-agent: GPTBot\nDisallow: /n%65ws/\n", True),
        (b"User-agent: GPTBot\nDisallow: news\n", False),
    ],
)  # fmt: skip
def test_robots_txt_as_odd_as_sites_write_it(robots, refused):
    consent = Consent(ConsentPolicy())
    consent.add("https://example.org/robots.txt", robots, "2026-02-03")
    assert (consent.refusal(PAGE) is not None) is refused


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ('\ufeff[{"location": "/*", "tdm-reservation": "1"}]', True),
        ('{"location": "/", "tdm-reservation": true}', True),
        ('[{"tdm-reservation": 1, "tdm-policy": "https://example.org/p.json"}]', True),
        ('[{"location": "https://example.org/news/", "tdm-reservation": 1}]', True),
        ('[{"location": "https://other.example/", "tdm-reservation": 1}]', False),
        ('[{"location": 7, "tdm-reservation": 1}, null, "x"]', False),
        ('[{"location": "/", "tdm-reservation": "01"}]', False),
    ],
)
def test_tdmrep_json_as_odd_as_sites_write_it(rules, refused):
    assert (refusal({"/.well-known/tdmrep.json": rules}) is not None) is refused


@pytest.mark.parametrize("path", ["/blog/ai.txt", "/a/robots.txt", "/tdmrep.json"])
def test_rules_of_a_site_stand_in_their_places_alone(path):
    text = '[{"location": "/", "tdm-reservation": 1}]' if "tdm" in path else "User-agent: *\nDisallow: /\n"
    assert refusal({path: text}) is None


@pytest.mark.parametrize(
    ("fields", "page", "refused"),
    [
        ({"tdm-reservation": " 1; policy"}, b"", True),
        ({"tdm-reservation": "10"}, b"", False),
        ({"x-robots-tag": "googlebot: noindex, GPTBot: NOAI"}, b"", True),
        ({"content-signal": 'search=yes, ai-train="no"'}, b"", True),
        ({"content-usage": "train-ai=y, train-genai=n"}, b"", True),
        ({}, b"<meta name=robots content=noai/>", True),
        ({}, b'<meta content="noai"\n name="ROBOTS" >', True),
        ({}, '<meta name="robots" content="noai">'.encode("utf-16"), True),
        ({}, b'<script type="application/rsl+xml"><rsl/></script>', True),
        ({}, b'<meta name="description" content="what noai means">', False),
        ({}, b'<meta name="GPTBot" content="noai">', True),
    ],
)
def test_headers_and_meta_elements_as_odd_as_sites_write_them(fields, page, refused):
    assert (refusal(fields=fields, page=page) is not None) is refused


@pytest.mark.parametrize(
    ("line", "uri", "blocked"),
    [
        ("EXAMPLE.org.", "https://Example.ORG/x", True),
        ("example.org:8080", "https://example.org/x", True),
        ("example.org", "https://example.org:8443/x", True),
        ("example.org", "https://example.org./x", True),
        ("straße.example", "https://xn--strae-oqa.example/", True),
        ("XN--BCHER-KVA.example", "https://bücher.example/", True),
        ("||example.org^$third-party", "https://www.example.org/", True),
        ("0.0.0.0 example.org # ads", "https://example.org/", True),
        ("192.0.2.7", "http://192.0.2.7/x", True),
        ("sub.example.org", "https://example.org/", False),
        ("example.org", "https://user:pw@example.org/", True),
        ("example.org", "https://example.org.evil.example/", False),
    ],
)
def test_lists_and_addresses_meet_however_they_are_written(line, uri, blocked, tmp_path):
    (tmp_path / "list.txt").write_text(f"\ufeff{line}\r\n! a comment\r\n\r\n", "utf-8")
    lists = read_block_lists([BlockList(path=str(tmp_path / "list.txt"), date="2026-05-06")])
    assert (Consent(ConsentPolicy(), lists).refusal(uri) is not None) is blocked
