"""The generic mapper: any JSON, JSON-lines, CSV, XLSX or Parquet file, read by key paths that the user gives.

Comes in: a mapping from our fields to key paths, e.g. `question: data[].items[].q`, `context: data[].body`. Goes
out: reading rows where `context` is mapped and filled, closed-book rows otherwise. `[]` stands for the items of a
list; a path is read from the same item as the question as far as both share their lists.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from koqas.koqas_types import KoQasError
from koqas.train.examples import EvidenceSpan
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of
from koqas.train.sources.locating import locate
from koqas.train.sources.records import Record
from koqas.train.sources.squad_family import answer_text
from koqas.train.sources.tables import as_text, records_of

FIELDS = ("question", "answer", "context", "title", "id", "answer_start", "evidence", "summary", "domain")
SUFFIXES = frozenset({".json", ".jsonl", ".csv", ".xlsx", ".parquet"})


def mapping_reader(mapping: dict[str, str]) -> Reader:
    """Return a reader for files described by a mapping.

    Raises:
        KoQasError: A field is unknown, or question and answer are not both mapped.
    """
    unknown = [field for field in mapping if field not in FIELDS]
    if unknown or not {"question", "answer"} <= mapping.keys():
        raise KoQasError(
            "mapping",
            f"모르는 항목이거나 question, answer가 없습니다: {', '.join(unknown or mapping)}",
            f"map question and answer; known fields: {', '.join(FIELDS)}",
        )
    outer, brackets, _ = mapping["question"].partition("[]")
    key = outer if brackets else ""
    return Reader(SUFFIXES, lambda file: records_of(file, key), partial(_rows, mapping, key))


def ask_for_mapping(name: str, keys: list[str]) -> KoQasError:
    """Return the error that asks for a mapping and shows what it could name."""
    found = ", ".join(keys) or "(none)"
    return KoQasError(
        "mapping",
        f"{name}: 공개된 형식이 없어 키 경로를 알려 주셔야 합니다. 파일에서 찾은 키: {found}",
        "write a YAML file such as 'question: data[].q' and pass --mapping FILE",
    )


def _rows(
    mapping: dict[str, str], key: str, record: Record, origin: Origin, options: ReadOptions
) -> Iterator[Outcome]:
    lists = mapping["question"].split("[].")[:-1]
    # Items of the outermost list of a JSON file come one by one; a line or a table row comes whole.
    streamed = bool(lists) and record.place.startswith(f"{key}[")
    prefix = f"{key}[]." if streamed else ""
    for place, scopes in _scopes({prefix: record.value}, prefix, lists[1:] if streamed else lists):
        inner = record.inner(place, None) if place else record
        values = {field: as_text(_value(scopes, path)) for field, path in mapping.items()}
        yield _row(inner, origin, values)


def _scopes(known: dict[str, Any], prefix: str, lists: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for every innermost item, its place and the item chosen under each list prefix on the way to it."""
    if not lists:
        yield "", known
        return
    deeper = f"{prefix}{lists[0]}[]."
    for number, item in enumerate(_walk(known[prefix], lists[0]) or []):
        for place, scopes in _scopes({**known, deeper: item}, deeper, lists[1:]):
            yield f"{lists[0]}[{number}]{'.' if place else ''}{place}", scopes


def _value(scopes: dict[str, Any], path: str) -> Any:  # noqa: ANN401 - any JSON value
    prefix = max((p for p in scopes if path.startswith(p)), key=len, default=None)
    return None if prefix is None else _walk(scopes[prefix], path.removeprefix(prefix))


def _walk(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Follow a path; a column may itself have dots in its name, a list below the question gives its first item."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for key in path.split("."):
        value = value.get(key.removesuffix("[]")) if isinstance(value, dict) else None
        if key.endswith("[]"):
            value = value[0] if isinstance(value, list) and value else None
    return value


def _row(record: Record, origin: Origin, values: dict[str, str]) -> Outcome:
    question, answer, context = (values.get(field, "") for field in ("question", "answer", "context"))
    if missing := record.lacking(question=question, answer=answer):
        return missing
    make = partial(
        example_of,
        origin,
        record,
        question=question,
        summary=values.get("summary", ""),
        native_id=values.get("id", ""),
        domain=values.get("domain", ""),
    )
    if not context:
        return make(answer=answer, clue=values.get("evidence", ""))
    place = locate(context, answer, values.get("answer_start"))
    shown = answer_text(context, place) if place else answer
    place = place or locate(context, values.get("evidence", ""))
    if place is None:
        return record.rejected("answer_not_in_context", f"{answer[:80]!r}")
    document = document_of(origin, context, values.get("title", ""))
    span = EvidenceSpan(document.id, place.start, place.end)
    return make([document], answer=shown, evidence=[span], offset=place.how)
