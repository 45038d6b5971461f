"""The demo and the command line.

python -m koqas.koqas_demo                                   # five questions about the sample documents
python -m koqas.koqas_demo "질문" --documents DIR            # one question about your own folder
python -m koqas.koqas_demo --calibrate PAIRS --documents DIR # how many questions can be answered with few wrong answers

Only light modules are imported at the top: `--help` answers at once, and `main` loads Kiwi's dictionary while torch
and transformers are being imported.
"""

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

from .koqas_text import kiwi
from .koqas_types import KoQasError

ROOT = Path(__file__).resolve().parent
SAMPLE = ROOT / "data_sample"


class Teller:
    """Prints a question and, event by event, what is found and written about it."""

    def __init__(self, question: str) -> None:
        self.written = ""  # section that is being written
        self.answer = ""
        sys.stdout.write(f"\n질문  {question}\n")

    def tell(self, told: dict[str, Any]) -> None:
        """Print an event (`Event.to_dict()`: importing the classes would import torch)."""
        kind = told["event"]
        if kind == "scored":
            kept = sum(d["kept"] for d in told["documents"])
            sys.stdout.write(f"검색  {told['round']}차: 조각 {len(told['documents'])}개 중 {kept}개가 유용\n")
        elif kind in ("summary", "answer"):
            if self.written != kind:
                sys.stdout.write(("\n" if self.written else "") + {"summary": "요약  ", "answer": "답변  "}[kind])
                self.written = kind
            sys.stdout.write(told["text"])
            self.answer += told["text"] if kind == "answer" else ""
        elif kind == "done":
            sys.stdout.write("\n" if self.written else "")
            if (final := told["result"]["answer"]) != self.answer:
                sys.stdout.write(f"답변  {final}\n")
        sys.stdout.flush()


def show(result: dict[str, Any], verified: bool) -> None:
    """Print what stands behind an answer: quotes with the answer marked, a usefulness bar for each document."""
    write = sys.stdout.write
    if result["answered"]:
        write(f"확신  {result['confidence']:.2f}\n")
    for e in result["evidence"]:
        quote = " ".join(e["quote"].split()).replace(result["answer"], f"⟦{result['answer']}⟧")
        where = f" ({e['location']['label']})" if e["location"]["label"] else ""
        write(f"근거  {e['document']}{where} [{e['start']}:{e['end']}] {quote}\n")
    for d in result["documents"][:5]:
        useful = d["usefulness"] or 0.0
        bar = "█" * round(useful * 20)
        write(f"  {'✔' if d['kept'] else ' '} {useful:4.2f} {bar:<20} {d['id']} #{d['chunk']}\n")
    write(f"      검증 {'통과' if verified else '실패'}, {result['timings']['total']:.2f}초\n")
    sys.stdout.flush()


def sample_questions() -> list[str]:
    """Return five sample questions, the last one not answered by the documents."""
    rows = [json.loads(x) for x in (SAMPLE / "questions.jsonl").read_text("utf-8").splitlines() if x.strip()]
    return [r["question"] for r in rows if r["answer"]][:4] + [r["question"] for r in rows if not r["answer"]][:1]


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="ko-qas", description="문서에서 답을 찾습니다 (Korean open-book QA)")
    parser.add_argument("question", nargs="*", help="질문; 없으면 예제를 실행합니다")
    parser.add_argument("--documents", default=str(SAMPLE / "documents"), help="문서 파일이나 폴더, 저장된 색인")
    parser.add_argument("--model", default=str(ROOT), help="저장소 폴더나 허브 id")
    parser.add_argument("--threshold", type=float, default=None, help="유용성 문턱 0..1")
    parser.add_argument(
        "--least_confidence", type=float, default=None, help="이보다 확신이 낮은 답은 하지 않습니다 0..1"
    )
    parser.add_argument("--calibrate", metavar="PAIRS", help="question, answer 열이 있는 .csv나 .jsonl (약 100줄)")
    parser.add_argument("--most_wrong", type=float, default=0.05, help="--calibrate: 틀린 답의 가장 큰 비율")
    parser.add_argument("--certainty", type=float, default=0.9, help="--calibrate: 약속이 지켜질 확률; 0은 본 그대로")
    parser.add_argument("--endpoint", default=None, help="판단하고 쓸 OpenAI 호환 서버, http://localhost:8000/v1")
    parser.add_argument("--json", action="store_true", help="결과를 JSON으로 출력합니다")
    return parser


def answer_all(args: argparse.Namespace, analyzer: Thread) -> None:
    """Load, index and answer.

    Raises:
        KoQasError: Bad documents, question or option.
    """
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    from .koqas_pipeline import load, verify

    set_verbosity_error()
    disable_progress_bar()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it recommends kernels that fp32 does not use
    qa = load(args.model, endpoint=args.endpoint)
    analyzer.join()  # `kiwi()` keeps one instance, but two threads that ask at once would build two
    qa.index = qa.build_index(args.documents, progress=True)
    options = {"threshold": args.threshold, "least_confidence": args.least_confidence}
    options = {name: value for name, value in options.items() if value is not None}
    if args.calibrate:
        promise = qa.calibrate(args.calibrate, most_wrong=args.most_wrong, certainty=args.certainty, **options)
        sys.stdout.write(f"{json.dumps(asdict(promise)) if args.json else promise}\n")
        return
    for question in args.question or sample_questions():
        if args.json:
            sys.stdout.write(json.dumps(qa(question, **options), ensure_ascii=False) + "\n")
            continue
        teller = Teller(question)
        told: dict[str, Any] = {}
        for event in qa.stream(question, **options):
            told = event.to_dict()
            teller.tell(told)
        show(told["result"], verify(told["result"], qa.index))


def main() -> int:
    """Run the demo or one question; returns the exit code."""
    args = make_parser().parse_args()
    # Idle OpenMP threads spin by default; where other programs use the cores, that makes the model ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    analyzer = Thread(target=kiwi, daemon=True)
    analyzer.start()
    try:
        answer_all(args, analyzer)
    except KoQasError as error:
        sys.stderr.write(f"오류: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
