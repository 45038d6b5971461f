"""The files of a model repository, as a local folder or in the hub's cache: find them, check them, load the retriever.

Knows file names and formats; knows nothing about what the pipeline does with the models.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers.utils import cached_file

from .koqas_engines import DenseEncoder
from .koqas_index_files import encoder_fingerprint
from .koqas_ranker import RANKER_FILE, Ranker
from .koqas_types import KoQasError

MODEL_FILES = (
    "config.json",
    "model.safetensors",
    "adapter_config.json",
    "adapter_model.safetensors",
    "tokenizer_config.json",
    "tokenizer.json",
)
RETRIEVER_FILES = tuple(
    f"retriever/{n}"
    for n in ("config_sentence_transformers.json", "model.safetensors", "modules.json", "tokenizer.json")
)


def repository_file(repository: str, name: str) -> Path | None:
    """Return the local path of a file of a repository (folder or hub cache), or None."""
    if not repository:
        return None
    found = cached_file(
        repository,
        name,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    return Path(found) if found else None


def settings_block(repository: str) -> dict[str, Any]:
    """Return the `koqas` block of a repository's config.json; empty where there is none."""
    path = repository_file(repository, "config.json")
    return dict(json.loads(path.read_text("utf-8")).get("koqas") or {}) if path else {}


def check_files(repository: str, names: tuple[str, ...] = MODEL_FILES) -> None:
    """Open those of the named files that are there: a half download or a Git LFS pointer is found before loading.

    Weights have no checksum, so a changed number inside a whole file stays unnoticed.

    Raises:
        KoQasError: A file cannot be opened; names it.
    """
    for name in names:
        if (path := repository_file(repository, name)) is None:
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text("utf-8"))
            else:
                with safe_open(path, "numpy"):
                    pass
        except (SafetensorError, ValueError, OSError) as error:
            raise KoQasError(
                name,
                f"파일이 손상되었습니다: {error}",
                "download the repository again; a git clone needs `git lfs pull`",
            ) from error


def ranker_of(repository: str) -> Ranker | None:
    """Load the repository's answer ranker, or return None where there is none."""
    path = repository_file(repository, RANKER_FILE)
    return Ranker.from_file(path) if path else None


def retriever_of(repository: str) -> tuple[DenseEncoder | None, str]:
    """Load the dense encoder of a repository and its fingerprint; None and "" where there is no `retriever/`.

    Raises:
        KoQasError: A file is missing or damaged; names it.
    """
    paths = {name: repository_file(repository, name) for name in RETRIEVER_FILES}
    if not any(paths.values()):
        return None, ""
    for name, path in paths.items():
        if path is None:
            raise KoQasError(name, "파일이 없습니다.", "download the repository again, or delete retriever/")
    check_files(repository, RETRIEVER_FILES)
    from model2vec import StaticModel  # imported here: a pipeline without retriever/ does not need it

    folder = Path(paths[RETRIEVER_FILES[0]] or "").parent
    return StaticModel.from_pretrained(str(folder)), encoder_fingerprint(folder)
