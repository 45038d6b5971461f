"""Court decisions: the issues a court was asked (판시사항) become questions, its holdings (판결요지) their summaries.

Comes in: the numbered issues and holdings of a decision. Goes out: pairs of a question and the holding that answers it.
Knows the style of Korean law reports; an issue that tells the outcome (`…라고 한 사례`) asks nothing and is left out.
"""

import re
from dataclasses import dataclass

from koqas.koqas_text import kiwi

# `[1] …`, `가. …`, also `[2], [3] …`: one text for several issues.
LABEL = re.compile(r"(?:^|\n)\s*((?:\[\d+\](?:\s*,\s*)?)+|(?:[가-하]\.\s*,?\s*)+)")
ONE_LABEL = re.compile(r"\d+|[가-하]")
REMARK = re.compile(r"\s*\((?:[^()]|\([^()]*\))*\)")
# (적극), (한정 소극), (=개별 행위자): the court's answer, which no question may hold.
OUTCOME = re.compile(r"\s*\(\s*(?:(?:원칙적|한정|제한적)\s*)?(?:적극|소극)[^()]*\)|\s*\(\s*=[^()]*\)")
CASE_REPORT = re.compile(r"(사례|예)\s*$")
WHETHER = re.compile(r"([가-힣])지(?:의)?\s*여부\s*$")
WHETHER_INSIDE = re.compile(r"지(?:의)?\s*여부\s*(?:및|와|,)\s*")
SHORTEST_QUESTION, LONGEST_QUESTION = 12, 250
SHORTEST_CONCLUSION, LONGEST_CONCLUSION = 20, 150  # characters of an answer
SENTENCE_END = re.compile(r"(?<=다\.)\s+")


@dataclass(frozen=True)
class DecidedQuestion:
    """A question put to a court and the holding that answers it."""

    question: str
    holding: str


def decided_questions(issue: str, holding: str) -> list[DecidedQuestion]:
    """Pair the issues of a decision with its holdings, by their labels; unpaired ones are left out."""
    issues, holdings = labelled(issue), labelled(holding)
    if len(issues) == 1 == len(holdings):  # labels are of no use, and often there are none
        pairs = [(next(iter(issues.values())), next(iter(holdings.values())))]
    else:
        pairs = [(text, holdings[label]) for label, text in issues.items() if label in holdings]
    asked = [(question_of(i), h) for i, h in pairs]
    return [DecidedQuestion(q, h) for q, h in asked if q and h]


def labelled(text: str) -> dict[str, str]:
    """Split a text at its labels; without any it is one text with the label ``""``."""
    marks = list(LABEL.finditer(text))
    if not marks:
        return {"": _line(text)} if text.strip() else {}
    found: dict[str, str] = {}
    for mark, following in zip(marks, [*marks[1:], None]):
        body = _line(text[mark.end() : following.start() if following else len(text)])
        for label in ONE_LABEL.findall(mark.group(1)):
            found.setdefault(label, body)
    return {label: body for label, body in found.items() if body}


def question_of(issue: str) -> str:
    """Turn an issue into a question; empty where it asks nothing by itself.

    `…할 수 있는지 여부(적극)` gives `…할 수 있는가?`, `…의 판단 기준` gives `…의 판단 기준은 무엇인가?`.
    """
    text = OUTCOME.sub("", issue).strip().rstrip(".")
    if CASE_REPORT.search(text) or " / " in text:  # a slash joins questions that need each other
        return ""
    text = WHETHER_INSIDE.sub("지, 그리고 ", text)
    if found := WHETHER.search(text):
        # 할지 → 할까, 하는지 → 하는가: the ending depends on a final ㄹ (8th of 28 finals).
        ending = "까" if (ord(found.group(1)) - 0xAC00) % 28 == 8 else "가"
        question = f"{text[: found.end(1)]}{ending}?"
    elif text.endswith(" 여부"):  # 적용 여부, 귀속 여부
        question = f"{text}는 어떠한가?"
    elif text.endswith(("지", "가", "까")):
        return ""
    else:
        question = f"{_with_topic(text)} 무엇인가?"
    return question if SHORTEST_QUESTION <= len(question) <= LONGEST_QUESTION else ""


def conclusion_of(holding: str) -> str:
    """Return how a holding ends: the last clauses of its last sentence, as many as fit an answer."""
    clauses = SENTENCE_END.split(holding)[-1].split(", ")
    for first in range(len(clauses)):
        clause = ", ".join(clauses[first:])
        if len(clause) <= LONGEST_CONCLUSION:
            return clause if len(clause) >= SHORTEST_CONCLUSION else ", ".join(clauses[max(0, first - 1) :])
    return clauses[-1]


def _with_topic(text: str) -> str:
    head, _, last = text.rpartition(" ")
    bare = REMARK.sub("", last)
    if not bare or not "가" <= bare[-1] <= "힣":
        return f"{text}은(는)"
    return f"{head} {kiwi().join([(last, 'NNG'), ('은', 'JX')])}".strip()


def _line(text: str) -> str:
    return " ".join(text.split())
