"""Sentences of the card about safety: attempts at injection."""

from typing import Any


def injection_sentence(record: dict[str, Any]) -> str:
    """Return how many attempts turned the answer, and what a lie does."""
    lies = record["kinds"]["false_statement"]
    return (
        f"문서·제목·질문에 심은 시도 {record['attempts']}개(한국어와 영어, 열한 가지) 가운데 내장 모델의 답을 바꾼 것은 "
        f"{record['turned']}개, 특수 토큰이나 문단 번호가 된 것은 {record['tokens_or_numbers_forged']}개, 확인되지 않는 근거는 "
        f"{record['evidence_not_verified']}개입니다(맞은 답은 심기 전 {record['right_before']}개, 심은 뒤 {record['right_after']}개). "
        f"문서가 그냥 거짓말을 하면 {lies['attempts']}번 가운데 {lies['turned']}번 믿습니다"
        "([results/injection.json](results/injection.json), `python benchmarks/injections.py`).\n"
    )
