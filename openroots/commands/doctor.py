"""`openroots doctor`."""

import json
from dataclasses import asdict

import click

from openroots.shared import PASS_THROUGH

_MARKS = {"good": ("✓", "green"), "bad": ("✗", "red"), "unknown": ("?", "yellow")}


@click.command("doctor", context_settings=PASS_THROUGH)
@click.option("--output", default=None, help="the build's output folder or URL")
@click.option("--no-job", is_flag=True, help="do not send a test job to the workers")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.pass_context
def doctor_command(ctx: click.Context, output: str | None, no_job: bool, as_json: bool) -> None:
    """Check what would stop a build on a runner before you submit it; status 1, with remedies, if anything would.

    Checks this machine's Python and packages, the addresses in the options and the output, then sends a small job that
    checks the workers: their versions, and whether they can read, write and delete in the output. Give it the Apache
    Beam options of the build:

    \b
    openroots doctor --output s3://bucket/corpus --runner PySparkRunner --spark_master spark://host:7077
    openroots doctor --output s3://bucket/corpus --runner PortableRunner --job_endpoint host:8099 \\
        --environment_type EXTERNAL --environment_config host:50000
    """
    from configs.shown import shown
    from openroots.beam_options import split_arguments
    from pipeline.runtime.doctor import examine
    from pipeline.runtime.engine import Engine

    options, words = split_arguments(ctx, ctx.args)
    if words:
        raise click.UsageError(f"Got unexpected arguments: {' '.join(words)}", ctx)
    found = []
    for finding in examine(Engine(options=tuple(options)), output, send=not no_job):
        found.append(finding)
        if not as_json:
            mark, colour = _MARKS[finding.state]
            click.secho(f"{mark} ", fg=colour, nl=False)
            remedy = f" — {finding.remedy}" if finding.remedy else ""
            click.echo(shown(f"{finding.what}: {finding.found}{remedy}", 1000))
    is_good = all(finding.state != "bad" for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": is_good, "findings": [asdict(finding) for finding in found]}, ensure_ascii=False))
    ctx.exit(0 if is_good else 1)
