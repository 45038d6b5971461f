"""TF-IDF importance: which of several copies says most, and which sentences of a long text to keep.

Comes in: texts. Goes out: numbers and choices. Terms are character bigrams and trigrams inside words, which need no
analyzer and survive particles; what every text says (bylines, set phrases) has next to no weight.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from koqas.koqas_text import sentences_of
from koqas.koqas_types import Span
from koqas.train.cleaning.alignment import Edited, Writer

MOST_TERMS = 300_000
REPETITION = 0.5  # cosine from which a sentence repeats one already chosen


class Importance:
    """Term weights learned from a set of texts.

    Args:
        texts (`Iterable[str]`): The set among which copies are judged; one at least.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._terms = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(2, 3),
            max_features=MOST_TERMS,
            sublinear_tf=True,
            norm=None,
            dtype=np.float32,
        )
        self._terms.fit(texts)

    def of(self, texts: Sequence[str]) -> list[float]:
        """Return for each text the summed weight of its distinct terms: more content, more weight."""
        matrix = self._terms.transform(texts)
        matrix.data[:] = self._terms.idf_[matrix.indices]
        return [float(x) for x in np.asarray(matrix.sum(axis=1)).ravel()]

    def condensed(self, text: str, most: int, protected: Sequence[Span] = ()) -> Edited:
        """Keep the sentences that matter most, in order.

        Args:
            text (`str`): A cleaned text.
            most (`int`): Characters to keep at the most; protected sentences stay even beyond it.
            protected (`Sequence[Span]`): Spans of `text`, an answer for one, whose sentences stay.

        Returns:
            `Edited`: The shorter text, which can follow spans of the given one.
        """
        sentences = sentences_of(text)
        if len(text) <= most or len(sentences) < 2:
            return _kept(text, [Span(0, len(text))])
        spans = [Span(s.start, s.start + len(s.text)) for s in sentences]
        chosen = {i for i, s in enumerate(spans) if any(p.start < s.end and p.end > s.start for p in protected)}
        matrix = self._terms.transform([s.text for s in sentences])
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()) + 1e-9
        # Weight a character: long sentences do not win by length.
        weights = np.asarray(matrix.sum(axis=1)).ravel() / np.array([len(s.text) for s in sentences]) ** 0.5
        taken = sum(spans[i].end - spans[i].start for i in chosen)
        for i in np.argsort(-weights):
            size = spans[i].end - spans[i].start
            if i in chosen or taken + size > most:
                continue
            alike = (
                (matrix[i] @ matrix[sorted(chosen)].T).toarray().ravel() / lengths[i] / lengths[sorted(chosen)]
                if chosen
                else []
            )
            if not np.any(np.asarray(alike) >= REPETITION):
                chosen.add(int(i))
                taken += size
        return _kept(text, [spans[i] for i in sorted(chosen)])


def _kept(text: str, spans: Sequence[Span]) -> Edited:
    """Join spans by a line break where one stood between them, else by a space."""
    writer = Writer()
    end = 0
    for number, span in enumerate(spans):
        if number:
            writer.insert("\n" if "\n" in text[end : span.start] else " ")
        writer.keep(text[span.start : span.end], span.start, span.end)
        end = span.end
    return writer.edited()
