"""Pushing to a hub and loading back from it, over HTTP: the pipeline's own push, train/publish.py, thin and dataset.

One process pushes, a second one with an empty cache loads; both see the server of hub_server.py as the hub.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import DOCUMENTS, ROOT
from hub_server import running_hub

from koqas.koqas_pipeline import verify

OPTIONS = "threshold=0.0, first_pass_threshold=0.0"
PUSHING = f"""
import contextlib, io, json, sys
from huggingface_hub import HfApi
from transformers import pipeline
from koqas.koqas_types import KoQasError
from koqas.train.publish import PublishArguments, main

root, adapter, base, settings, out, documents = sys.argv[1:]
facts = {{}}

def refused(call):
    try:
        call()
    except ValueError as error:  # the pipeline's error class is that of the remote code
        return error.field

def printed(arguments):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        main(arguments)
    return text.getvalue()

qa = pipeline("ko-qas", model=root, trust_remote_code=True, documents=json.loads(documents))
facts["answer"] = qa("한들강의 길이는?", {OPTIONS})
qa.push_to_hub("someone/complete")
facts["forbidden"] = refused(lambda: qa.push_to_hub("forbidden/complete"))
facts["no token"] = refused(lambda: qa.push_to_hub("someone/stranger", token="wrong"))
facts["no id"] = refused(lambda: qa.push_to_hub("not an id"))

HfApi().create_repo("someone/base", private=True)
HfApi().upload_folder(repo_id="someone/base", folder_path=base)
thin = dict(adapter=adapter, base="someone/base", settings=settings, repo_id="someone/thin", out=out + "/thin", push=True)
facts["published"] = printed(PublishArguments(**thin))
facts["dry run"] = printed(PublishArguments(**thin | dict(chat_style="user", dry_run=True)))
whole = thin | dict(repo_id="someone/changing", base=base, out=out + "/whole", open_it=False)
printed(PublishArguments(**whole))
printed(PublishArguments(**whole | dict(base_weights="merged")))
data = dict(dataset=root + "/data_sample", out=out + "/data", repo_id="someone/data", push=True)
printed(PublishArguments(**data))
print("FACTS" + json.dumps(facts))
"""
LOADING = f"""
import json, sys
from datasets import load_dataset
from huggingface_hub import snapshot_download
from transformers import pipeline
from koqas.koqas_pipeline import load

documents = json.loads(sys.argv[1])
facts = {{}}

def ask(qa):
    return qa("한들강의 길이는?", {OPTIONS})

folder = snapshot_download("someone/complete")
facts["folder"] = ask(pipeline("ko-qas", model=folder, trust_remote_code=True, documents=documents))
facts["complete"] = ask(pipeline("ko-qas", model="someone/complete", trust_remote_code=True, documents=documents))
facts["thin"] = ask(pipeline("ko-qas", model="someone/thin", trust_remote_code=True, documents=documents))
thin = load("someone/thin", documents)
facts["thin, loaded"] = ask(thin)
thin.save_pretrained("saved")
facts["thin, saved"] = ask(load("saved", documents))
facts["rows"] = {{c: len(load_dataset("someone/data", c, split=s)) for c, s in (("long_answer", "train"), ("preference", "validation"))}}
print("FACTS" + json.dumps(facts))
"""


def run(script, hub, folder, *arguments):
    environment = {**os.environ, **hub.environment, "HF_HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.split("FACTS")[1])


@pytest.fixture(scope="module")
def hub():
    with running_hub() as running:
        yield running


@pytest.fixture(scope="module")
def pushed(hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pushing")
    for name in ("adapter", "base"):
        (folder / name).mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(ROOT / name, folder / "adapter")
    # Without a `koqas` block, as a base of somebody else's: the thin repository must bring its own.
    files = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    for name in files:
        shutil.copy(ROOT / name, folder / "base")
    config = json.loads((ROOT / "config.json").read_text("utf-8"))
    (folder / "settings.json").write_text(json.dumps(config.pop("koqas")))
    config.pop("custom_pipelines")
    (folder / "base" / "config.json").write_text(json.dumps(config))
    parts = (ROOT, folder / "adapter", folder / "base", folder / "settings.json", folder / "out")
    return run(PUSHING, hub, folder, *parts, json.dumps(DOCUMENTS))


@pytest.fixture(scope="module")
def loaded(hub, pushed, tmp_path_factory):
    return run(LOADING, hub, tmp_path_factory.mktemp("loading"), json.dumps(DOCUMENTS))


def without_times(result):
    return {k: v for k, v in result.items() if k != "timings"}


def test_pushed_repositories_are_private_and_whole(hub, pushed):
    files = hub.files("models/someone/complete")
    assert all(hub.repositories[f"{key}"].private for key in ("models/someone/complete", "models/someone/thin"))
    for name in ("model.safetensors", "adapter_model.safetensors", "ranker.safetensors", "koqas_pipeline.py"):
        assert files[name].content == (ROOT / name).read_bytes()
    own = json.loads(files["adapter_config.json"].content)["base_model_name_or_path"]
    assert own == "someone/complete"


def test_a_push_is_one_commit(hub, pushed):
    assert len(hub.repositories["models/someone/complete"].commits) == 2  # the first came with the repository


def test_what_was_pushed_answers_the_same(pushed, loaded):
    assert without_times(loaded["folder"]) == without_times(pushed["answer"])
    assert without_times(loaded["complete"]) == without_times(pushed["answer"])


@pytest.mark.parametrize("way", ["thin", "thin, loaded", "thin, saved"])
def test_a_thin_repository_fetches_its_base(loaded, way):
    assert loaded[way]["answered"] and verify(loaded[way], DOCUMENTS)
    for key in ("summary", "answer", "evidence"):
        assert loaded[way][key] == loaded["folder"][key]
    best, expected = (loaded[w]["documents"][0]["usefulness"] for w in (way, "folder"))
    assert best == pytest.approx(expected, abs=1e-3)


def test_a_thin_repository_names_its_base_by_commit(hub, pushed):
    files = hub.files("models/someone/thin")
    block = json.loads(files["config.json"].content)["koqas"]
    assert block["base_model"] == "someone/base" and "model.safetensors" not in files
    assert block["base_revision"] == hub.repositories["models/someone/base"].commits[-1][0]
    assert "base_model: someone/base" in files["README.md"].content.decode()
    assert "uploaded" in pushed["published"]


def test_a_dry_run_shows_the_difference_to_the_hub(hub, pushed):
    assert "~ config.json" in pushed["dry run"] and '+    "chat_style": "user"' in pushed["dry run"]
    assert "~ adapter_model.safetensors" not in pushed["dry run"]
    assert len(hub.repositories["models/someone/thin"].commits) == 2


def test_files_of_another_kind_of_repository_go(hub, pushed):
    (_, before), (_, after) = hub.repositories["models/someone/changing"].commits[-2:]
    assert "adapter_config.json" in before and "model.safetensors" in after
    assert not [name for name in after if name.startswith("adapter_")]


def test_refusals_name_the_repository_and_leave_nothing(hub, pushed):
    assert pushed["forbidden"] == pushed["no token"] == pushed["no id"] == "repo_id"
    assert not [key for key in hub.repositories if "stranger" in key or "forbidden" in key]


def test_the_dataset_is_loaded_by_its_id(hub, loaded):
    assert loaded["rows"] == {"long_answer": 100, "preference": 50}
    assert hub.repositories["datasets/someone/data"].private
