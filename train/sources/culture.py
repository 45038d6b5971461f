"""국립국어원 한국문화 질의응답: questions on Korean culture without passages.

Comes in: a list of `{id, input, output}`, line breaks and tabs written as backslash-n and backslash-t. Goes out:
closed-book rows. A multiple choice (선다형) is answered by the text of the choice, its number kept in
`meta.choice`; short answers (단답형) joined by `#` are alternatives.
"""

import re
from collections.abc import Iterator

from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, example_of
from koqas.train.sources.records import Record, text
from koqas.train.sources.tables import records_of

CHOICE = re.compile(r"(?:^|(?<=\s))([1-9])\t\s*(.+?)(?=\s+[1-9]\t|\s*$)", re.DOTALL)


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    asked = record.value.get("input") or {}
    question = text(asked, "question").replace("\\n", "\n").replace("\\t", "\t").strip()
    answer = text(record.value.get("output"), "answer").strip()
    if missing := record.lacking(question=question, answer=answer):  # the test file has no `output`
        yield missing
        return
    kind = text(asked, "question_type")
    choices = {number: choice.strip() for number, choice in CHOICE.findall(question)} if kind == "선다형" else {}
    if kind == "선다형" and answer not in choices:
        yield record.rejected("broken_choices", f"answer {answer!r} among choices {', '.join(choices)}")
        return
    accepted = [choices[answer]] if choices else [answer]
    if kind == "단답형":
        accepted = [part.strip() for part in answer.split("#") if part.strip()]
    yield example_of(
        origin,
        record,
        question=question,
        answer=accepted[0],
        native_id=text(record.value, "id"),
        domain=text(asked, "domain"),
        kind=kind,
        answers=accepted[1:],
        options=list(choices.values()),
        choice=answer if choices else "",
        category=text(asked, "category"),
        topic=text(asked, "topic_keyword"),
    )


READER = Reader(frozenset({".json", ".jsonl"}), lambda file: records_of(file, ""), _rows)
