"""Ko-QAS: `pipeline("ko-qas", model="org/repo", trust_remote_code=True, documents=...)`.

The whole picture, in the order it runs:

    documents → chunks → BM25 + dense index → fused top-k
      → first-pass filter → DocQuest usefulness, kept from a threshold on
      → nothing kept: search again (wider, reformulated), at most `max_rounds`; still nothing: abstain
      → summary of the evidence → answer conditioned on it → evidence with offsets and hashes

The stages follow one another in koqas_flow.py, their details live in the siblings. This module knows what a pipeline
consists of and how it is called.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from huggingface_hub import CommitInfo
from transformers import Pipeline

from .koqas_answers import Answers
from .koqas_blocks import Block  # noqa: F401  (see the next line)
from .koqas_chunks import TokenTable  # noqa: F401  (transformers before 5.11 copies only siblings named in this file)
from .koqas_citations import supported  # noqa: F401  (see above)
from .koqas_docquest import DocQuest
from .koqas_documents import load_documents
from .koqas_encoder import encoder_config  # noqa: F401  (see above)
from .koqas_endpoint import EndpointModel, endpoint_of
from .koqas_engines import flat_index  # noqa: F401  (see above)
from .koqas_events import Done, Event
from .koqas_extractive import Extractive
from .koqas_features import QuestionView  # noqa: F401  (see above)
from .koqas_files import read_file  # noqa: F401  (see above)
from .koqas_flow import Flow
from .koqas_fusion import fuse  # noqa: F401  (see above)
from .koqas_generation import Cited
from .koqas_hanja import hangul_readings  # noqa: F401  (see above)
from .koqas_html import read_html  # noqa: F401  (see above)
from .koqas_hub import is_repo_id  # noqa: F401  (see above)
from .koqas_index_files import is_index
from .koqas_inquiry import Inquiry
from .koqas_loading import (
    KoQasThinModel,  # noqa: F401  (`auto_map` of thin repositories names it here)
    check_adapter,
    load_parts,
)
from .koqas_locations import locate  # noqa: F401  (see above)
from .koqas_normalization import expansion_of  # noqa: F401  (see above)
from .koqas_numerals import numeral_tokens  # noqa: F401  (see above)
from .koqas_options import ASK_FIELDS, AskOptions, RepositorySettings, check_question
from .koqas_promise import Promise, agrees, labelled_questions, outcomes_of, promise_of
from .koqas_prompts import chat_format
from .koqas_ranker import ScoreMix  # noqa: F401  (see above)
from .koqas_reader import Reader
from .koqas_remote import RemoteCited, RemoteDocQuest
from .koqas_repository import ranker_of, retriever_of, settings_block
from .koqas_retrieval import DenseEncoder, Index, IndexSettings
from .koqas_saving import push_pipeline, save_pipeline
from .koqas_sections import Sections  # noqa: F401  (see above)
from .koqas_spans import TokenRows  # noqa: F401  (see above)
from .koqas_storage import standing  # noqa: F401  (see above)
from .koqas_tables import spread  # noqa: F401  (see above)
from .koqas_text import kiwi  # noqa: F401  (see above)
from .koqas_types import KoQasError, Result
from .koqas_variants import Variants  # noqa: F401  (see above)
from .koqas_verification import verify  # noqa: F401  (where users import it from)
from .koqas_weights import TokenWeights  # noqa: F401  (see above)
from .koqas_words import WordVectors  # noqa: F401  (see above)
from .koqas_writing import write  # noqa: F401  (see above)

TASK = "ko-qas"


class KoQasPipeline(Pipeline):
    """Answers Korean questions from documents, with evidence, or says that they do not hold the answer.

    Args:
        model: A causal LM (with or without a LoRA adapter).
        tokenizer: Its tokenizer.
        documents (*optional*): Documents for all calls; see `koqas_documents.load_documents`. Also a folder
            written by `save_index`.
        encoder (*optional*): A dense encoder to use instead of the repository's `retriever/`.
        endpoint (*optional*): An OpenAI-compatible server that judges and writes instead of `model`: its address, a
            mapping of the fields of `koqas_endpoint.Endpoint`, or an `Endpoint`. Retrieved passages are sent there.
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
        endpoint: Any = None,  # noqa: ANN401
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
        docquest = DocQuest(self.model, self.chat, self._defaults.batch_size, self.settings.passage_tokens)
        # A model that does not know the marks cannot be read together with the ranker.
        self.ranker = ranker_of(self.repository) if self.chat.mark is not None else None
        answers = Answers(self.ranker, Reader(self.model, self.chat), self.settings.reading) if self.ranker else None
        self.extractive = Extractive(self.model, self.chat, docquest, self.settings.calibrations, answers)
        self.docquest: DocQuest | RemoteDocQuest = docquest
        self.cited: Cited | RemoteCited = Cited(self.model, self.chat)
        if endpoint is not None:
            remote = EndpointModel(endpoint_of(endpoint))
            self.docquest, self.cited = RemoteDocQuest(remote), RemoteCited(remote, self.chat)
            self.settings = self.settings.for_another_model()
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
        read = load_documents(documents, progress=progress)
        return Index.build(read, self.encoder, self.index_settings, progress=progress)

    def update_index(self, documents: Any = None, *, delete: Collection[str] = (), progress: bool = False) -> None:  # noqa: ANN401
        """Add documents to the index, replace those whose id is there already, and delete others.

        Only the documents passed here are read; see `Index.changed`. A saved index changes with `save_index`.

        Args:
            documents: See `koqas_documents.load_documents`; None to delete only.
            delete (`Collection[str]`): Ids of documents to forget.
            progress (`bool`): Show a bar while reading.

        Raises:
            KoQasError: There is no index yet; or see `load_documents` and `Index.changed`.
        """
        if self.index is None:
            raise KoQasError("index", "고칠 색인이 없습니다.", "pass documents= to the pipeline first")
        added = [] if documents is None else load_documents(documents)
        self.index = self.index.changed(added, delete, progress=progress)

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
        several = isinstance(question, (list, tuple))
        inquiries = self._inquiries(list(question) if several else [question], several, documents, kwargs)
        results = [self.postprocess(self._forward(inquiry)) for inquiry in inquiries]
        return results if several else results[0]

    def stream(self, question: str, documents: Any = None, **kwargs: Any) -> Iterator[Event]:  # noqa: ANN401
        """Answer one question event by event: retrieved, scored, pieces of summary and answer, done.

        Arguments and errors are those of a call, and input is checked before the first event is asked for. The last
        event is `Done`; its result is the one a call returns. Closing the iterator stops the work.
        """
        (inquiry,) = self._inquiries([question], False, documents, kwargs)
        return self._flow().events(inquiry)

    def _inquiries(
        self,
        questions: list[Any],
        several: bool,
        documents: Any,  # noqa: ANN401
        given: dict[str, Any],
    ) -> list[Inquiry]:
        """Check everything of a call before anything runs."""
        self._sanitize_parameters(**given)
        options = replace(self._defaults, **given).checked()
        checked = [check_question(q, n if several else None) for n, q in enumerate(questions)]
        index = self.index if documents is None else self.build_index(documents)
        if index is None:
            raise KoQasError("documents", "문서가 없습니다.", "pass documents= to the pipeline or to the call")
        return [self.preprocess(q, index, options) for q in checked]

    def calibrate(
        self,
        pairs: Any,  # noqa: ANN401  (see `labelled_questions`)
        documents: Any = None,  # noqa: ANN401
        *,
        most_wrong: float = 0.05,
        certainty: float = 0.9,
        right: Callable[[str, Sequence[str]], bool] = agrees,
        progress: bool = True,
        **kwargs: Any,  # noqa: ANN401
    ) -> Promise:
        """Find out how many of your questions can be answered with few wrong answers; changes nothing here.

        `print(promise)` says it in words, and `qa(question, **promise.options())` keeps it.

        Args:
            pairs: About 100 of your own `{question, answer}`; see `koqas_promise.labelled_questions`.
            documents (*optional*): What they are about; None: the pipeline's.
            most_wrong (`float`): Largest share of wrong answers among those given.
            certainty (`float`): Probability with which that must hold; 0 looks at the observed share only.
            right (`Callable[[str, Sequence[str]], bool]`): Whether an answer is right; by default it holds a right one.
            progress (`bool`): Show a progress bar.
            **kwargs: Fields of `AskOptions` that you will ask with.

        Raises:
            KoQasError: Bad pairs, too few of them, or a share out of range.
        """
        labelled = labelled_questions(pairs)
        index = self.index if documents is None else self.build_index(documents)
        asking = {"least_confidence": 0.0, **kwargs}
        outcomes = outcomes_of(lambda q: self(q, index, **asking), labelled, right, progress=progress)
        return promise_of(outcomes, most_wrong, certainty)

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:  # noqa: ANN401
        unknown = sorted(set(kwargs) - ASK_FIELDS)
        if unknown:
            raise KoQasError(unknown[0], "알 수 없는 인자입니다.", f"known arguments: {', '.join(sorted(ASK_FIELDS))}")
        return dict(kwargs), {}, {}

    def preprocess(self, question: str, index: Index, options: AskOptions) -> Inquiry:
        """Open an inquiry: nothing is searched yet."""
        return Inquiry(question, index, options, self.ranker)

    def _flow(self) -> Flow:
        """Put the stages together as they are now: training and tests exchange some."""
        return Flow(self.docquest, self.extractive, self.cited, self.settings)

    def _forward(self, inquiry: Inquiry) -> Result:
        """Follow the events to the last one."""
        *_, last = self._flow().events(inquiry)
        assert isinstance(last, Done)
        return last.result

    def postprocess(self, result: Result) -> dict[str, Any]:
        """Return the plain dict."""
        return result.to_dict()


def load(repository: str, documents: Any = None, **kwargs: Any) -> KoQasPipeline:  # noqa: ANN401
    """Load a repository, complete or thin, without the remote-code machinery (command line, tests, training).

    Raises:
        KoQasError: A file is damaged (named), the repository cannot be loaded, or as the pipeline itself.
    """
    loaded = load_parts(repository)
    return KoQasPipeline(model=loaded.model, tokenizer=loaded.tokenizer, documents=documents, **kwargs)
