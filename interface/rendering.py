"""Turn results into HTML: the answer, the evidence inside its source, the bars of usefulness.

Comes in: results, documents, words. Goes out: HTML in which every character of documents, questions and answers is
escaped. Knows nothing of Gradio.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from koqas.interface.words import Words
from koqas.koqas_types import Document

WHOLE = 6000  # characters; a longer source is shown around its evidence
AROUND = 500  # characters before and after evidence in a long source
MOST_BARS = 10


@dataclass
class View:
    """What is known of a question so far; `result` is there when it is answered."""

    question: str = ""
    summary: str = ""
    answer: str = ""
    note: str = ""
    result: dict[str, Any] | None = None
    sources: dict[str, Document] = field(default_factory=dict)


def useful_places(result: Mapping[str, Any], threshold: float) -> list[tuple[str, int, int]]:
    """Return document, start and end of the chunks that were kept and reach a threshold."""
    rows = [d for d in result["documents"] if d["kept"] and (d["usefulness"] is None or d["usefulness"] >= threshold)]
    return [(d["id"], d["start"], d["end"]) for d in rows]


def evidence_left(result: Mapping[str, Any], threshold: float) -> list[dict[str, Any]]:
    """Return the evidence that stands in chunks that reach a threshold; nothing is asked again."""
    places = useful_places(result, threshold)
    return [
        e
        for e in result["evidence"]
        if any(e["document"] == d and s <= e["start"] and e["end"] <= end for d, s, end in places)
    ]


def answer_html(view: View, words: Words, threshold: float) -> str:
    """Return the summary and the answer below it, or that the documents do not hold one."""
    if not view.question:
        return ""
    question = f'<p class="kq-question">{escape(view.question)}</p>'
    if view.result is not None and not view.result["answered"]:
        return f"{question}{_absent(words.absent, words.absent_hint)}"
    if view.result is not None and not evidence_left(view.result, threshold):
        return f"{question}{_absent(words.absent, words.below)}"
    parts = [question]
    if view.summary:
        parts.append(f'<h3>{words.summary}</h3><p class="kq-summary">{escape(view.summary)}</p>')
    if view.answer:
        sure = f" <small>{words.confidence} {view.result['confidence']:.2f}</small>" if view.result else ""
        parts.append(f'<h3>{words.answer}</h3><p class="kq-answer">{escape(view.answer)}{sure}</p>')
    if view.result is None:
        parts.append(f'<p class="kq-note">{escape(view.note)}</p>')
    return f'<div aria-live="polite">{"".join(parts)}</div>'


def _absent(title: str, hint: str) -> str:
    return f'<div class="kq-absent" role="status"><strong>{escape(title)}</strong><p>{escape(hint)}</p></div>'


def evidence_html(view: View, words: Words, threshold: float) -> str:
    """Return links to the quotes and the sources with the quotes marked."""
    if view.result is None:
        return ""
    left = evidence_left(view.result, threshold)
    if not left:
        return f'<p class="kq-note">{words.no_evidence}</p>' if view.result["answered"] else ""
    numbered = [(f"kq-quote-{n}", e) for n, e in enumerate(left, start=1)]
    links = "".join(
        f'<li><a href="#{key}">{escape(e["document"])}</a>{_where(e)} <q>{escape(" ".join(e["quote"].split()))}</q></li>'
        for key, e in numbered
    )
    sources = []
    for document in dict.fromkeys(e["document"] for e in left):
        marks = [(e["start"], e["end"], key) for key, e in numbered if e["document"] == document]
        source = view.sources[document]
        head = escape(source.title or document)
        text = marked(source.text, marks, view.answer)
        sources.append(
            f'<details open><summary>{head} · {escape(document)}</summary><pre class="kq-source">{text}</pre></details>'
        )
    return f'<h3>{words.evidence}</h3><ol class="kq-links">{links}</ol>{"".join(sources)}'


def _where(evidence: dict[str, Any]) -> str:
    label = evidence["location"]["label"]
    return f" <small>{escape(label)}</small>" if label else ""


def marked(text: str, marks: Iterable[tuple[int, int, str]], answer: str) -> str:
    """Return a text, escaped, with its marks; a long one only around them."""
    out: list[str] = []
    shown = 0
    ordered = sorted(marks)
    for start, end, key in ordered:
        begin = max(shown, start)
        gap = text[shown:begin]
        if len(text) > WHOLE and len(gap) > 2 * AROUND:
            before = gap[:AROUND] if shown else ""
            gap_html = f'{escape(before)}<span class="kq-gap"> … </span>{escape(gap[-AROUND:])}'
        else:
            gap_html = escape(gap)
        quote = escape(text[begin:end])
        if answer.strip():
            quote = quote.replace(escape(answer), f"<strong>{escape(answer)}</strong>")
        out.append(f'{gap_html}<mark id="{key}" tabindex="0">{quote}</mark>')
        shown = max(shown, end)
    rest = text[shown:]
    cut = len(text) > WHOLE and len(rest) > AROUND
    out.append(escape(rest[:AROUND]) + '<span class="kq-gap"> … </span>' if cut else escape(rest))
    return "".join(out)


def bars_html(view: View, words: Words, threshold: float) -> str:
    """Return a bar for each judged chunk, with the threshold as a line across."""
    if view.result is None:
        return ""
    rows = [
        d | {"judged": d["usefulness"] is not None, "usefulness": d["usefulness"] or 0.0}
        for d in view.result["documents"]
    ]
    rows = rows[:MOST_BARS] if any(d["judged"] for d in rows) else []
    bars = []
    for d in rows:
        share = f"{100 * d['usefulness']:.1f}%"
        state = "kq-on" if d["judged"] and d["usefulness"] >= threshold else "kq-off"
        value = f"{d['usefulness']:.2f}" if d["judged"] else f'<abbr title="{words.filtered}">–</abbr>'
        bars.append(
            f'<div class="kq-row {state}"><span class="kq-name">{escape(d["id"])} #{d["chunk"]}</span>'
            f'<span class="kq-track"><span class="kq-bar" style="width:{share}"></span>'
            f'<span class="kq-line" style="left:{100 * threshold:.1f}%"></span></span>'
            f'<span class="kq-value">{value}</span></div>'
        )
    more = (
        any(d["judged"] and not d["kept"] and d["usefulness"] >= threshold for d in rows)
        and not view.result["answered"]
    )
    hint = f'<p class="kq-note">{words.asked_again}</p>' if more else ""
    return f'<h3>{words.usefulness}</h3><div class="kq-bars">{"".join(bars)}</div>{hint}' if rows else ""


def shelf_html(count: int, names: Iterable[str], problems: Iterable[str], words: Words) -> str:
    """Return which documents are held and which files could not be read, and why."""
    listed = list(names)
    shown = "".join(f"<li>{escape(n)}</li>" for n in listed[:50]) + ("<li>…</li>" if len(listed) > 50 else "")
    refused = "".join(f"<li>{escape(p)}</li>" for p in problems)
    held = words.holding.format(count=count)
    trouble = (
        f'<div class="kq-problem" role="alert"><strong>{words.unread}</strong><ul>{refused}</ul></div>'
        if refused
        else ""
    )
    return f'<details><summary>{held}</summary><ul class="kq-list">{shown}</ul></details>{trouble}'


CSS = """
.kq-question { font-weight: 600; font-size: 1.1rem; }
.kq-answer { font-size: 1.35rem; font-weight: 700; line-height: 1.5; }
.kq-answer small { font-size: .8rem; font-weight: 400; opacity: .7; }
.kq-absent { border-left: 4px solid #c2410c; padding: .5rem 1rem; background: rgba(194, 65, 12, .08); }
.kq-problem { border-left: 4px solid #b91c1c; padding: .5rem 1rem; overflow-wrap: anywhere; }
.kq-note { opacity: .7; }
@media (max-width: 640px) { .kq-head { flex-direction: column; } }
.kq-source { position: relative; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow-y: auto; font-family: inherit;
  padding: .75rem; border: 1px solid var(--border-color-primary); border-radius: .5rem; line-height: 1.7; }
.kq-source mark { background: #fde68a; color: #1c1917; padding: .1em 0; scroll-margin: 4rem; }
.kq-source mark:target, .kq-source mark:focus { outline: 2px solid #b45309; }
.kq-links q { overflow-wrap: anywhere; }
.kq-row { display: grid; grid-template-columns: minmax(5rem, 30%) 1fr 3rem; gap: .5rem; align-items: center; margin: .35rem 0; }
.kq-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: .85rem; }
.kq-track { position: relative; height: 1rem; background: var(--background-fill-secondary, #eee); border-radius: .25rem; }
.kq-bar { position: absolute; inset: 0 auto 0 0; background: #0f766e; border-radius: .25rem; }
.kq-off .kq-bar { background: #a8a29e; }
.kq-off { opacity: .75; }
.kq-line { position: absolute; top: -.25rem; bottom: -.25rem; width: 2px; background: #b91c1c; }
.kq-value { font-variant-numeric: tabular-nums; text-align: right; }
.kq-list { max-height: 12rem; overflow-y: auto; }
"""
