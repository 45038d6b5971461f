"""Privacy: what is found, that masks agree within a row and with particles, and the way back."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from koqas.koqas_types import Document, KoQasError
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.privacy.findings import IDENTIFIERS, NAME, ORGANIZATION, Finding, settled
from koqas.train.privacy.identifiers import KoreanIdentifierRecognizer, identifiers_in
from koqas.train.privacy.keys import read_keys, restored_row, write_keys
from koqas.train.privacy.likeness import NameLikeness, likeness
from koqas.train.privacy.names import HubNames, KiwiNames
from koqas.train.privacy.particles import after_mask
from koqas.train.privacy.stage import PrivacyPolicy, identifiers_left, mask_example
from koqas.train.rejections import Rejection

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "benchmarks" / "pii.jsonl").read_text(encoding="utf-8").splitlines()
]
NUMBERS_ONLY = PrivacyPolicy(kinds=frozenset(IDENTIFIERS))
PASSAGE = (
    "김민수 씨는 솔내시 공무원이다. 김민수는 2019년부터 민원을 맡았고 전화는 010-2345-6789를 쓴다. "
    "이서연 과장은 김민수의 보고를 받아 minsu@example.kr로 답했다."
)


def row_of(answer, question="김민수의 전화번호는?", **changes):
    start = PASSAGE.index(answer)
    columns = {
        "id": "r1",
        "source": "made",
        "license": "CC0-1.0",
        "domain": "생활",
        "question": question,
        "documents": (Document("d1", PASSAGE, "솔내시 김민수 씨"),),
        "useful": (True,),
        "summary": f"김민수가 쓰는 것은 {answer}이다.",
        "answer": answer,
        "evidence": (EvidenceSpan("d1", start, start + len(answer)),),
        "answerable": True,
    }
    return Example(**{**columns, **changes})


def test_benchmark_is_large_and_sound():
    assert len(CASES) >= 300 and len({c["text"] for c in CASES}) == len(CASES)
    for case in CASES:
        for finding in case["findings"]:
            quote = case["text"][finding["start"] : finding["end"]]
            assert quote and quote == quote.strip() and finding["kind"] in (*IDENTIFIERS, NAME)


def test_structured_identifiers_reach_f1_of_99():
    hits = wrong = missed = 0
    for case in CASES:
        gold = {(f["start"], f["end"], f["kind"]) for f in case["findings"] if f["kind"] in IDENTIFIERS}
        found = {(f.start, f.end, f.kind) for f in identifiers_in(case["text"])}
        hits, wrong, missed = hits + len(gold & found), wrong + len(found - gold), missed + len(gold - found)
    assert hits > 250 and 2 * hits / (2 * hits + wrong + missed) >= 0.99


@pytest.mark.parametrize(
    ("text", "kind", "quote"),
    [
        ("hong@example.co.kr로 보내세요", "이메일", "hong@example.co.kr"),
        ("203.0.113.7에서 접속", "IP주소", "203.0.113.7"),
        ("4111-1111-1111-1111로 결제", "카드번호", "4111-1111-1111-1111"),
        ("850615 - 1234562를 적었다", "주민등록번호", "850615 - 1234562"),
        ("０１０－７７１２－３３４５는", "전화번호", "０１０－７７１２－３３４５"),
        ("농협 302-1234-5678-91로", "계좌번호", "302-1234-5678-91"),
    ],
)
def test_particles_and_widths_hide_nothing(text, kind, quote):
    assert [(f.kind, f.quote(text)) for f in identifiers_in(text)] == [(kind, quote)]


def test_our_recognizer_serves_presidio():
    results = KoreanIdentifierRecognizer().analyze("전화 010-1234-5678로", ["전화번호"])
    assert [(r.entity_type, r.start, r.end) for r in results] == [("전화번호", 3, 16)]
    assert KoreanIdentifierRecognizer().analyze("전화 010-1234-5678로", ["이메일"]) == []


def test_overlapping_findings_are_settled_by_score_then_length():
    weak, strong, apart = Finding(0, 9, "계좌번호", 0.7), Finding(2, 6, "전화번호", 0.9), Finding(10, 12, NAME, 0.1)
    assert settled([weak, strong, apart]) == [strong, apart]


@pytest.mark.parametrize(
    ("mask", "following", "particle", "replaced"),
    [
        ("[이름1]", "는 갔다", "은", 1),
        ("[이름2]", "은 갔다", "는", 1),
        ("[이름1]", "로부터", "로", 1),
        ("[이름3]", "로 왔다", "으로", 1),
        ("[이름10]", "와 함께", "과", 1),
        ("[이름2]", "이라는 사람", "라", 2),
        ("[이름1]", "였다.", "이었", 1),
        ("[이름1]", "이가 왔다", "이", 2),
        ("[이름1]", "이네 집", "", 1),
        ("[이름1]", "가족", "", 0),
        ("[이름1]", "의 집", "", 0),
    ],
)
def test_particles_agree_with_masks(mask, following, particle, replaced):
    adjusted = after_mask(mask, following, is_name=True)
    assert (adjusted.text, adjusted.replaced) == (particle, replaced)


def test_masks_are_the_same_throughout_a_row():
    masked = mask_example(row_of("010-2345-6789"), PrivacyPolicy()).row
    text = masked.documents[0].text
    assert text == (
        "[이름1] 씨는 솔내시 공무원이다. [이름1]은 2019년부터 민원을 맡았고 전화는 [전화번호1]을 쓴다. "
        "[이름2] 과장은 [이름1]의 보고를 받아 [이메일1]로 답했다."
    )
    assert masked.question == "[이름1]의 전화번호는?" and masked.documents[0].title == "솔내시 [이름1] 씨"
    assert masked.answer == "[전화번호1]" == masked.quotes()[0]
    assert masked.summary == "[이름1]이 쓰는 것은 [전화번호1]이다." and masked.problems() == []
    assert identifiers_left([text, masked.question, masked.answer, masked.summary]) == []


def test_rows_with_nothing_to_hide_stay_the_same_object():
    row = row_of("2019년", question="언제부터 맡았나?", documents=(Document("d1", "2019년부터 맡았다."),), summary="")
    row = replace(row, evidence=(EvidenceSpan("d1", 0, 5),))
    assert mask_example(row, PrivacyPolicy()).row is row


def test_masks_already_in_the_text_are_not_given_again():
    text = "[이름1]은 010-1111-2222로, [전화번호4]도 쓴다."
    row = replace(row_of("2019년"), documents=(Document("d1", text),), answerable=False, answer="", evidence=())
    assert mask_example(row, NUMBERS_ONLY).row.documents[0].text == "[이름1]은 [전화번호5]로, [전화번호4]도 쓴다."


def test_an_answer_inside_an_identifier_is_refused():
    refused = mask_example(row_of("2345"), NUMBERS_ONLY)
    assert isinstance(refused, Rejection) and (refused.stage, refused.reason) == ("privacy", "answer_cut")


def test_answers_of_masks_alone_can_be_refused():
    policy = replace(NUMBERS_ONLY, masked_answers=False)
    assert mask_example(row_of("010-2345-6789"), policy).reason == "answer_masked"
    assert mask_example(row_of("2019년"), policy).row.answer == "2019년"


def test_key_file_restores_the_row_and_is_private(tmp_path):
    row = row_of("이서연 과장은 김민수의 보고")
    masked = mask_example(row, PrivacyPolicy())
    assert masked.row.answer == "[이름2] 과장은 [이름1]의 보고"
    path = tmp_path / "keys.jsonl"
    path.write_text("old", encoding="utf-8")
    assert write_keys(path, [masked.key]) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [key] = read_keys(path)
    assert restored_row(masked.row, key) == row
    with pytest.raises(KoQasError, match="다른 행"):
        restored_row(replace(masked.row, id="r2"), key)
    path.write_text('{"id": 1}\n', encoding="utf-8")
    with pytest.raises(KoQasError, match="line 1"):
        list(read_keys(path))
    with pytest.raises(KoQasError, match="폴더"):
        write_keys(tmp_path / "none" / "keys.jsonl", [])


def test_names_and_organizations_by_default():
    text = "한들은행 박지영 과장은 金民秀 화백, 최모(43)씨, 이 회장과 이야기했다. 고객 대표와 시민 학생이 태평양을 보았다."
    [findings] = KiwiNames()([text])
    quotes = [(f.kind, f.quote(text)) for f in findings]
    assert (ORGANIZATION, "한들은행") in quotes
    assert [q for k, q in quotes if k == NAME] == ["박지영", "金民秀", "최"]


def test_names_of_the_benchmark():
    hits = wrong = missed = 0
    for case, findings in zip(CASES, KiwiNames()([c["text"] for c in CASES])):
        gold = {(f["start"], f["end"]) for f in case["findings"] if f["kind"] == NAME}
        found = {(f.start, f.end) for f in findings if f.kind == NAME}
        hits, wrong, missed = hits + len(gold & found), wrong + len(found - gold), missed + len(gold - found)
    assert 2 * hits / (2 * hits + wrong + missed) >= 0.85


def test_letters_tell_names_from_other_words():
    scores = likeness().of(["이순신", "스콧", "켈리", "부산항", "하나은행", "김치찌개"])
    assert scores[:3].min() > 0.5 > scores[3:].max()
    with pytest.raises(KoQasError, match="이름 모델"):
        NameLikeness(Path("none.safetensors"))


def test_any_token_classifier_of_the_hub_can_name(tmp_path):
    """A real BERT with random weights: offsets and kinds must come through, whatever it labels."""
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    text = "김민수 씨가 왔다."
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(text))]))
    BertTokenizerFast(str(tmp_path / "vocab.txt"), tokenize_chinese_chars=True).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        id2label={0: "B-PS"},
    )
    BertForTokenClassification(config).save_pretrained(tmp_path)
    [findings] = HubNames(str(tmp_path))([text])
    assert findings and all(f.kind == NAME and f.quote(text).strip() == f.quote(text) != "" for f in findings)
