"""Korean text: a readable view with offsets, sentences, chunks, search tokens and answer candidates.

Comes in: any Python string. Goes out: spans whose offsets always point into the string the caller gave.
This module knows Kiwi and Unicode; it knows nothing about models, indexes or prompts.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kiwipiepy import Kiwi

from .koqas_types import Span

# Characters that do not show but break matching: zero-width and bidirectional controls, BOM, soft hyphen.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
# One user-perceived character: a conjoining-jamo syllable, or a base with its combining marks.
CLUSTER = re.compile("[\u1100-\u115f][\u1160-\u11a7]*[\u11a8-\u11ff]*|.[\u0300-\u036f\u3099\u309a]*", re.DOTALL)
CONTENT_TAGS = frozenset({"NNG", "NNP", "NNB", "NR", "VV", "VA", "XR", "SL", "SH", "SN", "MAG"})
MATCHING_TAGS = frozenset({"NNG", "NNP", "NR", "VV", "VA", "XR", "SL", "SH", "SN", "MAG"})
KEYWORD_TAGS = frozenset({"NNG", "NNP", "NR", "XR", "SL", "SH", "SN"})
# Tags a candidate answer may consist of, start with and end with (Sejong tag set as Kiwi writes it).
PHRASE_TAGS = frozenset(
    "NNG NNP NNB NR NP SN SL SH XPN XSN XR MM JKG SW SP SS SSO SSC SO SY SE W_SERIAL W_URL W_EMAIL VA-ETM".split()
)
START_TAGS = frozenset("NNG NNP NR SN SL SH XPN XR MM SSO NNB SW".split())
END_TAGS = frozenset("NNG NNP NNB NR SN SL SH XSN SW SSC XR NP".split())
QUOTED = re.compile(r"[〈《「『“‘\"']([^〈《「『“‘\"'〉》」』”’]{1,40})[〉》」』”’\"']")
LINE = re.compile(r"[^\n\r\x0b\x0c\u2028\u2029]+")
LONGEST_SENTENCE = 400  # characters; longer runs (tables, minified text) are cut so that no stage sees them whole
LONGEST_CANDIDATE = 9  # morphemes


@lru_cache(maxsize=1)
def kiwi() -> Kiwi:
    """Return the one Kiwi instance of this process (loading takes about two seconds, 0.5 GB)."""
    return Kiwi()


@dataclass(frozen=True)
class TextView:
    """The readable form of a text: NFC, without invisible characters.

    `offsets[i]` is where view character `i` begins in the original; `offsets[len(text)]` is the original's
    length. It is None when view and original are the same string.
    """

    text: str
    offsets: tuple[int, ...] | None

    def original(self, start: int, end: int) -> Span:
        """Map a span of the view to the original text."""
        if self.offsets is None:
            return Span(start, end)
        return Span(self.offsets[start], self.offsets[end] if end > start else self.offsets[start])


def view_of(text: str) -> TextView:
    """Build the readable view of a text. Lone surrogates become U+FFFD, one for one."""
    plain = unicodedata.is_normalized("NFC", text) and not INVISIBLE.search(text)
    if plain and not any("\ud800" <= c <= "\udfff" for c in text):
        return TextView(text, None)
    pieces: list[str] = []
    offsets: list[int] = []
    for match in CLUSTER.finditer(text):
        piece = INVISIBLE.sub("", unicodedata.normalize("NFC", match.group()))
        piece = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in piece)
        pieces.append(piece)
        offsets.extend([match.start()] * len(piece))
    return TextView("".join(pieces), (*offsets, len(text)))


@dataclass(frozen=True)
class AnalyzedSentence:
    """A sentence of a view with its Kiwi tokens (`form`, `tag`, `start`, `end` relative to the sentence)."""

    text: str
    start: int
    tokens: tuple["Morpheme", ...]


@dataclass(frozen=True)
class Morpheme:
    """One Kiwi token, offsets relative to the analyzed text."""

    form: str
    tag: str
    start: int
    end: int


def analyze(texts: Iterable[str]) -> Iterator[list[AnalyzedSentence]]:
    """Split texts into sentences and morphemes in one Kiwi pass (both cost the same work).

    Newlines always end a sentence, since Kiwi glues list markers to the sentence before them.

    Args:
        texts (`Iterable[str]`): Views (see `view_of`).

    Yields:
        `list[AnalyzedSentence]`: For each text its sentences in order; white space between them is dropped.
    """
    for text in texts:
        lines = [
            (m.start() + i, m.group()[i : i + 4000])
            for m in LINE.finditer(text)
            for i in range(0, len(m.group()), 4000)
        ]
        found: list[AnalyzedSentence] = []
        for (offset, _), sentences in zip(
            lines, kiwi().split_into_sents([s for _, s in lines], return_tokens=True), strict=True
        ):
            for sentence in sentences:
                found.extend(_bounded(sentence, offset))
        yield found


def _bounded(sentence: Any, offset: int) -> Iterator[AnalyzedSentence]:  # noqa: ANN401  (kiwipiepy.Sentence is untyped)
    """Yield a Kiwi sentence, cut at morpheme boundaries into pieces of at most `LONGEST_SENTENCE` characters."""
    begin, tokens = (
        sentence.start,
        [Morpheme(t.form, t.tag.split("-")[0], t.start, t.start + t.len) for t in sentence.tokens],
    )
    pieces: list[tuple[int, int, list[Morpheme]]] = []
    held: list[Morpheme] = []
    for token in tokens:
        if held and token.end - begin > LONGEST_SENTENCE and token.start > begin:
            pieces.append((begin, token.start, held))
            begin, held = token.start, []
        held.append(token)
    pieces.append((begin, sentence.end, held))
    for start, end, morphemes in pieces:
        text = sentence.text[start - sentence.start : end - sentence.start]
        lead = len(text) - len(text.lstrip())
        if not text.strip():
            continue
        shift = start + lead
        moved = tuple(Morpheme(m.form, m.tag, max(m.start - shift, 0), max(m.end - shift, 0)) for m in morphemes)
        yield AnalyzedSentence(text.strip(), offset + shift, moved)


@lru_cache(maxsize=20_000)
def one_sentence(text: str) -> AnalyzedSentence:
    """Analyze a text as one sentence, even where Kiwi would split it; remembers what it has seen."""
    parts = sentences_of(text)
    if len(parts) == 1 and parts[0].start == 0:
        return parts[0]
    tokens = tuple(Morpheme(m.form, m.tag, m.start + p.start, m.end + p.start) for p in parts for m in p.tokens)
    return AnalyzedSentence(text, 0, tokens)


def sentences_of(text: str) -> list[AnalyzedSentence]:
    """Analyze one text; see `analyze`."""
    return next(analyze([view_of(text).text]))


def search_tokens(morphemes: Iterable[Morpheme], text: str, *, bigrams: bool = True) -> list[str]:
    """Return BM25 tokens: Kiwi content morphemes and, marked `#`, character bigrams inside each word.

    The pair measured best on two Korean benchmarks: bigrams survive segmentation errors, morphemes ignore
    particles and endings.
    """
    tokens = [m.form.lower() for m in morphemes if m.tag in CONTENT_TAGS]
    if bigrams:
        for word in re.findall(r"\w+", text.lower()):
            tokens += [f"#{word[i : i + 2]}" for i in range(max(len(word) - 1, 1))]
    return tokens


def keywords(question: str) -> list[str]:
    """Return the nouns, names and numbers of a question, for reformulated queries."""
    return [m.form for s in sentences_of(question) for m in s.tokens if m.tag in KEYWORD_TAGS]


def matching_forms(morphemes: Iterable[Morpheme]) -> set[str]:
    """Return the content morphemes by which texts are matched, in lower case."""
    return {m.form.lower() for m in morphemes if m.tag in MATCHING_TAGS}


def shared_words(sentence: AnalyzedSentence, forms: Collection[str]) -> list[Span]:
    """Return the spans of a sentence's content morphemes that are among some forms, in order."""
    return [
        Span(m.start, m.end)
        for m in sentence.tokens
        if m.tag in MATCHING_TAGS and m.form.lower() in forms and m.end > m.start
    ]


def shared_in(sentences: Sequence[AnalyzedSentence], forms: Collection[str]) -> list[Span]:
    """Return the spans of `shared_words` in sentences joined by single spaces."""
    found, at = [], 0
    for sentence in sentences:
        found += [Span(at + s.start, at + s.end) for s in shared_words(sentence, forms)]
        at += len(sentence.text) + 1
    return found


def answer_candidates(sentence: AnalyzedSentence) -> list[Span]:
    """Find the spans of a sentence that could be a short answer: noun phrases, numbers, dates, quoted titles.

    A span begins where a word begins and ends before a particle, copula, punctuation or space, so that
    `1999년에` offers `1999년` and never `1999년에`.

    Returns:
        `list[Span]`: Distinct spans relative to the sentence, in order of appearance.
    """
    tokens, text = sentence.tokens, sentence.text
    found: dict[tuple[int, int], None] = {}
    for i, first in enumerate(tokens):
        if first.tag not in START_TAGS or not _word_begins(text, first.start):
            continue
        for j in range(i, min(i + LONGEST_CANDIDATE, len(tokens))):
            if tokens[j].tag not in PHRASE_TAGS:
                break
            follower = tokens[j + 1] if j + 1 < len(tokens) else None
            if tokens[j].tag in END_TAGS and _phrase_ends(text, tokens[j], follower):
                found[(first.start, tokens[j].end)] = None
    for match in QUOTED.finditer(text):
        found[(match.start(1), match.end(1))] = None
    spans = [Span(s, e) for s, e in found if e - s <= 60 and _balanced(text[s:e])]
    return sorted(spans, key=lambda s: (s.start, s.end))


def _word_begins(text: str, at: int) -> bool:
    return at == 0 or not text[at - 1].isalnum()


def _phrase_ends(text: str, last: Morpheme, follower: Morpheme | None) -> bool:
    if follower is None or last.end >= len(text) or not text[last.end].isalnum():
        return True
    return follower.start >= last.end and follower.tag[0] in "JVXE" and follower.tag != "XSN"


def _balanced(text: str) -> bool:
    return all(text.count(a) == text.count(b) for a, b in ("()", "〈〉", "《》", "「」", "『』", "[]", "“”", "‘’"))


def overlap_weight(weights: dict[str, float], held: set[str]) -> float:
    """Return the share of the weight of a question's tokens that a text holds, 0..1."""
    total = sum(weights.values())
    return sum(w for t, w in weights.items() if t in held) / total if total else 0.0
