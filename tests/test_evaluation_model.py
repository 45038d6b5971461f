"""Measures that ask a model: the competition's two, options, grounding, arms; on the embedded repository."""

import json

import pytest
import torch
from chat_server import ChatServer
from conftest import ROOT

from koqas.koqas_types import Document, KoQasError
from koqas.train.evaluation import judge as judging
from koqas.train.evaluation.bench import Bench
from koqas.train.evaluation.competition import classification_of, competition
from koqas.train.evaluation.grounding import citations_of, cited_sentences, leaked_scripts
from koqas.train.evaluation.ledger import Ledger
from koqas.train.evaluation.memory import replaced, shared_reading
from koqas.train.evaluation.official import load_official
from koqas.train.evaluation.options import OptionQuestion, option_row, read_options
from koqas.train.evaluation.preference import preference_row, prompt_of
from koqas.train.evaluation.questions import Asked
from koqas.train.evaluation.settings import parse
from koqas.train.evaluation.trust import area_under_risk, refused_at, reliability_bins, risk_coverage
from koqas.train.evaluation.usefulness import OWN, Judge
from koqas.train.generation.settings import GenerationSettings
from koqas.train.pairs import read_pairs, write_pairs

PAIRS = ROOT / "data_sample" / "preference_50_public.csv"


def test_preferences_are_scored_as_the_competition_describes(qa):
    """The rule again, by the model's own loss: labels leave out the prompt and the first token of the answer."""
    tokenizer, rows, hits = qa.tokenizer, [], 0
    for pair in read_pairs(PAIRS)[:6]:
        means = []
        for answer in (pair.chosen, pair.rejected):
            text = f"<|begin_of_text|><|start_header_id|>context<|end_header_id|>\n\n{pair.context.strip()}<|eot_id|>"
            text += f"<|start_header_id|>question<|end_header_id|>\n\n{pair.question.strip()}<|eot_id|>"
            prompt = tokenizer(text + "<|start_header_id|>answer<|end_header_id|>\n\n")["input_ids"]
            target = tokenizer(answer + "<|end_of_text|>")["input_ids"]
            ids = torch.tensor([prompt + target])
            labels = torch.tensor([[-100] * (len(prompt) + 1) + target[1:]])
            with torch.inference_mode():
                means.append(-float(qa.model(input_ids=ids, labels=labels).loss))
        rows.append(preference_row(qa.model, tokenizer, pair))
        assert [rows[-1]["chosen"], rows[-1]["rejected"]] == pytest.approx(means, rel=1e-6)
        hits += means[0] > means[1]
    assert classification_of(rows, 0)["accuracy"] == pytest.approx(100 * hits / 6, abs=1e-4)


def test_a_tie_is_a_miss():
    assert (
        classification_of([{"chosen": -1.0, "rejected": -1.0}, {"chosen": -1.0, "rejected": -2.0}], 0)["accuracy"]
        == 50
    )


def test_the_published_evaluator_is_taken_apart_without_its_imports(tmp_path, qa):
    """A file of the same shape, written here: what it needs from vLLM is never touched."""
    path = tmp_path / "evaluate_adapter.py"
    path.write_text(
        """
from vllm import LLM
def prompt_fn(examples: LLM, tokenizer: LLM) -> LLM:
    return {"prompt": [q for q in examples["question"]], "chosen": examples["chosen"], "rejected": examples["rejected"]}
def evaluate_multiple_choice(model: LLM, tokenizer, dataset) -> float:
    def longer(a: LLM) -> LLM:
        return len(a["chosen"]) > len(a["rejected"])
    return sum(longer(a) for a in tqdm(dataset)) / len(dataset)
def evaluate_free_generation(model_name_or_path, dataset):
    instruct = "Rate " "it."
    return LLM(model_name_or_path)
""",
        "utf-8",
    )
    official = load_official(path)
    pairs = read_pairs(PAIRS)
    assert official.instruction == "Rate it."
    assert official.accuracy(None, None, pairs) == sum(len(p.chosen) > len(p.rejected) for p in pairs) / len(pairs)
    path.write_text("import vllm\n", "utf-8")
    with pytest.raises(KoQasError, match="official"):
        load_official(path)
    with pytest.raises(KoQasError, match="tokenizer"):
        prompt_of(_Headless(), "글", "물음?")


class _Headless:
    eos_token = "</s>"

    def get_vocab(self):
        return {"</s>": 0}


def test_a_judge_is_asked_again_until_it_states_a_score(tmp_path, monkeypatch):
    import chat_server

    class AsText:
        """Replies are texts here, not JSON."""

        @staticmethod
        def dumps(value, **_):
            return value if isinstance(value, str) else json.dumps(value)

        loads = staticmethod(json.loads)

    seen = []

    def reply(prompt):
        seen.append(prompt)
        if "엉터리" in prompt or ("두 번" in prompt and sum("두 번" in s for s in seen) == 1):
            return "좋은 답입니다."
        return "Score: 7.5/10" if "두 번" in prompt else "점수는 Score: 4/10 입니다"

    monkeypatch.setattr(chat_server, "reply_to", reply)
    monkeypatch.setattr(chat_server, "json", AsText)
    with ChatServer() as server:
        settings = GenerationSettings(
            backend="openai", model="judge", base_url=server.url, cache=str(tmp_path), backoff=0.01, max_retries=1
        )
        ratings = judging.rate(["한 번 답", "두 번 답", "엉터리 답"], settings)
        assert [(r.score, r.tries) for r in ratings] == [(4.0, 1), (7.5, 2), (0.0, 10)]
        calls = sum(server.calls.values())
        assert judging.rate(["한 번 답", "두 번 답"], settings)[1].score == 7.5
        assert sum(server.calls.values()) == calls == 13  # all of the second run came from the cache


def test_options_are_chosen_by_likelihood(qa, tmp_path):
    path = tmp_path / "boolq.jsonl"
    rows = [{"paragraph": "한들강은 길이가 42km이다.", "question": "한들강은 강인가?", "label": 1}] * 2
    rows.append(
        {"context": "장터에 상인이 있다.", "question": "누가 있나?", "options": ["상인", "의사"], "answer": "상인"}
    )
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    asked = read_options(path)
    assert asked[0].options == ("아니요", "예") and asked[0].answer == 1 and asked[2].answer == 0
    row = option_row(qa, OptionQuestion("한들강은 길이가 42km이다.", "길이는?", ("42km", "버드내장 오일장 상인"), 0))
    chat = qa.chat
    header = chat.sections.get("answer", chat.sections["summary"])
    prefix = [*chat.context(["한들강은 길이가 42km이다."]), *chat.question("길이는?"), *header]
    target = [*chat.content("42km"), chat.end[0]]
    with torch.inference_mode():
        logs = torch.log_softmax(qa.model(torch.tensor([prefix + target])).logits[0, len(prefix) - 1 : -1], -1)
    assert row["scores"][0] == pytest.approx(float(logs.gather(1, torch.tensor(target)[:, None]).sum()), abs=1e-3)
    assert row["chosen"] == 0
    path.write_text('{"paragraph": "글", "question": "", "label": 1}\n', "utf-8")
    with pytest.raises(KoQasError, match="row 1"):
        read_options(path)


def test_citations_are_worth_what_their_passages_hold():
    passages = ["한들강은 길이가 42km이다.", "버드내장은 오일장이다. 상인은 모두 130명이다.", "느티나무가 있다."]
    good = citations_of("한들강의 길이는 42km이다 [1].", passages)
    assert (good.sentences, good.supported, good.cited, good.needed) == (1, 1, 1, 1)
    padded = citations_of("한들강의 길이는 42km이다 [1][3].", passages)
    assert (padded.supported, padded.cited, padded.needed) == (1, 2, 1)
    wrong = citations_of("한들강의 길이는 42km이다 [2]. 상인은 150명이다 [2]. 오일장이다.", passages)
    assert (wrong.sentences, wrong.supported, wrong.cited, wrong.needed) == (3, 0, 2, 0)
    assert [s.strip() for s in cited_sentences("강이다. [1] 장이다 [2].")] == ["강이다. [1]", "장이다 [2]."]


def test_foreign_script_is_a_leak_only_where_no_source_has_it():
    sources = ["KTX는 2004년에 開通하였다."]
    assert leaked_scripts("KTX는 開通하였다 [1].", sources) == []
    assert leaked_scripts("SRT는 かな와 漢字로 적는다.", sources) == ["hanja", "latin", "kana"]


def test_curves_by_hand():
    confidences, wrong = [0.9, 0.8, 0.7, 0.6], [False, True, False, True]
    curve = risk_coverage(confidences, wrong, 8)
    assert [(c.answered, round(c.wrong, 3)) for c in curve] == [(0.125, 0.0), (0.25, 0.5), (0.375, 0.333), (0.5, 0.5)]
    assert area_under_risk(confidences, wrong) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert refused_at(0.5, [0.2, 0.4, 0.6, 0.8], [0.1, 0.3, 0.9]) == pytest.approx(2 / 3)
    bins = reliability_bins([0.05, 0.95, 0.85, 1.0], [False, True, True, False])
    assert [(b.n, b.share) for b in bins] == [(1, 0.0), (1, 1.0), (2, 0.5)]


def test_arms_share_readings_without_changing_an_answer(qa):
    arms = ({}, {"docquest": False}, {"first_pass": False, "threshold": 0.0}, {"summary": False})
    questions = ["한들강의 길이는 얼마인가?", "금강산의 높이는?"]
    counted = Counted(qa.docquest.logits)
    for question in questions:
        alone = [qa(question, **arm) for arm in arms]
        counted.calls = 0
        with replaced(qa.docquest, "logits", counted), shared_reading(qa):
            together = [qa(question, **arm) for arm in arms]
        assert 1 <= counted.calls <= 2  # once for each round, however many arms
        for a, b in zip(alone, together):
            assert (a["answer"], a["evidence"]) == (b["answer"], b["evidence"])
            assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-4)
    assert "logits" not in vars(qa.docquest)


class Counted:
    """Counts the calls of a method."""

    def __init__(self, method):
        self.method, self.calls = method, 0

    def __call__(self, *args):
        """Count and call."""
        self.calls += 1
        return self.method(*args)


def test_the_competition_part_writes_a_whole_report(qa, tmp_path):
    path = tmp_path / "pairs.csv"
    write_pairs(path, read_pairs(PAIRS)[:3])
    evaluation = parse(["--parts", "competition", "--pairs", str(path), "--new_tokens", "8"])
    report = competition(Bench(qa, evaluation, Ledger(tmp_path / "rows.jsonl", {})))
    assert report["classification"]["n"] == report["generation"]["n"] == 3
    assert 0 <= report["generation"]["chrf"]["mean"] <= 1 and "g_eval" not in report["generation"]
    again = competition(Bench(qa, evaluation, Ledger(tmp_path / "rows.jsonl", {})))
    assert again == report and len((tmp_path / "rows.jsonl").read_text().splitlines()) == 7


def test_a_passage_is_worth_its_best_chunk(qa):
    filler = "장터에는 상인이 모여 곡식과 천을 팔았다. " * 30
    long = Document("long", f"{filler}은어다리는 길이가 73m이다.", "은어다리")
    short = Document("short", "솔내도서관은 2011년 3월에 문을 열었다.", "솔내도서관")
    asked = [
        Asked("은어다리의 길이는 얼마인가?", ("73m",), long, "은어다리"),
        Asked("솔내도서관은 언제 문을 열었나?", ("2011년 3월",), short, "솔내도서관"),
    ]
    index = qa.build_index([long, short])
    judge = Judge(qa, index, asked, seed=0)
    row = judge.row(asked[0])
    each = []
    for place in judge.places["long"]:
        alone = Judge(qa, index, asked, seed=0)
        alone.places = {"long": [place], "short": judge.places["short"]}
        each.append(alone.row(asked[0])[OWN])
    assert len(each) > 1 and each[-1][0] > each[0][0] and each[-1][1] > each[0][1]
    assert row[OWN] == pytest.approx(each[-1], abs=1e-4) and row["random"][0] < row[OWN][0]
