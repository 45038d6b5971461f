"""List the sets that can be read, or read one into rows.

    python -m koqas.train.sources list --path korquad1=KorQuAD_v1.0_dev.json
    python -m koqas.train.sources read aihub_news "017.뉴스 기사 기계독해 데이터" --limit 100 --out rows.jsonl
    python -m koqas.train.sources read economy_sports qa.json --mapping mapping.yaml --out rows.parquet

`--rejected FILE` keeps what was not read, with file, row and reason. Exit codes: 0 rows were read, 1 none was,
2 a wrong argument.
"""

import argparse
import json
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import islice
from pathlib import Path

import yaml
from tqdm import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example, write_examples
from koqas.train.rejections import RejectionLog
from koqas.train.sources.building import ReadOptions
from koqas.train.sources.catalog import SOURCES, Source, source_named
from koqas.train.sources.reading import only_examples, read_source

HEADER = ("set", "title", "domain", "licence", "third party", "confidence", "rows", "access terms")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of both commands."""
    parser = argparse.ArgumentParser(
        prog="koqas.train.sources", description="학습 데이터셋 읽기 (read public QA sets)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="데이터셋 표 (table of sets)")
    listing.add_argument("--path", action="append", default=[], metavar="NAME=PATH", help="행 수를 셀 파일이나 폴더")
    reading = commands.add_parser("read", help="데이터셋을 행으로 (read a set into rows)")
    reading.add_argument("name", help="표의 set 이름")
    reading.add_argument("path", type=Path, help="내려받은 zip, 폴더 또는 파일")
    reading.add_argument("--limit", type=int, default=None, help="이만큼만 읽습니다")
    reading.add_argument("--out", type=Path, default=None, help=".jsonl 또는 .parquet; 없으면 표준 출력")
    reading.add_argument("--rejected", type=Path, default=None, help="읽지 못한 행과 이유를 쓸 .jsonl")
    reading.add_argument("--mapping", type=Path, default=None, help="항목: 키 경로 YAML (공개되지 않은 형식)")
    reading.add_argument("--column", action="append", default=[], metavar="OURS=THEIRS", help="기사 JSONL의 키 이름")
    reading.add_argument("--since", type=date.fromisoformat, default=ReadOptions.since, help="이 날부터의 기사만")
    reading.add_argument("--history", type=int, default=ReadOptions.history, help="대화 질문 앞에 붙일 차례 수")
    return parser


def _pairs(arguments: list[str], field: str) -> dict[str, str]:
    for argument in arguments:
        if "=" not in argument:
            raise KoQasError(field, f"'이름=값' 꼴이 아닙니다: {argument}", "write NAME=VALUE")
    return dict(argument.split("=", 1) for argument in arguments)


def _mapping(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    if not path.is_file():
        raise KoQasError("mapping", f"파일이 없습니다: {path}", "pass a YAML file")
    try:
        mapping = yaml.safe_load(path.read_text("utf-8-sig"))
    except yaml.YAMLError as error:
        raise KoQasError("mapping", f"YAML을 읽을 수 없습니다: {path}", str(error)) from error
    if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
        raise KoQasError("mapping", f"항목과 키 경로의 표가 아닙니다: {path}", "one 'field: key.path' a line")
    return mapping


def show_list(paths: dict[str, str]) -> int:
    """Print the table, counting rows where a path is given."""
    for name in paths:
        source_named(name)
    lines = [HEADER]
    for source in SOURCES:
        rows = _count(source, Path(paths[source.name])) if source.name in paths else ""
        lines.append(
            (
                source.name,
                source.title,
                source.domain,
                source.license,
                source.third_party,
                source.confidence,
                rows,
                source.access,
            )
        )
    widths = [max(map(_width, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths)).rstrip())
    return 0


def _count(source: Source, path: Path) -> str:
    with closing(read_source(source, path)) as outcomes:
        kinds = Counter(isinstance(o, Example) for o in outcomes)
    return f"{kinds[True]} (-{kinds[False]})" if kinds[False] else str(kinds[True])


def _width(cell: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in cell)


def read(args: argparse.Namespace) -> int:
    """Read one set, write its rows and say what came of it."""
    source = source_named(args.name)
    if args.limit is not None and args.limit < 1:
        raise KoQasError("limit", f"1 이상이어야 합니다: {args.limit}", "leave --limit out to read everything")
    for written in (args.out, args.rejected):
        if written and args.path.is_dir() and written.resolve().is_relative_to(args.path.resolve()):
            raise KoQasError(
                "out", f"읽는 폴더 안에 쓰려고 합니다: {written}", "write outside the folder that is read"
            )
    options = ReadOptions(args.since, _mapping(args.mapping), _pairs(args.column, "column"), args.history)
    shapes: Counter[str] = Counter()
    offsets: Counter[str] = Counter()

    def counted(rows: Iterator[Example]) -> Iterator[Example]:
        for row in tqdm(islice(rows, args.limit), unit=" rows", disable=None):
            shapes[row.shape] += 1
            offsets[row.meta.get("offset", "none")] += 1
            yield row

    with RejectionLog(args.rejected) as log, closing(read_source(source, args.path, options)) as outcomes:
        rows = counted(only_examples(outcomes, log))
        if args.out:
            write_examples(args.out, rows)
        else:
            for row in rows:
                print(json.dumps(row.to_dict(), ensure_ascii=False))
    for title, counts in (("rows", shapes), ("offsets", offsets), ("rejected", log.counts)):
        shown = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        sys.stderr.write(f"{title}: {counts.total()}{f' ({shown})' if shown else ''}\n")
    return 0 if shapes else 1


def main() -> int:
    """Run one command; returns the exit code."""
    args = make_parser().parse_args()
    try:
        return show_list(_pairs(args.path, "path")) if args.command == "list" else read(args)
    except KoQasError as error:
        sys.stderr.write(f"오류: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
