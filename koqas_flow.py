"""The stages of one question, one after the other, as a stream of events.

    search → first-pass filter → DocQuest usefulness → kept from a threshold on
      → nothing kept: search again (wider, reformulated), at most `max_rounds`; still nothing: abstain
      → summary of the evidence → answer conditioned on it

Knows how stages follow one another; knows nothing about repositories and files.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace

from .koqas_docquest import DocQuest
from .koqas_events import Done, Event, Piece, Retrieved, Scored
from .koqas_extractive import Extractive
from .koqas_generation import Cited, ComposeOptions
from .koqas_inquiry import Inquiry, Stopwatch, conclude, merit
from .koqas_options import RepositorySettings
from .koqas_remote import RemoteCited, RemoteDocQuest
from .koqas_types import Composition, ScoredChunk


class Flow:
    """Leads an inquiry through the stages.

    Args:
        docquest (`DocQuest` or `RemoteDocQuest`): Judges passages.
        extractive (`Extractive`): Answers with the documents' own words.
        cited (`Cited` or `RemoteCited`): Answers with free text.
        settings (`RepositorySettings`): Thresholds and calibrations.
    """

    def __init__(
        self,
        docquest: DocQuest | RemoteDocQuest,
        extractive: Extractive,
        cited: Cited | RemoteCited,
        settings: RepositorySettings,
    ) -> None:
        self.docquest, self.extractive, self.cited, self.settings = docquest, extractive, cited, settings

    def events(self, inquiry: Inquiry) -> Iterator[Event]:
        """Search and judge, at most `max_rounds` times, then compose."""
        clock = Stopwatch()
        scored: list[ScoredChunk] = []
        kept: list[ScoredChunk] = []
        for turn in range(1, inquiry.options.max_rounds + 1):
            found = inquiry.search(turn, scored)
            clock.lap("retrieval")
            yield Retrieved(turn, tuple(found))
            clock.resume()
            self._judge(inquiry, found)
            clock.lap("judgement")
            yield Scored(turn, tuple(found))
            clock.resume()
            scored += found
            kept = sorted((s for s in scored if s.kept), key=merit, reverse=True)[: inquiry.options.max_kept]
            if kept:
                break
        composition = (yield from self._compose(inquiry, kept)) if kept else None
        if composition is not None and composition.confidence < inquiry.options.least_confidence:
            composition = None
        clock.lap("generation")
        for s in scored:
            s.kept = s in kept
        ranked = sorted(scored, key=merit, reverse=True)
        yield Done(conclude(inquiry.question, composition, ranked, clock.timings))

    def _judge(self, inquiry: Inquiry, found: list[ScoredChunk]) -> None:
        """Set `first_pass`, `usefulness` and `kept` of chunks.

        One run of the model gives both its logits; the ranker reads only what the first pass leaves.
        """
        options, calibrations = inquiry.options, self.settings.calibrations
        if not (options.first_pass or options.docquest) or not found:
            for s in found:
                s.kept = True
            return
        self.docquest.batch_size = options.batch_size
        passages = [inquiry.glance(s.chunk) for s in found]
        sections = [n for n, on in (("relevance", options.first_pass), ("usefulness", options.docquest)) if on]
        logits = dict(zip(sections, self.docquest.logits(inquiry.text, passages, sections), strict=True))
        bar = self.settings.threshold if options.threshold is None else options.threshold
        low = (
            self.settings.first_pass_threshold
            if options.first_pass_threshold is None
            else options.first_pass_threshold
        )
        for n, s in enumerate(found):
            s.kept = True
            if options.first_pass:
                s.first_pass = calibrations.relevance.probability(logits["relevance"][n], passages[n])
                s.kept = s.first_pass >= low
            if options.docquest and s.kept:
                seen = replace(passages[n], support=inquiry.support(s.chunk))
                s.usefulness = calibrations.usefulness.probability(logits["usefulness"][n], seen)
                s.kept = s.usefulness >= bar

    def _compose(self, inquiry: Inquiry, kept: list[ScoredChunk]) -> Generator[Piece, None, Composition | None]:
        """Write summary and answer piece by piece; returns the whole."""
        how = ComposeOptions.of(inquiry.options, self.settings)
        if (inquiry.options.grounding or self.settings.grounding) == "extractive":
            asked = inquiry.asked or inquiry.question
            return (yield from self.extractive.pieces(asked, kept, inquiry.index.documents, inquiry.coverage, how))
        return (yield from self.cited.pieces(inquiry.question, kept, inquiry.index.documents, how))
