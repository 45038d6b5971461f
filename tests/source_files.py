"""Invented files shaped exactly like the published ones: same containers, names, keys and types; no published text.

`BUILDERS[name](folder)` writes the download of a set into an empty folder and returns the path a user would pass.
"""

import csv
import gzip
import io

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from source_files_articles import articles
from source_files_squad import (
    RIVER,
    aihub_admin,
    aihub_books,
    aihub_common,
    aihub_finance_law,
    aihub_mrc,
    aihub_news,
    aihub_tables,
    bioasq_factoid,
    dumped,
    etri_mrc,
    korquad1,
    korquad2,
    korsciqa,
    saved,
    squad2,
    zipped,
)

STORY = "Mina has a red kite. She flies it by the sea."


def aihub_technical(folder):
    qa = {
        "question-1": "두께는 얼마인가?",
        "question-2": "소자는 얼마나 두꺼운가?",
        "answer": "3 nm",
        "answer_type": "정답경계 추출형",
        "wrong_answer": [],
        "clue": [{"clue_text": "소자의 두께는 3<sub>&nbsp;</sub>nm이다."}],
    }
    context = "<p>13 nm 공정이 쓰였다. 소자의 두께는 3<sub>&nbsp;</sub>nm이다.</p>"
    document = {"dataset": {"doc_id": "T0001", "context_info": [{"context": context, "qas": [qa]}]}}
    root = folder / "152.기술과학 문서 기계독해 데이터/01-1.정식개방데이터/Training"
    saved(root / "02.라벨링데이터/TL_생명_LA/T0001.json", dumped(document))
    raw = {"dataset": {"doc_id": "T0001", "context_info": [{"context": context}]}}
    saved(root / "01.원천데이터/TS_생명_LA/T0001.json", dumped(raw))
    return folder


def aihub_summaries(folder):
    sentences = [
        [{"index": 0, "sentence": "한들강에 새 다리가 놓였다.", "highlight_indices": ""}],
        [
            {"index": 1, "sentence": "길이는 200m이다.", "highlight_indices": "0,2"},
            {"index": 2, "sentence": "통행은 무료이다.", "highlight_indices": ""},
        ],
    ]
    row = {
        "id": "1",
        "category": "종합",
        "media_name": "한들일보",
        "publish_date": "2020-01-01 00:00:00",
        "title": "새 다리",
    }
    row |= {"text": sentences, "extractive": [0, 2, None], "abstractive": ["무료로 건너는 새 다리가 놓였다."]}
    old = {"article_original": ["첫 문장이다.", "둘째 문장이다."], "abstractive": "두 문장이다.", "extractive": [1]}
    zipped(
        folder / "Training/신문기사_train_original.zip",
        {"신문기사_train_original.json": dumped({"name": "가상", "documents": [row]})},
    )
    zipped(folder / "Validation/법률.json.zip", {"법률.json": dumped([old])})
    return folder


def kisti_papers(folder):
    context = (
        "한들 논문\n초록\n" + "한들 초록이다.\n" * 400 + "본문\n실험의 오차는 2.5%였다.\n" + "끝맺는 말이다.\n" * 400
    )
    qa = {"level": "1", "question": "오차는 얼마였나?", "keyword": {"keyword_text": "오차"}}
    qa["answer"] = {"answer_text": "2.5%", "answer_start": context.index("2.5%")}
    paper = {"doc_id": "JAKO1", "context": context, "qas": [qa]}
    full = {
        "doc_id": "JAKO2",
        "title": {"ko": "한들 전문", "en": "Handeul"},
        "keywords": {"ko": ["강"], "en": ["river"]},
        "abstract": {"ko": "강을 다룬다.", "en": "On a river."},
        "body_text": [{"section": "1. 서론", "text": ["강은 길다.", "물은 맑다."]}],
    }
    tree = ("qa--/2020/JAKO1.json", "full/2020/JAKO2.json", "qa--/2020/JAKO3.json")
    contents = (dumped(paper), dumped(full), dumped({"doc_id": "JAKO3", "context": context}))
    path = zipped(folder / "papers.zip", dict(zip(tree, contents)))
    garbled = path.read_bytes().replace(b"qa--/", "논문/".encode("cp949"))  # as archivers without the UTF-8 flag write
    return saved(path, garbled)


def etri_quiz(folder):
    header = [
        "질문(Q_string)",
        "문제유형(Q_form)",
        *["보기()E_string"] * 4,
        "정답(A_ans)",
        "위키피디아 제목(AP_title)",
    ]
    lines = io.StringIO()
    csv.writer(lines).writerows(
        [header, ["한들군의 상징은?", "객관식", "소나무", "은행", "장미", "참새", "장미", "한들군"]]
    )
    root = folder / "#Ud034#Uc988QA Datasets"
    saved(root / "객관식.csv", lines.getvalue().encode("cp949"))
    book = openpyxl.Workbook()
    book.active.append(["위키피디아 제목", "질문", "정답", "정답 근거1(문장)"])
    book.active.append(["한들강", "한들강의 길이는?", "42km", "한들강은 길이가 42km이다."])
    book.active.append(["합계", None, None, None])
    book.save(root / "단문질문 QA dataset(위키피디아, 기본태깅, 1,776개).xlsx")
    return folder


def etri_law(folder):
    lines = "질문,정답,근거,법령명\n벌금은 얼마인가?,100만원,벌금은 100만원 이하로 한다.,한들법\n"
    return saved(folder / "law.csv", lines.encode("utf-8-sig"))


def korean_culture(folder):
    asked = {"category": "문화 지식", "domain": "예술", "question_type": "선다형", "topic_keyword": "놀이"}
    choice = {
        **asked,
        "question": "다음 중 물에서 하는 놀이는? \\n 1\\t널뛰기 2\\t뱃놀이 3\\t윷놀이 4\\t그네 5\\t제기 차기",
    }
    short = {**asked, "question_type": "단답형", "question": "설날에 먹는 국은?"}
    rows = [
        {"id": "1", "input": choice, "output": {"answer": "2"}},
        {"id": "2", "input": short, "output": {"answer": "떡국#떡만둣국"}},
    ]
    saved(folder / "korean_culture_qa_V1.0_train+.json", dumped(rows))
    saved(folder / "korean_culture_qa_V1.0_test+.json", dumped([{"id": "3", "input": short}]))
    return folder


def economy_sports(folder):
    items = [{"q": "길이는?", "a": "42km"}, {"q": "언제 무너졌나?", "a": "1987년"}]
    return saved(folder / "qa.json", dumped({"set": [{"body": RIVER, "head": "한들강", "items": items}]}))


def bioasq(folder):
    url = "http://www.ncbi.nlm.nih.gov/pubmed/1"
    snippet = {"text": "Gene X is mutated.", "document": url, "beginSection": "abstract", "offsetInBeginSection": 90}
    asked = {"documents": [url], "concepts": [], "snippets": [snippet, snippet]}
    questions = [
        {**asked, "id": "1", "type": "factoid", "body": "Which gene?", "exact_answer": [["gene X", "GX"]]},
        {**asked, "id": "2", "type": "yesno", "body": "Is it mutated?", "exact_answer": "Yes"},
        {**asked, "id": "3", "type": "list", "body": "Which genes?", "exact_answer": [["Gene X", "GX"], ["Gene Y"]]},
        {**asked, "id": "4", "type": "summary", "body": "What is known?", "ideal_answer": ["Gene X is mutated."]},
        {**asked, "id": "5", "type": "factoid", "body": "Which protein?", "exact_answer": ["P53"]},
    ]
    return saved(folder / "BioASQ-trainingDataset6b.json", dumped({"questions": questions}))


MARCO = {
    "answers": {"7": ["No Answer Present."], "3": ["Solnae"]},
    "passages": {
        "7": [{"is_selected": 0, "passage_text": "Nothing here.", "url": "http://x"}],
        "3": [
            {"is_selected": 0, "passage_text": "Solnae is a town.", "url": "http://y"},
            {"is_selected": 1, "passage_text": "The river is in Solnae.", "url": "http://z"},
        ],
    },
    "query": {"7": "who found it", "3": "where is the river"},
    "query_id": {"7": 10, "3": 11},
    "query_type": {"7": "PERSON", "3": "LOCATION"},
    "wellFormedAnswers": {"7": "[]", "3": ["The river is in Solnae."]},
}


def msmarco(folder):
    return saved(folder / "dev_v2.1.json.gz", gzip.compress(dumped(MARCO)))


def coqa(folder):
    asked = ["What does Mina have?", "What color?", "Who made it?"]
    answers = [
        {"span_start": 5, "span_end": 19, "span_text": "has a red kite", "input_text": "a kite", "turn_id": 1},
        {"span_start": 11, "span_end": 19, "span_text": "red kite", "input_text": "red", "turn_id": 2},
        {"span_start": -1, "span_end": -1, "span_text": "unknown", "input_text": "unknown", "turn_id": 3},
    ]
    talk = {
        "source": "wikipedia",
        "id": "c1",
        "filename": "x.txt",
        "story": STORY,
        "questions": [{"input_text": q, "turn_id": n} for n, q in enumerate(asked, start=1)],
        "answers": answers,
        "additional_answers": {"0": [{**answers[0], "input_text": "kite"}, answers[1], answers[2]]},
        "name": "x.txt",
    }
    return saved(folder / "coqa-dev-v1.0.json", dumped({"version": "1.0", "data": [talk]}))


def kocommercial(folder):
    rows = [
        {"input": RIVER, "instruction": "다음 글에서 강의 길이를 찾아라.", "output": "42km"},
        {"input": "", "instruction": "인사말을 써라.", "output": "안녕하십니까."},
    ]
    path = folder / "data/train-00000-of-00001-1ae224438dce829b.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return folder


def precedents(folder):
    row = {"id": "2001도1", "title": "한들법위반", "kind": "형사", "year": 2002, "issue": "한들법의 의미"}
    row |= {"holding": "한들법은 강을 지킨다.", "body": "【주    문】\n상고를 기각한다."}
    return saved(folder / "precedents.jsonl", dumped(row))


def documents(folder):
    return saved(folder / "laws.jsonl", dumped({"id": "1", "title": "한들법", "text": "# 한들법\n제1조 강을 지킨다."}))


def laws(folder):
    text = "# 한들법\n\n##### 제1조 (목적)\n\n  1\\. 강을 지킨다. <개정 2001.1.1.>"
    return saved(folder / "laws.jsonl", dumped({"id": "한들법/법률.md", "title": "한들법", "text": text}))


def news_reports(folder):
    return saved(folder / "news.jsonl", dumped({"id": "1", "text": "새 다리 열려\n한들강에 새 다리가 열렸다."}))


def kowiki(folder):
    return saved(folder / "kowiki.jsonl", dumped({"id": "1", "title": "한들강", "text": "한들강은 길이가 42km이다."}))


BUILDERS = {
    "laws": laws,
    "news_reports": news_reports,
    "kowiki": kowiki,
    "korquad1": korquad1,
    "korquad2": korquad2,
    "aihub_common": aihub_common,
    "aihub_mrc": aihub_mrc,
    "aihub_admin": aihub_admin,
    "aihub_news": aihub_news,
    "aihub_books": aihub_books,
    "aihub_tables": aihub_tables,
    "aihub_finance_law": aihub_finance_law,
    "aihub_technical": aihub_technical,
    "aihub_summaries": aihub_summaries,
    "korsciqa1": korsciqa,
    "korsciqa2": korsciqa,
    "kisti_papers": kisti_papers,
    "etri_mrc": etri_mrc,
    "etri_quiz": etri_quiz,
    "etri_law": etri_law,
    "korean_culture": korean_culture,
    "economy_sports": economy_sports,
    "squad2": squad2,
    "bioasq": bioasq,
    "bioasq_factoid": bioasq_factoid,
    "msmarco": msmarco,
    "coqa": coqa,
    "kocommercial": kocommercial,
    "articles": articles,
    "precedents": precedents,
    "documents": documents,
}
