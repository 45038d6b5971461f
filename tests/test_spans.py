"""The span networks: word pieces, padding, learning, and the ranker's file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from koqas.koqas_features import NUMERIC
from koqas.koqas_ranker import Ranker, best_sentences
from koqas.koqas_spans import LONGEST_SENTENCE, SpanNetwork, collate, span_inputs
from koqas.koqas_text import sentences_of
from koqas.koqas_types import Span
from koqas.koqas_words import WordVectors
from koqas.train.ranker import RankedQuestion
from koqas.train.spans import batch_loss, train_span_network

ROOT = Path(__file__).resolve().parents[1]
ASKED = [
    ("솔내도서관을 설계한 사람은 누구인가?", "김한별"),
    ("솔내도서관은 언제 문을 열었나요?", "1998년 3월"),
    ("도서관이 소장한 책은 몇 권인가?", "12만 권"),
    ("솔내도서관의 입장료는 얼마인가?", ""),
]
TEXT = "솔내도서관은 1998년 3월 문을 열었다. 건물은 건축가 김한별이 설계했다. 지금은 책 12만 권을 소장하고 있다."


@pytest.fixture(scope="module")
def ranker():
    return Ranker.from_file(ROOT / "ranker.safetensors")


@pytest.fixture(scope="module")
def rows(ranker):
    sentences, found = sentences_of(TEXT), []
    for text, answer in ASKED:
        question = ranker.question(text)
        shown, scores = best_sentences(ranker, question, sentences)
        view = ranker.candidates(question, shown, scores, "솔내도서관")
        right = np.array([bool(answer) and shown[n].text[s.start : s.end] == answer for n, s in view.places])
        assert right.any() == bool(answer)
        found.append(RankedQuestion(question, view, right, bool(answer)))
    return found


def test_words_are_cut_into_the_longest_pieces():
    words = WordVectors(["▁정", "▁정조", "대왕", "대", "▁"], np.eye(5, dtype=np.float32))
    assert [words.pieces[i] for i in words.cut("정조대왕")] == ["▁정조", "대왕"]
    assert [words.pieces[i] for i in words.cut("뷁대")] == ["▁", "대"]
    assert np.allclose(words.vector("정조대왕"), np.array([0, 1, 1, 0, 0]) / np.sqrt(2), atol=1e-4)
    assert not WordVectors(["가"], np.ones((1, 2), dtype=np.float32)).vector("나").any()


def test_alike_words_are_near_each_other(ranker):
    def likeness(a, b):
        return float(ranker.words.vector(a) @ ranker.words.vector(b))

    assert likeness("설립", "창립") > likeness("설립", "바다") + 0.1
    assert likeness("아버지", "어머니") > likeness("아버지", "기온") + 0.1


def test_a_question_scores_the_same_alone_and_in_a_batch(ranker, rows):
    network = SpanNetwork(ranker.words.dimensions).eval()
    inputs = [ranker.span_inputs(r.question, r.view) for r in rows]
    with torch.inference_mode():
        together = network(collate(inputs, ranker.words)).numpy()
        alone = np.concatenate([network(collate([i], ranker.words)).numpy() for i in inputs])
    assert np.allclose(together, alone, atol=1e-5)


def test_it_learns_from_words_alone(ranker, rows):
    """Without the numeric features the words must tell the right candidate, and the unanswerable question."""
    blind = [
        RankedQuestion(
            r.question,
            type(r.view)(**{**vars(r.view), "numeric": np.zeros_like(r.view.numeric)}),
            r.right,
            r.answerable,
        )
        for r in rows
    ]
    network = train_span_network(ranker, blind * 24, seed=0, epochs=40)
    with torch.inference_mode():
        inputs = [ranker.span_inputs(r.question, r.view) for r in blind]
        assert float(batch_loss(network, ranker.words, inputs, [r.right for r in blind])) < 0.2
        for row, given in zip(blind, inputs, strict=True):
            scores = network(collate([given], ranker.words)).numpy()
            assert row.right[scores.argmax()] if row.answerable else scores.max() < 0


def test_long_sentences_and_empty_questions_are_read(ranker):
    sentences = sentences_of("가" + "나무와 " * 300 + "다리가 있다.")
    last = len(sentences[0].text)
    places = [(0, Span(0, 3)), (0, Span(last - 7, last - 5))]
    given = span_inputs([], sentences, "", places, np.zeros((2, len(NUMERIC)), dtype=np.float32), ranker.weights)
    assert given.spans[:, 2].max() < LONGEST_SENTENCE
    with torch.inference_mode():
        assert SpanNetwork(ranker.words.dimensions).eval()(collate([given], ranker.words)).isfinite().all()


def test_the_file_keeps_every_part(ranker, rows, tmp_path):
    save_file(ranker.tensors(), tmp_path / "ranker.safetensors")
    again = Ranker.from_file(tmp_path / "ranker.safetensors")
    shipped = load_file(ROOT / "ranker.safetensors")
    assert set(shipped) == set(load_file(tmp_path / "ranker.safetensors"))
    assert ranker.mix.spans and ranker.span_networks and ranker.mix.encoder
    for row in rows:
        assert again.scores(row.question, row.view) == ranker.scores(row.question, row.view)
