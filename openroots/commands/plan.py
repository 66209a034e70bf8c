"""`openroots plan`."""

import json
import math
from typing import TYPE_CHECKING

import click

from openroots.shared import FloatRange

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trainer.config import TrainingConfig
    from trainer.instantiate import Instantiated
    from trainer.plan import Plan, Rank
    from trainer.timing import Machine


@click.command("plan")
@click.option("--config", "name", default=None, help="a name in configs/training or a .toml file; default: all sizes")
@click.option(
    "--gpus",
    default=None,
    type=click.IntRange(1),
    help="number of GPUs; default: the product of the file's axes",
)
@click.option("--memory", default=None, help="memory of a GPU, such as 80GB (80 · 10^9 bytes) or 80GiB")
@click.option("--device", default="A100", show_default=True, help="A100, H100, H200, B200, GB200, MI300X or L40S")
@click.option(
    "--efficiency",
    default=None,
    type=FloatRange(0, 1, min_open=True),
    help="share of peak FLOP/s reached while computing; default: the device's, see docs/training.md",
)
@click.option(
    "--network",
    default=None,
    help="bytes per second per GPU, one way, such as 50GB; default: the device's usual rate",
)
@click.option(
    "--storage", default=None, help="bytes per second that all GPUs together can write; default: 2GB per node of eight"
)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="override a setting")
@click.option("--search", is_flag=True, help="try all layouts and show the three fastest")
@click.option(
    "--instantiate",
    is_flag=True,
    help="build every distinct rank without memory and trace a step; with --search, for the best layout",
)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def plan_command(
    name: str | None,
    gpus: int | None,
    memory: str | None,
    device: str,
    efficiency: float | None,
    network: str | None,
    storage: str | None,
    changes: tuple[str, ...],
    search: bool,
    instantiate: bool,
    as_json: bool,
) -> None:
    """Estimate a training run: memory, communication, days, energy, checkpoints. Needs no GPU.

    \b
    openroots plan --config 176b --gpus 384 --memory 80GB
    openroots plan --config 7b1 --gpus 64 --device H100 --search
    openroots plan
    """
    from configs.extras import need

    need("torch", "train")
    from configs.errors import ConfigurationError
    from trainer.config import load_training_config
    from trainer.devices import find_device
    from trainer.plan import make_plan, parse_memory
    from trainer.timing import Machine
    from trainer.train import parse_changes

    room, rate = (parse_memory(text) if text else None for text in (memory, storage))
    preset = find_device(device)
    machine = Machine.of(preset, efficiency, parse_memory(network) if network else None)
    if name is None:
        if instantiate or search or gpus or changes:
            raise ConfigurationError("--instantiate, --search, --gpus and --set need --config")
        plans = [make_plan(load_training_config(size), gpus, room, machine, storage=rate) for size in SIZES]
        if as_json:
            click.echo(json.dumps([plan.to_json() for plan in plans], indent=1))
        else:
            _print_sizes(plans)
        return
    config = load_training_config(name, parse_changes(changes))
    if search:
        from trainer.search import search as best_plans

        if gpus is None:
            raise ConfigurationError("--search needs --gpus")
        memory_of_each = room or preset.memory
        plans = best_plans(config, gpus, memory_of_each, machine, storage=rate)
        if not as_json:
            _print_search(config, gpus, memory_of_each, machine, plans)
    else:
        plans = [make_plan(config, gpus, room, machine, storage=rate)]
        if not as_json:
            _print_plan(plans[0])
    made = _instantiate(plans[0]) if instantiate and plans else None
    if as_json:
        found = [plan.to_json() for plan in plans]
        if made:
            found[0]["instantiated"] = made.to_json()
        click.echo(json.dumps(found if search else found[0], indent=1))
    elif made:
        _print_instantiated(plans[0], made)


def _instantiate(plan: "Plan") -> "Instantiated":
    from trainer.instantiate import instantiate

    return instantiate(plan.config, plan.devices, lambda line: click.echo(f"tracking {line} …", err=True))


def _print_search(config: "TrainingConfig", gpus: int, memory: int, machine: "Machine", plans: "list[Plan]") -> None:
    console = _console()
    if not plans:
        console.print(f"[red]no layout fits[/] {gpus:,} × {machine.device.name} with {memory / 1e9:.0f} GB")
        return
    table = _table("", "step", "days", "communication", "bubble", "GB per GPU")
    for number, plan in enumerate(plans, 1):
        step = plan.step
        shown = sum(step.messages.values()) - step.hidden
        figures = (f"{step.total:.2f} s", f"{plan.days:,.1f}", f"{shown:.2f} s", f"{step.waiting:.2f} s")
        table.add_row(f"{number}", *figures, gigabytes(plan.fullest.memory.total))
    console.print(f"[bold]{config.name}[/] on {gpus:,} × {machine.device.name}: the layouts with the shortest steps\n")
    console.print(table)
    for number, plan in enumerate(plans, 1):
        words = " ".join(f"--set {key}={value}" for key, value in _layout_settings(plan).items())
        console.print(f"\n{number}: {words}", soft_wrap=True)
    console.print("\ncommunication: not overlapped with computation · bubble: the pipeline fills and drains")


def _layout_settings(plan: "Plan") -> dict[str, str]:
    parallel = plan.config.parallel
    return {
        "parallel.tensor": f"{parallel.tensor}",
        "parallel.pipeline": f"{parallel.pipeline}",
        "parallel.data": f"{plan.data}",
        "parallel.sharding": parallel.sharding,
        "parallel.replicas": f"{parallel.replicas}",
        "parallel.schedule": parallel.schedule,
        "parallel.stages_per_rank": f"{parallel.stages_per_rank}",
        "parallel.checkpointing": parallel.checkpointing,
        "parallel.sequence_parallel": str(parallel.sequence_parallel).lower(),
        "batch.micro": f"{plan.config.batch.micro}",
    }


SIZES = ("tiny", "560m", "1b1", "1b7", "3b", "7b1", "176b")


def _console() -> "Console":
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 80
    return console


def _table(*columns: str, left: int = 1) -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right")
    return table


def size(count: float) -> str:
    """Bytes in words, such as `2.115 TB (1.924 TiB)`."""
    for unit, power in (("TB", 4), ("GB", 3)):
        if count >= 1000**power:
            return f"{count / 1000**power:,.2f} {unit} ({count / 1024**power:,.2f} {unit[0]}iB)"
    return f"{count / 1e6:,.1f} MB"


def gigabytes(count: float) -> str:
    """Bytes in GB, without the unit."""
    return f"{count / 1e9:,.2f}" if count < 1e11 else f"{count / 1e9:,.0f}"


def _print_plan(plan: "Plan") -> None:
    console = _console()
    config, parallel = plan.config, plan.config.parallel
    model = config.model
    console.print(f"[bold]{config.name}[/] · {model.parameters:,} parameters")
    console.print(f"{model.layers} layers, hidden {model.hidden:,}, {model.heads} heads, {config.precision.compute}\n")
    table = _table("layout", "", left=2)
    table.add_row(
        "GPUs", f"{plan.devices:,} = tensor {parallel.tensor} × pipeline {parallel.pipeline} × data {plan.data}"
    )
    more = ["sequence parallel"] * parallel.sequence_parallel + [f"checkpointing {parallel.checkpointing}"]
    shared = parallel.sharding + f" in {parallel.replicas} replicas" * (parallel.replicas > 1)
    table.add_row("states", f"{shared} · {' · '.join(more)}")
    table.add_row("step", _step(plan))
    if parallel.pipeline > 1:
        table.add_row("pipeline", f"{parallel.schedule}, bubble {plan.bubble:.1%} of the time")
    console.print(table)
    console.print()
    _print_memory(plan, console)
    _print_messages(plan, console)
    _print_work(plan, console)


def _step(plan: "Plan") -> str:
    batch = plan.config.batch
    ramp = f" (ramping up from {batch.ramp_start:,})" if batch.ramp_start else ""
    return f"{batch.size:,} sequences{ramp}; per data rank, {plan.micro_batches:,} micro-batches of {batch.micro}"


def _print_memory(plan: "Plan", console: "Console") -> None:
    table = _table("pipeline rank", "layers", "parameters", "activations", "GB per GPU", left=2)
    for rank in plan.ranks:
        memory = rank.memory
        mark = " *" if rank is plan.fullest else "  "
        row = (f"{rank.parameters:,}", gigabytes(memory.activations), gigabytes(memory.total) + mark)
        table.add_row(f"{rank.pipeline_rank}", rank.holds, *row)
    console.print(table)
    console.print()
    table = _table("* the fullest GPU", "GB", "", left=1)
    table.columns[2].justify = "left"
    for name, bytes_, what in items(plan.fullest):
        table.add_row(name, gigabytes(bytes_), what)
    table.add_row("[bold]total[/]", f"[bold]{gigabytes(plan.fullest.memory.total)}[/]", _verdict(plan))
    console.print(table)
    if plan.fits is False:
        if plan.suggestion:
            words = " ".join(f"--set {key}={str(value).lower()}" for key, value in plan.suggestion.items())
            console.print(f"[yellow]what would make it fit, cheapest first:[/] {words}")
        else:
            console.print("[yellow]no change of up to three settings makes it fit; use more GPUs[/]")
    console.print()


def items(rank: "Rank") -> list[tuple[str, int, str]]:
    """(name, bytes, explanation) of what a GPU of a rank holds at its fullest moment."""
    memory = rank.memory
    rows = [
        ("weights", memory.weights, "fp32, its share"),
        ("optimizer states", memory.optimizer, "two moments, fp32, its share"),
    ]
    if memory.is_fullest_at_end:
        rows.append(("gradients", memory.end, "after the backward pass, while they are summed"))
    else:
        rows.append(("gradients", memory.gradients, "fp32, of earlier micro-batches or shared out"))
        rows.append(("gathered weights", memory.gathered, "in the compute format"))
        rows.append(("activations", memory.activations, "kept for the backward pass"))
        if memory.is_fullest_in_layer:
            rows.append(("current layer", memory.layer, "recomputed, with its gradients"))
            rows.append(("communication", memory.communication, "buffers in flight"))
        else:
            rows.append(("loss", memory.loss, "a chunk of logits, gradient of the output matrix"))
    return [row for row in rows if row[1]]


def _verdict(plan: "Plan") -> str:
    from trainer.plan import RESERVED

    if plan.memory is None:
        return "give --memory to compare"
    usable = f"{plan.memory * (1 - RESERVED) / 1e9:.1f} of {plan.memory / 1e9:.1f} GB ({RESERVED:.0%} kept free)"
    return f"[green]fits[/] in {usable}" if plan.fits else f"[red]does not fit[/] in {usable}"


def _print_messages(plan: "Plan", console: "Console") -> None:
    sent, seconds = plan.sent, plan.step.messages
    if not any(sent.values()):
        return
    table = _table("sent per step", "GB", "seconds", "", left=1)
    table.columns[3].justify = "left"
    what = {
        "tensor": "hidden states summed over heads",
        "pipeline": "hidden states forward, gradients back",
        "data": "gradients, weights",
        "replica": "gradients of its share",
        "tied": "the embedding's gradient",
    }
    for axis, count in sent.items():
        if count:
            table.add_row(axis, gigabytes(count), f"{seconds[axis]:.2f}", what[axis])
    console.print(table)
    machine = plan.machine
    fast, network = machine.fast / 1e9, machine.network / 1e9
    links = f"{fast:.0f} GB/s within {machine.device.together} GPUs, {network:g} GB/s per GPU beyond"
    console.print(f"by the busiest GPU, at 80% of {links}\n")


def _print_work(plan: "Plan", console: "Console") -> None:
    config, step = plan.config, plan.step
    table = _table("time", "", left=2)
    hidden = f" ({step.hidden:.2f} overlapped)" if step.hidden else ""
    parts = f"computation {step.computing:.2f}, communication {sum(step.messages.values()):.2f}{hidden}"
    table.add_row("step", f"[bold]{step.total:.2f} s[/]: {parts}, bubble {step.waiting:.2f}")
    peak = f"{plan.machine.efficiency:.0%} of {plan.machine.device.name}'s peak, {plan.tflops_per_device:,.0f} TFLOP/s"
    table.add_row("computation", f"at {peak} (assumed)")
    again = ", recomputation included" if config.parallel.checkpointing == "full" else ""
    table.add_row("FLOPs", f"{plan.flops_per_step:.3e} per step, {plan.flops_per_token:.3e} per token{again}")
    table.add_row("tokens", f"{config.schedule.tokens:,} = {plan.samples:,} sequences in {plan.steps:,} steps")
    ramp, waits = plan.ramp
    if ramp:
        table.add_row("ramp-up", f"{ramp / 86400:,.1f} days, {waits / ramp:.0%} of it pipeline bubble")
    table.add_row("days", f"[bold]{plan.days:,.1f}[/], not counting checkpoints, evaluations and faults")
    watts = plan.machine.device.watts
    energy = f"{plan.megawatt_hours:,.1f} MWh at {watts:.0f} W, GPUs only"
    table.add_row("GPU-hours", f"{plan.device_hours:,.0f}, {energy}")
    console.print(table)
    console.print()
    _print_checkpoints(plan, console)


def _print_checkpoints(plan: "Plan", console: "Console") -> None:
    from trainer.metrics import duration

    checkpoint, seconds = plan.checkpoint_bytes, plan.checkpoint_seconds
    table = _table("checkpoints", "", left=2)
    table.add_row("states", f"{size(checkpoint['states'])}: fp32 weights, two moments")
    table.add_row("bf16 weights", size(checkpoint["weights"]))
    every = plan.config.checkpoints.every
    table.add_row("saved", f"every {every:,} steps, {duration(seconds['interval'])}: the most that can be lost")
    rate = f"{plan.storage / 1e9:,.0f} GB/s"
    table.add_row(
        "takes", f"{seconds['copy']:.1f} s of copying, then {duration(seconds['write'])} in the background at {rate}"
    )
    grace = 2 * plan.step.total + seconds["copy"] + seconds["write"]
    table.add_row("SIGTERM", f"needs {math.ceil(grace):,} s of grace: the steps in progress, then a checkpoint")
    console.print(table)


def _print_instantiated(plan: "Plan", made: "Instantiated") -> None:
    console = _console()
    console.print(f"\n{len(made.kinds)} of {plan.devices:,} ranks were built without memory, one of each kind")
    console.print(f"in total they hold {made.parameters:,} parameters, the tied embedding counted once")
    if len(plan.ranks) > 1:
        console.print("each stage sends what the next one expects\n")
    table = _table("tracked step", "micro-batches", "static GB", "peak GB", "estimate", "")
    for one in made.tracked:
        off = f"{one.estimate / one.peak - 1:+.1%}"
        figures = (gigabytes(count) for count in (one.static, one.peak, one.estimate))
        table.add_row(f"pipeline rank {one.pipeline_rank}", f"{one.micro_batches}", *figures, off)
    console.print(table)
    console.print("static: weights and optimizer states · norms and attention as on CPUs, in both figures")


def _print_sizes(plans: "list[Plan]") -> None:
    console = _console()
    table = _table("size", "parameters", "GPUs", "GB per GPU", "steps", "days", "states", "bf16")
    for plan in plans:
        figures = plan.checkpoint_bytes
        mark = "" if plan.fits is None else " ok" if plan.fits else " no"
        table.add_row(
            plan.config.name,
            f"{plan.config.model.parameters:,}",
            f"{plan.devices:,}",
            gigabytes(plan.fullest.memory.total) + mark,
            f"{plan.steps:,}",
            f"{plan.days:,.1f}",
            f"{gigabytes(figures['states'])}",
            f"{gigabytes(figures['weights'])}",
        )
    console.print(table)
    share = f"{plans[0].machine.efficiency:.0%} of {plans[0].machine.device.name}"
    console.print(f"states, bf16: GB of a checkpoint and of its bf16 weights · days at {share} (assumed)")
