"""How documents, a question and the model's sections become token ids, in training and in serving alike.

A prompt is a chain of segments, each tokenized on its own: context, question, the opening of a section
(`relevance`, `usefulness`, `summary` or `answer`), its content, its close. Text of documents and users is
tokenized with special tokens split, so that a `<|eot_id|>` inside a document stays plain text. This module
knows tokenizers and chat templates; it knows nothing about models or retrieval.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .koqas_types import KoQasError, Span

YES, NO = "예", "아니오"
MATCH_TOKEN = "<|match|>"
SECTIONS = ("relevance", "usefulness", "summary", "answer")
ABSTENTION = "제시된 문서에서는 이 질문의 답을 찾을 수 없습니다."
# Used only for bases that were not trained on our roles: the same content, folded into one user turn.
INSTRUCTIONS = {
    "relevance": f"위 문서가 질문과 같은 대상을 다룹니까? '{YES}' 또는 '{NO}'로만 답하세요.",
    "usefulness": f"위 문서만 읽고 질문에 답할 수 있습니까? '{YES}' 또는 '{NO}'로만 답하세요.",
    "summary": (
        "위 문서만 근거로 삼아, 먼저 '요약:' 뒤에 질문에 필요한 내용을 한두 문장으로 요약하고 문장마다 근거 문서 번호를 "
        "[1]처럼 붙이세요. 이어서 '답변:' 뒤에 그 요약만으로 질문에 답하세요. 문서에 답이 없으면 없다고 쓰세요."
    ),
}
FOLDED_OPENING = {"relevance": "", "usefulness": "", "summary": "요약:\n", "answer": "\n\n답변:\n"}
_SLOT = "\ue000{}\ue001"
_SLOT_PATTERN = re.compile("\ue000\\d\ue001")


def passage_block(passages: Sequence[str], titles: Sequence[str] | None = None) -> str:
    """Number passages as `[1] …`, one a line.

    White space inside a passage is folded to single spaces: only the true numbering can begin a line, so a
    document cannot forge a passage.
    """
    titles = titles or [""] * len(passages)
    lines = []
    for number, (title, passage) in enumerate(zip(titles, passages, strict=True), start=1):
        head = f"{' '.join(title.split())} | " if title.strip() else ""
        lines.append(f"[{number}] {head}{' '.join(passage.split())}")
    return "\n".join(lines)


@dataclass(frozen=True)
class MarkedText:
    """Token ids of a text with marks among them.

    `places` holds for each token of the text its index in `ids`, `offsets` its characters.
    """

    ids: list[int]
    places: list[int]
    offsets: list[Span]


@dataclass(frozen=True)
class ChatFormat:
    """The literal parts of a chat template around our contents, as token ids.

    `begin` opens the context, `ask` closes it and opens the question, `sections[name]` closes the question and
    opens a section, `then_answer` closes the summary and opens the answer, `end` terminates the answer. `mark` is
    written before words of the summary that the question also holds; None for tokenizers without such a token.
    """

    tokenizer: Any
    style: str
    begin: tuple[int, ...]
    ask: tuple[int, ...]
    sections: dict[str, tuple[int, ...]]
    then_answer: tuple[int, ...]
    end: tuple[int, ...]
    mark: int | None = None

    def content(self, text: str) -> list[int]:
        """Tokenize text that is data: nothing in it becomes a special token."""
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def context(self, passages: Sequence[str], titles: Sequence[str] | None = None) -> list[int]:
        """Return the ids from the beginning of the sequence to the end of the numbered passages."""
        return [*self.begin, *self.content(passage_block(passages, titles))]

    def question(self, question: str, shared: Sequence[Span] = ()) -> list[int]:
        """Return the ids that follow `context` up to the end of the question.

        Args:
            question (`str`): One line (white space folded to single spaces).
            shared (`Sequence[Span]`): Words of it that the context holds too, in order; a mark goes before each.
        """
        if self.mark is None or not shared:
            return [*self.ask, *self.content(" ".join(question.split()))]
        return [*self.ask, *self.marked(question, shared).ids]

    def marked(self, text: str, shared: Sequence[Span]) -> "MarkedText":
        """Tokenize data with a mark before each of the given words."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        found = MarkedText([], [], [])
        waiting = list(reversed(shared))
        for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
            hit = False
            while waiting and waiting[-1].start < end:
                hit |= waiting.pop().end > start
            if hit and self.mark is not None:
                found.ids.append(self.mark)
            found.places.append(len(found.ids))
            found.offsets.append(Span(start, end))
            found.ids.append(token)
        return found

    def label_ids(self) -> tuple[int, int]:
        """Return the first token of the yes label and of the no label.

        Raises:
            KoQasError: The tokenizer writes both with the same first token.
        """
        yes, no = self.content(YES)[0], self.content(NO)[0]
        if yes == no:
            raise KoQasError(
                "tokenizer", f"'{YES}'와 '{NO}'의 첫 토큰이 같습니다.", "use a tokenizer that separates them"
            )
        return yes, no


def chat_format(tokenizer: Any, style: str = "auto") -> ChatFormat:  # noqa: ANN401  (any tokenizer class)
    """Read a tokenizer's chat template into a `ChatFormat`.

    Args:
        tokenizer: A transformers tokenizer.
        style (`str`): `roles` writes our section names as role names (bases trained on them, any-role templates
            such as Llama 3), `user` folds all into one user turn with instructions, `plain` needs no template,
            `auto` is `user` where a template exists, else `plain`.

    Raises:
        KoQasError: Unknown style, or `roles` with a template that drops or refuses role names.
    """
    if style == "auto":
        style = "user" if getattr(tokenizer, "chat_template", None) else "plain"
    if style == "roles":
        return _roles_format(tokenizer)
    if style in ("user", "plain"):
        return _folded_format(tokenizer, style)
    raise KoQasError("chat_format", f"알 수 없는 대화 형식: {style!r}", "use roles, user, plain or auto")


def _literals(tokenizer: Any, messages: list[dict[str, str]], generate: bool, slots: int) -> list[list[int]]:  # noqa: ANN401
    """Render messages whose contents are slots and return the ids of the literal text between the slots."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
    parts = _SLOT_PATTERN.split(text)
    if len(parts) != slots + 1:
        raise ValueError(f"the chat template kept {len(parts) - 1} of {slots} contents")
    return [tokenizer(p, add_special_tokens=False)["input_ids"] if p else [] for p in parts]


def _roles_format(tokenizer: Any) -> ChatFormat:  # noqa: ANN401
    sections: dict[str, tuple[int, ...]] = {}
    try:
        for name in SECTIONS:
            roles = ("context", "question", name, "answer")
            messages = [{"role": r, "content": _SLOT.format(i)} for i, r in enumerate(roles)]
            begin, ask, opening, then_answer, _ = _literals(tokenizer, messages, False, 4)
            sections[name] = tuple(opening)
        if len(set(sections.values())) != len(SECTIONS):
            raise ValueError("the chat template writes different roles alike")
    except Exception as error:
        raise KoQasError(
            "chat_format",
            f"이 토크나이저의 대화 템플릿은 역할 이름을 받지 않습니다: {error}",
            "use chat_format='user'",
        ) from error
    return ChatFormat(
        tokenizer,
        "roles",
        tuple(begin),
        tuple(ask),
        sections,
        tuple(then_answer),
        (tokenizer.eos_token_id,),
        tokenizer.get_added_vocab().get(MATCH_TOKEN),
    )


def _folded_format(tokenizer: Any, style: str) -> ChatFormat:  # noqa: ANN401
    sections: dict[str, tuple[int, ...]] = {}
    for name in ("relevance", "usefulness", "summary"):
        turn = f"문서:\n{_SLOT.format(0)}\n\n질문: {_SLOT.format(1)}\n\n{INSTRUCTIONS[name]}"
        if style == "user":
            begin, ask, opening = _literals(tokenizer, [{"role": "user", "content": turn}], True, 2)
        else:
            begin, ask, opening = (
                tokenizer(p, add_special_tokens=False)["input_ids"] for p in _SLOT_PATTERN.split(f"{turn}\n\n")
            )
            begin = [*([tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []), *begin]
        tail = FOLDED_OPENING[name]
        sections[name] = (*opening, *(tokenizer(tail, add_special_tokens=False)["input_ids"] if tail else ()))
    answer = tokenizer(FOLDED_OPENING["answer"], add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    return ChatFormat(
        tokenizer, style, tuple(begin), tuple(ask), sections, tuple(answer), () if end is None else (end,)
    )
