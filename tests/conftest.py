"""Shared fixtures: the real embedded repository, loaded once."""

import json
import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow the model tenfold on busy cores
ROOT = Path(__file__).resolve().parent.parent
REPOSITORY_FILES = ["config.json", "generation_config.json", "model.safetensors", "adapter_model.safetensors"]
REPOSITORY_FILES += ["adapter_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
REPOSITORY_FILES += [
    "chat_template.jinja",
    "retriever",
    "ranker.safetensors",
    *sorted(p.name for p in ROOT.glob("koqas_*.py")),
]

DOCUMENTS = [
    {
        "id": "river",
        "title": "한들강",
        "text": "한들강은 길이가 42km이다. 1987년 홍수로 다리가 무너졌다. 새 다리는 박서준이 설계하였다.",
    },
    {
        "id": "library",
        "title": "솔내도서관",
        "text": "솔내도서관은 2011년 3월에 문을 열었다. 열람실은 200석이다. 매주 월요일에 쉰다.",
    },
    {
        "id": "market",
        "title": "버드내장",
        "text": "버드내장은 오일장이다. 상인은 모두 130명이다. 장터 입구에 느티나무가 있다.",
    },
]


def copy_repository(target, names):
    target.mkdir()
    for name in names:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target / name)


def edit(path, **changes):
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="session")
def qa():
    """The embedded pipeline over three small documents."""
    from koqas.koqas_pipeline import load

    return load(str(ROOT), DOCUMENTS, threshold=0.0, first_pass_threshold=0.0)
