"""`openroots train`."""

import click


@click.command("train")
@click.option("--config", "name", default="tiny", show_default=True, help="a name of configs/training, or a .toml file")
@click.option("--packed", default=None, help="output of `openroots pack`, in the stead of data.packed")
@click.option("--output", default=None, help="folder of the run, in the stead of checkpoints.folder")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="any setting in the file's stead")
def train_command(name: str, packed: str | None, output: str | None, changes: tuple[str, ...]) -> None:
    """Train a BLOOM model in this process. The same command goes on where a run was stopped or killed.

    On many devices, start it by torchrun; settings are the same:

    \b
    openroots train --config tiny --set schedule.learning_rate=1e-3
    torchrun --nproc-per-node 8 -m trainer.train --config configs/training/560m.toml
    """
    from configs.extras import need

    need("torch", "train")
    from trainer.config import load_training_config
    from trainer.train import parse_changes, train

    more = {key: value for key, value in (("data.packed", packed), ("checkpoints.folder", output)) if value}
    train(load_training_config(name, {**parse_changes(changes), **more}))
