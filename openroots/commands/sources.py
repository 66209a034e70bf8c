"""`openroots sources`: list, show, check."""

import json
from typing import Any

import click

RECIPE = click.option(
    "--recipe", default=None, help="name of a recipe, or path of a .toml file  [default: the whole registry]"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")


def _sources(recipe: str | None) -> tuple[Any, Any, Any]:
    """Sources, languages and licence policy of a recipe, or of the registry under the default policy."""
    from configs.load import load_languages, load_recipe, load_sources
    from configs.models import LicencePolicy

    if recipe is not None:
        plan = load_recipe(recipe)
        return plan.sources, plan.languages, plan.recipe.licences
    return tuple(load_sources().values()), load_languages(), LicencePolicy()


@click.group("sources", invoke_without_command=True)
@click.option("--recipe", default="sample", show_default=True, help="name of a recipe, or path of a .toml file")
@AS_JSON
@click.pass_context
def sources_command(ctx: click.Context, recipe: str, as_json: bool) -> None:
    """List, show or check the registry of sources. Without a command, show what a recipe would read.

    \b
    openroots sources list --language sw --licence 'CC-*'
    openroots sources show freedict
    openroots sources check --recipe my.toml
    """
    if ctx.invoked_subcommand is None:
        from configs.load import load_recipe
        from governance.registry import describe_sources
        from openroots.shared import print_rows

        print_rows(describe_sources(load_recipe(recipe)), as_json)


@sources_command.command("list")
@RECIPE
@click.option("--licence", default=None, help="an SPDX id, or a pattern such as 'CC-*'")
@click.option("--language", default=None, help="a language code: sources known to contain it")
@click.option("--custodian", default=None, help="part of the custodian's name")
@AS_JSON
def list_command(
    recipe: str | None, licence: str | None, language: str | None, custodian: str | None, as_json: bool
) -> None:
    """List sources by licence, language and custodian."""
    from fnmatch import fnmatchcase

    from governance.registry import describe_sources
    from openroots.shared import check_language, print_rows

    check_language(language)
    sources, _, _ = _sources(recipe)
    rows = [
        row
        for row in describe_sources(sources)
        if (licence is None or any(fnmatchcase(each.lower(), licence.lower()) for each in row["licences"]))
        and (language is None or language in row["languages"])
        and (custodian is None or custodian.casefold() in row["custodian"].casefold())
    ]
    if not as_json:
        names = ("id", "title", "kind", "licences", "languages", "custodian")
        rows = [{name: row[name] for name in names} for row in rows]
    if rows:
        print_rows(rows, as_json)
    else:
        click.echo("[]" if as_json else "no source matches")


@sources_command.command("show")
@click.argument("source")
@RECIPE
@AS_JSON
def show_command(source: str, recipe: str | None, as_json: bool) -> None:
    """Show everything in SOURCE's entry."""
    import difflib

    from configs.errors import ConfigurationError
    from configs.shown import shown

    sources, _, _ = _sources(recipe)
    known = {entry.id: entry for entry in sources}
    if source not in known:
        near = difflib.get_close_matches(source, known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else "; `openroots sources list` lists them"
        raise ConfigurationError(f"unknown source `{shown(source, 80)}`{hint}")
    entry = known[source].model_dump(mode="json")
    if as_json:
        click.echo(json.dumps(entry, ensure_ascii=False, indent=1))
        return
    width = max(map(len, entry))
    for name, value in entry.items():
        if name == "packages":
            for package in value:
                said = ", ".join(f"{key} {item}" for key, item in package.items() if item not in (None, [], {}, False))
                click.echo(shown(f"{'package':{width}}  {said}", 2000))
        elif value not in ("", [], {}):
            said = ", ".join(map(str, value)) if isinstance(value, list) else value
            said = ", ".join(f"{k} {v}" for k, v in said.items() if v) if isinstance(said, dict) else said
            click.echo(shown(f"{name:{width}}  {said}", 2000))


@sources_command.command("check")
@RECIPE
@AS_JSON
@click.pass_context
def check_command(ctx: click.Context, recipe: str | None, as_json: bool) -> None:
    """Report what is missing or wrong in entries; status 1 if there is an error."""
    from dataclasses import asdict

    from configs.shown import shown
    from governance.source_checks import ERROR, check_sources

    sources, languages, policy = _sources(recipe)
    found = check_sources(sources, languages, policy)
    errors = sum(finding.level == ERROR for finding in found)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=1))
    else:
        for finding in found:
            click.echo(shown(f"{finding.source}: {finding.level}: {finding.finding}", 2000))
        click.echo(f"{len(sources):,} sources: {errors:,} errors, {len(found) - errors:,} warnings")
    ctx.exit(1 if errors else 0)
