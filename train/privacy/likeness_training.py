"""Learn how names look: `python -m koqas.train.privacy.likeness_training --data DIR`, about two minutes.

Comes in: kowiki of the training corpora. Articles that open with a life span are about people: their titles, and the
parts of foreign ones, are names. Other titles and the nouns of other articles are none. Goes out:
`likeness.safetensors` and `results/name_likeness.json` with the quality on words kept aside.
"""

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from transformers import HfArgumentParser

from koqas.koqas_text import kiwi
from koqas.train.corpora import forbidden_titles, is_forbidden, read_jsonl
from koqas.train.privacy.likeness import BUCKETS, PARAMETERS, NameLikeness, buckets_of
from koqas.train.provenance import record_of

LIFE = re.compile(r"\([^()]{0,80}\d{3,4}년[^()]{0,30}[~∼–-]")
HANGUL = re.compile("[가-힣]{2,8}")
QUALIFIER = re.compile(r"\s*\(.*\)$")
LIVED = re.compile(r"(?:[가-힣]+ )?([가-힣]{2,6}(?: [가-힣]{2,6})?)\([^()]{0,60}\d{4}년[^()]{0,30}[~∼–-]")


@dataclass
class LikenessArguments:
    """What to learn from."""

    data: str
    out: str = str(PARAMETERS)
    results: str = "results/name_likeness.json"
    articles_read: int = 1500
    strength: float = 1.0


def words_of(folder: Path, articles_read: int) -> Iterator[tuple[str, bool]]:
    """Yield words with whether they name people; `articles_read` other articles give their nouns."""
    digests = forbidden_titles(folder)
    others: list[str] = []
    for row in read_jsonl(folder / "kowiki.jsonl.xz"):
        title = QUALIFIER.sub("", row["title"])
        if is_forbidden(row["title"], digests):
            continue
        is_person = LIFE.search(row["text"][:160]) is not None
        for part in {title, *title.split()}:
            if HANGUL.fullmatch(part.replace(" ", "")) and (is_person or part == title):
                yield part, is_person
        if is_person:
            for match in LIVED.finditer(row["text"]):
                yield match.group(1).split()[-1], True
        else:
            others.append(row["text"][:2000])
    for tokens in kiwi().tokenize(list(islice(others, articles_read))):
        for token in tokens:
            if token.tag == "NNG" and HANGUL.fullmatch(token.form):
                yield token.form, False


def main(arguments: LikenessArguments) -> None:
    """Train, save and measure."""
    names: dict[str, bool] = {}
    for word, is_name in words_of(Path(arguments.data), arguments.articles_read):
        names[word] = names.get(word, False) or is_name
    words = sorted(names)
    labels = np.array([names[w] for w in words])
    aside = np.array([zlib.crc32(w.encode()) % 10 == 0 for w in words])
    rows = [buckets_of(w) for w in words]
    ends = np.cumsum([0, *map(len, rows)])
    matrix = csr_matrix((np.ones(ends[-1], dtype=np.float32), np.concatenate(rows), ends), (len(words), BUCKETS))
    model = LogisticRegression(C=arguments.strength, class_weight="balanced", max_iter=500)
    model.fit(matrix[~aside], labels[~aside])
    tensors = {"weights": model.coef_[0].astype(np.float16), "bias": model.intercept_.astype(np.float32)}
    save_file(tensors, arguments.out)
    scores = NameLikeness(Path(arguments.out)).of(w for w, a in zip(words, aside) if a)
    quality = {
        "words": int(aside.sum()),
        "names": int(labels[aside].sum()),
        "auroc": float(roc_auc_score(labels[aside], scores)),
        "average_precision": float(average_precision_score(labels[aside], scores)),
    }
    record = record_of(arguments) | {"trained_on": int((~aside).sum()), "aside": quality}
    Path(arguments.results).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(quality))


if __name__ == "__main__":
    main(HfArgumentParser(LikenessArguments).parse_args_into_dataclasses()[0])
