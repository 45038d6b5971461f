"""Ko-QAS: `pipeline("ko-qas", model="org/repo", trust_remote_code=True, documents=...)`.

The whole picture, in the order it runs:

    documents → chunks → BM25 + dense index → fused top-k
      → first-pass filter → DocQuest usefulness, kept from a threshold on
      → nothing kept: search again (wider, reformulated), at most `max_rounds`; still nothing: abstain
      → summary of the evidence → answer conditioned on it → evidence with offsets and hashes

Details live in the siblings. This module knows how stages follow one another and how a repository is laid out.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from huggingface_hub import CommitInfo
from transformers import Pipeline

from .koqas_answers import Answers, ReadingSettings
from .koqas_chunks import TokenTable  # noqa: F401  (transformers before 5.11 copies only siblings named in this file)
from .koqas_docquest import Calibrations, DocQuest, Passage
from .koqas_documents import load_documents
from .koqas_extractive import Extractive
from .koqas_generation import Cited, ComposeOptions
from .koqas_hub import is_repo_id  # noqa: F401  (see above)
from .koqas_loading import (
    KoQasThinModel,  # noqa: F401  (`auto_map` of thin repositories names it here)
    check_adapter,
    load_parts,
)
from .koqas_prompts import ABSTENTION, chat_format
from .koqas_ranker import AnalyzedQuestion, Ranker
from .koqas_reader import Reader
from .koqas_repository import ranker_of, retriever_of, settings_block
from .koqas_retrieval import DenseEncoder, Index, IndexSettings, Query, is_index, query_of
from .koqas_saving import push_pipeline, save_pipeline
from .koqas_storage import standing  # noqa: F401  (see above)
from .koqas_text import (
    matching_forms,
    one_sentence,
    overlap_weight,
    search_tokens,
    sentences_of,
    shared_in,
    view_of,
)
from .koqas_types import Chunk, Composition, Document, KoQasError, Result, ScoredChunk, sha256_of

TASK = "ko-qas"
LONGEST_QUESTION = 2000


@dataclass(frozen=True)
class AskOptions:
    """How one question is answered. Every field can be given to `pipeline(...)` or to a call.

    Args:
        top_k (`int`): Chunks retrieved in the first round.
        lexical (`bool`): Use BM25.
        dense (`bool`): Use the dense vectors.
        first_pass (`bool`): Filter chunks by relevance before DocQuest.
        first_pass_threshold (`float`, *optional*): Relevance a chunk needs; None: the repository's.
        docquest (`bool`): Score usefulness; False keeps the best chunks by retrieval alone.
        threshold (`float`, *optional*): Usefulness a chunk needs to be kept; None: the repository's.
        answer_threshold (`float`, *optional*): Probability that some candidate answer is right below which the
            question is not answered; None: the repository's.
        max_kept (`int`): Most chunks the answer is written from.
        max_rounds (`int`): Searches before abstaining.
        grounding (`str`, *optional*): `extractive` or `cited`; None: the repository's.
        summary (`bool`): Summarize before answering.
        ranker (`bool`): Use the trained ranker, where the repository has one.
        reader (`bool`): Use the language model's verdicts on candidate answers, where it is trained to give them.
        max_new_tokens (`int`): Longest free text (`cited`).
        batch_size (`int`): Passages in one forward pass.
        temperature (`float`): Sampling temperature of free text; 0 is greedy.
        seed (`int`): Seed of sampling.
    """

    top_k: int = 8
    lexical: bool = True
    dense: bool = True
    first_pass: bool = True
    first_pass_threshold: float | None = None
    docquest: bool = True
    threshold: float | None = None
    answer_threshold: float | None = None
    max_kept: int = 3
    max_rounds: int = 2
    grounding: str | None = None
    summary: bool = True
    ranker: bool = True
    reader: bool = True
    max_new_tokens: int = 256
    batch_size: int = 8
    temperature: float = 0.0
    seed: int = 0

    def checked(self) -> "AskOptions":
        """Return self.

        Raises:
            KoQasError: A value has the wrong type or range; names it.
        """
        for name in ("top_k", "max_kept", "max_rounds", "max_new_tokens", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
                raise KoQasError(name, f"1 이상의 정수여야 합니다: {value!r}", f"pass {name}=8, for example")
        for name in ("threshold", "first_pass_threshold", "answer_threshold"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1
            ):
                raise KoQasError(name, f"0과 1 사이의 수여야 합니다: {value!r}", f"pass {name}=0.5, for example")
        self._check_choices()
        return self

    def _check_choices(self) -> None:
        for name in ("lexical", "dense", "first_pass", "docquest", "summary", "ranker", "reader"):
            if not isinstance(getattr(self, name), bool):
                raise KoQasError(
                    name, f"True나 False여야 합니다: {getattr(self, name)!r}", f"pass {name}=True or False"
                )
        if self.grounding not in (None, "extractive", "cited"):
            raise KoQasError("grounding", f"알 수 없는 방식입니다: {self.grounding!r}", "use 'extractive' or 'cited'")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise KoQasError("seed", f"정수여야 합니다: {self.seed!r}", "pass seed=0, for example")
        if not isinstance(self.temperature, (int, float)) or not 0 <= self.temperature <= 5:
            raise KoQasError(
                "temperature", f"0에서 5 사이의 수여야 합니다: {self.temperature!r}", "pass temperature=0"
            )
        if not (self.lexical or self.dense):
            raise KoQasError("lexical", "lexical과 dense를 모두 끌 수 없습니다.", "leave one of them on")


ASK_FIELDS = frozenset(f.name for f in fields(AskOptions))


@dataclass(frozen=True)
class RepositorySettings:
    """The `koqas` block of config.json: how this repository's model is prompted, calibrated and used."""

    chat_style: str = "auto"
    grounding: str = "cited"
    threshold: float = 0.5
    first_pass_threshold: float = 0.1
    context_tokens: int = 3000
    passage_tokens: int = 1200
    length_power: float = 0.0
    summary_sentences: int = 2
    dense_weight: float = 0.15
    max_chars: int = 600
    calibrations: Calibrations = Calibrations()
    reading: ReadingSettings = ReadingSettings()

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "RepositorySettings":
        """Read the block; keys that are not settings (provenance) are passed over."""
        known = {f.name for f in fields(cls)} - {"calibrations", "reading"}
        given = {k: v for k, v in row.items() if k in known}
        return cls(
            **given,
            calibrations=Calibrations.from_dict(row.get("calibration", {})),
            reading=ReadingSettings.from_dict(row.get("reading", {})),
        )


class KoQasPipeline(Pipeline):
    """Answers Korean questions from documents, with evidence, or says that they do not hold the answer.

    Args:
        model: A causal LM (with or without a LoRA adapter).
        tokenizer: Its tokenizer.
        documents (*optional*): Documents for all calls; see `koqas_documents.load_documents`. Also a folder
            written by `save_index`.
        encoder (*optional*): A dense encoder to use instead of the repository's `retriever/`.
        **kwargs: Fields of `AskOptions`, and what every transformers pipeline takes.
    """

    _load_processor: Any = False
    _load_image_processor: Any = False
    _load_feature_extractor: Any = False
    _load_tokenizer: Any = True

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        tokenizer: Any = None,  # noqa: ANN401
        documents: Any = None,  # noqa: ANN401
        encoder: DenseEncoder | None = None,
        progress: bool = False,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        if tokenizer is None:
            raise KoQasError(
                "tokenizer", "토크나이저가 필요합니다.", "pass tokenizer=AutoTokenizer.from_pretrained(...)"
            )
        if kwargs.get("device") is None and getattr(model, "hf_device_map", None) is None:
            kwargs["device"] = model.device
        self._defaults = AskOptions()
        super().__init__(model=model, tokenizer=tokenizer, task=kwargs.pop("task", TASK), **kwargs)
        self._defaults = replace(self._defaults, **self._preprocess_params).checked()
        self._preprocess_params = {}
        self.model.eval()
        self.repository = str(getattr(tokenizer, "name_or_path", "") or "")
        self.block = dict(getattr(self.model.config, "koqas", None) or settings_block(self.repository))
        check_adapter(self.model, self.block)
        self.settings = RepositorySettings.from_dict(self.block)
        self.encoder, encoder_id = (encoder, "caller") if encoder is not None else retriever_of(self.repository)
        self.index_settings = IndexSettings(
            max_chars=self.settings.max_chars, dense_weight=self.settings.dense_weight, encoder=encoder_id
        )
        self.chat = chat_format(tokenizer, self.settings.chat_style)
        self.docquest = DocQuest(self.model, self.chat, self._defaults.batch_size, self.settings.passage_tokens)
        # A model that does not know the marks cannot be read together with the ranker.
        self.ranker = ranker_of(self.repository) if self.chat.mark is not None else None
        answers = Answers(self.ranker, Reader(self.model, self.chat), self.settings.reading) if self.ranker else None
        self.extractive = Extractive(self.model, self.chat, self.docquest, self.settings.calibrations, answers)
        self.cited = Cited(self.model, self.chat)
        self.index = None if documents is None else self.build_index(documents, progress=progress)

    # ---- documents -----------------------------------------------------------------------------------------------

    def build_index(self, documents: Any, *, progress: bool = False) -> Index:  # noqa: ANN401
        """Index documents, or load a saved index.

        Args:
            documents: See `koqas_documents.load_documents`; or an `Index`; or a folder written by `save_index`.
            progress (`bool`): Show a progress bar.

        Raises:
            KoQasError: See `load_documents` and `Index.load`.
        """
        if isinstance(documents, Index):
            return documents
        if is_index(documents):
            return Index.load(documents, self.encoder, self.index_settings)
        return Index.build(load_documents(documents), self.encoder, self.index_settings, progress=progress)

    def save_index(self, folder: str | os.PathLike[str]) -> None:
        """Write the index of `documents=`; pass the folder as `documents` next time.

        Raises:
            KoQasError: There is no index yet, or the folder holds something else.
        """
        if self.index is None:
            raise KoQasError("documents", "저장할 색인이 없습니다.", "pass documents= first")
        self.index.save(folder)

    # ---- saving ----------------------------------------------------------------------------------------------------

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], *, repo_id: str = "", complete: bool | None = None
    ) -> None:
        """Write this pipeline as a repository: model, adapter, tokenizer, retriever, ranker, code, card.

        The folder appears whole or not at all; an older repository there is replaced.

        Args:
            save_directory (`str` or `os.PathLike`): A new or empty folder, or one that holds only a repository.
            repo_id (`str`): Hub id it will have, if any.
            complete (`bool`, *optional*): Write the base model too; False names it only; None: as it was loaded.

        Raises:
            KoQasError: The folder holds other files or cannot be written, or the base has no id to name.
        """
        save_pipeline(self, save_directory, repo_id, complete)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = True,
        complete: bool | None = None,
        **upload: Any,  # noqa: ANN401
    ) -> CommitInfo:
        """Upload this pipeline as a repository that `pipeline("ko-qas", model=repo_id, ...)` opens.

        Args:
            repo_id (`str`): `organization/name`.
            private (`bool`): Create it private; an existing repository keeps its setting.
            complete (`bool`, *optional*): See `save_pretrained`.
            **upload: `token`, and `commit_message`, `commit_description`, `revision`, `create_pr` of
                `HfApi.upload_folder`.

        Raises:
            KoQasError: Not a hub id, or the hub refuses or cannot be reached.
        """
        return push_pipeline(self, repo_id, complete, {"private": private, **upload})

    # ---- calls ---------------------------------------------------------------------------------------------------

    def __call__(self, question: Any, documents: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401
        """Answer one question (a dict) or several (a list of dicts).

        Args:
            question (`str` or `list[str]`): What to ask.
            documents (*optional*): Documents for this call only.
            **kwargs: Fields of `AskOptions` for this call only.

        Raises:
            KoQasError: Bad question, documents or option; names the field.
        """
        self._sanitize_parameters(**kwargs)
        options = replace(self._defaults, **kwargs).checked()
        questions = list(question) if isinstance(question, (list, tuple)) else [question]
        checked = [
            check_question(q, n if isinstance(question, (list, tuple)) else None) for n, q in enumerate(questions)
        ]
        index = self.index if documents is None else self.build_index(documents)
        if index is None:
            raise KoQasError("documents", "문서가 없습니다.", "pass documents= to the pipeline or to the call")
        results = [self.postprocess(self._forward(self.preprocess(q, index, options))) for q in checked]
        return results if isinstance(question, (list, tuple)) else results[0]

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:  # noqa: ANN401
        unknown = sorted(set(kwargs) - ASK_FIELDS)
        if unknown:
            raise KoQasError(unknown[0], "알 수 없는 인자입니다.", f"known arguments: {', '.join(sorted(ASK_FIELDS))}")
        return dict(kwargs), {}, {}

    def preprocess(self, question: str, index: Index, options: AskOptions) -> "Inquiry":
        """Open an inquiry: nothing is searched yet."""
        return Inquiry(question, index, options, self.ranker)

    def _forward(self, inquiry: "Inquiry") -> Result:
        """Search and judge, at most `max_rounds` times, then compose."""
        clock = Stopwatch()
        scored: list[ScoredChunk] = []
        kept: list[ScoredChunk] = []
        for turn in range(1, inquiry.options.max_rounds + 1):
            found = self._search(inquiry, turn, scored)
            clock.lap("retrieval")
            self._judge(inquiry, found)
            clock.lap("judgement")
            scored += found
            kept = sorted((s for s in scored if s.kept), key=_merit, reverse=True)[: inquiry.options.max_kept]
            if kept:
                break
        composition = self._compose(inquiry, kept) if kept else None
        clock.lap("generation")
        for s in scored:
            s.kept = s in kept
        ranked = sorted(scored, key=_merit, reverse=True)
        return conclude(inquiry.question, composition, ranked, clock.timings)

    def postprocess(self, result: Result) -> dict[str, Any]:
        """Return the plain dict."""
        return result.to_dict()

    # ---- stages --------------------------------------------------------------------------------------------------

    def _search(self, inquiry: "Inquiry", turn: int, seen: list[ScoredChunk]) -> list[ScoredChunk]:
        """Retrieve chunks not seen before; later rounds look wider, with the keywords of the question alone."""
        options = inquiry.options
        query = inquiry.query if turn == 1 else query_of(inquiry.question, reformulated=True)
        wanted = options.top_k * turn
        found = inquiry.index.search(query, wanted + len(seen), lexical=options.lexical, dense=options.dense)
        known = {(s.chunk.document, s.chunk.number) for s in seen}
        fresh = [s for s in found if (s.chunk.document, s.chunk.number) not in known][:wanted]
        for s in fresh:
            s.round = turn
        inquiry.meet(fresh)
        return fresh

    def _judge(self, inquiry: "Inquiry", found: list[ScoredChunk]) -> None:
        """Set `first_pass`, `usefulness` and `kept` of chunks."""
        options, calibrations = inquiry.options, self.settings.calibrations
        if not (options.first_pass or options.docquest) or not found:
            for s in found:
                s.kept = True
            return
        self.docquest.batch_size = options.batch_size
        passages = [inquiry.passage(s.chunk) for s in found]
        sections = [n for n, on in (("relevance", options.first_pass), ("usefulness", options.docquest)) if on]
        logits = dict(zip(sections, self.docquest.logits(inquiry.text, passages, sections), strict=True))
        bar = self.settings.threshold if options.threshold is None else options.threshold
        low = (
            self.settings.first_pass_threshold
            if options.first_pass_threshold is None
            else options.first_pass_threshold
        )
        for n, s in enumerate(found):
            s.kept = True
            if options.first_pass:
                s.first_pass = calibrations.relevance.probability(logits["relevance"][n], passages[n])
                s.kept = s.first_pass >= low
            if options.docquest and s.kept:
                s.usefulness = calibrations.usefulness.probability(logits["usefulness"][n], passages[n])
                s.kept = s.usefulness >= bar

    def _compose(self, inquiry: "Inquiry", kept: list[ScoredChunk]) -> Composition | None:
        options = inquiry.options
        how = ComposeOptions(
            summary=options.summary,
            summary_sentences=self.settings.summary_sentences,
            context_tokens=self.settings.context_tokens,
            length_power=self.settings.length_power,
            answer_threshold=options.answer_threshold,
            ranker=options.ranker,
            reader=options.reader,
            max_new_tokens=options.max_new_tokens,
            temperature=options.temperature,
            seed=options.seed,
        )
        if (options.grounding or self.settings.grounding) == "extractive":
            asked = inquiry.asked or inquiry.question
            return self.extractive.compose(asked, kept, inquiry.index.documents, inquiry.coverage, how)
        return self.cited.compose(inquiry.question, kept, inquiry.index.documents, how)


class Inquiry:
    """One question on its way: its query tokens, their inverse document frequencies, and what it has found."""

    def __init__(self, question: str, index: Index, options: AskOptions, ranker: Ranker | None = None) -> None:
        self.question, self.index, self.options, self.ranker = question, index, options, ranker
        self.asked: AnalyzedQuestion | None = ranker.question(question) if ranker else None
        self.text = self.asked.text if self.asked else question  # what spans of shared words point into
        self.query: Query = query_of(question)
        # A corpus' weights tell a question's words apart better than those of a handful of the user's documents.
        self.weights = (
            {t: ranker.weights[t] for t in self.query.tokens} if ranker else index.token_weights(self.query.tokens)
        )
        self._covered: dict[tuple[str, str], float] = {}

    def meet(self, found: Iterable[ScoredChunk]) -> None:
        """Look up how much of the question the found chunks and their sentences cover."""
        for s in found:
            whole, each = self.index.coverage(self.weights, s.chunk)
            self._covered |= {(x.text, ""): share for x, share in zip(s.chunk.sentences, each, strict=True)}
            self._covered[s.chunk.text, s.chunk.title] = whole

    def coverage(self, text: str, title: str) -> float:
        """Return the share (0..1) of the question's inverse-document-frequency weight that a text's words cover.

        Texts of found chunks (with their title) and of their sentences (without) are known; others are analyzed.
        """
        if (known := self._covered.get((text, title))) is not None:
            return known
        held = {t for s in sentences_of(f"{title}\n{text}") for t in search_tokens(s.tokens, s.text)}
        return overlap_weight(self.weights, held)

    def passage(self, chunk: Chunk) -> Passage:
        """Describe a chunk for judgement: coverage, and what the ranker and the shared words say."""
        coverage = self.coverage(chunk.text, chunk.title)
        if self.asked is None or self.ranker is None:
            return Passage(chunk.text, chunk.title, coverage)
        sentences = [one_sentence(s.text) for s in chunk.sentences]
        titled = [one_sentence(chunk.title)] if chunk.title else []
        forms = matching_forms(m for s in (*titled, *sentences) for m in s.tokens)
        support = self.ranker.read(self.asked, sentences, chunk.title).answerability if self.options.ranker else 0.0
        return Passage(chunk.text, chunk.title, coverage, support, shared_in(self.asked.sentences, forms))


class Stopwatch:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self.timings: dict[str, float] = {"retrieval": 0.0, "judgement": 0.0, "generation": 0.0, "total": 0.0}

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to a stage."""
        now = time.perf_counter()
        self.timings[stage] += now - self._last
        self._last, self.timings["total"] = now, now - self._begun


def _merit(scored: ScoredChunk) -> tuple[float, float, float]:
    """Order chunks: usefulness, else relevance, else retrieval."""
    absent = -1.0
    return (
        absent if scored.usefulness is None else scored.usefulness,
        absent if scored.first_pass is None else scored.first_pass,
        scored.fused,
    )


def check_question(question: Any, number: int | None = None) -> str:  # noqa: ANN401
    """Return a question in readable form.

    Raises:
        KoQasError: Not text, empty or too long.
    """
    field = "question" if number is None else f"question[{number}]"
    if not isinstance(question, str):
        raise KoQasError(field, f"문자열이어야 하는데 {type(question).__name__}입니다.", "pass the question as str")
    text = " ".join(view_of(question).text.split())
    if not text:
        raise KoQasError(field, "질문이 비어 있습니다.", "ask something")
    if len(text) > LONGEST_QUESTION:
        raise KoQasError(field, f"질문이 너무 깁니다({len(text):,}자).", f"at most {LONGEST_QUESTION:,} characters")
    return text


def conclude(
    question: str, composition: Composition | None, ranked: list[ScoredChunk], timings: dict[str, float]
) -> Result:
    """Make a result of a composition, or an abstention where there is none."""
    if composition is None:
        best = max((s.usefulness for s in ranked if s.usefulness is not None), default=0.0)
        return Result(question, "", ABSTENTION, False, 1.0 - best, [], ranked, timings)
    c = composition
    return Result(question, c.summary, c.answer, True, c.confidence, list(c.evidence), ranked, timings)


def verify(result: dict[str, Any], documents: Any) -> bool:  # noqa: ANN401
    """Re-check a result's evidence without any model.

    Args:
        result (`dict`): What the pipeline returned.
        documents: The documents it was asked of (anything `load_documents` reads, or an `Index`).

    Returns:
        `bool`: True when every quote stands at its offsets in a text with the recorded hash, and an answered
        result has evidence.
    """
    known: Iterable[Document] = (
        documents.documents.values() if isinstance(documents, Index) else load_documents(documents)
    )
    texts = {d.id: d.text for d in known}
    for e in result["evidence"]:
        text = texts.get(e["document"])
        if (
            text is None
            or sha256_of(text) != e["sha256"]
            or text[e["start"] : e["end"]] != e["quote"]
            or not e["quote"]
        ):
            return False
    return bool(result["evidence"]) or not result["answered"]


def load(repository: str, documents: Any = None, **kwargs: Any) -> KoQasPipeline:  # noqa: ANN401
    """Load a repository, complete or thin, without the remote-code machinery (command line, tests, training).

    Raises:
        KoQasError: A file is damaged (named), the repository cannot be loaded, or as the pipeline itself.
    """
    loaded = load_parts(repository)
    return KoQasPipeline(model=loaded.model, tokenizer=loaded.tokenizer, documents=documents, **kwargs)
