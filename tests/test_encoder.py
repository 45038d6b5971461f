"""The encoder: what it reads, its loss, its masks, its trainings at a small size, and the shipped weights."""

import hashlib
import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from tokenizers import Tokenizer
from transformers import ModernBertConfig

from koqas.koqas_encoder import (
    FAR,
    LONGEST,
    START,
    UNREAD,
    PassageEncoder,
    SpanEncoder,
    encoder_config,
    joined_ids,
    load_encoder,
    possible_spans,
    save_encoder,
)
from koqas.koqas_ranker import Ranker
from koqas.train import encoder as pretraining
from koqas.train.encoder_data import MADE, WRITTEN, AskedSpan, flat, negatives, places_of, tokens_of
from koqas.train.encoder_documents import DocumentArguments, main
from koqas.train.encoder_documents import made as made_rows
from koqas.train.encoder_tuning import AskedQuestions, TuningArguments, batch_of, reading, span_loss, tune

TEXT = "솔내도서관은 1998년 3월 문을 열었다. 건물은 건축가 김한별이 설계했다. 지금은 책 12만 권을 소장하고 있다."


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(ROOT / "tokenizer.json"))


@pytest.fixture(scope="module")
def shipped():
    return Ranker.from_file(ROOT / "ranker.safetensors").encoder


def small(tokenizer):
    shape = encoder_config(tokenizer.get_vocab_size()).to_diff_dict()
    smaller = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    return SpanEncoder(ModernBertConfig(**(shape | smaller | {"layer_types": ["full_attention"] * 2})))


def span(text, words):
    return text.index(words), text.index(words) + len(words)


def test_the_shipped_encoder_reads(shipped):
    asked = {"솔내도서관을 설계한 사람은 누구인가?": "김한별", "솔내도서관은 언제 문을 열었나요?": "1998년 3월"}
    spans = [span(TEXT, w) for w in ("1998년 3월", "김한별", "12만 권", "건축가")]
    for question, answer in asked.items():
        scores = shipped.span_scores(question, "솔내도서관", TEXT, spans)
        assert TEXT[slice(*spans[int(scores.argmax())])] == answer
        assert scores.max() > shipped.span_scores("한들강의 길이는 얼마인가?", "", TEXT, spans).max()


def test_what_is_not_read_scores_as_unread(shipped):
    text = TEXT + " 나무가 있다." * 300
    beyond = (len(text) - 6, len(text) - 4)
    scores = shipped.span_scores("누가 설계했나?", "", text, [span(text, "김한별"), beyond, (0, 200)])
    assert scores[0] > UNREAD and scores[1] == scores[2] == UNREAD
    assert shipped.span_scores("누가?", "", "", [(0, 0)]).tolist() == [UNREAD]


def test_inputs_are_cut_at_the_passage_end():
    ids, first = joined_ids([10] * 100, [11] * 50, [12] * 900)
    assert len(ids) == LONGEST and ids[0] == START and ids[first - 2] == 11 and ids[first] == 12
    batch = torch.tensor([ids, [*ids[: first + 3], 5, *[0] * (LONGEST - first - 4)]])
    spans = possible_spans(batch, torch.tensor([first, first]))
    assert spans[1].sum() == 6 and spans[1, first, first + 2] and not spans[1, first + 2, first]
    assert not spans[0, :first].any() and not spans[0, :, -1].any()


def test_loss_is_a_softmax_over_spans_and_nothing():
    scores = torch.full((2, 2, 2), FAR)
    scores[0, 0, 0], scores[0, 0, 1], scores[0, 1, 1], scores[1, 0, 0] = 1.0, 2.0, -1.0, 0.5
    golds = torch.tensor([[0, 0, 0], [0, 1, 1]])
    first = torch.softmax(torch.tensor([1.0, 2.0, -1.0, 0.0]), 0)
    second = torch.softmax(torch.tensor([0.5, 0.0]), 0)
    expected = -(torch.log(first[0] + first[2]) + torch.log(second[1])) / 2
    assert float(span_loss(scores, golds)) == pytest.approx(float(expected), abs=1e-5)


def test_int8_weights_score_nearly_alike(shipped, tmp_path):
    save_encoder(shipped.network, tmp_path / "encoder.safetensors")
    again = PassageEncoder(load_encoder(tmp_path / "encoder.safetensors"), shipped.tokenizer)
    spans = [span(TEXT, w) for w in ("1998년 3월", "김한별")]
    here, there = (e.span_scores("누가 설계했나?", "", TEXT, spans) for e in (shipped, again))
    assert np.allclose(here, there, atol=0.05)
    assert (tmp_path / "encoder.safetensors").stat().st_size < 15_500_000


def test_whole_words_are_masked(tokenizer):
    starts = pretraining.word_starts(ROOT / "tokenizer.json")
    encoding = tokenizer.encode(TEXT)
    ids = torch.tensor([encoding.ids] * 200)
    torch.manual_seed(0)
    mask = pretraining.masked_words(ids, starts, 0.25)
    assert 0.15 < mask.float().mean() < 0.35
    follows = ~starts[ids[0]]
    assert (mask[:, 1:] == mask[:, :-1])[:, follows[1:]].all()
    assert "이" in [encoding.tokens[i] for i in follows.nonzero()[:, 0]]  # 김한별|이: the particle goes with its noun


def test_pretraining_goes_on_where_it_stopped(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "stream.npy", rng.integers(300, 340, 2000).astype(np.uint16))
    common = {"stream": str(tmp_path / "stream.npy"), "tokenizer": str(ROOT / "tokenizer.json"), "compile": False}
    common |= {"out": str(tmp_path / "out"), "sequences": 1, "minutes": 60}
    pretraining.main(pretraining.EncoderArguments(**common, max_steps=2))
    pretraining.main(pretraining.EncoderArguments(**common, max_steps=4, resume=True))
    curve = [json.loads(line) for line in (tmp_path / "out" / "loss.jsonl").read_text().splitlines()]
    assert [row["step"] for row in curve] == [1, 2, 3, 4]
    assert curve[-1]["loss"] < curve[0]["loss"] and curve[-1]["tokens"] == 4 * LONGEST


def asked_questions(tokenizer, path):
    names = ["김한별", "박서준", "이도윤", "최하늘", "정나라", "한바다", "윤새롬", "강다온"]
    places = zip("가나다라마바사아", range(1951, 1959), names, strict=True)
    texts = [f"{place}교는 {year}년에 {name}이 설계했다." for place, year, name in places]
    asked = []
    for n, (text, name) in enumerate(zip(texts, names, strict=True)):
        asked.append(AskedSpan("누가 설계했나?", n, (span(text, name),), WRITTEN))
        asked.append(AskedSpan("언제 설계했나?", n, (span(text, f"{1951 + n}년"),), 2))
        asked.append(AskedSpan("길이는 얼마인가?", n, (), 2))
    encoded = tokenizer.encode_batch(texts)
    parts = {
        "texts": [e.ids for e in encoded],
        "titles": [[] for _ in texts],
        "questions": [tokenizer.encode(a.question).ids for a in asked],
        "golds": [[v for pair in tokens_of(encoded[a.passage], a.spans) for v in pair] for a in asked],
    }
    arrays = {f"{name}.{k}": v for name, rows in parts.items() for k, v in flat(rows).items()}
    passage, kind = (np.array([getattr(a, n) for a in asked]) for n in ("passage", "kind"))
    others = (passage[:, None] + np.arange(1, 5)) % len(texts)
    np.savez(path, passage=passage, kind=kind, negatives=others, **arrays)
    return AskedQuestions(path)


def test_tuning_learns_to_find_and_to_refuse(tokenizer, tmp_path):
    questions = asked_questions(tokenizer, tmp_path / "questions.npz")
    args = TuningArguments(questions="", batch=24, unanswered=0.0, average=0.9)
    network = tune(small(tokenizer), questions, np.arange(24), 60, 3e-3, args)
    found = reading(network, questions)
    assert found["em"] == 1.0 and found["answerability_auroc"] == 1.0
    batch = batch_of(questions, [(0, 0), (0, 1)], "cpu")
    assert batch.golds[:, 0].tolist() == [0]  # asked of another passage it has no answer


def test_a_long_passage_is_read_around_its_answer(tokenizer, tmp_path):
    questions = asked_questions(tokenizer, tmp_path / "questions.npz")
    long = [7] * 700 + questions.row("texts", 0)
    golds = [g + 700 for g in questions.row("golds", 0)]
    questions.arrays |= {f"texts.{k}": v for k, v in flat([long]).items()}
    questions.arrays |= {f"golds.{k}": v for k, v in flat([golds]).items()}
    ids, _, spans = questions.example(0, 0)
    ((first, last),) = spans
    assert ids[first : last + 1] == long[golds[0] : golds[1] + 1]


def test_answers_count_where_they_are_cited():
    text = "서울에서 태어났다. 부산으로 갔다. 서울로 돌아왔다."
    assert places_of(text, "서울", "서울로 돌아왔다.") == [(20, 22)]
    assert places_of(text, "서울", "") == [(0, 2), (20, 22)]
    assert places_of(text, "", "") == []


def test_negatives_share_rare_words_and_do_not_answer():
    rng = np.random.default_rng(0)
    texts = [[*rng.integers(100, 120, 12), 200 + n, 200 + n - n % 2 + 100] for n in range(60)]
    asked = [AskedSpan("", n, (), kind) for kind, n in [(MADE, n) for n in range(30)] + [(WRITTEN, n) for n in range(30, 60)] ]  # fmt: skip
    found = negatives(asked, [[300 + n - n % 2] for n in range(60)], texts, 0)
    for n, row in enumerate(found[:, :3]):
        assert n not in row and row[0] == n + 1 - 2 * (n % 2)  # the only other passage with the question's word
    assert found[:30].max() < 30 <= found[30:].min()


def test_pages_become_documents_and_questions(tmp_path):
    body = "한들강은 솔내군에서 시작하여 바다로 흘러드는 강이다. 길이는 120km이며 1954년에 처음 측량되었다. " * 12
    kept, secret = "한들강", "비밀의 강"
    doc = (
        '<doc id="{0}" url="u" title="{1}">\n{1}\n\n개요\n{2}\nShort English line that is not Korean at all.\n</doc>\n'
    )
    (tmp_path / "AA").mkdir()
    lines = doc.format(1, kept, body.strip()) + doc.format(2, secret, body.strip()) + doc.format(3, "토막", "짧다.")
    (tmp_path / "AA" / "wiki_00").write_text(lines, "utf-8")
    digest = hashlib.sha1(secret.encode()).hexdigest()
    (tmp_path / "korquad_dev_titles.sha1").write_text(digest, "utf-8")
    main(DocumentArguments(data=str(tmp_path), pages=str(tmp_path), out=str(tmp_path / "out")))
    (row,) = map(json.loads, (tmp_path / "out" / "docs.jsonl").read_text("utf-8").splitlines())
    assert row == {"title": kept, "text": body.strip()}
    single = [(kept, "한들강은 솔내군에서 시작하여 바다로 흘러드는 강이며 곳곳에 여울과 습지가 이어져 물새가 많이 산다. "
               "길이는 120km이다. 이 강은 1954년에 박서준이 처음 측량하였고, 그 기록은 솔내군의 문서고에 지금까지 남아 있다. "
               "강가에는 오래된 마을이 여럿 있으며 주민들은 대부분 농사를 짓는다.")]  # fmt: skip
    rows = [row for seed in range(5) for row in made_rows(single, seed)]
    assert rows and all(passage[start:end] for _, passage, asked in rows for _, start, end in asked)
