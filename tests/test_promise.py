"""Promises: the statistics keep their word, the pipeline withholds what it must, bad pairs are named."""

import json
import random

import pytest
from scipy.stats import binom

from koqas.koqas_promise import Outcome, agrees, binomial_tail, labelled_questions, promise_of
from koqas.koqas_types import KoQasError


def drawn(rng, count):
    """Outcomes right with probability 0.5 + 0.7 * confidence, at most 1; one in ten abstains."""
    for _ in range(count):
        sure = rng.random()
        yield Outcome(None if rng.random() < 0.1 else sure, rng.random() < 0.5 + 0.7 * sure)


def test_the_tail_is_the_binomial_one():
    for wrong, count, rate in ((0, 45, 0.05), (3, 100, 0.1), (40, 2000, 0.02)):
        assert binomial_tail(wrong, count, rate) == pytest.approx(binom.cdf(wrong, count, rate))


def test_a_promise_is_broken_as_rarely_as_it_says():
    rng = random.Random(0)
    broken = answered = 0
    for _ in range(400):
        promise = promise_of(list(drawn(rng, 100)), most_wrong=0.1, certainty=0.9)
        least = promise.least_confidence
        # The true share of wrong answers above a confidence is known: below 5/7, an area of 0.35 * (5/7 - c)².
        truth = 0.35 * max(5 / 7 - least, 0) ** 2 / (1 - least) if promise.answered else 0.0
        broken += truth > 0.1
        answered += promise.answered
    assert broken / 400 <= 0.1 and answered / 400 > 0.35


def test_without_certainty_the_observed_share_counts():
    given = [Outcome(0.9, True), Outcome(0.8, True), Outcome(0.7, False), Outcome(0.6, True), Outcome(0.5, False)]
    promise = promise_of([*given, *[Outcome(None, False)] * 5], most_wrong=0.25, certainty=0)
    assert (promise.answered, promise.wrong, promise.least_confidence) == (0.4, 0.25, 0.6)
    assert "40%" in str(promise)
    tied = promise_of([Outcome(0.6, i < 8) for i in range(10)], most_wrong=0.1, certainty=0)
    assert tied.answered == 0 and tied.options() == {"least_confidence": 1.0} and "약속할 수 없습니다" in str(tied)


@pytest.mark.parametrize(
    ("said", "answers", "right"),
    [
        ("약 42 km", ["42km"], True), ("1942", ["42"], False), ("농림장관", ["소정 농림장관"], False),
        ("《봄밤》", ["봄밤", "여름"], True), ("", ["봄"], False), ("봄", [], False), ("42.5", ["4"], False),
    ],
)  # fmt: skip
def test_when_an_answer_is_right(said, answers, right):
    assert agrees(said, answers) is right


def test_pairs_in_every_shape_and_bad_ones_named(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("\ufeffquestion,answer\n길이는?,42km\n깊이는?,\n", encoding="utf-8")
    found = labelled_questions(path)
    assert found == labelled_questions([("길이는?", "42km"), ("깊이는?", None)])
    assert found == labelled_questions(
        [{"question": "길이는?", "answer": ["42km"]}, {"question": "깊이는?", "answer": ""}]
    )
    for pairs, field in (
        ([{"question": "길이는?"}], "pairs[0]"), ([("", "답")], "pairs[0].question"),
        ([("길이는?", "답"), ("깊이는?", 3)], "pairs[1].answer"), (tmp_path / "none.csv", "pairs"),
    ):  # fmt: skip
        with pytest.raises(KoQasError) as caught:
            labelled_questions(pairs)
        assert caught.value.field == field
    with pytest.raises(KoQasError, match="most_wrong"):
        promise_of([Outcome(1.0, True)] * 10, most_wrong=0)
    with pytest.raises(KoQasError, match="pairs"):
        promise_of([Outcome(1.0, True)])


PAIRS = [
    ("한들강의 길이는 얼마인가?", "42km"), ("새 다리는 누가 설계하였나?", "박서준"),
    ("솔내도서관은 언제 문을 열었나?", "2011년 3월"), ("솔내도서관 열람실은 몇 석인가?", "200석"),
    ("버드내장의 상인은 몇 명인가?", "130명"), ("한들강 다리는 몇 년 홍수로 무너졌나?", "1987년"),
    ("버드내장 입구에는 무슨 나무가 있나?", "느티나무"), ("솔내도서관은 무슨 요일에 쉬나?", "월요일"),
    ("화성의 위성은 몇 개인가?", ""), ("금강산의 높이는?", ""),
]  # fmt: skip


def test_the_pipeline_withholds_what_the_promise_says(qa):
    promise = qa.calibrate(PAIRS, most_wrong=0.3, certainty=0, progress=False, threshold=0.0)
    assert promise.questions == 10 and 0.3 <= promise.answered <= 0.9 and promise.wrong <= 0.3
    results = [qa(q, threshold=0.0, **promise.options()) for q, _ in PAIRS]
    given = [(r, a) for r, (_, a) in zip(results, PAIRS) if r["answered"]]
    assert len(given) == round(promise.answered * 10)
    assert sum(not agrees(r["answer"], [a]) for r, a in given) == round(promise.wrong * len(given))
    assert all(r["confidence"] >= promise.least_confidence for r, _ in given)


def test_the_command_prints_the_promise(qa, tmp_path, monkeypatch, capsys):
    from koqas import koqas_demo, koqas_pipeline

    path, folder = tmp_path / "pairs.jsonl", tmp_path / "documents"
    path.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in PAIRS), "utf-8")
    folder.mkdir()
    (folder / "강.txt").write_text("한들강은 길이가 42km이다. 새 다리는 박서준이 설계하였다.", encoding="utf-8")
    monkeypatch.setattr(koqas_pipeline, "load", lambda *given, **options: qa)  # loaded once for all tests
    monkeypatch.setattr(
        "sys.argv", ["ko-qas", "--calibrate", str(path), "--documents", str(folder), "--most_wrong", "0.5"]
    )
    before = qa.index
    try:
        assert koqas_demo.main() == 0
    finally:
        qa.index = before
    assert "틀린 답" in capsys.readouterr().out
