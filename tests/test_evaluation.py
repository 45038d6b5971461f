"""Metrics that need no model: by hand-worked values, by another library, and by their own promises."""

import json
import math

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF
from sklearn.metrics import ndcg_score

from koqas.koqas_types import KoQasError
from koqas.train.evaluation.answers import normalized, normalized_2, score
from koqas.train.evaluation.intervals import difference_of, interval_of
from koqas.train.evaluation.ledger import Ledger
from koqas.train.evaluation.overlap import chrf, rouge_l
from koqas.train.evaluation.questions import read_squad
from koqas.train.evaluation.ranking import rank_score
from koqas.train.evaluation.retrieval import read_beir
from koqas.train.evaluation.settings import parse


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("《봄밤》(1936년)", "봄밤 1936년", "봄밤1936년"),
        ("Hotel  'A', B", "hotel a b", "hotelab"),
        ("《별》의 노래.", "별 의 노래", "별의노래"),
        ("“봄”, 밤", "“봄” 밤", "“봄”밤"),  # the scripts leave these quotes as they are
        ("3,000 명", "3000 명", "3000명"),
        ("<td>12명</td> 안팎", "td 12명 td 안팎", "12명안팎"),
        ("가 &amp; 나", "가 amp 나", "가나"),
        ("박서준's 집", "박서준 s 집", "박서준s집"),
    ],
)
def test_the_two_korquad_rules_differ(text, first, second):
    assert (normalized(text), normalized_2(text)) == (first, second)


def test_answers_are_scored_against_the_best_gold_answer():
    found = score("솔내 도서관", ["솔내도서관", "도서관"])
    assert found.em == 0 and found.f1 == 1.0  # spaces count for EM by the 1.0 rule, never for F1
    assert score("솔내 도서관", ["솔내도서관"], normalized_2).em == 1
    assert score("1987년", ["1986년"]).f1 == pytest.approx(0.8)  # four of five characters
    assert score("", ["1986년"]) == score("나무", ["1986년"])


def test_overlap_sees_words_and_not_particles():
    reference = "한들강은 길이가 42km이다."
    assert chrf(reference, reference) == pytest.approx(1) and rouge_l(reference, reference) == 1
    assert rouge_l("한들강이 길이는 42km이다.", reference) > 0.59 > 0.5 > rouge_l("버드내장은 오일장이다.", reference)
    assert chrf("길이는 42km", reference) == pytest.approx(
        CHRF().corpus_score(["길이는 42km"], [[reference]]).score / 100
    )
    assert rouge_l("", reference) == 0
    # 나무/와/바위/와/구름 and 나무/와/강물/과/구름 share three of five morphemes in order
    assert rouge_l("나무와 바위와 구름", "나무와 강물과 구름") == pytest.approx(3 / 5)


def test_rankings_by_hand_and_by_scikit_learn():
    found = rank_score(["a", "b", "c"], {"b": 1})
    assert found.ndcg == pytest.approx(1 / math.log2(3))
    assert (found.hit1, found.hit5, found.mrr) == (0, 1, 0.5)
    names = [f"d{n}" for n in range(30)]
    rng = np.random.default_rng(0)
    for _ in range(20):
        grades, scores = rng.integers(0, 4, 30), rng.random(30)
        ranked = [names[i] for i in np.argsort(-scores)]
        relevant = {n: float(g) for n, g in zip(names, grades) if g}
        assert rank_score(ranked, relevant).ndcg == pytest.approx(ndcg_score([grades], [scores], k=10))
    assert rank_score(names[:10], {"d20": 1}).mrr == 0
    with pytest.raises(ValueError):
        rank_score(["a"], {"a": 0})


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        found = interval_of(rng.random(80) < 0.3)
        held += found.low <= 0.3 <= found.high
    assert 88 <= held <= 100
    values, baseline = rng.random(60), rng.random(60)
    paired = difference_of(values, values - 0.01 + 0.001 * baseline)
    assert 0 < paired.low < paired.mean < paired.high < 0.011  # pairing: far narrower than either mean's interval


def test_a_ledger_goes_on_after_a_kill_and_starts_anew_for_another_basis(tmp_path):
    done = []

    def work(case):
        done.append(case)
        if case == "c":
            raise KeyboardInterrupt
        return {"value": case * 2}

    path = tmp_path / "part.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Ledger(path, {"seed": 0}).rows("part", ["a", "b", "c"], work)
    with path.open("a") as file:
        file.write('{"part": "part", "ca')  # cut short
    done.clear()
    rows = Ledger(path, {"seed": 0}).rows("part", ["a", "b", "d"], work)
    assert done == ["d"] and [r["value"] for r in rows] == ["aa", "bb", "dd"]
    done.clear()
    Ledger(path, {"seed": 1}).rows("part", ["a"], work)
    assert done == ["a"] and len((tmp_path / "part.old.jsonl").read_text().splitlines()) == 4


def test_squad_files_of_both_shapes(tmp_path):
    first = {"title": "한들_강", "paragraphs": [{"context": "길이는 42km다.", "qas": [
        {"question": "길이는?", "answers": [{"text": "42km", "answer_start": 4}]},
        {"question": "깊이는?", "answers": [], "is_impossible": True},
    ]}]}  # fmt: skip
    page = "<html><head><title>x</title></head><body><table><tr><td>상인</td><td>130명</td></tr></table></body></html>"
    second = {"title": "장터", "context": page, "qas": [
        {"question": "상인은?", "answer": {"text": "130명", "answer_start": 60}}
    ]}  # fmt: skip
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"data": [first, second]}), "utf-8")
    found = read_squad(path)
    assert [a.answers for a in found.asked] == [("42km",), (), ("130명",)]
    assert found.documents[0].title == "한들 강" and found.documents[1].text == "| 상인 | 130명 |\n|---|---|"
    path.write_text('{"rows": []}')
    with pytest.raises(KoQasError, match="korquad"):
        read_squad(path)


def test_a_beir_folder(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "title": "강", "text": "긴 강이다."}\n', "utf-8")
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "강?"}\n{"_id": "q2", "text": "산?"}\n', encoding="utf-8"
    )
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td1\t0\n", "utf-8")
    found = read_beir(tmp_path)
    assert [(q.question, q.relevant) for q in found.queries] == [("강?", {"d1": 2.0})]
    (tmp_path / "corpus.jsonl").unlink()
    with pytest.raises(KoQasError, match="beir"):
        read_beir(tmp_path)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (["--korquad", "nowhere.json"], "korquad"),
        (["--questions", "0"], "questions"),
        (["--arms", "{dense: false}"], "arms"),
        (["--arms", "{name: a, dens: false}"], "arms"),
        (["--backend", "openai", "--model", "m", "--base_url", "https://example.org/v1"], "third_party"),
        (["--config", "nowhere.yaml"], "config"),
    ],
)
def test_a_bad_recipe_is_named(given, field):
    with pytest.raises(KoQasError) as caught:
        parse(given)
    assert caught.value.field == field
