"""The sets this project can read: what each is called, what may be done with it, how sure its format is.

Knows the terms as their publishers state them, not law; a user stays bound by the agreement they signed. Only
readers are shipped, never rows: most of these sets may not be passed on.
"""

from dataclasses import dataclass
from typing import Literal

from koqas.koqas_types import KoQasError
from koqas.train.sources import (
    articles,
    bioasq,
    commercial,
    coqa,
    culture,
    korquad2,
    msmarco,
    papers,
    public_texts,
    quiz,
    technical,
)
from koqas.train.sources.building import Origin, Reader
from koqas.train.sources.squad_family import SquadRules, squad_reader
from koqas.train.sources.summaries import DECISIONS, DOCUMENTS, SUMMARIES

Confidence = Literal["high", "medium", "low"]
ThirdParty = Literal["allowed", "forbidden", "unknown"]
Language = Literal["ko", "en"]


@dataclass(frozen=True)
class Source:
    """One set.

    Args:
        name (`str`): Name on the command line and in rows.
        title (`str`): Name its publisher gives it.
        domain (`str`): Subject, unless a row states its own.
        license (`str`): SPDX id, or `LicenseRef-…` for terms of its own.
        access (`str`): How to get it, and what its terms demand.
        third_party (`ThirdParty`): Whether texts may be sent to somebody else's machine, such as a remote model.
        confidence (`Confidence`): high: seen in real files or in several independent loaders; medium: in one; low:
            the format is not public and the reader guesses or asks for a mapping.
        reader (`Reader | None`): How its files are read; None where only a mapping helps.
        language (`Language`): What its texts are written in.
    """

    name: str
    title: str
    domain: str
    license: str
    access: str
    third_party: ThirdParty
    confidence: Confidence
    reader: Reader | None
    language: Language = "ko"

    @property
    def origin(self) -> Origin:
        """What every row of the set carries."""
        return Origin(self.name, self.license, self.domain)

    @property
    def remote_allowed(self) -> bool:
        """Whether a remote model may see the texts without the user saying so; unknown terms count as no."""
        return self.third_party == "allowed"


_AIHUB = "AIHub 신청·승인, 출처 표시; 제3자 제공·국외 반출 금지"
_ETRI = "ETRI 신청·이용 협약; 재배포 금지"
_KISTI = "KISTI 신청; 조건 미확인"
_SQUAD = squad_reader()
_LABELLED_ONLY = squad_reader(SquadRules(unmarked_is_unanswerable=False))


def _aihub(name: str, title: str, domain: str, confidence: Confidence, reader: Reader) -> Source:
    return Source(name, title, domain, "LicenseRef-AIHub", _AIHUB, "forbidden", confidence, reader)


def _etri(name: str, title: str, domain: str, confidence: Confidence, reader: Reader) -> Source:
    return Source(name, title, domain, "LicenseRef-ETRI", _ETRI, "forbidden", confidence, reader)


def _kisti(name: str, title: str, domain: str, confidence: Confidence, reader: Reader) -> Source:
    return Source(name, title, domain, "LicenseRef-KISTI", _KISTI, "unknown", confidence, reader)


SOURCES = (
    Source(
        "korquad1", "KorQuAD 1.0", "다양함", "CC-BY-ND-2.0-KR", "공개; 변형 재배포 금지", "unknown", "high", _SQUAD
    ),
    Source(
        "korquad2",
        "KorQuAD 2.0/2.1",
        "다양함",
        "CC-BY-ND-2.0-KR",
        "공개; 변형 재배포 금지",
        "unknown",
        "high",
        korquad2.READER,
    ),
    _aihub("aihub_common", "일반상식 (ko_wiki_v1_squad)", "다양함", "high", _SQUAD),
    _aihub("aihub_mrc", "기계독해 (89)", "다양함", "medium", _SQUAD),
    _aihub("aihub_admin", "016 행정 문서 대상 기계독해", "행정", "high", _SQUAD),
    _aihub("aihub_news", "017 뉴스 기사 기계독해", "뉴스", "high", _SQUAD),
    _aihub("aihub_books", "021 도서자료 기계독해", "도서", "medium", _SQUAD),
    _aihub("aihub_tables", "149 표 정보 질의응답", "통계", "medium", _SQUAD),
    _aihub("aihub_finance_law", "151 금융·법률 문서 기계독해", "금융·법률", "medium", _SQUAD),
    _aihub("aihub_technical", "152 기술과학 문서 기계독해", "기술과학", "medium", technical.READER),
    _aihub("aihub_summaries", "문서요약 텍스트 (97)", "신문·사설·법률", "high", SUMMARIES),
    _kisti("korsciqa1", "KorSciQA 1.0", "컴퓨터공학", "low", _LABELLED_ONLY),
    _kisti("korsciqa2", "KorSciQA 2.0", "과학기술", "low", _LABELLED_ONLY),
    _kisti("kisti_papers", "국내 논문 QA·전문 텍스트", "논문", "high", papers.READER),
    _etri("etri_mrc", "엑소브레인 MRC", "다양함", "high", _LABELLED_ONLY),
    _etri("etri_quiz", "엑소브레인 퀴즈·단문질문", "상식", "medium", quiz.READER),
    _etri("etri_law", "엑소브레인 법령 QA", "법령", "low", quiz.READER),
    Source(
        "korean_culture",
        "국립국어원 한국문화 질의응답",
        "한국문화",
        "LicenseRef-NIKL",
        "국립국어원 신청; 재배포 금지",
        "forbidden",
        "high",
        culture.READER,
    ),
    Source(
        "economy_sports",
        "경제·스포츠 QA",
        "경제·스포츠",
        "LicenseRef-unknown",
        "공개 자료 미확인; --mapping 필요",
        "unknown",
        "low",
        None,
    ),
    Source("squad2", "SQuAD 2.0", "다양함 (영어)", "CC-BY-SA-4.0", "공개", "allowed", "high", _SQUAD, "en"),
    Source(
        "bioasq",
        "BioASQ Task B",
        "의학·생물학",
        "LicenseRef-BioASQ",
        "가입 후 내려받기",
        "unknown",
        "high",
        bioasq.READER,
        "en",
    ),
    Source(
        "bioasq_factoid",
        "BioASQ factoid (SQuAD 형식)",
        "의학·생물학",
        "LicenseRef-BioASQ",
        "가입 후 내려받기",
        "unknown",
        "medium",
        squad_reader(SquadRules(unmarked_is_unanswerable=False, group_by_id_stem=True)),
        "en",
    ),
    Source(
        "msmarco",
        "MS MARCO 2.1 QA",
        "웹 (영어)",
        "LicenseRef-MSMARCO",
        "공개; 비상업 연구만",
        "unknown",
        "high",
        msmarco.READER,
        "en",
    ),
    Source(
        "coqa",
        "CoQA 1.0",
        "문학·과학·뉴스 (영어)",
        "LicenseRef-CoQA",
        "공개; 글 출처별로 다름",
        "unknown",
        "high",
        coqa.READER,
        "en",
    ),
    Source(
        "kocommercial",
        "MarkrAI KoCommercial",
        "다양함",
        "LicenseRef-KoCommercial",
        "허브; 표시가 엇갈리고 AIHub·KorQuAD 유래 포함",
        "unknown",
        "high",
        commercial.READER,
    ),
    Source(
        "articles",
        "최근 기사 (JSONL·RSS·Atom·WARC·HTML)",
        "뉴스",
        "LicenseRef-publisher",
        "직접 수집; 언론사 저작권",
        "unknown",
        "high",
        articles.READER,
    ),
    Source(
        "precedents",
        "판례",
        "법률",
        "LicenseRef-KR-copyright-act-7",
        "공개; 저작권법 제7조 비보호 저작물",
        "allowed",
        "high",
        DECISIONS,
    ),
    Source(
        "laws",
        "법령 (Markdown JSONL)",
        "법령",
        "LicenseRef-KR-copyright-act-7",
        "공개; 저작권법 제7조 비보호 저작물",
        "allowed",
        "high",
        public_texts.STATUTES,
    ),
    Source(
        "news_reports",
        "위키뉴스·유네스코 보고서 (JSONL)",
        "뉴스",
        "CC-BY-SA-3.0-IGO",
        "공개; 행마다 CC BY 또는 CC BY-SA IGO",
        "allowed",
        "high",
        public_texts.REPORTS,
    ),
    Source(
        "kowiki",
        "한국어 위키백과 (JSONL)",
        "백과",
        "CC-BY-SA-4.0",
        "공개; 동일 조건",
        "allowed",
        "high",
        public_texts.ARTICLES,
    ),
    Source(
        "documents",
        "직접 가진 문서 (JSONL·Parquet)",
        "다양함",
        "LicenseRef-own",
        "직접 준비",
        "unknown",
        "high",
        DOCUMENTS,
    ),
)


def source_named(name: str) -> Source:
    """Return a set by its name.

    Raises:
        KoQasError: No such name.
    """
    for source in SOURCES:
        if source.name == name:
            return source
    raise KoQasError("source", f"모르는 데이터셋입니다: {name}", f"one of {', '.join(s.name for s in SOURCES)}")
