"""What `openroots calibrate` shows: a TOML fragment for a recipe, and a page with a plot of each measure."""

import html
import json

import numpy as np

from configs.load import roots_quality
from pipeline.quality.calibration import Evidence
from pipeline.quality.calibration_run import Calibration
from pipeline.quality.decision import TEXT_THRESHOLDS

WIDTH, HEIGHT, BINS = 640, 90, 64
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1f2723}"
    "svg{width:100%;background:#fbfaf6}.g{fill:#1f6f54;opacity:.7}.j{fill:#a8580c;opacity:.45}"
    "line{stroke:#000;stroke-dasharray:4 3}text{font-size:11px}pre{background:#f3f1e8;padding:1rem;overflow-x:auto}"
)


def fragment(found: Calibration, model: str) -> str:
    """`[natural.CODE.quality]` with thresholds, their cost and their catch in comments."""
    roots = {**roots_quality()["default"], **roots_quality().get(found.language, {})}
    lines = [f"# {found.sentences} lines of good text; each measured by a letter model that was made without it."]
    if not found.known:
        lines += [
            "# A language that OpenRoots does not know needs its names as well:",
            f"# [natural.{found.language}]",
            '# name = "…"          # in English',
            '# iso639_3 = "…"      # three letters',
            '# script = "…"        # ISO 15924, four letters',
            "# roots_bytes = 0",
            f'# lid_labels = ["{found.language}"]',
            *(["# unspaced = true"] if found.unspaced else []),
        ]
    lines += [f"[natural.{found.language}.quality]", f"letter_model = {json.dumps(model)}"]
    for each in found.evidence:
        value = "false" if each.value is None else f"{each.value}"
        lines += [f"# {_said(each)}; ROOTS: {roots.get(each.threshold, 'not measured')}", f"{each.threshold} = {value}"]
    return "\n".join(lines) + "\n"


def _said(each: Evidence) -> str:
    if each.value is None:
        return f"not applied: {each.why}"
    caught = ", ".join(f"{kind} {share:.0%}" for kind, share in each.caught.items() if share >= 0.005)
    return f"drops {each.lost:.1%} of {each.good} good texts; catches {caught or 'nothing'}"


def page(found: Calibration) -> str:
    """A self-contained page: how each measure lies on good text (green) and junk (brown), with the threshold."""
    measures = dict(TEXT_THRESHOLDS)
    parts = []
    for each in found.evidence:
        name = measures[each.threshold]
        junk = [values[name] for values in found.junk.values()]
        plot = _plot(found.good[name], np.concatenate(junk) if junk else np.zeros(0), each.value)
        parts.append(f"<h2>{html.escape(name.replace('_', ' '))}</h2>{plot}<p>{html.escape(_said(each))}</p>")
    title = f"Thresholds of {html.escape(found.language)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{found.sentences} lines of good text. Green: good text; brown: junk; the dashed line "
        f"is the threshold. Each is drawn to its own height.</p>{''.join(parts)}</html>\n"
    )


def _plot(good: np.ndarray, junk: np.ndarray, threshold: float | None) -> str:
    good, junk = good[~np.isnan(good)], junk[~np.isnan(junk)]
    both = np.concatenate([good, junk])
    if not len(both):
        return "<p>Not measured.</p>"
    low, high = float(both.min()), float(both.max())
    high = high if high > low else low + 1.0
    bars = []
    for values, kind in ((junk, "j"), (good, "g")):
        counts, _ = np.histogram(values, BINS, (low, high))
        for place, count in enumerate(counts):
            tall = HEIGHT * count / max(1, counts.max())
            width = WIDTH / BINS
            bars.append(
                f'<rect class="{kind}" x="{place * width:.1f}" y="{HEIGHT - tall:.1f}" width="{width:.1f}" '
                f'height="{tall:.1f}"/>'
            )
    if threshold is not None and low <= threshold <= high:
        x = WIDTH * (threshold - low) / (high - low)
        bars.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}"/>')
    ends = f'<text x="0" y="{HEIGHT + 14}">{low:.3g}</text>'
    ends += f'<text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{high:.3g}</text>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img">{"".join(bars)}{ends}</svg>'
