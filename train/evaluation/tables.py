"""Tables of the card about the claim and about promises.

Comes in: reports of results/claim.json and results/reliability.json. Goes out: Markdown.
"""

from typing import Any


def claim_table(report: dict[str, Any]) -> str:
    """Return the table of the claim: similarity search alone, then one more stage in each row."""
    lines = [
        f"KorQuAD 1.0 dev 절반에서 글의 4분의 1을 색인에서 빼고, 답이 있는 질문 {report['n'] - report['unanswerable']}개와 뺀 글의 "
        f"질문(답 없음) {report['unanswerable']}개를 물었습니다. 읽는 모델은 모두 같습니다. 괄호는 부트스트랩 95% 구간입니다.\n",
        "| 방식 | EM | F1 | 근거 문장 | 답이 없는데 지어냄 | 모두 맞은 비율 | 첫 줄과의 차이 |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in report["arms"]:
        shown = [_interval(arm[key]) for key in ("em", "f1", "evidence_hit", "invented", "accuracy")]
        lines.append(f"| {arm['name']} | {' | '.join(shown)} | {_interval(arm['difference']['accuracy'], sign='+')} |")
    return "\n".join([*lines, ""])


def _interval(found: dict[str, float], sign: str = "") -> str:
    return f"{found['mean']:{sign}.3f} ({found['low']:{sign}.2f}~{found['high']:{sign}.2f})"


def promise_table(report: dict[str, Any]) -> str:
    """Return the sentences about promises: what was promised and how it went on questions not used for it."""
    answers = report["answers"]
    lines = [
        f"기권 없이 물으면 답의 {answers['wrong']:.0%}가 틀립니다(질문 {report['n']}개, 그 가운데 {report['unanswerable']}개는 답 없음). "
        "`calibrate`의 약속(확신 90%):\n",
        "| 틀린 답을 묶는 비율 | 답하는 질문 | 그 가운데 틀린 답 | 질문 100개로 맞추고 나머지로 시험: 약속이 된 횟수 / 답함 / 틀림 |",
        "|---|---|---|---|",
    ]
    for p in report["promises"]:
        held = p.get("held_out")
        tested = f"{held['made']:.0%} / {held['answered']:.0%} / {held['wrong']:.1%}" if held else "–"
        answered = f"{p['answered']:.0%} | {p['wrong']:.1%}" if p["answered"] else "약속할 수 없음 | –"
        lines.append(f"| {p['most_wrong']:.0%} 이하 | {answered} | {tested} |")
    return "\n".join([*lines, ""])
