"""What the interface says, in Korean and in English."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """All texts of the interface in one language."""

    title: str
    lead: str
    files: str
    folder: str
    clear: str
    reading: str
    holding: str
    unread: str
    too_many: str
    question: str
    placeholder: str
    ask: str
    stop: str
    searching: str
    judged: str
    summary: str
    answer: str
    confidence: str
    absent: str
    absent_hint: str
    below: str
    evidence: str
    no_evidence: str
    no_documents: str
    usefulness: str
    threshold: str
    filtered: str
    asked_again: str
    history: str
    good: str
    bad: str
    better: str
    better_hint: str
    keep: str
    kept: str
    kept_half: str
    not_kept: str
    masking: str


KOREAN = Words(
    title="Ko-QAS · 내 문서에 묻기",
    lead="문서를 올리고 물으면 답과 그 답이 적힌 자리를 보여 줍니다. 문서에 없으면 없다고 합니다.",
    files="문서 올리기",
    folder="폴더 올리기",
    clear="문서 비우기",
    reading="문서를 읽는 중",
    holding="문서 {count}개를 읽었습니다",
    unread="읽지 못한 파일",
    too_many="파일이 너무 많습니다({count:,}개). {most:,}개까지 올릴 수 있습니다.",
    question="질문",
    placeholder="예: 새 급행 버스 요금은 얼마인가요?",
    ask="묻기",
    stop="멈춤",
    searching="찾는 중 … 조각 {count}개",
    judged="조각 {count}개 가운데 {kept}개가 유용합니다",
    summary="요약",
    answer="답변",
    confidence="확신",
    absent="문서에 없습니다",
    absent_hint="올린 문서에서는 이 질문의 답을 찾을 수 없습니다.",
    below="지금 문턱을 넘는 근거가 없습니다. 문턱을 낮추면 답이 다시 보입니다.",
    evidence="근거",
    no_evidence="근거가 없습니다.",
    no_documents="먼저 문서를 올려 주세요.",
    usefulness="문서의 유용성 (DocQuest)",
    threshold="유용성 문턱",
    filtered="1차 필터에서 빠졌습니다",
    asked_again="이 문턱이면 새로 쓸 수 있는 조각이 있습니다. 다시 물으면 답에 쓰입니다.",
    history="지난 질문",
    good="👍 좋아요",
    bad="👎 아니에요",
    better="더 나은 답",
    better_hint="이렇게 답했어야 합니다 …",
    keep="답 남기기",
    kept="저장했습니다. 고맙습니다.",
    kept_half="저장했습니다. 더 나은 답도 적어 주시면 학습에 바로 쓸 수 있습니다.",
    not_kept="저장하지 못했습니다: {problem}",
    masking="의견은 이 컴퓨터에 저장되며, 이름·전화번호 같은 개인정보는 가려집니다.",
)
ENGLISH = Words(
    title="Ko-QAS · Ask your documents",
    lead="Upload Korean documents and ask: the answer comes with the place where it stands, or you are told it is not there.",
    files="Upload documents",
    folder="Upload a folder",
    clear="Clear documents",
    reading="Reading documents",
    holding="{count} documents read",
    unread="Files that could not be read",
    too_many="Too many files ({count:,}); at most {most:,}.",
    question="Question",
    placeholder="For example: 새 급행 버스 요금은 얼마인가요?",
    ask="Ask",
    stop="Stop",
    searching="Searching … {count} chunks",
    judged="{kept} of {count} chunks are useful",
    summary="Summary",
    answer="Answer",
    confidence="confidence",
    absent="Not in the documents",
    absent_hint="The uploaded documents do not answer this question.",
    below="No evidence reaches this threshold. Lower it to see the answer again.",
    evidence="Evidence",
    no_evidence="No evidence.",
    no_documents="Upload documents first.",
    usefulness="Usefulness of the documents (DocQuest)",
    threshold="Usefulness threshold",
    filtered="Left out by the first pass",
    asked_again="At this threshold more chunks could be used. Ask again to have them read.",
    history="Earlier questions",
    good="👍 Good",
    bad="👎 Not good",
    better="A better answer",
    better_hint="It should have answered …",
    keep="Save answer",
    kept="Saved. Thank you.",
    kept_half="Saved. With a better answer it can be learned from at once.",
    not_kept="Could not be saved: {problem}",
    masking="Feedback is stored on this machine; names, phone numbers and the like are masked.",
)
LANGUAGES = {"한국어": KOREAN, "English": ENGLISH}
