"""The report of a run: what every stage kept and refused, as numbers and as a picture.

Comes in: states of stages. Goes out: report.json and report.png. Holds no text of any row.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is needed, and none is looked for
import pylopdf_fonts_ko
from matplotlib import font_manager
from matplotlib import pyplot as plt

from koqas.train.preparation.line import StageState
from koqas.train.preparation.output import SplitRows, as_record
from koqas.train.preparation.settings import Recipe
from koqas.train.provenance import record_of

PACKAGES = ("datasets", "pyarrow", "datasketch", "presidio-analyzer", "selectolax", "matplotlib")
MOST_REASONS = 7  # of a stage that are shown by name
LABELS = {
    "sources": "읽기\nsources", "clean": "정제\nclean", "privacy": "개인정보\nprivacy", "dedup": "중복 제거\ndedup",
    "generate": "생성\ngenerate", "verify": "검증\nverify",
}  # fmt: skip


def report_of(recipe: Recipe, states: Sequence[StageState], written: SplitRows) -> dict[str, Any]:
    """Return the report; paths are cut to names, since only these mean something elsewhere."""
    record = record_of(recipe.arguments)
    record["versions"] |= {p: version(p) for p in PACKAGES}
    record["arguments"] |= {
        "sources": [{**asdict(e), "path": Path(e.path).name} for e in recipe.sources],
        "benchmarks": [{"set": b.set, "path": Path(b.path).name} for b in recipe.benchmarks],
        "forbidden_titles": Path(recipe.arguments.forbidden_titles).name,
        "key_file": bool(recipe.arguments.key_file),
        **{k: Path(getattr(recipe.arguments, k)).name for k in ("out", "report", "batch_requests", "names_model")},
    }
    record["generation"] = {k: v for k, v in asdict(recipe.generation).items() if k not in ("cache", "batch_file")}
    record["seed"] = recipe.generation.seed
    record["stages"] = [{k: v for k, v in asdict(s).items() if k not in ("given", "settings", "made")} for s in states]
    record["rows"] = as_record(written)
    record["n"] = sum(written.rows.values())
    return record


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write a report as JSON to `path`, and its picture beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    draw(report, path.with_suffix(".png"))


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw the rows that every stage kept, and its commonest reasons to refuse one."""
    font = pylopdf_fonts_ko.sans_path()
    font_manager.fontManager.addfont(str(font))
    family = font_manager.FontProperties(fname=str(font)).get_name()
    with plt.rc_context({"font.family": [family, "DejaVu Sans"], "axes.unicode_minus": False, "font.size": 9}):
        stages = report["stages"]
        figure, (rows, reasons) = plt.subplots(
            1, 2, figsize=(12, 1.1 + 0.95 * len(stages)), width_ratios=(2, 3), layout="constrained"
        )
        _draw_rows(rows, stages)
        _draw_reasons(reasons, stages)
        figure.suptitle(f"데이터 공장: 검증된 행 {report['n']:,}개 (verified rows), {report['date'][:10]}")
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _draw_rows(axes: Any, stages: Sequence[dict[str, Any]]) -> None:  # noqa: ANN401 - matplotlib axes
    places = range(len(stages))
    left = [0.0] * len(stages)
    for source in dict.fromkeys(name for s in stages for name in s["sources"]):
        counts = [s["sources"].get(source, 0) for s in stages]
        axes.barh(places, counts, left=left, height=0.6, label=source)
        left = [a + b for a, b in zip(left, counts)]
    for place, stage in zip(places, stages):
        axes.text(left[place], place, f" {stage['rows_out']:,}", va="center")
    axes.set_yticks(places, [LABELS.get(s["stage"], s["stage"]) for s in stages])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18 * max(left))
    axes.set_title("남은 행 (rows kept)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=4, frameon=False, fontsize=8)


def _draw_reasons(axes: Any, stages: Sequence[dict[str, Any]]) -> None:  # noqa: ANN401 - matplotlib axes
    most = max([sum(s["rejected"].values()) for s in stages] + [1])
    for place, stage in enumerate(stages):
        left = 0.0
        ordered = sorted(stage["rejected"].items(), key=lambda item: -item[1])
        for number, (_, count) in enumerate(ordered):
            axes.barh(place - 0.18, count, left=left, height=0.34, color=plt.colormaps["tab20"](number % 20))
            left += count
        shown = [f"{reason} {count:,}" for reason, count in ordered[:MOST_REASONS]]
        rest = sum(count for _, count in ordered[MOST_REASONS:])
        words = ", ".join([*shown, *([f"그 밖 {rest:,}"] if rest else [])]) or "없음 (none)"
        axes.text(0, place + 0.02, _wrapped(words), va="top", fontsize=7.5)
    axes.set_yticks([])
    axes.set_ylim(len(stages) - 0.3, -0.6)
    axes.set_xlim(0, 1.05 * most)
    axes.set_title("거절된 행과 이유 (rows refused, by reason)")


def _wrapped(words: str, width: int = 95) -> str:
    lines = [""]
    for part in words.split(", "):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + part
    return "\n".join(lines)
