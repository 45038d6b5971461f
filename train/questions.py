"""Rule-made questions: a statement becomes a question when a noun phrase gives way to a question word.

Korean keeps question words in place, so `세종은 1443년에 한글을 만들었다.` gives `세종이 한글을 만든 것은 언제인가?`-like
prompts by masking the date and turning the ending. These questions teach matching and copying; what people
really ask is learned later from written ones.
"""

import random
import re
from dataclasses import dataclass

from koqas.koqas_text import AnalyzedSentence, Span, answer_candidates

PLACE = re.compile(r"(시|군|구|도|읍|면|동|리|국|주|섬|산|강|역|대학교|학교|성|궁|사|공항|항|병원|광장|지방|대륙)$")
PERSON_PARTICLE = re.compile(r"^(은|는|이|가|와|과|에게|의)")
DATE = re.compile(r"\d+년|\d+월|\d+일|세기|시대$")
NUMBER = re.compile(r"^[\d,.만억천백십 ]+\S*$")
ENDINGS = ("는가?", "나요?", "습니까?", "지?", "는지 알려 줘", "?")
FINAL = re.compile(r"(하였|되었|했|됐|었|았|였|한|된|있|없|이|는|ㄴ)?다\.?$")


@dataclass(frozen=True)
class MadeQuestion:
    """A rule-made question, its answer and the sentence it was made from."""

    question: str
    answer: str
    sentence: str


def question_word(answer: str, after: str, rng: random.Random) -> str:
    """Choose the question word that fits an answer by its form and the particle after it."""
    if DATE.search(answer):
        return rng.choice(["언제", "어느 해" if "년" in answer else "언제", "몇 년" if "년" in answer else "언제"])
    if NUMBER.match(answer) and re.search(r"\d", answer):
        unit = re.sub(r"^[\d,.만억천백십 ]+", "", answer)
        return f"몇 {unit}" if unit and rng.random() < 0.7 else "얼마"
    if PLACE.search(answer):
        return rng.choice(["어디", "어느 곳", "어떤 곳"])
    if re.fullmatch(r"[가-힣]{2,4}", answer) and PERSON_PARTICLE.match(after) and rng.random() < 0.4:
        return rng.choice(["누구", "어떤 사람", "누가"])
    return rng.choice(["무엇", "어떤 것", "무슨 것", "뭐"])


def make_question(sentence: AnalyzedSentence, span: Span, title: str, rng: random.Random) -> MadeQuestion | None:
    """Turn a sentence into a question about one of its candidate spans.

    Words are dropped and clauses reordered at random, so that the question does not merely echo the text.

    Returns:
        `MadeQuestion | None`: None when too little of the sentence is left to ask about.
    """
    text, answer = sentence.text, sentence.text[span.start : span.end]
    before, after = text[: span.start], text[span.end :]
    word = question_word(answer, after, rng)
    left, right = before.split(), FINAL.sub("", after)
    focus = f"{word}{right.split(' ')[0] if right else ''}"
    rest = right.split(" ")[1:] if right else []
    left = [w for w in left if rng.random() > 0.25][-rng.randint(4, 10) :]
    rest = [w for w in rest if rng.random() > 0.25][: rng.randint(3, 8)]
    if len(left) + len(rest) < 3 or answer in " ".join(left + rest):
        return None
    subject = [f"{title}에서"] if title and title not in text and rng.random() < 0.4 else []
    order = rng.random()
    if order < 0.5:
        words = [*subject, *left, focus, *rest]
    elif order < 0.75:
        words = [*subject, *rest, *left, focus]
    else:
        words = [*subject, *left, *rest, f"{rng.choice(['것은', '곳은', '사람은', '때는']) if rest else ''} {word}"]
    question = " ".join(" ".join(words).split()).rstrip(".,")
    return MadeQuestion(f"{question}{rng.choice(ENDINGS)}", answer, text)


def questions_of(sentences: list[AnalyzedSentence], title: str, most: int, rng: random.Random) -> list[MadeQuestion]:
    """Make up to `most` questions from different sentences of a passage, one for each sentence.

    Names, numbers and rare spans are preferred: a candidate that occurs in several sentences asks about nothing.
    """
    made: list[MadeQuestion] = []
    whole = " ".join(s.text for s in sentences)
    for sentence in rng.sample(sentences, len(sentences)):
        spans = [s for s in answer_candidates(sentence) if whole.count(sentence.text[s.start : s.end]) == 1]
        rng.shuffle(spans)
        for span in spans[:3]:
            question = make_question(sentence, span, title, rng)
            if question:
                made.append(question)
                break
        if len(made) == most:
            break
    return made
