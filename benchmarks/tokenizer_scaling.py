"""Training and encoding at 1, 4 and 16 times the text: time and peak memory as distinct words grow.

Copies of a text would bring no new words, so the text is real throughout: a sixteenth, a quarter and all of what the
recipe `sample` ingests, drawn by document.
"""

from benchmarks import Settings, Table
from benchmarks.encode import encoded, trained_tokenizer
from benchmarks.tokenizer_text import sample
from benchmarks.tokenizer_training import trained

SHARES = {"1 ×": 1 / 16, "4 ×": 1 / 4, "16 ×": 1.0}
VOCABULARY = 50_000


def measure(settings: Settings) -> list[Table]:
    """A table of training and one of encoding, one run each."""
    samples = {name: sample(settings, share) for name, share in SHARES.items()}
    training: list[list[str]] = []
    trained("openroots", samples["1 ×"].lines, "gpt2", 1000, settings)  # compiles
    for name, text in samples.items():
        ours = trained("openroots", text.lines, "gpt2", VOCABULARY, settings)
        peer = trained("gigabpe", text.lines, "gpt2", VOCABULARY, settings)
        figures = [f"{text.megabytes:,.0f}", f"{ours['words']:,}", f"{ours['seconds']:.1f}", f"{ours['cpu']:.1f}"]
        memory = [f"{ours['counting_peak'] / 1e6:,.0f}", f"{ours['peak'] / 1e6:,.0f}"]
        training.append([name, *figures, *memory, f"{peer['seconds']:.1f}", f"{peer['peak'] / 1e6:,.0f}"])
    tokenizer = trained_tokenizer(settings)
    encoding = []
    for name, text in samples.items():
        done = encoded(text, tokenizer, settings)
        memory = [f"{done.resident / 1e6:,.0f}", f"{done.proportional / 1e6:,.0f}"]
        speed = [f"{done.seconds:.1f}", f"{text.megabytes / done.seconds:.1f}"]
        encoding.append([name, f"{text.megabytes:,.0f}", *speed, *memory])
    return [
        Table(
            f"Training {VOCABULARY:,} entries, pattern `gpt2`, as text and distinct words grow",
            ["", "MB", "distinct pre-tokens", "seconds", "processor seconds", "peak memory while counting, MB",
             "peak memory, MB", "gigabpe: seconds", "gigabpe: peak memory, MB"],
            training,
            ["One run each, whole processes. Memory follows the distinct pre-tokens; 0.24 GB are there before any."],
        ),
        Table(
            "The command `openroots encode --workers 2` as text grows",
            ["", "MB", "seconds", "MB/s", "peak memory, MB", "of that, shared pages counted once, MB"],
            encoding,
            ["One run each, whole commands."],
        ),
    ]  # fmt: skip
