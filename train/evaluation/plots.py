"""Pictures of the records: what probabilities are worth, and what each stage adds.

Comes in: records of results/. Goes out: PNG files that carry the digest of the numbers they show, so that a test can tell
an old picture. The ground is opaque and light: it reads the same on a dark page.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is needed, and none is looked for
import pylopdf_fonts_ko
from matplotlib import font_manager
from matplotlib import pyplot as plt
from PIL import Image

from koqas.train.preparation.line import digest_of

Record = dict[str, Any]
GROUND, INK, FAINT = "#fbfbf8", "#22272b", "#9aa3a9"
BLUE, ORANGE, GREEN, GREY = "#1f6fb2", "#d9650f", "#23845a", "#6b747a"
STYLE: dict[str, Any] = {
    "axes.unicode_minus": False, "font.size": 10, "figure.facecolor": GROUND, "axes.facecolor": GROUND,
    "savefig.facecolor": GROUND, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#e4e5df", "axes.titlesize": 11,
}  # fmt: skip


def draw_all(results: Path) -> list[Path]:
    """Draw every picture whose record is there and whose numbers are not those of the picture; return what was drawn."""
    drawn = []
    for name, draw in PICTURES.items():
        record, path = _record(results, name), results / f"{name}.png"
        if record is not None and digest_in(path) != digest_of(record["report"]):
            _save(draw, record, path)
            drawn.append(path)
    return drawn


def outdated(results: Path) -> list[Path]:
    """Return the pictures that are missing or show other numbers than their record."""
    paths = {results / f"{name}.png": _record(results, name) for name in PICTURES}
    return [p for p, r in paths.items() if r is not None and digest_in(p) != digest_of(r["report"])]


def digest_in(path: Path) -> str:
    """Return the digest that a picture carries, "" without one."""
    if not path.is_file():
        return ""
    with Image.open(path) as image:
        return str(image.info.get("Comment", ""))


def _record(results: Path, name: str) -> Record | None:
    path = results / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _save(draw: Callable[[Record], Any], record: Record, path: Path) -> None:
    font = str(pylopdf_fonts_ko.sans_path())
    font_manager.fontManager.addfont(font)
    family = font_manager.FontProperties(fname=font).get_name()
    style: Any = STYLE | {"font.family": [family, "DejaVu Sans"]}  # matplotlib types every key by name
    with plt.rc_context(style):
        figure = draw(record)
        figure.savefig(path, dpi=100, metadata={"Comment": digest_of(record["report"]), "Software": ""})
        plt.close(figure)


def reliability(record: Record) -> Any:  # noqa: ANN401 - matplotlib figure
    """Draw the reliability diagram, what the threshold trades, and risk against coverage."""
    report = record["report"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.3), layout="constrained")
    _draw_bins(left, report["docquest"])
    _draw_threshold(middle, report["threshold"])
    _draw_risk(right, report)
    return figure


def _draw_bins(axes: Any, docquest: Record) -> None:  # noqa: ANN401 - matplotlib axes
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1)
    bins = docquest["bins"]
    axes.plot([b["chance"] for b in bins], [b["share"] for b in bins], color=BLUE, marker="o")
    for b in bins:
        axes.annotate(
            f"{b['n']:,}", (b["chance"], b["share"]), (0, 7), textcoords="offset points", fontsize=8, color=GREY,
            ha="center",
        )  # fmt: skip
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.12), xlabel="DocQuest 확률", ylabel="실제로 답이 있던 비율")
    axes.set_title(f"신뢰도: 조각 {docquest['n']:,}개, ECE {docquest['expected_calibration_error']:.3f}")


def _draw_threshold(axes: Any, threshold: Record) -> None:  # noqa: ANN401 - matplotlib axes
    curve = threshold["curve"]
    lines = (
        ("answerable_with_evidence", "답 있는 질문: 근거가 남음", BLUE, "-"),
        ("unanswerable_refused", "답 없는 질문: 모두 걸러짐", ORANGE, "-"),
        ("useless_dropped", "쓸모없는 조각이 걸러짐", GREEN, "--"),
    )
    for key, label, color, dash in lines:
        axes.plot([c["threshold"] for c in curve], [c[key] for c in curve], color=color, linestyle=dash, label=label)
    axes.axvline(threshold["repository"], color=GREY, linewidth=1, linestyle=":")
    axes.annotate(f"기본 {threshold['repository']:g}", (threshold["repository"], 0.02), (4, 0), color=GREY,
                  textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), xlabel="DocQuest 문턱", ylabel="비율")
    axes.legend(frameon=False, fontsize=8, loc="lower center")
    axes.set_title("문턱 민감도")


def _draw_risk(axes: Any, report: Record) -> None:  # noqa: ANN401 - matplotlib axes
    curve = report["answers"]["curve"]
    axes.plot([c["answered"] for c in curve], [c["wrong"] for c in curve], color=BLUE, marker="o", markersize=4)
    for promise in report["promises"]:
        axes.axhline(promise["most_wrong"], color=FAINT, linewidth=0.8, linestyle=":")
        if promise["answered"]:
            axes.plot(promise["answered"], promise["wrong"], marker="*", markersize=13, color=ORANGE, linestyle="")
            axes.annotate(f"≤{promise['most_wrong']:.0%}: {promise['answered']:.0%}에 답함",
                          (promise["answered"], promise["wrong"]), (6, -11), textcoords="offset points", fontsize=8)  # fmt: skip
    unanswerable = report["unanswerable"] / report["n"]
    axes.set(xlim=(0, 1.02), ylim=(-0.02, None), xlabel="답한 질문의 비율", ylabel="그 가운데 틀린 답")
    axes.set_title(f"위험과 범위: 질문 {report['n']}개({unanswerable:.0%}는 답 없음)")


def claim(record: Record) -> Any:  # noqa: ANN401 - matplotlib figure
    """Draw what each arm reaches, with its 95 % intervals."""
    arms = record["report"]["arms"]
    measures = (
        ("f1", "답 있는 질문: F1", BLUE), ("invented", "답 없는 질문: 지어낸 답", ORANGE), ("accuracy", "모두: 맞은 비율", GREEN),
    )  # fmt: skip
    figure, axes = plt.subplots(1, 3, figsize=(13, 1.4 + 0.42 * len(arms)), layout="constrained", sharey=True)
    for plot, (key, title, color) in zip(axes, measures, strict=True):
        _draw_measure(plot, arms, key, color)
        plot.set_title(title)
    axes[0].set_yticks(range(len(arms)), [a["name"] for a in arms])
    axes[0].invert_yaxis()
    return figure


def _draw_measure(axes: Any, arms: Sequence[Record], key: str, color: str) -> None:  # noqa: ANN401 - matplotlib axes
    for place, arm in enumerate(arms):
        if key in arm:
            found = arm[key]
            axes.plot([found["low"], found["high"]], [place, place], color=color, linewidth=2)
            axes.plot(found["mean"], place, marker="o", color=color, linestyle="")
            axes.annotate(f"{found['mean']:.2f}", (found["mean"], place), (0, 6), color=INK, fontsize=8, ha="center",
                          textcoords="offset points")  # fmt: skip
    axes.set_xlim(0, 1.02)


PICTURES: dict[str, Callable[[Record], Any]] = {"reliability": reliability, "claim": claim}
