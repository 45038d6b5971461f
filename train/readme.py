"""Fill the README from results/: tables, sentences with numbers, `model-index` in the front matter, and the pictures.

    python train/readme.py            # rewrite README.md, draw the pictures whose numbers changed
    python train/readme.py --check    # exit 1 if README.md or a picture differs from results/

Text between `<!-- results: NAME -->` and `<!-- end -->` belongs to this command; everything else is the author's.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError
from koqas.train.evaluation.safety_tables import fuzzing_sentence, injection_sentence
from koqas.train.evaluation.search_tables import robustness_table
from koqas.train.evaluation.tables import claim_table, promise_table
from koqas.train.evaluation.training_tables import preference_sentence, throughput_sentence, training_sentences
from koqas.train.publishing.card import as_eval_result
from koqas.train.publishing.measures import measured_in

BLOCK = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass
class ReadmeArguments:
    """What `train/readme.py` needs to know.

    Args:
        repository (`str`): Folder of README.md and results/.
        check (`bool`): Compare only.
    """

    repository: str = "."
    check: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row of the table: its name and the numbers shown, all of one part of a record.

    Args:
        name (`str`): What was measured.
        file (`str`): Record in results/.
        part (`str`): Keys down to the part, joined by `/`.
        keys (`tuple[str, ...]`): Numbers of the part; with a `/` they are looked up from the part's parent.
        n (`str`): Key of the number of cases, counted like `keys`.
    """

    name: str
    file: str
    part: str
    keys: tuple[str, ...]
    n: str = "n"


READ = ("em", "f1", "evidence_hit")
LEVELS = ("random", "neighbour", "same_article")
KORQUAD, WRITTEN, CLAIM, TRUST = "korquad.json", "calibration.json", "claim.json", "reliability.json"
READING = {
    "end_to_end": "**끝에서 끝까지**: EM / F1 / 근거 문장 적중",
    "end_to_end_never_refusing": "끝에서 끝까지, 기권 없이",
    "end_to_end_no_docquest": "DocQuest·1차 필터 없이",
    "gold_passage": "**정답 문단**: EM / F1 / 근거 문장 적중",
    "gold_passage_no_summary": "정답 문단, 요약 없이",
    "gold_passage_ranker_alone": "정답 문단, 순위기만",
    "gold_passage_model_alone": "정답 문단, 언어 모델만",
    "gold_passage_model_alone_no_adapter": "정답 문단, 언어 모델만, 어댑터 없이",
    "gold_passage_no_adapter": "정답 문단, 어댑터 없이(순위기와 함께)",
}
TABLE = (
    TableRow("검색 nDCG@10 (BM25 + 밀집)", KORQUAD, "report/retrieval/fused", ("ndcg@10",)),
    TableRow("검색 nDCG@10 (BM25만)", KORQUAD, "report/retrieval/lexical", ("ndcg@10",)),
    TableRow("검색 nDCG@10 (밀집만)", KORQUAD, "report/retrieval/dense", ("ndcg@10",)),
    *(TableRow(name, KORQUAD, f"report/{part}", READ) for part, name in READING.items()),
    TableRow("정답 문단, 무작위 구간: EM / F1", KORQUAD, "report/gold_passage_random_span", ("em", "f1")),
    TableRow("글자 그대로인 근거의 비율", KORQUAD, "report/end_to_end", ("literal",)),
    TableRow("질문당 중앙값(초, CPU)", KORQUAD, "report/end_to_end", ("median_seconds",)),
    TableRow(
        "DocQuest AUROC: 무작위 / BM25 이웃 / 같은 글",
        KORQUAD,
        "report/usefulness",
        tuple(f"{level}/auroc" for level in LEVELS),
        "random/n",
    ),
    TableRow(
        "같은 것, BM25 점수만",
        KORQUAD,
        "report/usefulness",
        tuple(f"{level}/auroc_bm25" for level in LEVELS),
        "random/n",
    ),
    TableRow(
        "DocQuest AUROC, 제 문단이 답하지 않는 질문(직접 쓴 개발 문단)",
        WRITTEN,
        "report",
        ("usefulness/own_passage_auroc",),
        "relevance/positives",
    ),
    TableRow("DocQuest 기대 보정 오차(같은 것)", WRITTEN, "report/usefulness", ("expected_calibration_error",)),
    TableRow(
        "답할 수 없는 질문 기권 재현율(잘못된 기권 5 %)",
        WRITTEN,
        "report/reading/both",
        ("unanswerable_recall_at_5_percent_false_refusals",),
    ),
)


@dataclass(frozen=True)
class Records:
    """The records of results/, read once."""

    folder: Path

    def number(self, file: str, path: str) -> float:
        """Return a number of a record.

        Raises:
            KoQasError: The record or the number is missing.
        """
        value: Any = None
        if (self.folder / file).is_file():
            value = json.loads((self.folder / file).read_text("utf-8"))
            for key in path.split("/"):
                value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, (int, float)):
            raise KoQasError(f"results/{file}", f"{path} 수치가 없습니다.", "measure again: see train/README.md")
        return value

    def document(self, file: str) -> dict[str, Any]:
        """Return a whole record."""
        return json.loads((self.folder / file).read_text("utf-8"))  # type: ignore[no-any-return]


def table(records: Records) -> str:
    """Return the table of measurements."""
    lines = ["| 측정 | 값 | n |", "|---|---|---|"]
    for row in TABLE:
        shown = " / ".join(_shown(k, records.number(row.file, f"{row.part}/{k}")) for k in row.keys)
        lines.append(f"| {row.name} | {shown} | {records.number(row.file, f'{row.part}/{row.n}')} |")
    return "\n".join([*lines, f"| 최대 메모리(GB) | {records.number(KORQUAD, 'report/peak_memory_gb')} | – |", ""])


def _shown(key: str, value: float) -> str:
    if key.endswith("seconds"):
        return f"{value:.2f}"
    return (
        f"{value:.4f}" if "auroc" in key or "ndcg" in key or key.startswith(("expected", "unans")) else f"{value:.3f}"
    )


def korean(records: Records) -> str:
    """Return the sentence that warns of wrong answers."""
    share = records.number(KORQUAD, "report/gold_passage/em")
    return (
        f"**정답 문단이 주어져도 글자까지 맞는 답은 {share:.0%}입니다.** 틀릴 때도 근거 문장은 대개 맞으니 함께 보여 주는 "
        "근거를 확인하세요.\n"
    )


def systems(records: Records) -> str:
    """Return the sentence about the 14B base's size."""

    def number(path: str) -> float:
        return records.number("systems.json", path)

    device = records.document("systems.json")["device"]
    return (
        f"무작위 가중치로 만든 같은 모양(매개변수 {number('building/parameters') / 1e9:.1f}B, NF4)을 {device} 하나에서 재면: "
        f"QLoRA 학습은 최대 {number('training/peak_gb'):.1f} GB로 초당 {number('training/tokens_per_second'):,.0f} 토큰"
        f"(길이 {number('arguments/tokens')}, 누적 {number('arguments/accumulation')}), "
        f"질문 하나는 중앙값 {number('pipeline/median_seconds'):.1f}초(판단 {number('pipeline/judgement_seconds'):.1f}초, "
        f"{number('pipeline/most_new_tokens')} 토큰까지 쓰기 {number('pipeline/generation_seconds'):.1f}초)와 최대 "
        f"{number('pipeline/peak_gb'):.1f} GB가 듭니다(질문 {number('pipeline/questions')}개).\n"
    )


def service(records: Records) -> str:
    """Return the sentence about the service under load."""

    def number(path: str) -> float:
        return records.number("service_load.json", path)

    return (
        f"내장 모델로 두 코어에서 {number('arguments/clients')}명이 {number('arguments/seconds') / 60:.0f}분 동안 쉬지 않고 물으면 요청 "
        f"{number('requests')}개(초당 {number('requests_per_second'):.1f}개)에 오류 {number('problems')}개, 응답 시간은 중앙값 "
        f"{number('latency_s/p50'):.1f}초, 95 %가 {number('latency_s/p95'):.1f}초 안이고, 메모리는 최대 "
        f"{number('memory_mb/most') / 1024:.1f} GB로 분당 {number('memory_slope_mb_per_minute'):+.1f} MB 바뀌었습니다"
        "([results/service_load.json](results/service_load.json), `python -m koqas.service.load_test`).\n"
    )


def english(records: Records) -> str:
    """Return the English sentence about reading."""

    def pair(part: str) -> str:
        return " / ".join(f"{records.number(KORQUAD, f'report/{part}/{k}'):.3f}" for k in ("em", "f1"))

    return (
        f"On {records.number(KORQUAD, 'report/gold_passage/n')} KorQuAD 1.0 questions with their gold passages it "
        f"reaches EM / F1 {pair('gold_passage')} (the ranker alone {pair('gold_passage_ranker_alone')}, the model alone "
        f"{pair('gold_passage_model_alone')}, a random span {pair('gold_passage_random_span')}).\n"
    )


def examples(records: Records) -> str:
    """Return right and wrong answers, side by side with what was expected."""
    record = records.document("showcase.json")
    lines = [
        f"개발 문단의 질문 {record['n']}개 가운데 글자까지 맞은 것은 {record['right']}개입니다. 처음 나온 다섯씩:\n"
    ]
    lines += ["| | 질문 | Ko-QAS의 답 | 쓴 사람의 답 |", "|---|---|---|---|"]
    for mark, name in (("맞음", "right_examples"), ("틀림", "wrong_examples")):
        for e in record[name]:
            lines.append(f"| {mark} | {e['question']} | {e['given'] or '(기권)'} | {e['gold'] or '(답 없음)'} |")
    return "\n".join([*lines, ""])


BLOCKS: dict[str, Callable[[Records], str]] = {
    "table": table,
    "korean": korean,
    "systems": systems,
    "service": service,
    "english": english,
    "examples": examples,
    "claim": lambda records: claim_table(records.document(CLAIM)["report"]),
    "robustness": lambda records: robustness_table(records.document("robustness.json")),
    "safety": lambda records: injection_sentence(records.document("injection.json")),
    "fuzzing": lambda records: fuzzing_sentence(records.document("fuzzing.json")),
    "training": lambda records: training_sentences(records.document("training.json")),
    "preference": lambda records: preference_sentence(records.document("preference_stage.json")),
    "throughput": lambda records: throughput_sentence(records.document("throughput.json")),
    "promises": lambda records: promise_table(records.document(TRUST)["report"]),
}


def filled(readme: Path, results: Path) -> str:
    """Return README.md as the records want it.

    Raises:
        KoQasError: A block is unknown, or a record lacks a number.
    """
    card = ModelCard.load(readme)
    card.data.eval_results = [as_eval_result(m) for m in measured_in(results)]
    card.data.model_name = card.data.model_name or "ko-qas-embedded"
    records = Records(results)

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise KoQasError("README.md", f"알 수 없는 묶음입니다: {match[2]}", f"use one of {', '.join(BLOCKS)}")
        return match[1] + BLOCKS[match[2]](records) + match[3]

    return BLOCK.sub(block, str(card))


def main(args: ReadmeArguments) -> None:
    """Rewrite or compare."""
    folder = Path(args.repository)
    readme = folder / "README.md"
    wanted = filled(readme, folder / "results")
    # Loaded here: matplotlib is slow to import, and publishing needs the text alone.
    from koqas.train.evaluation.plots import draw_all, outdated

    if args.check:
        sys.exit(int(wanted != readme.read_text("utf-8") or bool(outdated(folder / "results"))))
    readme.write_text(wanted, "utf-8")
    draw_all(folder / "results")


if __name__ == "__main__":
    main(HfArgumentParser(ReadmeArguments).parse_args_into_dataclasses()[0])
