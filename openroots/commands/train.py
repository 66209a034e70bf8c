"""`openroots train`."""

import sys

import click


@click.command("train")
@click.option("--config", "name", default="tiny", show_default=True, help="a name in configs/training, or a .toml file")
@click.option("--packed", default=None, help="output of `openroots pack`, instead of data.packed")
@click.option("--start", default=None, help="a model's folder or a checkpoint to initialise a new run's weights from")
@click.option("--output", default=None, help="folder of the run, instead of checkpoints.folder")
@click.option("--profile", default=None, metavar="STEPS", help="write a trace of these steps, such as 10-12")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="override a setting")
def train_command(
    name: str,
    packed: str | None,
    start: str | None,
    output: str | None,
    profile: str | None,
    changes: tuple[str, ...],
) -> None:
    """Train a BLOOM model in this process. The same command resumes a stopped or killed run.

    --start initialises the weights from an existing model. The settings bloomz-… fine-tune a model on prompts
    (`openroots mix-prompts`, `openroots pack --prompts`), as BLOOMZ was.

    For many devices, use torchrun, with the same options and settings, but --set start=… instead of --start:

    \b
    openroots train --config tiny --set schedule.learning_rate=1e-3
    openroots train --config bloomz-560m --start hf-model --packed build/packed-prompts
    torchrun --nproc-per-node 8 -m trainer.train --config configs/training/560m.toml
    torchrun --nproc-per-node 8 -m trainer.train --config bloomz-560m --set start=hf-model
    """
    from configs.extras import need

    need("torch", "train")
    from trainer.train import configure, status_of, train

    config = configure(name, changes, packed, output, profile, start)
    sys.exit(status_of(config, train(config)))
