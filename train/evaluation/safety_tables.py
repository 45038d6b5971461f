"""Sentences of the card about safety: attempts at injection, damaged input, thousands of questions in a row."""

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


def fuzzing_sentence(record: dict[str, Any]) -> str:
    """Return how many damaged inputs were tried and what is left open."""
    return (
        f"망가뜨린 파일·내려받은 자료·색인·설정과 아무 값이나 넣은 인자 {record['inputs']:,}개를 {len(record['targets'])}군데에 넣어 "
        f"보았고, 한국어 오류 하나로 거절하지도 읽지도 못한 것은 {record['crashes_open']}개입니다"
        "([results/fuzzing.json](results/fuzzing.json), `python benchmarks/fuzzing.py`).\n"
    )


def soak_sentence(record: dict[str, Any]) -> str:
    """Return what thousands of questions in a row do to a pipeline object and to the service."""
    told = {"pipeline": "파이프라인 하나", "service": "서비스"}
    parts = [
        f"{name}에 {record[key]['questions']:,}개(메모리 기울기 질문 1,000개당 "
        f"{record[key]['slope_mb_per_1000_questions']:+.1f} MB, 흔들림 {record[key]['noise_mb']:.1f} MB, 바뀐 답 "
        f"{record[key]['changed']}개)"
        for key, name in told.items()
        if key in record
    ]
    return (
        f"쉬지 않고 물어 본 결과: {', '.join(parts)}. 묶어서 묻거나 순서를 바꾸거나 다른 프로세스에서 물어도 답이 같습니다"
        "([results/soak.json](results/soak.json), `python benchmarks/soak.py`).\n"
    )
