"""Opt-outs of today take a site's pages, and no others, out of a finished corpus."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from configs.errors import ConfigurationError
from configs.models import ConsentPolicy
from governance.consent import domain_of
from openroots.cli import main
from pipeline.corpus.audit import audit
from pipeline.corpus.find import Wanted, find
from pipeline.corpus.opt_outs import read_opt_outs
from pipeline.corpus.verify import verify
from tests.pipeline.corpus.conftest import write_inputs
from tests.small_build import build


@pytest.fixture(autouse=True)
def settings_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def take_down(corpus: Path, opt_outs: Path, output: Path) -> dict:
    asked = ["takedown", str(corpus), "--opt-outs", str(opt_outs), "--output", str(output), "--json"]
    run = CliRunner().invoke(main, asked)
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def kept(corpus: Path, uri: str) -> list[dict]:
    return [row for row in find(str(corpus), Wanted(uri=uri)).rows if row["decision"] == "kept"]


def test_a_listed_domain_is_out_and_all_others_stay_in(whole, tmp_path):
    receipt = take_down(whole, write(tmp_path / "list.txt", "# of today\nsite-1.example\n"), tmp_path / "out")
    assert receipt["removed_from_corpus"] == 12
    assert kept(tmp_path / "out", "https://site-1.example/") == []
    for site in ("https://site-0.example/", "https://site-2.example/"):
        assert len(kept(tmp_path / "out", site)) == len(kept(whole, site))
    assert verify(str(tmp_path / "out")).problems == []


def test_the_ledger_names_rule_and_date_and_keeps_the_address(whole, tmp_path):
    take_down(whole, write(tmp_path / "list.txt", "site-1.example\n"), tmp_path / "out")
    row = find(str(tmp_path / "out"), Wanted(uri="https://site-1.example/page/1")).rows[0]
    assert (row["decision"], row["stage"], row["reason"]) == ("dropped", "takedown", "opted_out")
    assert row["detail"].startswith("on the opt-out list list.txt (20")


def test_the_loss_of_each_language_and_source_is_told_and_audited(whole, tmp_path):
    receipt = take_down(whole, write(tmp_path / "list.txt", "site-1.example\n"), tmp_path / "out")
    languages = receipt["loss"]["language"]
    assert sum(total["documents"] for total in languages.values()) == receipt["removed_from_corpus"]
    assert receipt["loss"]["source"]["in"]["documents"] == receipt["removed_from_corpus"]
    found = audit(str(tmp_path / "out"))["consent"]
    assert {row["code"]: row["documents"] for row in found["languages"]} == {
        code: total["documents"] for code, total in languages.items()
    }


def test_rules_of_sites_in_a_folder_are_heeded_page_by_page(whole, tmp_path):
    write(tmp_path / "rules/site-1.example/robots.txt", "User-agent: GPTBot\nDisallow: /page/1\n")
    write(tmp_path / "rules/site-2.example/ai.txt", "User-Agent: *\nDisallow: /\n")
    tdm = '[{"location": "/", "tdm-reservation": 1}]'
    write(tmp_path / "rules/site-3.example/.well-known/tdmrep.json", tdm)
    write(tmp_path / "rules/site-4.example/robots.txt", "User-agent: GPTBot\nAllow: /\n")
    receipt = take_down(whole, tmp_path / "rules", tmp_path / "out")
    assert set(receipt["rules"]) == {
        "robots.txt denies it to GPTBot",
        "ai.txt denies it",
        "tdmrep.json reserves text and data mining",
    }
    left = {row["uri"] for row in kept(tmp_path / "out", "https://site-1.example/")}
    assert left and not any(uri.startswith("https://site-1.example/page/1") for uri in left)
    assert kept(tmp_path / "out", "https://site-2.example/") == kept(tmp_path / "out", "https://site-3.example/") == []
    assert len(kept(tmp_path / "out", "https://site-4.example/")) == len(kept(whole, "https://site-4.example/"))


def test_rules_in_a_web_archive_are_heeded(whole, tmp_path):
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nUser-agent: *\nDisallow: /\n"
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://site-1.example/robots.txt\r\n"
        "WARC-Date: 2026-11-20T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:0f0f>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    write(tmp_path / "robots.warc.gz", gzip.compress(head.encode() + body + b"\r\n\r\n"))
    take_down(whole, tmp_path / "robots.warc.gz", tmp_path / "out")
    assert kept(tmp_path / "out", "https://site-1.example/") == []
    row = find(str(tmp_path / "out"), Wanted(uri="https://site-1.example/page/1")).rows[0]
    assert row["detail"] == "robots.txt of site-1.example denies it to GPTBot (2026-11-20)"


def test_a_later_build_leaves_the_pages_out_but_not_their_like_elsewhere(tmp_path):
    recipe = write_inputs(tmp_path / "made")
    build(recipe, tmp_path / "corpus")
    take_down(tmp_path / "corpus", write(tmp_path / "list.txt", "site-4.example\n"), tmp_path / "out")
    build(recipe, tmp_path / "out")
    assert kept(tmp_path / "out", "https://site-4.example/") == []
    assert len(kept(tmp_path / "out", "https://mirror.example/4")) == 1  # the near copy of page 4, of another site
    assert verify(str(tmp_path / "out")).problems == []


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        ("example.org", "example.org"),
        ("*.Example.ORG.", "example.org"),
        ("https://example.org/", "example.org"),
        ("0.0.0.0 example.org", "example.org"),
        ("||example.org^", "example.org"),
        ("example.org:8080", "example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("two words", ""),
        ("a/b", ""),
        ("-", "-"),
        ("", ""),
    ],
)
def test_domains_in_the_spellings_of_lists(line, domain):
    assert domain_of(line) == domain


def test_a_line_with_an_address_means_what_begins_like_it(tmp_path):
    path = write(tmp_path / "list.txt", "https://example.org/blog/\nno domain at all\n! comment\n")
    found = read_opt_outs(str(path), ConsentPolicy())
    assert found.refusal("http://example.org/blog/1") and not found.refusal("https://example.org/other")
    assert not found.refusal("https://sub.example.org/blog/1")
    assert found.not_understood == ["no domain at all"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("list.txt", "", "names no domain"),
        ("robots.txt", "User-agent: *\nDisallow: /\n", "rules of which site"),
        ("list.txt", b"\xff\xfe\x00", "not UTF-8"),
        ("x.warc.gz", b"\x1f\x8bdamaged", "names no domain|damaged"),
    ],
)
def test_what_says_nothing_is_refused(name, data, said, tmp_path):
    with pytest.raises(ConfigurationError, match=said):
        read_opt_outs(str(write(tmp_path / name, data)), ConsentPolicy())


def test_either_a_request_or_opt_outs(whole, tmp_path):
    run = CliRunner().invoke(main, ["takedown", str(whole), "--output", str(tmp_path / "out")])
    assert run.exit_code == 1
    assert "either --request or --opt-outs" in run.output
