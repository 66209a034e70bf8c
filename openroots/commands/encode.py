"""`openroots encode`."""

import re
import time

import click

from configs.errors import InputError
from openroots.shared import PASS_THROUGH, PLAIN_DOCUMENTS, WORKERS
from tokenizer.settings import Documents

LANGUAGE = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


@click.command("encode", context_settings=PASS_THROUGH)
@click.option("--tokenizer", default="build/tokenizer", show_default=True, help="a tokenizer.json, or its folder")
@click.option("--input", "corpus", default=None, help="a built corpus, such as build/corpus")
@click.option(
    "--text",
    "files",
    multiple=True,
    help="files or patterns instead of a corpus: JSON, Parquet, CSV, plain text, …; repeatable",
)
@click.option("--language", default="und", show_default=True, help="language of the files given by --text")
@PLAIN_DOCUMENTS
@click.option("--output", default="build/tokens", show_default=True, help="folder or URL for the token shards")
@click.option(
    "--special-tokens", is_flag=True, help="encode `</s>` and the like in the text as special tokens, not as text"
)
@WORKERS
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@click.pass_context
def encode_command(
    ctx: click.Context,
    tokenizer: str,
    corpus: str | None,
    files: tuple[str, ...],
    language: str,
    documents: Documents,
    output: str,
    special_tokens: bool,
    workers: int,
    quiet: bool,
) -> None:
    """Turn text into token shards: Arrow files with a row per document, its id, language and token ids.

    Works with any byte-level BPE tokenizer.json. A stopped run resumes when you give the same command again, and the
    same text gives the same bytes with any number of workers. Options not listed here are passed to Apache Beam.

    \b
    openroots encode --tokenizer build/tokenizer --input build/corpus --output build/tokens
    openroots encode --tokenizer gpt2/tokenizer.json --text 'my/*.jsonl' --language sw --output my-tokens
    """

    from openroots.beam_options import split_arguments, worker_log
    from openroots.tokenizer_command import text_files
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.lock import build_lock
    from pipeline.runtime.phases import Watch
    from pipeline.runtime.progress import ProgressWatch
    from tokenizer.count_phase import corpus_files
    from tokenizer.encode import corpus_manifest_digest, encode_files
    from tokenizer.texts import Skipped

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    if (corpus is None) == (not files):
        raise click.UsageError("give either --input (a corpus) or --text (files)", ctx)
    if not LANGUAGE.fullmatch(language):
        raise click.BadParameter(
            f"`{language}` is not a language code such as sw or zh-Hant", ctx, param_hint="'--language'"
        )
    inputs = corpus_files(corpus) if corpus is not None else text_files(files, language, documents)
    engine = Engine(workers, tuple(options), worker_log(output))
    watch = Watch() if quiet else ProgressWatch()
    started = time.perf_counter()
    with build_lock(output, "tokens"):
        digest = corpus_manifest_digest(corpus) if corpus is not None else None
        manifest = encode_files(
            inputs, tokenizer, output, engine=engine, watch=watch, special_tokens=special_tokens, corpus=digest
        )
    if not manifest["languages"] or not any(f["tokens"] for f in manifest["languages"].values()):
        raise InputError(corpus or ", ".join(files), "there is no text in it", "Give files that hold text")
    if isinstance(watch, ProgressWatch):
        skipped = str(Skipped.total([manifest]))
        if skipped:
            watch.console.print(skipped)
        seconds = time.perf_counter() - started
        tokens, size = (sum(f[name] for f in manifest["languages"].values()) for name in ("tokens", "bytes"))
        rate = f"{size / max(1, tokens):.2f} bytes per token · {size / 1e6 / seconds:.1f} MB/s"
        watch.console.print(f"tokens       {tokens:,} by {manifest['backend']} · {rate} · {output}")
