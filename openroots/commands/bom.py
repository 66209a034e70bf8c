"""`openroots bom`."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from governance.bill_of_materials import TrainedModel


@click.command("bom")
@click.argument("corpus", default="build/corpus")
@click.option("--supplier", required=True, help="the organisation that publishes the corpus")
@click.option("--location", default=None, help="where the corpus can be obtained: a URL")
@click.option(
    "--released", default=None, type=click.DateTime(["%Y-%m-%d"]), help="release date; default: when it was built"
)
@click.option("--run", "run", default=None, help="a run trained on it, to include the model")
@click.option("--output", default=None, help="write to a file, such as bom.spdx.json")
def bom_command(
    corpus: str, supplier: str, location: str | None, released: datetime | None, run: str | None, output: str | None
) -> None:
    """Write a bill of materials in SPDX 3.0.1: files, sources, fetched packages, licences; with --run, a model's too.

    SOURCE_DATE_EPOCH sets its timestamp, for a reproducible bill.

    \b
    openroots bom build/corpus --supplier "Institute of Letters" --output bom.spdx.json
    """
    from configs.errors import ConfigurationError
    from pipeline.corpus.bill import bill_of
    from pipeline.runtime.ownership import check_file
    from pipeline.runtime.storage import write_text

    if not supplier.strip():
        raise ConfigurationError("`--supplier` is empty")
    if output:
        check_file(output, "--output", signs=(b'{\n "@context": "https://spdx.org/',))
    moment = released.replace(tzinfo=UTC) if released else None
    model = _model_of(run, corpus) if run else None
    text = json.dumps(bill_of(corpus, supplier, location, moment, model), ensure_ascii=False, indent=1) + "\n"
    if output:
        write_text(output, text)
    else:
        click.echo(text, nl=False)


def _model_of(run: str, corpus: str) -> "TrainedModel":
    """The model of a run that was trained on the corpus. Raises InputError."""
    from configs.errors import InputError
    from governance.bill_of_materials import TrainedModel
    from pipeline.corpus.reading import read_manifest
    from pipeline.runtime import storage
    from trainer.seen import packed_of, read_run

    so_far, packed = read_run(run), packed_of(run)
    path = storage.join(packed, "manifest.json")
    try:
        text = storage.read_json(path)
        trained_on, length, digest = text.get("corpus"), int(text["sequence_length"]), str(text["digest"])
        settings = storage.read_json(storage.join(run, "config.json"))
        about = {**settings["model"], "seed": so_far.seed, "batch_size": settings["batch"]["size"]}
        name = str(settings["name"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            path, f"does not say what was trained on ({error})", "Put the packed text back there"
        ) from error
    if digest != so_far.packed:
        raise InputError(packed, "is not the packed text that the run read: digests differ", "Put that back there")
    if trained_on != read_manifest(corpus)["digest"]:
        raise InputError(
            run, f"was trained on another corpus ({trained_on or 'none is named'})", "Give the corpus it read"
        )
    return TrainedModel(name, f"step {so_far.step}", {**about, "training_tokens": int(so_far.sizes.sum()) * length})
