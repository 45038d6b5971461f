"""Deduplication: canonical forms, near copies, importance, paraphrases, contamination, and the stage."""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest

from koqas.koqas_types import Document, KoQasError, Span
from koqas.train.dedup.canonical import canonical, numbers_of
from koqas.train.dedup.clusters import clusters_of
from koqas.train.dedup.contamination import Benchmark
from koqas.train.dedup.fingerprints import NearIndex, jaccard, shingle_hashes, signatures
from koqas.train.dedup.importance import Importance
from koqas.train.dedup.nearness import judge, statement_of
from koqas.train.dedup.paraphrase import CrossEncoderScorer, ParaphraseNetwork, asks_otherwise, question_of
from koqas.train.dedup.stage import DedupPolicy, deduplicate
from koqas.train.examples import EvidenceSpan, Example

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "benchmarks" / "near_duplicates.jsonl").read_text("utf-8").splitlines()
]
MARKET = "버드내장은 1923년 처음 열렸다. 지금은 상인 130명이 나물과 생선을 판다. 장터 입구에는 오래된 느티나무가 있다."
LIBRARY = "솔내도서관은 2011년 3월에 문을 열었다. 열람실은 200석이며 매주 월요일에 쉰다. 책은 두 주 동안 빌린다."


def row_of(number, question, text=MARKET, answer="130명", summary="", title="버드내장"):
    start = text.find(answer)
    evidence = (EvidenceSpan("d", start, start + len(answer)),) if start >= 0 else ()
    documents = (Document("d", text, title),)
    return Example(
        f"r{number}", "made", "CC0-1.0", "생활", question, documents, (True,), summary, answer, evidence, True
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("예산은 3,200억 원이다.", "예산은 3200억원이다"),
        ("적자는 64조 9천억 원", "적자는 64조 9,000억 원"),
        ("1억 2,000만 원을", "120,000,000원을"),
        ("1천9백만 원", "1,900만 원"),
        ("2015. 3. 2. 빌렸다", "2015년 3월 2일 빌렸다"),
        ("2023-09-24", "2023년 9월 24일"),
        ("나무 서른일곱 그루", "나무 37그루"),
        ("나흘 동안", "4일 동안"),
        ("금리는 3.50%", "금리는 3.5퍼센트"),
        ("높이 31센티미터", "높이 31cm"),
        ("측우기(測雨器)는", "측우기는"),
        ("１２명이 왔다", "12명이 왔다"),
    ],
)
def test_one_form_for_what_is_written_in_many(a, b):
    assert canonical(a) == canonical(b)


@pytest.mark.parametrize(
    ("a", "b"), [("3,200억 원", "4,200억 원"), ("2015년 3월", "2015년 4월"), ("영하 4도", "4도"), ("1.5%", "15%")]
)
def test_other_numbers_stay_other_numbers(a, b):
    assert numbers_of(a) != numbers_of(b)


def test_estimates_follow_the_true_overlap():
    chance = random.Random(3)
    words = [f"낱말{i}" for i in range(400)]
    base = " ".join(chance.sample(words, 120))
    other = " ".join([*base.split()[:80], *chance.sample(words, 40)])
    a, b = signatures([base, other])
    true = jaccard(shingle_hashes(canonical(base)), shingle_hashes(canonical(other)))
    assert 0.3 < true < 0.8 and abs(a.jaccard(b) - true) < 0.15
    assert 0 < len(shingle_hashes("가")) == 1 and len(shingle_hashes("")) == 1


def test_index_proposes_near_copies_only():
    index = NearIndex()
    first, near, far = signatures([MARKET, MARKET.replace("판다", "팔고 있다"), LIBRARY])
    assert index.add(0, first) == []
    assert index.add(1, near) == [0]
    assert index.add(2, far) == []


def test_benchmark_reaches_f1_of_95():
    """Through the whole path: canonical form, index, judge."""
    hits = wrong = missed = 0
    for case in CASES:
        same = len(set(clusters_of([case["a"], case["b"]]))) == 1
        hits += same and case["duplicate"]
        wrong += same and not case["duplicate"]
        missed += not same and case["duplicate"]
    assert len(CASES) >= 300 and hits > 200
    assert 2 * hits / (2 * hits + wrong + missed) >= 0.95


def test_verdicts_name_what_decided():
    def reason(a, b):
        return judge(statement_of(a), statement_of(b)).reason

    assert reason(MARKET, MARKET.replace(" ", "  ")) == "same"
    assert reason(MARKET, LIBRARY) == "unlike"
    assert reason(MARKET, MARKET.replace("130명", "250명")) == "numbers"
    assert reason(MARKET, MARKET.replace("느티나무가 있다", "느티나무가 없다")) == "negation"
    assert reason(MARKET, MARKET.replace("나물과 생선을", "가구와 그릇을")) == "nouns"


def test_clusters_name_their_first_member():
    texts = [MARKET, LIBRARY, MARKET + " / 박서준 기자", LIBRARY, MARKET.replace("130명", "250명")]
    assert clusters_of(texts) == [0, 1, 0, 1, 4]
    assert clusters_of(texts, near=False) == [0, 1, 2, 1, 4]


def test_importance_prefers_the_copy_that_says_more_and_the_sentence_that_says_most():
    filler = [f"오늘의 소식을 전해 드립니다. {w}에 관한 이야기입니다." for w in ("강", "산", "들", "꽃", "눈")]
    importance = Importance([*filler, MARKET, LIBRARY])
    whole, cut = importance.of([MARKET, MARKET[:20]])
    assert whole > cut
    text = f"오늘의 소식을 전해 드립니다. {MARKET}"
    answer = text.index("130명")
    short = importance.condensed(text, 45, [Span(answer, answer + 4)])
    assert "130명" in short.text and "오늘의 소식" not in short.text and len(short.text) < len(text)
    followed = short.follow(Span(answer, answer + 4))
    assert short.text[followed.start : followed.end] == "130명"
    assert importance.condensed(text, 1000).text == text


def test_network_tells_paraphrases_from_other_questions():
    pairs = [
        ("버드내장은 언제 처음 열렸나요?", "버드내장이 처음 열린 것은 언제인가요?"),
        ("상인은 모두 몇 명인가?", "상인이 모두 몇 명이지?"),
        ("서울의 인구는 얼마인가?", "부산의 인구는 얼마인가?"),
        ("버드내장의 상인은 모두 몇 명인가?", "장터 입구에 서 있는 나무는 어떤 종류인가?"),
    ]
    network = ParaphraseNetwork()
    scores = network.probabilities(pairs)
    assert scores[:2].min() > 0.5 > scores[2:].max()
    assert np.allclose(scores, network.probabilities([(b, a) for a, b in pairs]))
    assert network.probabilities([]).shape == (0,)


@pytest.mark.parametrize(
    ("a", "b", "otherwise"),
    [
        ("버드내장은 언제 처음 열렸나요?", "버드내장은 어디서 처음 열렸나요?", True),
        ("시인이 태어난 해는?", "시인이 죽은 해는?", True),
        ("1923년에 무엇이 열렸나?", "1950년에 무엇이 열렸나?", True),
        ("버드내장은 언제 처음 열렸나요?", "버드내장이 처음 열린 것은 언제인가요?", False),
    ],
)
def test_some_questions_ask_otherwise_whatever_a_model_says(a, b, otherwise):
    assert asks_otherwise(question_of(a), question_of(b)) is otherwise


def test_network_without_parameters_says_so(tmp_path):
    with pytest.raises(KoQasError, match="문장 비교 모델"):
        ParaphraseNetwork(tmp_path / "none.safetensors")


def test_any_cross_encoder_can_judge(tmp_path):
    """A real BERT with random weights."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"가나다"]), "utf-8")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16, num_labels=1
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    scores = CrossEncoderScorer(str(tmp_path)).probabilities([("가", "나"), ("가", "다")])
    assert scores.shape == (2,) and ((scores >= 0) & (scores <= 1)).all()


def test_contamination_by_passage_question_and_title():
    benchmark = Benchmark("시험", frozenset([hashlib.sha1("버드내_오일장".encode()).hexdigest()]))
    benchmark.add([LIBRARY], ["솔내도서관의 열람실은 모두 몇 석인가요?"])
    spaced = LIBRARY.replace(". ", ".\n").replace("200석", "２００ 석")
    assert benchmark.overlap(row_of(1, "언제 쉬나?", spaced, "월요일")) == "passage"
    assert benchmark.overlap(row_of(2, "솔내 도서관의 열람실은 모두 몇 석인가요")) == "question"
    assert benchmark.overlap(row_of(3, "상인은?", title="버드내 오일장")) == "title"
    assert benchmark.overlap(row_of(4, "상인은 몇 명인가?")) == ""
    assert Benchmark("빈 시험").overlap(row_of(5, "상인은 몇 명인가?")) == ""


def test_stage_keeps_one_row_for_each_document_and_question():
    rows = [
        row_of(1, "상인은 모두 몇 명인가?"),
        row_of(2, "상인은  모두 몇 명인가", MARKET.replace(" ", "  ")),
        row_of(3, "상인은 모두 몇 명인가?", MARKET + " / 박서준 기자", summary="상인은 130명이다."),
        row_of(4, "상인이 모두 몇 명이지?"),
        row_of(5, "언제 처음 열렸나?", answer="1923년"),
        row_of(6, "상인은 모두 몇 명인가?", MARKET.replace("130명", "250명"), "250명"),
        row_of(7, "언제 쉬나?", LIBRARY, "월요일"),
    ]
    benchmark = Benchmark("시험")
    benchmark.add([LIBRARY], [])
    result = deduplicate(rows, DedupPolicy(questions=ParaphraseNetwork(), same_from=0.5, benchmarks=(benchmark,)))
    assert [r.id for r in result.kept] == ["r3", "r5", "r6"]
    assert [r.meta["document_cluster"] for r in result.kept] == ["r1", "r1", "r6"]
    assert {r.id: r.reason for r in result.rejected} == {
        "r1": "near_copy",
        "r2": "near_copy",
        "r4": "same_question",
        "r7": "benchmark_passage",
    }
    exact = deduplicate(rows[:2], DedupPolicy(near=False))
    assert [(r.id, r.reason, r.detail) for r in exact.rejected] == [("r2", "exact_copy", "keeps r1")]
    assert deduplicate([], DedupPolicy()).kept == []
