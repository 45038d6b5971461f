"""What the card says about training: the three commands in a fresh clone, and the speed beside TRL's own command.

Comes in: records of results/. Goes out: Korean sentences.
"""

from typing import Any


def training_sentences(record: dict[str, Any]) -> str:
    """Return what SFT, DPO and publishing reached in a fresh clone (results/training.json)."""
    sft, dpo, seconds = record["sft"]["loss"], record["dpo"], record["seconds"]
    held = dpo["held_out"]
    pairs = sum(kind["before"]["pairs"] for kind in held.values())
    before, after = (overall_accuracy(held, when) for when in ("before", "after"))
    return (
        f"새로 복제한 저장소에서 위 명령을 그대로 돌리면 SFT는 {seconds['sft']:.0f}초에 손실 {sft['first']:.2f} → {sft['last']:.2f}, "
        f"DPO는 {seconds['dpo']:.0f}초에 떼어 둔 쌍 {pairs}개의 선호 정확도 {before:.3f} → {after:.3f}"
        f"({', '.join(_kind(name, kind) for name, kind in held.items())})이고, 올린 폴더는 같은 호출로 열립니다"
        "([results/training.json](results/training.json), `python train/measure_training.py`).\n"
    )


def _kind(name: str, kind: dict[str, Any]) -> str:
    told = {"written": "사람이 쓴 쌍", "self_play": "모델 자신의 답과 견준 쌍"}.get(name, name)
    before, after = kind["before"], kind["after"]
    return f"{told} {before['pairs']}개 {before['accuracy']:.3f} → {after['accuracy']:.3f}"


def overall_accuracy(held: dict[str, Any], when: str) -> float:
    """Return the share of all held-out pairs whose chosen answer is likelier, `before` or `after`."""
    kinds = [kind[when] for kind in held.values()]
    return sum(k["accuracy"] * k["pairs"] for k in kinds) / sum(k["pairs"] for k in kinds)


def throughput_sentence(record: dict[str, Any]) -> str:
    """Return the speed of train/sft.py beside `trl sft` (results/throughput.json)."""
    theirs, ours = record["arms"]["trl sft"], record["arms"]["train/sft.py"]
    return (
        f"같은 행·기반·설정으로 번갈아 {record['n']}번씩 돌리면 `train/sft.py`는 초당 {ours['tokens_per_second']:,.0f} 토큰, "
        f"`trl sft`는 {theirs['tokens_per_second']:,.0f} 토큰({record['speed_ratio']:.2f}배), 최대 메모리는 "
        f"{ours['peak_megabytes']:,.0f} MB와 {theirs['peak_megabytes']:,.0f} MB입니다. 길이가 비슷한 행을 한 묶음에 모아 "
        "빈자리를 줄인 차이입니다([results/throughput.json](results/throughput.json), `python train/throughput.py`).\n"
    )


def preference_sentence(record: dict[str, Any]) -> str:
    """Return what the preference stage changes for the embedded model (results/preference_stage.json)."""
    whole, alone = record["reading"]["whole"], record["reading"]["model_alone"]
    difference = whole["difference"]["em"]
    decision = "그래서 넣었습니다" if record["kept"] else "그래서 내장 어댑터에는 두지 않았습니다"
    change = f"{whole['without']['em']:.3f} → {whole['with']['em']:.3f}"
    return (
        f"선호 단계(DPO): 학습 질문의 답을 여러 개 뽑아 근거와 정답으로 고른 쌍 {record['pairs']}개로 이어 학습하면, "
        f"개발 질문 {record['n']}개에서 EM은 {change}(차이의 95% 구간 {difference['low']:+.3f}~{difference['high']:+.3f}), "
        f"언어 모델만으로는 {alone['without']['em']:.3f} → {alone['with']['em']:.3f}입니다. {decision}"
        "([results/preference_stage.json](results/preference_stage.json), `python train/preference_stage.py --data DIR`).\n"
    )
