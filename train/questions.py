"""Rule-made questions: a statement becomes a question when a noun phrase gives way to a question word.

Korean keeps question words in place, so `세종은 1443년에 한글을 만들었다.` gives `세종은 언제 한글을 만들었나요?` by replacing the date
and turning the ending, and `세종이 한글을 만든 해는 언제인가?` by turning the clause into a relative one. Phrases are
dropped and reordered so that the question does not merely echo the text. Kiwi inflects. These questions teach
matching and answer types; what people really ask is learned later from written ones.
"""

import random
from dataclasses import dataclass, field

from koqas.koqas_text import AnalyzedSentence, Morpheme, Span, answer_candidates, kiwi
from koqas.train.question_words import Asking, asking_for

Word = tuple[str, str]  # form and tag, as Kiwi joins them
PARTICLES = frozenset("JKS JKO JKB JX JC JKC JKQ".split())
PREDICATES = frozenset("VV VA XSV XSA VCP VCN VX".split())
ENDINGS = ("는가", "나요", "습니까", "나")
CLEFT_ENDINGS = ("ᆫ가", "ᆫ가요", "ᆸ니까", "야", "ᆯ까", "었나요")
SYNONYMS = {
    "위치": "자리", "설립": "창설", "건립": "건설", "제작": "만들", "사용": "이용", "이용": "사용", "발표": "공개", "출생": "탄생",
    "사망": "별세", "시작": "개시", "개최": "진행", "구성": "조직", "수상": "받", "획득": "얻", "개발": "만들", "운영": "경영",
    "선정": "선발", "임명": "지명", "포함": "함유", "발생": "일어나", "증가": "늘", "감소": "줄", "거주": "살", "창단": "설립",
    "명칭": "이름", "이름": "명칭", "현재": "지금", "최초": "처음", "처음": "최초", "영화": "작품", "국가": "나라", "나라": "국가",
    "회사": "기업", "기업": "회사", "작가": "저자", "규모": "크기", "목적": "목표", "이유": "까닭", "원인": "이유", "인구": "주민 수",
}  # fmt: skip


@dataclass(frozen=True)
class MadeQuestion:
    """A rule-made question, its answer and the sentence it was made from."""

    question: str
    answer: str
    sentence: str


@dataclass
class Phrase:
    """Words up to a particle: the unit that may be dropped or moved. `asks` marks the one with the question word."""

    words: list[Word] = field(default_factory=list)
    spaces: list[bool] = field(default_factory=list)
    asks: bool = False
    last: bool = False

    def add(self, word: Word, space: bool) -> None:
        """Append a word; `space` tells whether one precedes it."""
        self.words.append(word)
        self.spaces.append(space)


@dataclass
class Clause:
    """The part of a sentence around the answer: phrases, then the predicate without its ending."""

    phrases: list[Phrase]
    predicate: Phrase
    past: bool


def clause_around(sentence: AnalyzedSentence, span: Span) -> list[Morpheme]:
    """Return the morphemes of the clause that holds a span: from the last connective ending before it to the next."""
    tokens = list(sentence.tokens)
    start = 0
    for i, token in enumerate(tokens):
        following = tokens[i + 1].tag if i + 1 < len(tokens) else ""
        if token.tag == "EC" and following not in ("VX", "JX", "JKB"):
            if token.start < span.start:
                start = i + 1
            else:
                return tokens[start : i + 1]
    return tokens[start:]


def parse(sentence: AnalyzedSentence, span: Span, asking: Asking) -> Clause | None:
    """Split the clause around an answer into phrases and a predicate, with the question word in the answer's place."""
    tokens = [t for t in clause_around(sentence, span) if t.tag not in ("SF", "SE", "EF", "SP")]
    while tokens and tokens[-1].tag == "EC":
        tokens.pop()
    end = len(tokens)
    while end and tokens[end - 1].tag == "EP":
        end -= 1
    past = any(t.form == "었" for t in tokens[end:])
    begin = end
    while begin and (tokens[begin - 1].tag in PREDICATES or tokens[begin - 1].tag in ("EC", "EP")):
        begin -= 1
    if begin == end:
        return None
    if tokens[begin].tag.startswith("X") or tokens[begin].tag == "VCP":
        begin -= 1  # the noun or root that the suffix makes a verb of
    if begin < 0 or tokens[begin].start < span.end <= tokens[-1].end and tokens[begin].end > span.start:
        return None
    predicate = Phrase()
    for t in tokens[begin:end]:
        predicate.add((t.form, t.tag), t.start > 0 and sentence.text[t.start - 1] == " ")
    phrases = _phrases(sentence.text, tokens[:begin], span, asking)
    return Clause(phrases, predicate, past) if any(p.asks for p in phrases) else None


def _phrases(text: str, tokens: list[Morpheme], span: Span, asking: Asking) -> list[Phrase]:
    phrases = [Phrase()]
    for i, t in enumerate(tokens):
        space = t.start > 0 and text[t.start - 1] == " "
        if t.start >= span.start and t.end <= span.end:
            if t.start == span.start:
                for word in asking.word.split():
                    phrases[-1].add((word, "NP" if word in ("누구", "무엇", "어디", "언제") else "NNG"), True)
                phrases[-1].asks = True
            continue
        replaced = phrases[-1].asks and phrases[-1].words and i and tokens[i - 1].end == span.end
        if replaced and asking.drops_particle and t.tag == "JKB":
            pass
        else:
            phrases[-1].add((t.form, t.tag), space)
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        ends = t.tag in PARTICLES and (following is None or following.tag not in PARTICLES)
        if ends or t.tag == "MAJ":
            phrases[-1].last = replaced or t.tag in PARTICLES and phrases[-1].asks and tokens[i - 1].end == span.end
            phrases.append(Phrase())
    return [p for p in phrases if p.words]


def _text(words: list[Word], spaces: list[bool]) -> str:
    """Inflect and join words, keeping the spaces of the text between eojeols."""
    pieces: list[str] = []
    held: list[Word] = []
    for word, space in zip(words, spaces, strict=True):
        if space and held:
            pieces.append(kiwi().join(held))
            held = []
        held.append(word)
    if held:
        pieces.append(kiwi().join(held))
    return " ".join(p for p in pieces if p)


def _shown(phrases: list[Phrase], rng: random.Random) -> list[Phrase]:
    """Drop and reorder phrases; the one that asks stays, and so does one other."""
    kept = [p for p in phrases if p.asks or rng.random() > 0.25]
    if len(kept) < 2 and len(phrases) > 1:
        kept = phrases
    if len(kept) > 5:
        at = next(i for i, p in enumerate(kept) if p.asks)
        kept = kept[max(0, at - 3) : at + 3]
    if rng.random() < 0.3 and len(kept) > 2:
        moved = kept.pop(rng.randrange(len(kept)))
        kept.insert(rng.randrange(len(kept) + 1), moved)
    return [_varied(p, rng) for p in kept]


def _varied(phrase: Phrase, rng: random.Random) -> Phrase:
    """Replace nouns by synonyms now and then, and drop a modifier at the beginning of a long phrase."""
    words, spaces = list(phrase.words), list(phrase.spaces)
    if not phrase.asks and len(words) > 4 and rng.random() < 0.4:
        cut = next(
            (i for i in range(1, len(words) - 1) if spaces[i] and words[i - 1][1] in ("ETM", "JKG", "NNG", "NNP")), 0
        )
        words, spaces = words[cut:], spaces[cut:]
    for i, (form, tag) in enumerate(words):
        if tag == "NNG" and form in SYNONYMS and not (i + 1 < len(words) and words[i + 1][1].startswith("XS")):
            if rng.random() < 0.5:
                words[i] = (SYNONYMS[form], tag)
    return Phrase(words, spaces, phrase.asks, phrase.last)


def make_question(sentence: AnalyzedSentence, span: Span, title: str, rng: random.Random) -> MadeQuestion | None:
    """Turn a sentence into a question about one of its candidate spans.

    Returns:
        `MadeQuestion | None`: None when the sentence has no predicate to ask with, or too little of it is left.
    """
    answer = sentence.text[span.start : span.end]
    inside = tuple(t for t in sentence.tokens if t.start >= span.start and t.end <= span.end)
    if not inside:
        return None
    asking = asking_for(answer, inside, sentence.text[span.end :], rng)
    clause = parse(sentence, span, asking)
    if clause is None or not clause.predicate.words:
        return None
    phrases = _shown(clause.phrases, rng)
    relative = [p for p in phrases if not p.asks]
    askers = [p for p in phrases if p.asks]
    if relative and askers[0].last and len(askers[0].words) <= 3 and rng.random() < 0.45:
        question = _cleft(relative, clause, asking, rng)
    else:
        question = _in_place(phrases, clause, rng)
    known = any(title and title in _text(p.words, p.spaces) for p in phrases)
    if title and not known and answer not in title and rng.random() < 0.6:
        particle = rng.choice([("은", "JX"), ("은", "JX"), ("이", "JKS"), ("의", "JKG"), ("에서", "JKB")])
        question = f"{kiwi().join([(title, 'NNP'), particle])} {question}"
    words = question.split()
    if len(words) < 3 or len(words) > 22 or answer in question:
        return None
    return MadeQuestion(" ".join(words), answer, sentence.text)


def _in_place(phrases: list[Phrase], clause: Clause, rng: random.Random) -> str:
    body = " ".join(_text(p.words, p.spaces) for p in phrases)
    stem = clause.predicate.words + ([("었", "EP")] if clause.past else [])
    tag = clause.predicate.words[-1][1]
    endings = ENDINGS if tag in ("VV", "XSV", "VX") or clause.past else ENDINGS[1:3]
    ending = rng.choice(endings)
    predicate = _text([*stem, (ending, "EF")], [*clause.predicate.spaces, *([False] if clause.past else []), False])
    return f"{body} {predicate}{rng.choice(['?', '?', '?', ''])}"


def _cleft(relative: list[Phrase], clause: Clause, asking: Asking, rng: random.Random) -> str:
    parts = []
    for phrase in relative:
        words = list(phrase.words)
        if words[-1] in (("은", "JX"), ("는", "JX")):  # a topic inside a relative clause is its subject
            words[-1] = ("이", "JKS")
        parts.append(_text(words, phrase.spaces))
    verbal = clause.predicate.words[-1][1] in ("VV", "XSV", "VX")
    modifier = ("ᆫ", "ETM") if clause.past or not verbal else ("는", "ETM")
    stem = _text([*clause.predicate.words, modifier], [*clause.predicate.spaces, False])
    head = kiwi().join([(asking.head, "NNG"), ("은", "JX")])
    if rng.random() < 0.25:
        return f"{' '.join(parts)} {stem} {head}?"
    last = asking.final.split()
    final = " ".join([*last[:-1], kiwi().join([(last[-1], "NP"), ("이", "VCP"), (rng.choice(CLEFT_ENDINGS), "EF")])])
    return f"{' '.join(parts)} {stem} {head} {final}?"


def stands_alone(sentence: AnalyzedSentence, span: Span) -> bool:
    """Tell whether a span is a whole phrase: a particle or the copula follows, and no longer date holds it."""
    after = next((t for t in sentence.tokens if t.start >= span.end), None)
    if after is None or after.start != span.end or after.tag not in PARTICLES | {"JKG", "VCP"}:
        return False
    before = sentence.text[: span.start].rstrip()
    dated = before.endswith(("년", "월", "제", "기원전")) and sentence.text[span.start].isdigit()
    return not dated and "," not in sentence.text[span.start : span.end] and span.end - span.start > 1


def is_specific(sentence: AnalyzedSentence, span: Span) -> bool:
    """Tell whether a span holds a name, a number or foreign letters: what people ask for most."""
    return any(t.tag in ("NNP", "SN", "SL") for t in sentence.tokens if span.start <= t.start < span.end)


def questions_of(sentences: list[AnalyzedSentence], title: str, most: int, rng: random.Random) -> list[MadeQuestion]:
    """Make up to `most` questions from different sentences of a passage, one for each sentence.

    Names, numbers and rare spans are preferred: a candidate that occurs in several sentences asks about nothing.
    """
    made: list[MadeQuestion] = []
    whole = " ".join(s.text for s in sentences)
    for sentence in rng.sample(sentences, len(sentences)):
        spans = [s for s in answer_candidates(sentence) if whole.count(sentence.text[s.start : s.end]) == 1]
        spans = [s for s in spans if stands_alone(sentence, s)]
        rng.shuffle(spans)
        if rng.random() < 0.8:
            spans.sort(key=lambda s: not is_specific(sentence, s))
        for span in spans[:4]:
            question = make_question(sentence, span, title, rng)
            if question:
                made.append(question)
                break
        if len(made) == most:
            break
    return made
