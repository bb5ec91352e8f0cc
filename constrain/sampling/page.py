"""Particles over time as one HTML page, which needs nothing else: ancestry, weights, the answers.

In:  a posterior. Out: HTML. A column is a step, a row the place of a particle; a box says what it read there, the
darker the more it weighed. Lines lead from each particle to where it comes from; those that led to no answer are faint.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from constrain.sampling.posterior import Posterior, Step, normalised

_COLUMN, _ROW, _BOX, _TOP, _LETTERS = 92, 26, 74, 34, 9
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --line: #8a8a8a; --mark: #1f6feb; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #161616; --line: #7a7a7a; --mark: #6ea8ff; --bad: #ff8a80; } }
body { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem; }
h1 { font-size: 1.2rem; } table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; }
td, th { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
code, text { font-family: ui-monospace, monospace; white-space: pre-wrap; } .scroll { overflow-x: auto; }
text { font-size: 12px; fill: var(--ink); } .box { stroke: var(--line); fill: var(--mark); } .dead { stroke:
var(--bad); } path { fill: none; stroke: var(--line); } .lost { opacity: .3; } .resampled { stroke: var(--mark); }
"""


def page(posterior: Posterior, title: str = "Particles") -> str:
    """A whole HTML document. Text of models is escaped, control characters are shown as pictures.

    >>> from constrain.sampling.posterior import Particle
    >>> "<script" in page(Posterior((Particle("<script>", (1,), 0.0, "complete"),), 0))
    False
    """
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_shown(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{_shown(title)}</h1>",
            f"<p>{_summary(posterior)}</p>",
            *_answers(posterior),
            *_drawing(posterior),
            *_table(posterior),
            "</body></html>\n",
        ]
    )


def _summary(posterior: Posterior) -> str:
    facts = [
        f"{len(posterior.particles)} particles, {len(posterior.history)} steps",
        f"log of the probability that the constraint is met: {posterior.log_normalizer:.3f}",
        f"effective number of particles in the end: {posterior.ess:.1f}",
        f"tokens that the checker was asked about: {posterior.evaluations:,}",
    ]
    return "<br>".join(facts)


def _answers(posterior: Posterior) -> Iterator[str]:
    if not posterior.answers:
        yield f"<p><b>No answer: {posterior.finish_reason}.</b></p>"
        return
    yield '<table><caption>Answers</caption><tr><th class="n">probability<th class="n">particles<th>text</tr>'
    for answer in posterior.answers:
        share = f'<td class="n">{answer.probability:.4f}<td class="n">{answer.particles}'
        yield f"<tr>{share}<td><code>{_shown(answer.text)}</code></tr>"
    yield "</table>"


def _table(posterior: Posterior) -> Iterator[str]:
    yield '<table><caption>Particles</caption><tr><th class="n">weight<th class="n">log-weight<th>end<th>text</tr>'
    for particle, weight in sorted(zip(posterior.particles, posterior.weights), key=lambda pair: -pair[1]):
        numbers = f'<td class="n">{weight:.4f}<td class="n">{particle.log_weight:.3f}'
        yield f"<tr>{numbers}<td>{particle.finish_reason}<td><code>{_shown(particle.text)}</code></tr>"
    yield "</table>"


def _drawing(posterior: Posterior) -> Iterator[str]:
    history, count = posterior.history, len(posterior.particles)
    width, height = _COLUMN * len(history) + 20, _ROW * count + _TOP + 10
    kept = _kept(history, [weight > 0 for weight in posterior.weights])
    yield f'<div class="scroll"><svg width="{width}" height="{height}" role="img" aria-label="Particles over time">'
    for number, step in enumerate(history):
        yield f'<text x="{_COLUMN * number + 10}" y="14">{number + 1}  ESS {step.ess:.1f}</text>'
        if number:
            yield from _lines(number, history[number - 1].ancestors, kept[number])
        yield from _boxes(number, step, kept[number])
    yield "</svg></div>"


def _lines(number: int, ancestors: Sequence[int], kept: Sequence[bool]) -> Iterator[str]:
    left, right = _COLUMN * (number - 1) + 10 + _BOX, _COLUMN * number + 10
    resampled = ancestors != tuple(range(len(ancestors)))
    for place, source in enumerate(ancestors):
        kind = " ".join(["resampled"] * resampled + ["lost"] * (not kept[place]))
        y, z = _middle(source), _middle(place)
        yield f'<path class="{kind}" d="M{left} {y} C{left + 9} {y} {right - 9} {z} {right} {z}"/>'


def _boxes(number: int, step: Step, kept: Sequence[bool]) -> Iterator[str]:
    x = _COLUMN * number + 10
    for place, weight in enumerate(normalised(step.log_weights).tolist()):
        kind = " ".join(["box"] + ["dead"] * (weight == 0) + ["lost"] * (not kept[place]))
        piece = step.pieces[place]
        shown = piece if len(piece) <= _LETTERS else f"{piece[: _LETTERS - 1]}…"
        yield (
            f'<g class="{"" if kept[place] else "lost"}"><title>particle {place + 1}: {_shown(piece)}\n'
            f"weight {weight:.4f}, log-weight {step.log_weights[place]:.3f}</title>"
            f'<rect class="{kind}" x="{x}" y="{_middle(place) - 10}" width="{_BOX}" height="20" rx="3" '
            f'fill-opacity="{0.75 * weight**0.5:.3f}"/>'
            f'<text x="{x + 4}" y="{_middle(place) + 4}">{_shown(shown) or "·"}</text></g>'
        )


def _middle(place: int) -> int:
    return _TOP + _ROW * place + 10


def _kept(history: Sequence[Step], counts: Sequence[bool]) -> list[list[bool]]:
    """For each step, which places lead to a particle that counts in the end."""
    kept: list[list[bool]] = []
    after = list(counts)
    for step in reversed(history):
        before = [False] * len(after)
        for place, source in enumerate(step.ancestors):
            before[source] |= after[place]
        kept.append(before)
        after = before
    return kept[::-1]


def _shown(text: str) -> str:
    """Text for HTML: escaped, control characters as pictures."""
    pictures = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
    return html.escape(text.translate(pictures))
