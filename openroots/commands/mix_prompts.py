"""`openroots mix-prompts`."""

import json

import click

from openroots.shared import PASS_THROUGH, STRICT, WORKERS

SHOWN_MAX = 10


@click.command("mix-prompts", context_settings=PASS_THROUGH)
@click.option("--recipe", default="xp3-like", show_default=True, help="a name in configs/prompts, or a .toml file")
@click.option("--output", default="build/prompts", show_default=True, help="folder or URL for the prompts")
@click.option("--cache", default="build/downloads", show_default=True, help="where fetched packages are kept")
@click.option("--offline", is_flag=True, help="fetch nothing; use what the cache holds")
@STRICT
@WORKERS
@click.option("--json", "as_json", is_flag=True, help="print the manifest's figures as JSON")
@click.option("--quiet", is_flag=True, help="no progress, no summary")
@click.pass_context
def mix_prompts_command(
    ctx: click.Context,
    recipe: str,
    output: str,
    cache: str,
    offline: bool,
    strict: bool,
    workers: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make prompts for fine-tuning, from sources and templates in promptsource's Jinja, in a mixture of languages.

    A set names a source (packages, your own JSONL, Parquet, CSV …) and templates `input ||| target`. Licences, personal
    data and the ledger are handled as in any corpus; evaluation items are kept out of training. A stopped run resumes
    when you give the same command again. Options not listed here are passed to Apache Beam.

    \b
    openroots mix-prompts --recipe xp3-like --output build/prompts
    openroots pack --prompts build/prompts --tokenizer hf-model --output build/packed-prompts
    openroots train --config bloomz-560m --start hf-model --packed build/packed-prompts
    """
    from configs.mixtures import load_mixture
    from configs.shown import shown
    from openroots.beam_options import split_arguments, worker_log
    from pipeline.prompts.mix import mix_prompts
    from pipeline.runtime.engine import Engine
    from pipeline.runtime.phases import Watch
    from pipeline.runtime.progress import ProgressWatch

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    mixed = load_mixture(recipe)
    engine = Engine(workers, tuple(options), worker_log(output))
    watch = Watch() if quiet or as_json else ProgressWatch()
    manifest = mix_prompts(mixed, output, engine=engine, cache=cache, watch=watch, offline=offline, strict=strict)
    if as_json:
        click.echo(json.dumps({key: value for key, value in manifest.items() if key != "shards"}, ensure_ascii=False))
        return
    for name, error in list(manifest["errors"].items())[:SHOWN_MAX]:
        click.echo(f"warning: template {shown(name, 200)}: {shown(error, 300)}", err=True)
    for problem in manifest["problems"][:SHOWN_MAX]:
        click.echo(f"warning: {shown(problem['file'], 200)}: {shown(problem['cause'], 300)}", err=True)
    for missing in manifest["unavailable"][:SHOWN_MAX]:
        click.echo(f"warning: {shown(missing['package'], 200)}: {shown(missing['cause'], 300)}", err=True)
    if quiet:
        return
    counts = manifest["languages"].values()
    train, held_out = (sum(count[part] for count in counts) for part in ("train", "held_out"))
    width = max(len(name) for name in manifest["templates"])
    for name, fates in manifest["templates"].items():
        left = ", ".join(f"{fates[key]:,} {key.replace('_', ' ')}" for key in list(fates)[1:4] if fates[key])
        click.echo(
            f"{shown(name, 100):<{width}}  {fates['kept']:>9,} prompts" + (f" · left out: {left}" if left else "")
        )
    click.echo(f"{train:,} prompts to fine-tune on, {held_out:,} held out, in {len(counts)} languages · {output}")
