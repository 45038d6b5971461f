"""The Gradio app: lays out the page and connects it to the pipeline, the shelf and the feedback book.

Each visitor has documents and history of their own; the pipeline is shared. Moving the threshold only renders again.
Knows Gradio; what is shown is made in rendering.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import gradio as gr

from koqas.interface.feedback import FeedbackBook, feedback_of
from koqas.interface.rendering import CSS, View, answer_html, bars_html, evidence_html, shelf_html
from koqas.interface.shelf import MOST_FILES, Shelf, shelved
from koqas.interface.words import KOREAN, LANGUAGES, Words
from koqas.koqas_events import AnswerPiece, Done, Event, Retrieved, Scored, SummaryPiece
from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_types import KoQasError

MOST_HISTORY = 50
# A source is scrolled to its first quote.
SHOW_QUOTES = """() => document.querySelectorAll('.kq-source').forEach((source) => {
  const quote = source.querySelector('mark');
  if (quote) source.scrollTop = quote.offsetTop - 48;
})"""
# Fonts of the visitor's own machine: the default theme would fetch some from elsewhere.
FONTS = ["Pretendard", "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", "system-ui", "sans-serif"]
# Seconds: how often uploaded files are looked through, and how old they and an idle visit may become.
FORGOTTEN = (600, 6 * 3600)
MOST_VISITS = 500  # each has an index in memory
AT_ONCE = 2  # questions worked on at the same time; others wait in Gradio's queue


@dataclass
class Visit:
    """What one visitor has: documents, the question shown, earlier ones (newest first)."""

    shelf: Shelf
    view: View = field(default_factory=View)
    earlier: list[View] = field(default_factory=list)


@dataclass
class Page:
    """The components of the page, by what they are for."""

    language: gr.Radio
    lead: gr.Markdown
    files: gr.File
    folder: gr.UploadButton
    clear: gr.Button
    shelf: gr.HTML
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    answer: gr.HTML
    good: gr.Button
    bad: gr.Button
    better: gr.Textbox
    keep: gr.Button
    thanks: gr.Markdown
    threshold: gr.Slider
    bars: gr.HTML
    evidence: gr.HTML
    history: gr.Radio

    def shown(self) -> list[gr.HTML]:
        """Return what a question or the threshold changes."""
        return [self.answer, self.bars, self.evidence]

    def worded(self) -> list[Any]:
        """Return what the language changes."""
        names = [f.name for f in fields(self) if f.name not in ("language", "thanks")]
        return [getattr(self, n) for n in names]


class App:
    """The app over one pipeline.

    Args:
        qa (`KoQasPipeline`): The pipeline; its documents are what a visitor finds.
        book (`FeedbackBook`): Where opinions go.
    """

    def __init__(self, qa: KoQasPipeline, book: FeedbackBook) -> None:
        self.qa, self.book = qa, book
        self.threshold = round(qa.settings.threshold, 2)

    def blocks(self) -> gr.Blocks:
        """Lay out the page and connect it."""
        with gr.Blocks(title=KOREAN.title, analytics_enabled=False, delete_cache=FORGOTTEN) as blocks:
            visit = gr.State(lambda: Visit(Shelf.over(self.qa.index)), time_to_live=FORGOTTEN[1])
            page = laid_out(KOREAN, self.threshold)
            self._connect_documents(page, visit)
            self._connect_questions(page, visit)
            self._connect_feedback(page, visit)
            blocks.load(self.shelf, [visit, page.language], page.shelf)
            page.language.change(self.translate, [visit, page.language, page.threshold], page.worded())
        return blocks

    def _connect_documents(self, page: Page, visit: gr.State) -> None:
        took: dict[str, Any] = {"outputs": [visit, page.shelf], "concurrency_id": "work", "concurrency_limit": AT_ONCE}
        for component in (page.files, page.folder):
            component.upload(self.take, [component, visit, page.language], **took)
        page.clear.click(self.empty, [page.language], [visit, page.shelf, page.files, page.history, *page.shown()])

    def _connect_questions(self, page: Page, visit: gr.State) -> None:
        begun = gr.on(
            [page.question.submit, page.ask.click],
            self.ask,
            [page.question, visit, page.threshold, page.language],
            [visit, *page.shown(), page.history, page.thanks],
            concurrency_id="work",
            concurrency_limit=AT_ONCE,
            trigger_mode="once",
        )
        begun.then(None, js=SHOW_QUOTES)
        page.stop.click(lambda: None, cancels=[begun])
        shown: dict[str, Any] = {"inputs": [visit, page.threshold, page.language], "outputs": page.shown()}
        page.threshold.change(self.render, **shown, show_progress="hidden", queue=False)
        page.history.input(self.recall, [page.history, visit], visit).then(self.render, **shown)

    def _connect_feedback(self, page: Page, visit: gr.State) -> None:
        page.good.click(lambda v, lang: self.judge(v, lang, "up"), [visit, page.language], page.thanks)
        page.bad.click(lambda v, lang: self.judge(v, lang, "down"), [visit, page.language], page.thanks)
        gr.on(
            [page.better.submit, page.keep.click],
            lambda v, lang, text: self.judge(v, lang, "better", text),
            [visit, page.language, page.better],
            page.thanks,
        )

    # ---- what happens ----------------------------------------------------------------------------------------------

    def shelf(self, visit: Visit, language: str) -> str:
        """Show which documents there are."""
        held = visit.shelf
        return shelf_html(len(held.documents), held.documents, held.problems, LANGUAGES[language])

    def take(
        self,
        paths: Sequence[str] | None,
        visit: Visit,
        language: str,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008  (how Gradio finds it)
    ) -> tuple[Visit, str]:
        """Read and index uploaded files; the samples make room for the first of them."""
        words = LANGUAGES[language]
        paths = list(paths or [])
        if len(paths) > MOST_FILES:
            raise gr.Error(words.too_many.format(count=len(paths), most=MOST_FILES))
        own = Shelf() if visit.shelf.index is self.qa.index else visit.shelf
        shelf = shelved(self.qa, own, paths, lambda n, of: progress((n, of), desc=words.reading))
        if shelf.index is None:  # nothing could be read: what was there stays
            shelf = Shelf(visit.shelf.documents, shelf.problems, visit.shelf.index)
        visit = Visit(shelf, View(), visit.earlier)
        return visit, self.shelf(visit, language)

    def empty(self, language: str) -> list[Any]:
        """Forget documents and questions."""
        visit = Visit(Shelf())
        return [visit, self.shelf(visit, language), None, gr.update(choices=[], value=None), "", "", ""]

    def ask(self, question: str, visit: Visit, threshold: float, language: str) -> Iterator[list[Any]]:
        """Answer event by event."""
        words = LANGUAGES[language]
        try:
            if visit.shelf.index is None:
                raise gr.Error(words.no_documents, print_exception=False)
            stream = self.qa.stream(question, visit.shelf.index, threshold=threshold)
            view = View(question.strip(), sources=visit.shelf.index.documents)
            for event in stream:
                told(view, event, words)
                now = Visit(visit.shelf, view, visit.earlier)
                yield [now, *self.render(now, threshold, language), gr.skip(), ""]
        except KoQasError as error:
            raise gr.Error(str(error), print_exception=False) from error
        earlier = [view, *visit.earlier][:MOST_HISTORY]
        choices = [(v.question, n) for n, v in enumerate(earlier)]
        yield [Visit(visit.shelf, view, earlier), *[gr.skip()] * 3, gr.update(choices=choices, value=0), ""]

    def render(self, visit: Visit, threshold: float, language: str) -> list[str]:
        """Show the question again; the model is not asked."""
        words, view = LANGUAGES[language], visit.view
        return [f(view, words, threshold) for f in (answer_html, bars_html, evidence_html)]

    def recall(self, number: int | None, visit: Visit) -> Visit:
        """Show an earlier question."""
        if number is None or number >= len(visit.earlier):
            return visit
        return Visit(visit.shelf, visit.earlier[number], visit.earlier)

    def judge(self, visit: Visit, language: str, vote: str, better: str = "") -> str:
        """Keep an opinion about what is shown."""
        words, view = LANGUAGES[language], visit.view
        if view.result is None:
            return ""
        try:
            self.book.keep(feedback_of(view.result, view.sources, vote, better))
        except KoQasError as error:
            return words.not_kept.format(problem=error)
        return words.kept_half if vote == "down" else words.kept

    def translate(self, visit: Visit, language: str, threshold: float) -> list[Any]:
        """Put the page into another language."""
        w = LANGUAGES[language]
        answer, bars, evidence = self.render(visit, threshold, language)
        new: dict[str, Any] = {
            "lead": f"# {w.title}\n{w.lead}",
            "files": gr.update(label=w.files),
            "folder": gr.update(label=w.folder),
            "clear": gr.update(value=w.clear),
            "shelf": self.shelf(visit, language),
            "question": gr.update(label=w.question, placeholder=w.placeholder),
            "ask": gr.update(value=w.ask),
            "stop": gr.update(value=w.stop),
            "answer": answer,
            "good": gr.update(value=w.good),
            "bad": gr.update(value=w.bad),
            "better": gr.update(label=w.better, placeholder=w.better_hint, info=w.masking),
            "keep": gr.update(value=w.keep),
            "threshold": gr.update(label=w.threshold),
            "bars": bars,
            "evidence": evidence,
            "history": gr.update(label=w.history),
        }
        return [new[f.name] for f in fields(Page) if f.name in new]


def told(view: View, event: Event, words: Words) -> None:
    """Add what an event tells to a view."""
    if isinstance(event, Retrieved):
        view.note = words.searching.format(count=len(event.chunks))
    elif isinstance(event, Scored):
        view.note = words.judged.format(count=len(event.chunks), kept=sum(c.kept for c in event.chunks))
    elif isinstance(event, SummaryPiece):
        view.summary += event.text
    elif isinstance(event, AnswerPiece):
        view.answer += event.text
    elif isinstance(event, Done):
        view.result = event.result.to_dict()
        view.summary, view.answer = event.result.summary, event.result.answer


def laid_out(w: Words, threshold: float) -> Page:
    """Make the components, in one column on a phone and two on a desk."""
    with gr.Row(elem_classes="kq-head"):
        lead = gr.Markdown(f"# {w.title}\n{w.lead}")
        language = gr.Radio(
            list(LANGUAGES), value=next(iter(LANGUAGES)), show_label=False, container=False, scale=0, min_width=200
        )
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            files = gr.File(label=w.files, file_count="multiple", height=150, elem_id="kq-files")
            with gr.Row():
                folder = gr.UploadButton(w.folder, file_count="directory", size="sm", min_width=100)
                clear = gr.Button(w.clear, size="sm", min_width=100)
            shelf = gr.HTML(elem_id="kq-shelf")
        with gr.Column(scale=3, min_width=300):
            question = gr.Textbox(
                label=w.question,
                placeholder=w.placeholder,
                lines=1,
                autofocus=True,
                elem_id="kq-ask-box",
                max_length=2000,
            )
            with gr.Row():
                ask = gr.Button(w.ask, variant="primary", min_width=120)
                stop = gr.Button(w.stop, min_width=80, scale=0)
            answer = gr.HTML(elem_id="kq-answer-box")
            evidence = gr.HTML(elem_id="kq-evidence-box")
            bars = gr.HTML(elem_id="kq-bars-box")
            slider = gr.Slider(0, 1, value=threshold, step=0.01, label=w.threshold, elem_id="kq-threshold")
            with gr.Row():
                good = gr.Button(w.good, size="sm", min_width=100)
                bad = gr.Button(w.bad, size="sm", min_width=100)
            better = gr.Textbox(label=w.better, placeholder=w.better_hint, info=w.masking, elem_id="kq-better")
            keep = gr.Button(w.keep, size="sm")
            thanks = gr.Markdown(elem_id="kq-thanks")
            history = gr.Radio([], label=w.history, type="value", elem_id="kq-history")
    return Page(
        language, lead, files, folder, clear, shelf, question, ask, stop, answer,
        good, bad, better, keep, thanks, slider, bars, evidence, history,
    )  # fmt: skip


def launch(app: App, **options: Any) -> None:  # noqa: ANN401
    """Serve the app; options are those of `gradio.Blocks.launch`."""
    blocks = app.blocks().queue(max_size=64)
    theme = gr.themes.Soft(font=FONTS, font_mono=["ui-monospace", "monospace"])
    blocks.launch(theme=theme, css=CSS, footer_links=[], state_session_capacity=MOST_VISITS, **options)
