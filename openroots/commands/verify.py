"""`openroots verify`."""

import json
from dataclasses import asdict

import click


@click.command("verify")
@click.argument("corpus", default="build/corpus")
@click.option("--against", default=None, help="a receipt of a takedown: check it, and that the corpus honours it")
@click.option("--public-key", default=None, help="a PEM file: the key that the receipt must be signed with")
@click.option("--work", default=None, help="where the work files are, if moved since the build")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.pass_context
def verify_command(
    ctx: click.Context, corpus: str, against: str | None, public_key: str | None, work: str | None, as_json: bool
) -> None:
    """Verify a finished corpus; if anything is wrong, list it and exit with status 1.

    Every file is compared with the build's seal; the ledger must balance and match the shards, licences must pass the
    policy, cards and statistics must match the shards, and documents taken down must be gone.

    \b
    openroots verify build/corpus
    openroots verify build/corpus-2 --against build/corpus-2/takedowns/receipts/2026-014.json
    """
    from configs.errors import ConfigurationError
    from configs.shown import shown
    from governance.figures import counted
    from pipeline.corpus.verify import verify

    if public_key and not against:
        raise ConfigurationError("--public-key is for the receipt that --against names")
    verdict = verify(corpus, work)
    receipt = None
    if against:
        from pipeline.corpus.receipts import check_receipt

        receipt = check_receipt(corpus, against, public_key, verdict)
    if as_json:
        click.echo(json.dumps({"corpus": corpus, "ok": not verdict.problems, **asdict(verdict), "receipt": receipt}))
    else:
        for problem in verdict.problems:
            click.echo(shown(f"{problem.file}: {problem.problem}", 2000))
        for note in verdict.notes:
            click.echo(f"note: {shown(note, 2000)}")
        size = f"{verdict.bytes / 1e6:,.1f} MB"
        amount = f"{counted(verdict.files, 'file')}, {size}, {counted(verdict.documents, 'document')}"
        ending = counted(len(verdict.problems), "problem")
        click.echo(
            f"{shown(corpus)}: {ending} in {amount}" if verdict.problems else f"{shown(corpus)}: intact; {amount}"
        )
    ctx.exit(1 if verdict.problems else 0)
