"""Invented downloads for the tests of train/prepare.py: news, statutes, decisions, a benchmark, forbidden titles."""

import hashlib
import json

from conftest import ROOT

STATUTE = """# 한들강보전법

##### 제1조 (목적)

이 법은 한들강의 물을 맑게 지키는 데 필요한 사항을 정함을 목적으로 한다.

##### 제2조 (허가)

① 강가에서 배를 운항하려는 자는 솔내시장에게 운항 허가를 신청하여야 한다.
② 솔내시장은 신청을 받은 날부터 14일 이내에 허가 여부를 신청인에게 통지하여야 한다.

##### 제3조 (과태료)

① 허가를 받지 아니하고 배를 운항한 자에게는 300만원 이하의 과태료를 부과한다.
② 제1항에 따른 과태료는 솔내시장이 부과하고 징수한다."""

HOLDING = "나루터의 사용료를 미리 낸 사람은 강물이 불어 배가 뜨지 못한 날에도 나루터를 사용할 권리를 잃지 아니한다."
BODY = f"""【주 문】
상고를 기각한다.
【이 유】
상고이유를 판단한다. 원심은 원고가 한 해의 사용료를 미리 낸 사실을 인정하였다. {HOLDING} 같은 취지에서 원심이 피고의
주장을 배척한 것은 옳고, 거기에 상고이유의 주장과 같은 법리오해의 위법이 없다. 그러므로 상고를 기각하고 상고비용은 피고가
부담하게 하기로 하여 관여 법관의 일치된 의견으로 주문과 같이 판결한다."""

PHONE, MAIL = "010-2345-6789", "solnae@example.co.kr"
CALL = (
    f"솔내시는 5월 한 달 동안 강변 걷기 모임을 연다. 참가비는 2천원이다. 신청은 전화 {PHONE}로 하면 되고, 문의는 {MAIL}로 받는다. "
    "모임은 토요일마다 아침 7시에 새 다리 앞에서 출발한다."
)


def pages():
    """Return title → text of the sample documents."""
    found = {}
    for path in sorted((ROOT / "data_sample" / "documents").glob("*.md")):
        title, _, text = path.read_text("utf-8").partition("\n")
        found[title.lstrip("# ")] = text.strip()
    return found


def lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def downloads(folder):
    """Write the files; returns the arguments of prepare.py that read them."""
    sample = pages()
    copied, market = sample["솔내의 향토 음식, 메밀쌈국"], "버드내장의 역사"
    news = [{"id": f"n{i}", "title": title, "text": text} for i, (title, text) in enumerate(sample.items())]
    news.append({"id": "call", "title": "강변 걷기", "text": CALL})
    news.append({"id": "copy", "title": "메밀쌈국", "text": copied.replace(". ", ".  ")})
    news.append({"id": "short", "title": "짧은 글", "text": "비가 왔다."})
    news.append({"id": "empty", "title": "빈 글", "text": ""})
    lines(folder / "news.jsonl", news).open("a", encoding="utf-8").write('{"id": "broken", "title": "끊긴')
    lines(folder / "laws.jsonl", [{"id": "한들강보전법/법률.md", "title": "한들강보전법", "text": STATUTE}])
    decision = {
        "title": "사용료반환",
        "kind": "민사",
        "issue": "나루터의 사용료를 미리 낸 사람의 권리가 없어지는지 여부(소극)",
    }
    decision |= {"holding": HOLDING, "body": BODY}
    years = [{"id": f"{year}다1", "year": year, **decision} for year in (2001, 2020)]
    lines(folder / "precedents.jsonl", years)
    painter = {"context": sample["솔내가 낳은 화가 서윤목"], "qas": [{"id": "1", "question": "누구의 그림인가?", "answers": [
        {"text": "서윤목", "answer_start": sample["솔내가 낳은 화가 서윤목"].index("서윤목")}]}]}  # fmt: skip
    benchmark = {"version": "1", "data": [{"title": "서윤목", "paragraphs": [painter]}]}
    (folder / "benchmark.json").write_text(json.dumps(benchmark, ensure_ascii=False), encoding="utf-8")
    (folder / "titles.sha1").write_text(hashlib.sha1(market.encode()).hexdigest() + "\n", encoding="utf-8")
    sources = {"precedents": "before: 2019", "laws": "names: keep", "news_reports": "names: keep"}
    files = {"precedents": "precedents.jsonl", "laws": "laws.jsonl", "news_reports": "news.jsonl"}
    return [
        *("--config", str(ROOT / "train" / "recipes" / "data.yaml"), "--sources"),
        *(f"{{set: {name}, path: {folder / files[name]}, {more}}}" for name, more in sources.items()),
        *("--benchmarks", f"{{set: korquad1, path: {folder / 'benchmark.json'}}}"),
        *("--forbidden_titles", str(folder / "titles.sha1"), "--cache", str(folder / "replies")),
    ]
