"""Start the service.

    python -m koqas.service --documents 내문서/ --port 8080
    python -m koqas.service --endpoint http://localhost:8000/v1      # a large model judges and writes

SIGTERM or Ctrl-C: no new requests, those under way are finished, then the process ends.
"""

import argparse
import os
import sys

from koqas.koqas_types import KoQasError

MEGABYTE = 2**20


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m koqas.service", description="Ko-QAS의 HTTP 서비스")
    parser.add_argument("--documents", default=None, help="문서 폴더나 저장된 색인; 없으면 요청마다 문서를 받습니다")
    parser.add_argument("--model", default=None, help="저장소 폴더나 허브 id; 없으면 내장 모델")
    parser.add_argument("--endpoint", default=None, help="판단하고 쓸 OpenAI 호환 서버, http://localhost:8000/v1")
    parser.add_argument("--host", default="127.0.0.1", help="주소; 밖에서 쓰려면 0.0.0.0과 KOQAS_API_KEY")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--concurrency", type=int, default=2, help="동시에 답하는 질문 수")
    parser.add_argument("--waiting", type=int, default=32, help="차례를 기다릴 수 있는 질문 수; 넘으면 429")
    parser.add_argument("--largest", type=int, default=10, help="요청 하나의 최대 크기(MB); 넘으면 413")
    parser.add_argument("--grace", type=int, default=30, help="끝낼 때 하던 일을 기다리는 초")
    return parser


def serve(args: argparse.Namespace) -> None:
    """Load the pipeline and serve until told to stop.

    Raises:
        KoQasError: Bad model, documents, endpoint or numbers.
    """
    for name in ("concurrency", "waiting", "largest", "grace"):
        if getattr(args, name) < (0 if name == "waiting" else 1):
            raise KoQasError(name, f"쓸 수 없는 값입니다: {getattr(args, name)}", "pass a positive number")
    import uvicorn

    from koqas.koqas_demo import ROOT
    from koqas.koqas_pipeline import load
    from koqas.service.desk import Desk
    from koqas.service.server import Service

    qa = load(args.model or str(ROOT), endpoint=args.endpoint)
    if args.documents is not None:
        qa.index = qa.build_index(args.documents, progress=True)
    desk = Desk(qa, args.concurrency, args.waiting)
    app = Service(desk, args.largest * MEGABYTE, os.environ.get("KOQAS_API_KEY", "")).app()
    uvicorn.run(app, host=args.host, port=args.port, log_level="info", timeout_graceful_shutdown=args.grace)


def main() -> int:
    """Run the command line; returns the exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow each other down
    try:
        serve(make_parser().parse_args())
    except KoQasError as error:
        sys.stderr.write(f"오류: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
