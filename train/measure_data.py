"""Measure cleaning, privacy and deduplication: `python -m koqas.train.measure_data --data DIR`, about four minutes.

Comes in: the benchmarks of tests/benchmarks, the training corpora (for speed) and KLUE-NER development (for names,
measuring only). Goes out: results/data_quality.json. Each speed stands beside that of the named library alone, run in
the same process on the same texts, since this machine is shared: compare ratios. Speeds count CPU seconds of one core.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import regex
from datasketch import MinHash, MinHashLSH
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    IpRecognizer,
    KrBrnRecognizer,
    KrDriverLicenseRecognizer,
    KrFrnRecognizer,
    KrPassportRecognizer,
    KrRrnRecognizer,
    PhoneRecognizer,
)
from selectolax.lexbor import LexborHTMLParser
from transformers import HfArgumentParser

from koqas.koqas_types import Span
from koqas.train.cleaning.markup import looks_like_html
from koqas.train.cleaning.quality import QualityPolicy, flaw_of
from koqas.train.cleaning.stage import clean_text
from koqas.train.corpora import read_jsonl
from koqas.train.dedup.canonical import canonical
from koqas.train.dedup.clusters import clusters_of
from koqas.train.dedup.fingerprints import NearIndex, signatures
from koqas.train.privacy.findings import IDENTIFIERS, NAME
from koqas.train.privacy.identifiers import identifiers_in
from koqas.train.privacy.names import KiwiNames
from koqas.train.provenance import record_of

BENCHMARKS = Path(__file__).resolve().parent.parent / "tests" / "benchmarks"
PACKAGES = ("selectolax", "presidio-analyzer", "datasketch", "kiwipiepy", "scikit-learn")
PRESIDIO_KINDS = {
    "KR_RRN": "주민등록번호",
    "KR_FRN": "외국인등록번호",
    "KR_BRN": "사업자등록번호",
    "KR_PASSPORT": "여권번호",
    "KR_DRIVER_LICENSE": "운전면허번호",
    "CREDIT_CARD": "카드번호",
    "IP_ADDRESS": "IP주소",
    "PHONE_NUMBER": "전화번호",
}


@dataclass
class MeasureArguments:
    """Where the texts are and how many to read."""

    data: str
    out: str = "results/data_quality.json"
    pages: int = 1000
    documents: int = 10_000


@dataclass
class Tally:
    """Hits, wrong findings and misses over a benchmark of `n` cases."""

    n: int = 0
    hits: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, gold: set[Any], found: set[Any]) -> None:
        """Count one case."""
        self.n += 1
        self.hits += len(gold & found)
        self.wrong += len(found - gold)
        self.missed += len(gold - found)

    def report(self) -> dict[str, float | int]:
        """Return counts, precision, recall and F1."""
        precision = self.hits / max(self.hits + self.wrong, 1)
        recall = self.hits / max(self.hits + self.missed, 1)
        f1 = 2 * self.hits / max(2 * self.hits + self.wrong + self.missed, 1)
        return asdict(self) | {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}

    def errors(self) -> dict[str, int]:
        """Return the number of cases and of errors, where F1 says nothing (no positive case)."""
        return {"n": self.n, "errors": self.wrong + self.missed}


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one run."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def measure_privacy(folder: Path) -> dict[str, Any]:
    """Return F1 of identifiers by split and kind, of Presidio alone, and of names on both benchmarks."""
    cases = [json.loads(line) for line in (BENCHMARKS / "pii.jsonl").read_text(encoding="utf-8").splitlines()]
    tallies = {name: Tally() for name in ("all", "development", "test", "presidio alone", *IDENTIFIERS)}
    for case in cases:
        gold = {(f["start"], f["end"], f["kind"]) for f in case["findings"] if f["kind"] in IDENTIFIERS}
        found = {(f.start, f.end, f.kind) for f in identifiers_in(case["text"])}
        for name in ("all", case["split"]):
            tallies[name].add(gold, found)
        tallies["presidio alone"].add(gold, _presidio_alone(case["text"]))
        for kind in IDENTIFIERS:
            tallies[kind].add({g for g in gold if g[2] == kind}, {f for f in found if f[2] == kind})
    own = Tally()
    for case, findings in zip(cases, KiwiNames()([c["text"] for c in cases])):
        written = {(f["start"], f["end"]) for f in case["findings"] if f["kind"] == NAME}
        own.add(written, {(f.start, f.end) for f in findings if f.kind == NAME})
    texts = [c["text"] for c in cases] * 20
    seconds = seconds_of(lambda: [identifiers_in(t) for t in texts])
    alone = seconds_of(lambda: [_presidio_alone(t) for t in texts])
    return {
        "identifiers": {name: tally.report() for name, tally in tallies.items()},
        "found_in_public_text": _found_in(folder),
        "names": {"own benchmark": own.report(), "klue_ner_dev_a PS": _klue_names(folder).report()},
        "speed": {
            "characters_per_second": int(sum(map(len, texts)) / seconds),
            "ratio_to_presidio": round(alone / seconds, 2),
        },
    }


def _presidio_alone(text: str) -> set[tuple[int, int, str]]:
    """What Presidio's recognizers for Korea find as they come, each match that has no competitor."""
    return {
        (r.start, r.end, PRESIDIO_KINDS[r.entity_type])
        for recognizer in PRESIDIO
        for r in recognizer.analyze(text, recognizer.supported_entities, None)
        if r.score >= 0.4
    }


# The e-mail recognizer is missing: it asks the network for domain endings.
PRESIDIO: tuple[Any, ...] = (
    KrRrnRecognizer(),
    KrFrnRecognizer(),
    KrBrnRecognizer(),
    KrPassportRecognizer(),
    KrDriverLicenseRecognizer(),
    CreditCardRecognizer(supported_language="ko"),
    IpRecognizer(supported_language="ko"),
    PhoneRecognizer(supported_language="ko", supported_regions=("KR",)),
)


def _found_in(folder: Path) -> dict[str, Any]:
    """Count findings in an encyclopedia, statutes and decisions; true ones are addresses of public places and lots."""
    report: dict[str, Any] = {}
    for name, column in (("kowiki", "text"), ("laws", "text"), ("precedents", "body")):
        texts = [row[column] for row in islice(read_jsonl(folder / f"{name}.jsonl.xz"), 1000)]
        kinds = Counter(f.kind for t in texts for f in identifiers_in(t))
        report[name] = {"characters": sum(map(len, texts)), **kinds}
    return report


def _klue_names(folder: Path) -> Tally:
    rows = list(read_jsonl(folder / "klue_ner_dev_a.jsonl.xz"))
    tally = Tally()
    for row, findings in zip(rows, KiwiNames()([r["text"] for r in rows])):
        tally.add(set(_tagged(row["tags"])), {(f.start, f.end) for f in findings if f.kind == NAME})
    return tally


def _tagged(tags: list[str]) -> Iterable[tuple[int, int]]:
    """Spans of people in character tags."""
    start = None
    for at, tag in enumerate([*tags, "O"]):
        if start is not None and tag != "I-PS":
            yield start, at
            start = None
        if tag == "B-PS":
            start = at


def measure_dedup(texts: list[str]) -> dict[str, Any]:
    """Return F1 on near duplicates and the speed of signatures and index, beside datasketch on its own."""
    cases = [json.loads(x) for x in (BENCHMARKS / "near_duplicates.jsonl").read_text(encoding="utf-8").splitlines()]
    tallies: dict[str, Tally] = {}
    kinds: dict[str, Tally] = {}
    for case in cases:
        same = len(set(clusters_of([case["a"], case["b"]]))) == 1
        gold, found = ({1} if case["duplicate"] else set()), ({1} if same else set())
        for name in ("all", case["split"]):
            tallies.setdefault(name, Tally()).add(gold, found)
        kinds.setdefault(case["kind"], Tally()).add(gold, found)
    index = NearIndex()
    ours = seconds_of(lambda: [index.add(i, s) for i, s in enumerate(signatures(texts))])
    alone = seconds_of(lambda: _datasketch_alone(texts))
    whole = seconds_of(lambda: clusters_of(texts))
    return {
        "near_duplicates": {name: tally.report() for name, tally in tallies.items()},
        "near_duplicates_by_kind": {name: tally.errors() for name, tally in kinds.items()},
        "speed": {
            "documents": len(texts),
            "characters_per_document": round(sum(map(len, texts)) / len(texts), 1),
            "minhash_documents_per_second": int(len(texts) / ours),
            "datasketch_alone_documents_per_second": int(len(texts) / alone),
            "ratio_to_datasketch": round(alone / ours, 2),
            "with_judging_documents_per_second": int(len(texts) / whole),
        },
    }


def _datasketch_alone(texts: list[str]) -> None:
    """The library as its manual shows it, on the same shingles: canonical form, SHA-1 of each 5-gram, LSH."""
    index = MinHashLSH(num_perm=128, params=(32, 4))
    forms = map(canonical, texts)
    shingles = ({f[i : i + 5].encode() for i in range(max(len(f) - 4, 1))} for f in forms)
    for number, signature in enumerate(MinHash.generator(shingles, num_perm=128)):
        index.query(signature)
        index.insert(number, signature)


def measure_cleaning(articles: list[dict[str, str]]) -> dict[str, Any]:
    """Return speeds on plain text and on HTML, and the share of cells and sentences still found after conversion."""
    plain = [a["text"] for a in articles]
    pages = [page_of(a["title"], a["text"]) for a in articles]
    policy = QualityPolicy()
    plain_seconds = seconds_of(lambda: [flaw_of(clean_text(t).text, policy) for t in plain])
    page_seconds = seconds_of(lambda: [flaw_of(clean_text(p).text, policy) for p in pages])
    alone = seconds_of(lambda: [LexborHTMLParser(p).text() for p in pages])
    kept = Tally()
    for page in pages[:200]:
        kept = _followed(page, kept)
    sizes = [sum(len(t.encode()) for t in texts) / 1e6 for texts in (plain, pages)]
    return {
        "plain_megabytes_per_second": round(sizes[0] / plain_seconds, 2),
        "html_megabytes_per_second": round(sizes[1] / page_seconds, 2),
        "ratio_to_selectolax_text": round(alone / page_seconds, 3),
        "articles": len(articles),
        "answers_in_html": {"tried": kept.n, "found": kept.hits, "share": round(kept.hits / max(kept.n, 1), 4)},
    }


def page_of(title: str, text: str) -> str:
    """Wrap an article as a wiki page: paragraphs, notes, links, entities, a list, and a table with spans."""
    lines = [x for x in text.split("\n") if x.strip()]
    body = "".join(
        f'<p class="text">{_escaped(x[:40])}<a href="/wiki/{i}">{_escaped(x[40:50])}</a>{_escaped(x[50:])}'
        f'<sup class="reference"><a href="#n{i}">[{i}]</a></sup></p>\n'
        for i, x in enumerate(lines)
    )
    rows = "".join(
        f'<tr><td rowspan="2">{i}년</td><td>{_escaped(x[:12])}</td></tr><tr><td>{_escaped(x[12:30]) or "-"}</td></tr>'
        for i, x in enumerate(lines)
    )
    items = "".join(f"<li>{_escaped(x[:25])}" for x in lines)
    return (
        f"<!DOCTYPE html><html><head><title>{_escaped(title)}</title><style>p {{margin: 0}}</style></head><body>"
        f'<div id="content"><h1>{_escaped(title)}</h1>{body}<ul>{items}</ul><table class="wikitable"><tr><th>해<th>일</tr>'
        f'{rows}</table></div><div class="navbox">둘러보기</div><script>var a = "<p>";</script></body></html>'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _followed(page: str, tally: Tally) -> Tally:
    """Follow every cell and every paragraph, tags included, as KorQuAD 2 marks answers."""
    trail = clean_text(page)
    for match in regex.finditer(r"<td[^>]*>([^<]+)</td>|<p class=\"text\">(.+?)</p>", page):
        group = 1 if match.group(1) else 2
        place = trail.follow(Span(*match.span(group)))
        shown = regex.sub(r"\W", "", clean_text(match.group(group), boilerplate=False).text)
        found = place is not None and regex.sub(r"\W", "", trail.text[place.start : place.end]) == shown
        if shown and not looks_like_html(shown):
            tally.add({1}, {1} if found else set())
    return tally


def main(arguments: MeasureArguments) -> None:
    """Measure and write."""
    folder = Path(arguments.data)
    articles = list(islice(read_jsonl(folder / "kowiki.jsonl.xz"), max(arguments.pages, arguments.documents // 3)))
    pieces = (a["text"][i : i + 300] for a in articles for i in range(0, len(a["text"]) - 300, 300))
    identifiers_in("1")  # imports are not what is measured
    record = record_of(arguments)
    record["versions"] |= {p: version(p) for p in PACKAGES}
    record |= {
        "seed": 1,
        "cleaning": measure_cleaning(articles[: arguments.pages]),
        "privacy": measure_privacy(folder),
        "dedup": measure_dedup(list(islice(pieces, arguments.documents))),
    }
    Path(arguments.out).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({k: record[k] for k in ("cleaning", "privacy", "dedup")}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main(HfArgumentParser(MeasureArguments).parse_args_into_dataclasses()[0])
