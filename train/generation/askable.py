"""Which rule-made questions are worth keeping: whole, fluent, and about something that can be looked up.

Comes in: sentences of a passage. Goes out: at most one question for each, with the best Korean first. train/questions.py
makes many questions, good and bad, to teach matching; rows that people will see are chosen from them here. The
thresholds were set by reading: see the constants.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from koqas.koqas_text import AnalyzedSentence, kiwi, matching_forms, sentences_of
from koqas.train.generation.explaining import HEARSAY, REFERS_BACK
from koqas.train.questions import MadeQuestion, questions_of

SHORTEST_SENTENCE, LONGEST_SENTENCE = 20, 220  # characters
MOST_ENDINGS = 5  # connective and adnominal endings; with more of them the clause around the answer is often cut wrong
ROUNDS = 4  # draws from the question maker for each passage
FEWEST_WORDS, MOST_WORDS = 3, 16
FEWEST_FORMS = 3  # content morphemes that a search could start from
# Kiwi's log probability of the question for each morpheme of it.
LEAST_FLUENCY = -9.0
MARKUP = re.compile(r"[*#|•●▲■›→<>{}\[\]【】\\\ue000-\uf8ff]|https?:|www\.")
# Openings that continue another sentence, and words that mean something on their own page only.
CONTINUES = re.compile(
    r"(그리고|그러나|그러므로|하지만|한편|또한?|다만|또는|즉|따라서|이어|이에|이와|이로|이를|이때|이후|반면|특히|아울러|더욱이"
    r"|예를 들어|란)[\s,]"
)
PAGE_BOUND = re.compile(
    r"(이|위|본|해당|같은)\s(사건|법|영|규칙|규정|조|항|호|글|문서|기사|장|절|보고서|연구|지표|경우|표|그림)"
    r"|다음 각|각 호|전항|소론|논지|원심|원고|피고|상고|소외|주문과|별지|별표|위와 같|아래"
)
JAMO = re.compile(r"[\u1100-\u11ff\u3131-\u318e]")
ENDING = re.compile(r"(나요|까|까요|는가|은가|ㄴ가|인가|한가|가요|였나|었나|나|야)\??$")
ASKING = re.compile(r"(무엇|뭐|누구|언제|어디|어느|어떤|무슨|몇|얼마)")
# Verbs that only prop up a particle (`에 따라`, `에 의하여`) ask nothing as a predicate.
PROP = re.compile(
    r"(에|에도|으?로|을|를|와|과) ?(따르|따릅|따른|따랐|불구|비추|비춰|걸치|걸쳐|비롯|향하|포함|더불|함께|같"
    r"|[의관대인통위](하|합|한|했))[가-힣]{0,4}\??$"
)
# Verb stems that the question maker may have put where a noun was.
BARE_STEMS = frozenset("만들 받 얻 일어나 늘 줄 살".split())
LEGAL_PLACE = re.compile(r"제?\s?\d+(조|항|호|편|장)")


@dataclass(frozen=True)
class _Scored:
    question: MadeQuestion
    fluency: float


def askable_questions(
    sentences: Sequence[AnalyzedSentence], title: str, most: int, rng: random.Random
) -> list[MadeQuestion]:
    """Return up to `most` questions about different sentences, the most fluent ones.

    Args:
        sentences (`Sequence[AnalyzedSentence]`): All sentences of the passage.
        title (`str`): Name of the law or rule that the passage is of, to be put before the question; may be empty.
        most (`int`): Number of questions.
        rng (`random.Random`): Draws.
    """
    fit = [s for s in sentences if is_askable(s)]
    best: dict[str, _Scored] = {}
    for _ in range(ROUNDS if fit else 0):
        for made in questions_of(fit, "", 3 * most, rng):
            tidy = _tidied(made, title)
            if not is_sound(tidy, title):
                continue
            fluency = fluency_of(tidy.question)
            held = best.get(made.sentence)
            if fluency >= LEAST_FLUENCY and (held is None or fluency > held.fluency):
                best[made.sentence] = _Scored(tidy, fluency)
    ranked = sorted(best.values(), key=lambda s: -s.fluency)
    return [s.question for s in ranked[:most]]


def is_askable(sentence: AnalyzedSentence) -> bool:
    """Tell whether a sentence states a fact by itself: whole, plain, tied to no other sentence or page."""
    text = sentence.text
    if not SHORTEST_SENTENCE <= len(text) <= LONGEST_SENTENCE or MARKUP.search(text) or HEARSAY.search(text):
        return False
    if CONTINUES.match(text) or REFERS_BACK.match(text) or PAGE_BOUND.search(text):
        return False
    tags = [t.tag for t in sentence.tokens]
    return "EF" in tags[-4:] and sum(t in ("EC", "ETM") for t in tags) <= MOST_ENDINGS


def is_sound(made: MadeQuestion, title: str) -> bool:
    """Tell whether a question is whole and specific, and its answer more than a bare common noun."""
    question, answer = made.question, made.answer
    words = question.split()
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS or JAMO.search(question) or MARKUP.search(question + answer):
        return False
    if not ENDING.search(question) or PROP.search(question) or len(ASKING.findall(question)) != 1:
        return False
    if LEGAL_PLACE.match(answer) or BARE_STEMS & (set(words) - set(made.sentence.split())):
        return False
    tokens = [t for s in sentences_of(question) for t in s.tokens]
    named = any(t.tag in ("NNP", "SN", "SL") for t in tokens) or bool(title) and title in question
    if not named or len(matching_forms(tokens)) < FEWEST_FORMS:
        return False
    inside = [t for s in sentences_of(answer) for t in s.tokens]
    return len(inside) > 1 or any(t.tag in ("NNP", "SL") for t in inside)


def fluency_of(text: str) -> float:
    """Return Kiwi's log probability of a text for each morpheme; higher is better Korean."""
    tokens, score = kiwi().analyze(text)[0]
    return score / max(1, len(tokens))


def _tidied(made: MadeQuestion, title: str) -> MadeQuestion:
    question = respaced(made.question, made.sentence).rstrip("?. ") + "?"
    if title and title not in question:
        question = f"{title}에서 {question}"
    return MadeQuestion(question, made.answer, made.sentence)


def respaced(question: str, sentence: str) -> str:
    """Give words that stand in the sentence its spacing; the question maker parts compound nouns.

    `도로 교통 법 제3 항은` from a sentence with `도로교통법 제3항은` becomes that.
    """
    places = [i for i, c in enumerate(sentence) if not c.isspace()]
    compact = "".join(sentence[i] for i in places)
    words, found, at = question.split(), [], 0
    while at < len(words):
        end = at + 1
        while end < len(words) and "".join(words[at : end + 1]) in compact:
            end += 1
        run = "".join(words[at:end])
        start = compact.find(run) if end - at > 1 else -1
        if start >= 0:
            found.append(sentence[places[start] : places[start + len(run) - 1] + 1])
        else:
            found += words[at:end]
        at = end
    return " ".join(" ".join(found).split())
