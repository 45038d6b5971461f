"""Hub ids, and uploading a folder to the hub.

Knows nothing about what the folder holds.
"""

import os
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id

from .koqas_types import KoQasError


def upload_repository(
    folder: Path,
    repo_id: str,
    *,
    private: bool = True,
    token: str | bool | None = None,
    repo_type: str = "model",
    delete_patterns: list[str] | None = None,
    **commit: Any,  # noqa: ANN401
) -> CommitInfo:
    """Create the repository where it is not there, and upload a folder.

    Raises:
        KoQasError: The hub refuses (no token, no permission, no such organization, bad card) or cannot be reached.
    """
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True, repo_type=repo_type)
        return api.upload_folder(
            repo_id=repo_id, folder_path=folder, repo_type=repo_type, delete_patterns=delete_patterns, **commit
        )
    except (HfHubHTTPError, OSError) as error:
        raise KoQasError(
            "repo_id",
            f"허브에 올리지 못했습니다: {repo_id} ({error})",
            "log in with `hf auth login`; check the id and your rights",
        ) from error
    except ValueError as error:
        raise KoQasError("README.md", f"카드의 메타데이터를 허브가 받지 않습니다: {error}", "mend the card") from error


def is_repo_id(name: str) -> bool:
    """Tell whether a name has the form of a hub id with a namespace and is no local folder."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name and not os.path.exists(name)


def check_repo_id(repo_id: str) -> None:
    """Raise `KoQasError` where a name cannot be a hub id."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise KoQasError("repo_id", f"허브 id가 아닙니다: {repo_id!r}", "pass organization/name") from error
