"""Questions with known answers, as the measurements take them.

Comes in: SQuAD-format files (KorQuAD 1.0, KorQuAD 2.x, SQuAD 2.0) or the written questions. Goes out: documents and
`Asked`. Knows nothing about models.
"""

import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koqas.koqas_html import visible_text
from koqas.koqas_types import Document, KoQasError
from koqas.train.corpora import written_passages
from koqas.train.sources.locating import has_markup
from koqas.train.sources.squad_family import answers_of


@dataclass(frozen=True)
class Asked:
    """A question with its gold answers (none: its document does not answer it), its document and article."""

    question: str
    answers: tuple[str, ...]
    document: Document
    article: str


@dataclass(frozen=True)
class QuestionSet:
    """Documents and the questions asked about them."""

    documents: list[Document]
    asked: list[Asked]

    @property
    def answerable(self) -> list[Asked]:
        """Questions that their document answers."""
        return [a for a in self.asked if a.answers]


def read_squad(path: Path) -> QuestionSet:
    """Read a file of `data[].paragraphs[].qas[]`, or of `data[].qas[]` with one page each (KorQuAD 2.x).

    Pages in HTML are read as the pipeline reads `.html` documents: what is visible.

    Raises:
        KoQasError: No such file, or not of this format; names the field.
    """
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
            articles = json.load(file)["data"]
        found = QuestionSet([], [])
        for article in articles:
            _read_article(article, found)
    except OSError as error:
        raise KoQasError("korquad", f"파일을 읽을 수 없습니다: {path}", str(error)) from error
    except (KeyError, TypeError, ValueError, lzma.LZMAError) as error:
        raise KoQasError("korquad", f"SQuAD 형식이 아닙니다: {path}", f"{type(error).__name__}: {error}") from error
    if not found.asked:
        raise KoQasError("korquad", f"질문이 없습니다: {path}", "pass a file with questions")
    return found


def _read_article(article: dict[str, Any], found: QuestionSet) -> None:
    title = str(article["title"])
    for number, paragraph in enumerate(article.get("paragraphs") or [article]):
        text = str(paragraph["context"])
        name = f"{title}-{number}"
        document = Document(name, visible_text(text) if has_markup(text) else text, title.replace("_", " "))
        found.documents.append(document)
        for qa in paragraph["qas"]:
            impossible = str(qa.get("is_impossible", "")).lower() in ("true", "1")
            answers = () if impossible else tuple(dict.fromkeys(a.text for a in answers_of(qa)))
            found.asked.append(Asked(str(qa["question"]), answers, document, title))


def read_written(folder: Path) -> QuestionSet:
    """Read the written questions of the development split; one in five is not answered by its own passage."""
    found = QuestionSet([], [])
    for passage in written_passages(folder, "development"):
        document = Document(passage.id, passage.text, passage.title)
        found.documents.append(document)
        found.asked.extend(
            Asked(q.question, (q.answer,) if q.answer else (), document, passage.title) for q in passage.questions
        )
    return found
