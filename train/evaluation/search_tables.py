"""Tables of the card about search: the Korean robustness suite, and other libraries beside this project's index."""

from typing import Any

CATEGORIES = {
    "particles": "조사", "endings": "어미", "spacing": "띄어쓰기", "typos": "오타", "hanja": "한자", "numbers": "수",
    "dates": "날짜·시각", "loanwords": "외래어", "honorifics": "높임말", "names": "외국 이름", "all": "**모두**",
}  # fmt: skip
SEARCHERS = {
    "whitespace_bm25": "BM25, 어절", "bigram_bm25": "BM25, 글자 쌍", "ko_qas_without_normalization": "정규화 없이",
    "ko_qas": "**Ko-QAS**",
}  # fmt: skip
INDEX_TIME = "index_cpu_seconds_per_10000_chunks"


def robustness_table(record: dict[str, Any]) -> str:
    """Return Hit@5 of the held-out half by category."""
    report = record["report"]
    lines = [f"| Hit@5 | {' | '.join(SEARCHERS.values())} | n |", "|---" * (len(SEARCHERS) + 2) + "|"]
    for category, name in CATEGORIES.items():
        rows = [report[s]["held_out"][category] for s in SEARCHERS]
        shown = " | ".join(f"{r['hit@5']:.3f}" for r in rows)
        lines.append(f"| {name} | {shown} | {rows[0]['n']} |")
    return "\n".join([*lines, ""])


def rivals_table(record: dict[str, Any]) -> str:
    """Return what each set-up finds and costs; one that could not be measured says so."""
    lines = [
        "| 설정 | nDCG@10 | 튼튼함 Hit@5 | 색인(초/1만 조각) | 질문 p50 / p95(ms) | 색인 MB | 메모리 MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in record["report"].items():
        if "failed" in row:
            lines.append(f"| `{name}` | 잴 수 없었음 | | | | | |")
            continue
        times = f"{row['query_cpu_ms_p50']} / {row['query_cpu_ms_p95']}"
        lines.append(
            f"| `{name}` ({row['set_up']}) | {row['ndcg@10']:.3f} | {row['robustness']['all']['hit@5']:.3f} | "
            f"{row[INDEX_TIME]} | {times} | {row['index_mb']} | {row['memory_mb']} |"
        )
    return "\n".join([*lines, ""])
