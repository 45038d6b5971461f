"""The trained reader and ranker: branches, marks, and answers that need both."""

import random

import numpy as np
import pytest
import torch
from conftest import ROOT
from transformers import AutoTokenizer

from koqas.koqas_prompts import chat_format
from koqas.koqas_ranker import Ranker
from koqas.koqas_reader import Reader, reading_of
from koqas.koqas_text import matching_forms, sentences_of, shared_in
from koqas.koqas_types import Span
from koqas.train.questions import questions_of
from koqas.train.readings import reading_tree
from koqas.train.trees import choice_loss, collate, needs_logits, tree_loss

SUMMARY = "솔내도서관은 2011년 3월에 문을 열었다. 열람실은 200석이다."
QUESTION = "솔내도서관 열람실은 몇 석인가요?"


@pytest.fixture(scope="module")
def chat():
    return chat_format(AutoTokenizer.from_pretrained(ROOT), "roles")


@pytest.fixture(scope="module")
def ranker():
    return Ranker.from_file(ROOT / "ranker.safetensors")


def shared_with(question, summary):
    return shared_in(sentences_of(summary), matching_forms(m for s in sentences_of(question) for m in s.tokens))


def test_a_mark_stands_before_every_shared_word(chat):
    shared = shared_with(QUESTION, SUMMARY)
    assert [SUMMARY[s.start : s.end] for s in shared][-1:] == ["열람실"]
    reading = reading_of(chat, "도서관", QUESTION, SUMMARY, shared)
    plain = reading_of(chat, "도서관", QUESTION, SUMMARY, [])
    assert reading.prefix.count(chat.mark) == len(shared)
    assert [t for t in reading.prefix if t != chat.mark] == plain.prefix
    ids, first = plain.branch(Span(SUMMARY.index("200"), SUMMARY.index("200") + 4))
    assert chat.tokenizer.decode(ids).strip() == "200석"
    assert plain.prefix[first : first + len(ids)] == ids


def test_a_mark_in_a_document_stays_text(chat):
    reading = reading_of(chat, "", QUESTION, "열람실은 <|match|> 200석이다.", [])
    assert chat.mark not in reading.prefix


def test_branches_do_not_see_each_other(qa, chat):
    reader = Reader(qa.model, chat)
    spans = [Span(SUMMARY.index(w), SUMMARY.index(w) + len(w)) for w in ("2011년 3월", "200석", "문")]
    shared = shared_with(QUESTION, SUMMARY)
    together = reader.verdicts("도서관", QUESTION, SUMMARY, shared, spans)
    alone = [reader.verdicts("도서관", QUESTION, SUMMARY, shared, [s])[0] for s in spans]
    assert together == pytest.approx(alone, abs=1e-3)


def test_serving_scores_what_training_sees(qa, chat):
    question, sentences = sentences_of(QUESTION), sentences_of(SUMMARY)
    tree = reading_tree(chat, "도서관", question, "200석", sentences, 50, random.Random(0))
    batch = collate([tree], 0)
    assert batch["right"].sum() == 1
    with torch.no_grad():
        hidden = qa.model(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            attention_mask=batch["attention_mask"],
            output_hidden_states=True,
        ).hidden_states[-1]
        logits = qa.model.get_output_embeddings()(hidden[needs_logits(batch)])
    yes, no = chat.label_ids()
    trained = (logits[:, yes] - logits[:, no]).tolist()
    span = Span(SUMMARY.index("200석"), SUMMARY.index("200석") + 4)
    (served,) = Reader(qa.model, chat).verdicts("도서관", QUESTION, SUMMARY, shared_with(QUESTION, SUMMARY), [span])
    assert min(abs(t - served) for t in trained) < 1e-3
    assert float(tree_loss(logits, (yes, no), batch)) > 0


def test_choice_loss_is_a_softmax_with_none():
    scores = torch.tensor([1.0, -2.0, 0.5, 3.0])
    choices, right = torch.tensor([0, 0, 1, 1]), torch.tensor([True, False, False, False])
    first = -torch.log_softmax(torch.tensor([1.0, -2.0, 0.0]), 0)[0]
    second = -torch.log_softmax(torch.tensor([0.5, 3.0, 0.0]), 0)[2]
    assert float(choice_loss(scores, choices, right)) == pytest.approx(float((first + second) / 2), abs=1e-5)


def test_the_ranker_knows_answer_types(ranker):
    sentences = sentences_of(SUMMARY + " 관장은 김하늘이다.")
    asked = {
        "솔내도서관은 언제 문을 열었나요?": "2011년 3월",
        "솔내도서관 열람실은 몇 석인가요?": "200석",
        "관장은 누구인가요?": "김하늘",
    }
    for text, answer in asked.items():
        question = ranker.question(text)
        view = ranker.candidates(question, sentences, ranker.sentence_scores(question, sentences), "솔내도서관")
        number, span = view.places[int(np.argmax(ranker.scores(question, view)))]
        assert sentences[number].text[span.start : span.end] == answer


def test_made_questions_ask_for_their_answer():
    rng = random.Random(1)
    sentences = sentences_of("세종은 1443년에 한글을 만들었다. 주시경은 1914년에 서울에서 사망하였다.")
    made = [q for _ in range(20) for q in questions_of(sentences, "한글", 2, rng)]
    assert len(made) >= 20
    for question in made:
        assert question.answer in question.sentence and question.answer not in question.question
    assert any("언제" in q.question or "몇 년" in q.question for q in made)


def test_parts_can_be_switched_off(qa):
    both = qa(QUESTION)
    assert both["answered"] and both["answer"] in both["summary"]
    alone = [qa(QUESTION, reader=False), qa(QUESTION, ranker=False)]
    assert len({round(r["confidence"], 6) for r in (both, *alone)}) == 3
    refused = qa(QUESTION, answer_threshold=1.0)
    assert not refused["answered"] and not refused["evidence"]
