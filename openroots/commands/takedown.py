"""`openroots takedown`."""

import json

import click

from openroots.shared import load_modules


@click.command("takedown")
@click.argument("corpus")
@click.option("--request", "request_path", default=None, help="a TOML file: id, received, reason, [[remove]] tables")
@click.option(
    "--opt-outs", default=None, help="a list of domains, a folder of sites' robots.txt etc., or a web archive"
)
@click.option("--output", required=True, help="folder or URL for the new corpus; the old one is left as it is")
@click.option("--signing-key", default=None, help="an Ed25519 key, PEM; default: your own, created at first use")
@click.option("--work", default=None, help="where the work files are, if moved since the build")
@click.option("--json", "as_json", is_flag=True, help="print the receipt as JSON")
def takedown_command(
    corpus: str,
    request_path: str | None,
    opt_outs: str | None,
    output: str,
    signing_key: str | None,
    work: str | None,
    as_json: bool,
) -> None:
    """Remove documents from a corpus, on request or because their sites opted out, and sign a receipt.

    A request also removes near-duplicates; opt-outs remove a site's own pages: those of listed domains and addresses,
    and those that today's `robots.txt`, `ai.txt` or `tdmrep.json` deny to AI crawlers.

    Shards without such documents stay byte-identical. The new corpus keeps tombstones, hashes without text: a
    later build into it, or one whose recipe has its `takedowns` folder in `deduplication.against`, leaves the documents
    out. A stopped takedown resumes when you give the same command again.

    \b
    id = "2026-014"
    received = 2026-11-26
    reason = "the author asked"
    [[remove]]
    uri = "https://example.org/my-page"
    [[remove]]
    text = "a passage of about twenty characters or more"
    """
    load_modules("pipeline.corpus.takedown", kernels=True)
    from configs.errors import ConfigurationError
    from configs.shown import shown
    from governance.figures import counted
    from governance.requests import read_request
    from governance.signing import default_key, fingerprint, load_key
    from pipeline.corpus.opt_outs import request_of
    from pipeline.corpus.takedown import takedown
    from pipeline.runtime.terminal import standard_error

    if (request_path is None) == (opt_outs is None):
        raise ConfigurationError("give either --request or --opt-outs")
    rules = None
    if request_path is not None:
        request, digest = read_request(request_path)
    else:
        request, digest, rules = request_of(corpus, str(opt_outs))
    key, is_new = load_key(signing_key)
    console = standard_error()
    if is_new:
        console.print(f"made a signing key: {default_key()}; keep it, and publish its public half")
    told = lambda step: console.print(f"{step} …", style="dim")  # noqa: E731
    receipt = takedown(corpus, request, digest, output, key, told, work, rules)
    for note in receipt["notes"]:
        console.print(f"note: {note}")
    for number in receipt["nothing_found_for"]:
        console.print(f"note: nothing in the corpus matches [[remove]] table {number}")
    if rules is not None and rules.not_understood:
        lines = f"{len(rules.not_understood):,} lines name no domain, such as `{rules.not_understood[0]}`"
        console.print(shown(f"note: {lines}", 300), markup=False)
    if as_json:
        click.echo(json.dumps(receipt, ensure_ascii=False))
        return
    kept, dropped = counted(receipt["removed_from_corpus"], "document"), receipt["removed_from_ledger"]
    if rules is None:
        near = f", {receipt['near_duplicates']:,} of them near-duplicates" if receipt["near_duplicates"] else ""
        click.echo(f"removed {kept} from the corpus, and traces of {dropped:,} already dropped{near}")
    else:
        click.echo(f"removed {kept} from the corpus; {dropped:,} already dropped stay out of later builds, too")
    if rules is not None:
        for code, lost in sorted(receipt["loss"]["language"].items(), key=lambda item: -item[1]["share"])[:20]:
            click.echo(f"  {code:8} {lost['documents']:>12,} documents  {lost['share']:7.2%} of the language")
    click.echo(f"digest   {receipt['before']} → {receipt['after']}")
    click.echo(shown(f"receipt  {output}/takedowns/receipts/{request.id}.json", 2000))
    click.echo(f"signed   with the key {fingerprint(receipt['signature']['public_key'])}")
    click.echo(
        shown(f"check    openroots verify {output} --against {output}/takedowns/receipts/{request.id}.json", 2000)
    )
    click.echo(shown(f"The old corpus, {corpus}, its .work and the package cache still contain the texts.", 2000))
