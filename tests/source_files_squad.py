"""Invented files of the sets shaped like SQuAD; see source_files.py. The helpers to write files are here too."""

import json
import zipfile

RIVER = "한들강은 길이가 42km이다. 1987년 홍수로 다리가 무너졌다."
TABLE = "<table><tbody><tr><td>연도</td><td>인구</td></tr><tr><td>2020</td><td>3,105명</td></tr></tbody></table>"


def dumped(value, encoding="utf-8"):
    return json.dumps(value, ensure_ascii=False).encode(encoding)


def zipped(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def saved(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def squad(context, qas, title="한들강", **document):
    return {"title": title, **document, "paragraphs": [{"context": context, "qas": qas}]}


def labelled(context, key="answers", question_id="1", impossible=False, qa_type=1, question="길이가 얼마야", **answer):
    qa = {"qa_type": qa_type, "question_id": question_id, "question": question, "is_impossible": impossible}
    filled = {"text": None, "answer_start": None, "clue_start": None, "clue_text": None, "options": None, **answer}
    paragraph = {"context": context, "qas": [{**qa, key: filled}], "context_id": "100"}
    source = {"doc_source": "한들군청", "doc_class": {"class": "분류", "code": "공공행정"}, "doc_published": 20210101}
    return {"doc_id": f"D{question_id}", "doc_title": "한들 계획", **source, "paragraphs": [paragraph]}


def korquad1(folder):
    qas = [{"id": "7000001-0-0", "question": "길이는?", "answers": [{"text": "42km", "answer_start": 9}]}]
    return saved(
        folder / "KorQuAD_v1.0_dev.json", dumped({"version": "KorQuAD_v1.0_dev", "data": [squad(RIVER, qas)]})
    )


def korquad2(folder):
    body = f"<p>한들마을은 <b>1961년</b>에 생겼다.</p>{TABLE}"
    context, raw = f"<!DOCTYPE html>\n<html><body>{body}</body></html>", f'<html class="x"><body>{body}</body></html>'
    answers = [("8000", "언제 생겼나?", "1961년"), ("8001", "연도별 인구는?", TABLE)]
    qas = [
        {
            "id": number,
            "question": question,
            "answer": {
                "text": found,
                "answer_start": context.index(found),
                "html_answer_text": found,
                "html_answer_start": raw.index(found),
            },
        }
        for number, question, found in answers
    ]
    page = {"title": "한들마을", "url": "https://ko.example/한들마을", "context": context, "raw_html": raw, "qas": qas}
    data = dumped({"version": "KorQuAD_2.0_train", "data": [page]})
    return zipped(folder / "KorQuAD_2.1_train_00.zip", {"korquad2.1_train_00.json": data})


def aihub_common(folder):
    qas = [{"id": "9-1", "question": "언제 무너졌나?", "answers": [{"answer_start": 17, "text": "1987년"}]}]
    content = dumped({"creator": "가상", "version": 1, "data": [squad(RIVER, qas, title="한들_강")]})
    return saved(folder / "일반상식/02_squad_질문_답변_제시문_말뭉치/ko_wiki_v1_squad.json", content).parents[1]


def aihub_mrc(folder):
    clue = [
        {"id": "c", "question": "길이는?", "classtype": "work_what", "answers": [{"text": "42km", "answer_start": 9}]}
    ]
    none = [{"id": "n", "question": "깊이는?", "classtype": "work_what"}]
    saved(folder / "기계독해분야/ko_nia_normal_squad_all.json", dumped({"data": [squad(RIVER, clue)]}))
    saved(folder / "기계독해분야/ko_nia_noanswer_squad_all.json", dumped({"data": [squad(RIVER, none)]}))
    return folder


def aihub_admin(folder):
    clue = {"clue_start": 17, "clue_text": "1987년 홍수로 다리가 무너졌다."}
    files = {
        "span_extraction": labelled(RIVER, text="42km", answer_start=9),
        "tableqa": labelled(TABLE, qa_type=3, question_id="2", text="3,105명", answer_start=TABLE.index("3,105명")),
        "text_entailment": labelled(RIVER, qa_type=5, question_id="3", text="Yes", **clue),
        "multiple_choice": labelled(
            RIVER, qa_type=6, question_id="4", text="수해", options=["수해", "화재", "가뭄", "지진"], **clue
        ),
        "unanswerable": labelled(RIVER, qa_type=7, question_id="5", impossible=True, text="42km", answer_start=9),
    }
    root = folder / "016.행정 문서 대상 기계독해 데이터/01.데이터/1.Training"
    for name, document in files.items():
        content = json.dumps({"Dataset": {"category": 2}, "data": [document]}, ensure_ascii=False, indent="\t")
        zipped(root / f"라벨링데이터/TL_{name}.zip", {f"{name}.json": content})
        raw = {"doc_id": "D", "doc_title": "한들 계획", "paragraphs": [{"context": RIVER, "context_id": "100"}]}
        zipped(root / f"원천데이터/TS_{name}.zip", {f"{name}.json": dumped({"data": [raw]})})
    return folder


def aihub_news(folder):
    clue = {"clue_start": 17, "clue_text": "1987년 홍수로 다리가 무너졌다."}
    span = labelled(RIVER, question_id=1, text="42km", answer_start="9")
    inferred = labelled(RIVER, question_id=2, question="무엇 때문이야", text="큰물", answer_start=-1, **clue)
    broken = labelled(RIVER, question_id=3, question="이름이 뭐야", text="한들강", answer_start=0)
    content = json.dumps({"Dataset": {}, "data": [inferred, broken]}, ensure_ascii=False, indent="\t")
    content = content.replace(
        '"doc_title": "한들 계획",\n', '"doc_title": "한들 계획\n', 1
    )  # as published: `",` is missing
    root = folder / "017.뉴스 기사 기계독해 데이터/01.데이터/1.Training/라벨링데이터"
    zipped(root / "TL_span_extraction.zip", {"TL_span_extraction.json": dumped({"data": [span]})})
    zipped(root / "TL_span_inference.zip", {"TL_span_inference.json": content})
    return folder


def aihub_books(folder):
    qas = [
        {"id": "b-1", "question": "길이는?", "answers": [{"text": "42km", "answer_start": 9}], "is_impossible": False},
        {"id": "b-2", "question": "깊이는?", "answers": [{"text": "42km", "answer_start": 9}], "is_impossible": True},
    ]
    content = dumped({"data": [squad(RIVER, qas, content_id="B1", agency="한들출판", year="2020", KDC="800")]})
    return saved(folder / "도서자료 기계독해/Training/도서_220419_add/도서_220419_add.json", content).parents[2]


def aihub_tables(folder):
    qas = [{"question_id": "1", "question": "2020년 인구는?", "is_impossible": False, "answer": {"text": "3,105명"}}]
    paragraph = {"context_id": "1", "table_title": "한들 인구", "context": TABLE, "qas": qas}
    content = dumped({"data": [{"doc_id": "Q1", "doc_title": "한들 통계", "paragraphs": [paragraph]}]})
    name = "[TQA] 표 정보 질의응답_라벨링데이터.json".encode().decode("cp866")  # as an unzip tool garbled it
    return zipped(folder / "149.zip", {name: content})


def aihub_finance_law(folder):
    span = squad("수수료는 1%이다.", [{"question_id": "1", "qa_type": 1, "question": "수수료는 얼마야"}])
    span["paragraphs"][0]["qas"][0]["answer"] = {"text": "1%", "answer_start": 5, "options": None}
    yes = squad("수수료는 1%이다.", [{"question_id": "2", "qa_type": 2, "question": "수수료가 있어"}])
    yes["paragraphs"][0]["qas"][0]["answer"] = {"text": "Yes", "clue_text": "수수료는 1%이다.", "clue_start": 0}
    root = folder / "151.금융, 법률 문서 기계독해 데이터/01-1.정식개방데이터/Training/02.라벨링데이터"
    zipped(root / "TL_1.정답경계 추출형.zip", {"TL_1.정답경계 추출형.json": dumped({"data": [span]}, "utf-8-sig")})
    zipped(root / "TL_2.YesNo 단문형.zip", {"TL_2.YesNo 단문형.json": dumped({"data": [yes]}, "utf-8-sig")})
    return folder


def korsciqa(folder):
    qas = [{"id": "k-1", "question": "정확도는?", "answers": [{"text": "90%", "answer_start": 8}]}]
    return saved(folder / "korsciqa.json", dumped({"version": "가정", "data": [squad("모델 정확도는 90%였다.", qas)]}))


def etri_mrc(folder):
    qas = [
        {"id": "1", "question": "길이는?", "answers": [{"text": "42km", "answer_start": 9}]},
        {"id": "2", "question": "깊이는?", "answers": []},
    ]
    return saved(folder / "20181101_ETRI_MRC_v1.json", dumped({"data": [squad(RIVER, qas)]}))


def squad2(folder):
    context = "Handeul River is in Solnae."
    qas = [
        {
            "id": "a1",
            "question": "Where is it?",
            "answers": [{"text": "Solnae", "answer_start": 20}, {"text": "in Solnae", "answer_start": 17}],
            "is_impossible": False,
        },
        {
            "id": "a2",
            "question": "Who found it?",
            "answers": [],
            "plausible_answers": [{"text": "Solnae", "answer_start": 20}],
            "is_impossible": True,
        },
    ]
    return saved(folder / "dev-v2.0.json", dumped({"version": "v2.0", "data": [squad(context, qas)]}))


def bioasq_factoid(folder):
    train = [{"id": "5e01_001", "question": "Which gene?", "answers": [{"text": "Gene X", "answer_start": 0}]}]
    test = [{"id": "5e02_001", "question": "Which protein?"}]
    documents = [squad("Gene X is mutated.", train, "BioASQ6b"), squad("Gene X is mutated.", test, "BioASQ6b")]
    return saved(folder / "BioASQ-train-factoid-6b.json", dumped({"version": "BioASQ6b", "data": documents}))
