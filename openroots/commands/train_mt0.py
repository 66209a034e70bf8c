"""`openroots train-mt0`."""

import sys

import click


@click.command(
    "train-mt0",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Fine-tune an encoder–decoder such as mT5 on a mixture of prompts, as mT0 was.",
)
@click.pass_context
def train_mt0_command(ctx: click.Context) -> None:
    """Fine-tune an encoder–decoder such as mT5 on a mixture of prompts, as mT0 was; --help lists the options."""
    from configs.extras import need

    need("torch", "train")
    from trainer.mt0 import main

    sys.exit(main(ctx.args, "openroots train-mt0"))
