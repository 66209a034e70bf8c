"""`openroots summary`."""

import json

import click


@click.command("summary")
@click.argument("corpus", default="build/corpus")
@click.option("--provider", required=True, help="a TOML file with what only the model's provider knows")
@click.option("--html", default=None, help="write an HTML page")
@click.option("--markdown", "markdown_path", default=None, help="write Markdown")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of Markdown")
def summary_command(corpus: str, provider: str, html: str | None, markdown_path: str | None, as_json: bool) -> None:
    """Write the EU's public summary of training content (template of 24 July 2025), from corpus and `provider.toml`.

    Figures come from the corpus; what the provider has not said is listed as not answered.

    \b
    openroots summary build/corpus --provider provider.toml --html summary.html
    """
    from configs.shown import shown, shown_lines
    from governance.provider import read_provider
    from pipeline.corpus.pages import MARK, summary_page
    from pipeline.corpus.public_summary import as_markdown, public_summary
    from pipeline.runtime.ownership import check_file
    from pipeline.runtime.storage import write_text

    for option, path, signs in (
        ("--html", html, (MARK,)),
        ("--markdown", markdown_path, (b"# Public summary of training content",)),
    ):
        if path:
            check_file(path, option, signs=signs)
    summary = public_summary(corpus, read_provider(provider))
    if html:
        write_text(html, summary_page(summary))
    if markdown_path:
        write_text(markdown_path, as_markdown(summary))
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, indent=1))
    elif not html and not markdown_path:
        click.echo(shown_lines(as_markdown(summary), 1_000_000), nl=False)
    for name in summary["missing"]:
        click.echo(shown(f"not answered: {name}"), err=True)
    for name in summary["advice"]:
        click.echo(shown(f"recommended: {name}"), err=True)
