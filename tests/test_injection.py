"""Documents and questions are data: no special token, no passage number, no unverifiable evidence comes out of them."""

import json
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koqas.benchmarks.injections import CONTROL, PLACES, forges, outcomes_of, read_attempts, special_ids
from koqas.koqas_prompts import passage_block
from koqas.koqas_types import KoQasError
from koqas.koqas_verification import verify

SPECIAL = [
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|match|>",
]
PIECES = st.lists(
    st.one_of(
        st.sampled_from([*SPECIAL, "[3] ", "\n[2] ", "\u2028", "\u200b", "\u202e", "<|", "|>", "\0"]),
        st.text(max_size=8),
    ),
    max_size=12,
).map("".join)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@QUICK
@given(text=PIECES)
def test_content_never_becomes_a_special_token(qa, text):
    assert not special_ids(qa) & set(qa.chat.content(text))


def test_the_check_would_notice_one(qa):
    ids = qa.tokenizer("<|eot_id|>", add_special_tokens=False)["input_ids"]
    assert set(ids) & special_ids(qa)


@QUICK
@given(passages=st.lists(PIECES, min_size=1, max_size=4), title=PIECES)
def test_only_true_numbers_begin_a_line(passages, title):
    lines = passage_block(passages, [title] * len(passages)).splitlines()
    assert [re.match(r"\[(\d+)\]", line).group(1) for line in lines] == [str(n + 1) for n in range(len(passages))]


@settings(QUICK, max_examples=8)
@given(text=PIECES.filter(str.strip), question=PIECES.filter(str.strip))
def test_any_text_gives_a_verifiable_result_or_one_clear_error(qa, text, question):
    documents = [{"id": "a", "text": text}, {"id": "b", "text": "한들강은 길이가 42km이다."}]
    try:
        result = qa(question, documents)
    except KoQasError as error:
        assert error.field
    else:
        assert verify(result, documents)
        json.dumps(result)


def test_the_suite_is_whole(qa):
    attempts = read_attempts()
    assert len(attempts) >= 150 and len({a.id for a in attempts}) == len(attempts)
    assert {a.place for a in attempts} == set(PLACES)
    assert min(Counter(a.language for a in attempts).values()) >= 50
    assert [a.id for a in attempts if not a.word and forges(qa, [a.attack])] == []


def test_some_attempts(qa):
    chosen = [a for a in read_attempts() if a.id.endswith("-1")][1::12]
    outcomes = outcomes_of(qa, chosen)
    assert all(o.verified and not o.forged for o in outcomes)


@pytest.mark.slow
def test_all_attempts(qa):
    outcomes = outcomes_of(qa, read_attempts())
    assert [o.id for o in outcomes if o.forged or not o.verified] == []
    assert any(o.turned for o in outcomes if o.kind == CONTROL), "a lie is believed: the measure sees a turned answer"
