"""The preference stage: what it compares, and when it is kept."""

import csv
import json

from conftest import ROOT

from koqas.train.evaluation.training_tables import preference_sentence
from koqas.train.preference_stage import PREFERRED, READERS, StageArguments, compared, kept, write_questions


def row(em, f1=None):
    shown = {"em": em, "f1": em if f1 is None else f1, "seconds": 0.1}
    return shown | dict.fromkeys(("em_korquad2", "f1_korquad2", "evidence_hit", "answered", "literal"), 1.0)


def rows(before, after):
    sides = {"default": before, PREFERRED: after}
    return {f"{reader}, {name}": [row(x) for x in side] for reader in READERS for name, side in sides.items()}


def test_it_is_kept_only_where_the_gain_is_sure():
    gain = compared(rows([0.0] * 40, [1.0] * 40), 0)
    assert kept(gain) and gain["whole"]["difference"]["em"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 40}
    assert not kept(compared(rows([0.0] * 20 + [1.0] * 20, [0.0] * 19 + [1.0] * 21), 0))
    assert not kept(compared(rows([1.0] * 40, [0.0] * 40), 0))


def test_questions_come_from_training_passages_with_an_answer(tmp_path, monkeypatch):
    from koqas.train import preference_stage
    from koqas.train.corpora import Passage, WrittenQuestion

    questions = (
        WrittenQuestion("길이는?", "42km", "한들강은 길이가 42km이다.", "강의 길이", "quantity"),
        WrittenQuestion("깊이는?", "", "", "", "none"),
    )
    asked = []
    passage = Passage("p", "한들강", "한들강은 길이가 42km이다.\n둘째 줄이다.", questions)
    monkeypatch.setattr(preference_stage, "written_passages", lambda folder, split: asked.append(split) or [passage])
    assert write_questions(StageArguments(data=str(tmp_path)), tmp_path / "rows.csv") == 1 and asked == ["train"]
    (found,) = csv.DictReader((tmp_path / "rows.csv").open(encoding="utf-8"))
    assert found["Context"] == "[1] 한들강은 길이가 42km이다. 둘째 줄이다." and found["Answer"] == "42km"


def test_the_card_tells_the_record():
    record = json.loads((ROOT / "results" / "preference_stage.json").read_text("utf-8"))
    told = preference_sentence(record)
    assert f"{record['reading']['whole']['with']['em']:.3f}" in told and str(record["pairs"]) in told
    assert ("두지 않았습니다" in told) is not record["kept"]
