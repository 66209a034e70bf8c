"""Pages of web archives whose sites refuse: out, with the rule in the ledger; the rest is read."""

from pathlib import Path

import pytest

from configs.errors import InputError, OptedOutError
from configs.load import load_languages
from configs.models import ConsentPolicy
from pipeline.readers import list_units, read_unit
from tests.pipeline.readers_help import make_source
from tests.pipeline.warc_help import answer, page, record

ROBOTS = record(
    answer(b"User-agent: GPTBot\nDisallow: /closed/\n", "Content-Type: text/plain"),
    90,
    uri="https://a.example/robots.txt",
)


def read(path: Path, policy: ConsentPolicy | None) -> tuple[list[str], list[InputError]]:
    source, problems, uris = make_source("warc", str(path)), [], []
    for unit in list_units(source, {}):
        batches = read_unit(
            unit,
            source,
            load_languages(),
            batch_documents=9,
            batch_bytes=1 << 20,
            on_problem=problems.append,
            consent=policy,
        )
        uris += [uri for batch in batches for uri in batch["uri"].to_pylist() if not uri.endswith("robots.txt")]
    return uris, problems


def crawl(tmp_path: Path, *records: bytes) -> Path:
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    return tmp_path / "a.warc"


def test_a_robots_txt_behind_the_pages_of_its_site_is_heeded(tmp_path):
    pages = [
        record(answer(page(n)), n, uri=f"https://a.example/{path}") for n, path in ((1, "open/1"), (2, "closed/2"))
    ]
    uris, problems = read(crawl(tmp_path, *pages, ROBOTS), ConsentPolicy())
    assert uris == ["https://a.example/open/1"]
    assert [(type(problem), problem.reason, problem.cause) for problem in problems] == [
        (OptedOutError, "opted_out", "robots.txt of a.example denies it to GPTBot (2024-01-01)")
    ]


def test_without_a_policy_nobody_is_asked(tmp_path):
    closed = record(answer(page(2)), 2, uri="https://a.example/closed/2")
    assert read(crawl(tmp_path, closed, ROBOTS), None) == (["https://a.example/closed/2"], [])


@pytest.mark.parametrize(
    "closed",
    [
        record(answer(page(1), "X-Robots-Tag: noai"), 1),
        record(answer(page(1), "X-Robots-Tag: noindex", "X-Robots-Tag: otherbot: nofollow, noai"), 1),
        record(answer(page(1), "tdm-reservation: 1"), 1),
        record(answer(b'<meta name="robots" content="noai">' + page(1)), 1),
    ],
)
def test_what_the_answer_says_is_heeded(closed, tmp_path):
    uris, problems = read(crawl(tmp_path, closed, record(answer(page(2)), 2)), ConsentPolicy())
    assert uris == ["https://x.example/2"]
    assert [problem.reason for problem in problems] == ["opted_out"]


def test_a_robots_txt_that_was_not_found_refuses_nothing(tmp_path):
    missing = record(
        answer(b"User-agent: *\nDisallow: /\n", status="HTTP/1.1 404 Not Found"), 9, uri="https://x.example/robots.txt"
    )
    uris, _ = read(crawl(tmp_path, missing, record(answer(page(2)), 2)), ConsentPolicy())
    assert uris == ["https://x.example/2"]
