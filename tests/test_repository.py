"""A repository with a damaged or missing file is refused by name, and nothing of it is loaded silently."""

import pytest
from conftest import DOCUMENTS, REPOSITORY_FILES, copy_repository

from koqas.koqas_pipeline import load
from koqas.koqas_types import KoQasError

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5053536\n"


@pytest.fixture
def copied(tmp_path):
    copy_repository(tmp_path / "repo", REPOSITORY_FILES)
    return tmp_path / "repo"


def refusal(folder):
    with pytest.raises(KoQasError) as caught:
        load(str(folder), DOCUMENTS)
    return caught.value


@pytest.mark.parametrize(
    "name", ["model.safetensors", "adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "config.json"]
)
def test_a_half_file_is_named(copied, name):
    raw = (copied / name).read_bytes()
    (copied / name).write_bytes(raw[: len(raw) // 2])
    assert refusal(copied).field == name


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "retriever/model.safetensors"])
def test_a_git_lfs_pointer_is_named(copied, name):
    (copied / name).write_text(LFS_POINTER)
    error = refusal(copied)
    assert error.field == name and "git lfs pull" in error.hint


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("model.safetensors", "model"),
        ("adapter_model.safetensors", "model"),
        ("adapter_config.json", None),
        ("retriever/modules.json", None),
    ],
)
def test_a_missing_file_is_named(copied, name, field):
    (copied / name).unlink()
    error = refusal(copied)
    assert error.field == (field or name) and name in str(error)


def test_a_folder_without_a_model_is_refused(tmp_path):
    assert refusal(tmp_path).field == "model"
