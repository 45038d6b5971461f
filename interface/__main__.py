"""Start the app on this machine.

    python -m koqas.interface                                  # the embedded model and the sample documents
    python -m koqas.interface --documents 내문서/ --model org/repo
    python -m koqas.interface --feedback_repo org/feedback     # opinions are pushed there, private

Opinions are written to `feedback/` (see `--feedback`), with personal data masked.
"""

import argparse
import os
import sys
from pathlib import Path

from koqas.koqas_types import KoQasError


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m koqas.interface", description="Ko-QAS의 브라우저 화면")
    parser.add_argument("--documents", default=None, help="처음에 보이는 문서 폴더나 저장된 색인; 없으면 예제 문서")
    parser.add_argument("--model", default=None, help="저장소 폴더나 허브 id; 없으면 내장 모델")
    parser.add_argument("--endpoint", default=None, help="판단하고 쓸 OpenAI 호환 서버, http://localhost:8000/v1")
    parser.add_argument("--host", default="127.0.0.1", help="주소; 밖에서도 쓰려면 0.0.0.0")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--largest", default="50mb", help="파일 하나의 최대 크기")
    parser.add_argument("--feedback", default="feedback", help="의견을 쓰는 폴더")
    parser.add_argument("--feedback_repo", default="", help="의견을 몇 분마다 올릴 데이터셋 저장소(비공개)")
    parser.add_argument("--unmasked", action="store_true", help="의견의 개인정보를 가리지 않습니다")
    return parser


def serve(args: argparse.Namespace) -> None:
    """Load everything and serve until told to stop.

    Raises:
        KoQasError: Bad model, documents, endpoint or feedback folder, or Gradio is missing.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise KoQasError("app", "gradio 패키지가 필요합니다.", "make app, or pip install 'koqas[app]'") from error
    from koqas.interface.app import App, launch
    from koqas.interface.feedback import FeedbackBook
    from koqas.koqas_demo import ROOT, SAMPLE
    from koqas.koqas_pipeline import load

    book = FeedbackBook(Path(args.feedback), masking=not args.unmasked, repo_id=args.feedback_repo)
    try:
        qa = load(args.model or str(ROOT), endpoint=args.endpoint)
        documents = args.documents or (SAMPLE / "documents" if (SAMPLE / "documents").is_dir() else None)
        if documents is not None:
            qa.index = qa.build_index(documents, progress=True)
        launch(App(qa, book), server_name=args.host, server_port=args.port, max_file_size=args.largest, ssr_mode=False)
    finally:
        book.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow each other down
    try:
        serve(make_parser().parse_args(arguments))
    except KoQasError as error:
        sys.stderr.write(f"오류: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
