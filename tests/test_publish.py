"""Publishing to a folder: every way to store the base, what the card says, what is refused, what stays whole."""

import json
import resource
import shutil

import pytest
import torch
from conftest import DOCUMENTS, ROOT, edit
from datasets import load_dataset
from huggingface_hub import ModelCard
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, pipeline

from koqas.koqas_pipeline import load, verify
from koqas.koqas_types import KoQasError, sha256_of
from koqas.train.examples import Document, EvidenceSpan, Example, write_examples
from koqas.train.publish import PublishArguments, main

QUESTION = "새 다리를 설계한 사람은?"
OPTIONS = {"threshold": 0.0, "first_pass_threshold": 0.0}
BASE_FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter as training leaves it: alone in a folder, its base named by a path."""
    folder = tmp_path_factory.mktemp("adapter")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "results" / "sft.json", folder)
    edit(folder / "adapter_config.json", base_model_name_or_path=str(ROOT))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The base alone."""
    folder = tmp_path_factory.mktemp("base")
    for name in (*BASE_FILES, "chat_template.jinja"):
        shutil.copy(ROOT / name, folder)
    return folder


def publish(adapter, out, **changes):
    main(PublishArguments(**{"adapter": str(adapter), "out": str(out), "open_it": False, **changes}))
    return out


def hashes(folder):
    return {str(p.relative_to(folder)): sha256_of(p.read_bytes().hex()) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def complete(adapter, tmp_path_factory):
    """The default, with the card's figures, opened by the exact call on the way."""
    return publish(adapter, tmp_path_factory.mktemp("complete") / "out", repo_id="someone/name", open_it=True)


def asked(qa):
    return {k: v for k, v in qa(QUESTION, **OPTIONS).items() if k != "timings"}


def test_a_complete_repository_answers_as_its_parts_do(complete, qa):
    assert asked(load(str(complete), DOCUMENTS)) == asked(qa)
    for name in (
        "model.safetensors",
        "adapter_model.safetensors",
        "ranker.safetensors",
        "retriever/model.safetensors",
    ):
        assert (complete / name).read_bytes() == (ROOT / name).read_bytes()


def test_names_and_settings_are_rewritten(complete):
    config = json.loads((complete / "config.json").read_text("utf-8"))
    adapter_config = json.loads((complete / "adapter_config.json").read_text("utf-8"))
    assert adapter_config["base_model_name_or_path"] == "someone/name"
    assert config["koqas"]["base_weights"] == "plain" and config["koqas"]["adapter"] is True
    assert config["custom_pipelines"]["ko-qas"]["impl"] == "koqas_pipeline.KoQasPipeline" and "auto_map" not in config
    calibration = json.loads((ROOT / "config.json").read_text("utf-8"))["koqas"]["calibration"]
    assert config["koqas"]["calibration"] == calibration


def test_the_tokenizer_files_agree(complete):
    written = json.loads((complete / "special_tokens_map.json").read_text("utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(complete)
    assert written["eos_token"] == tokenizer.eos_token and written["pad_token"] == tokenizer.pad_token
    config = json.loads((complete / "tokenizer_config.json").read_text("utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert config["model_input_names"] == ["input_ids", "attention_mask"]


def test_the_card_quotes_the_records(complete):
    card = ModelCard.load(complete / "README.md")
    values = {r.metric_name: r.metric_value for r in card.data.eval_results}
    report = json.loads((ROOT / "results" / "korquad.json").read_text("utf-8"))["report"]
    assert values["EM with the gold passage"] == round(100 * report["gold_passage"]["em"], 1)
    assert values["nDCG@10"] == report["retrieval"]["fused"]["ndcg@10"]
    assert (complete / "results" / "korquad.json").read_bytes() == (ROOT / "results" / "korquad.json").read_bytes()
    assert card.data.license == "apache-2.0" and str(ROOT) not in str(card)


def test_records_of_other_weights_are_not_quoted(adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "adapter")
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    save_file({k: v * 1.01 for k, v in weights.items()}, tmp_path / "adapter" / "adapter_model.safetensors")
    out = publish(tmp_path / "adapter", tmp_path / "out")
    card = ModelCard.load(out / "README.md")
    assert card.data.eval_results is None and not (out / "results").exists()


def test_a_card_written_by_hand_is_kept_and_completed(adapter, tmp_path):
    (tmp_path / "card.md").write_text("---\nlanguage: [ko]\nlicense: mit\n---\n\n# 손으로 쓴 카드\n", "utf-8")
    out = publish(adapter, tmp_path / "out", card=str(tmp_path / "card.md"), base_id="someone/base")
    card = ModelCard.load(out / "README.md")
    assert "손으로 쓴 카드" in card.text and card.data.license == "mit"
    assert card.data.base_model == "someone/base" and card.data.eval_results


def test_merged_weights_need_no_adapter_and_give_its_logits(adapter, qa, tmp_path):
    out = publish(adapter, tmp_path / "out", base_weights="merged")
    assert not list(out.glob("adapter_*"))
    merged = load(str(out), DOCUMENTS)
    ids = torch.tensor([qa.chat.context([DOCUMENTS[0]["text"]])])
    with torch.no_grad():
        assert torch.allclose(merged.model(ids).logits, qa.model(ids).logits, atol=2e-3)
    assert asked(merged)["answer"] == asked(qa)["answer"]


def test_nf4_weights_are_small_and_answer(adapter, tmp_path):
    out = publish(adapter, tmp_path / "out", base_weights="nf4")
    layers = {n: t for n, t in load_file(out / "model.safetensors").items() if n.endswith("q_proj.weight")}
    assert layers and all(t.dtype == torch.uint8 for t in layers.values())
    assert (out / "model.safetensors").stat().st_size < 0.9 * (ROOT / "model.safetensors").stat().st_size
    nf4 = load(str(out), DOCUMENTS)
    answer = nf4(QUESTION, **OPTIONS)
    assert answer["answered"] and verify(answer, DOCUMENTS)
    nf4.save_pretrained(tmp_path / "saved")  # 4-bit in memory, 4-bit on disk
    saved, first = (load_file(f / "model.safetensors") for f in (tmp_path / "saved", out))
    assert all(torch.equal(first[n], t) for n, t in saved.items() if n.endswith(".weight"))
    assert asked(load(str(tmp_path / "saved"), DOCUMENTS)) == asked(nf4)


def test_the_seeds_usage(complete, base, qa, monkeypatch):
    """4-bit base by its own name, adapter and tokenizer from the published folder."""
    monkeypatch.chdir(complete)
    tokenizer = AutoTokenizer.from_pretrained("./")
    four_bit = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    model = AutoModelForCausalLM.from_pretrained(base, quantization_config=four_bit, device_map="auto")
    model = PeftModel.from_pretrained(model, "./")
    ids = tokenizer(DOCUMENTS[0]["text"], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        ours, whole = model(ids).logits[0], qa.model(ids).logits[0]
    assert torch.nn.functional.cosine_similarity(ours, whole, dim=-1).min() > 0.9


def test_a_dry_run_shows_and_writes_nothing(complete, adapter, capsys, tmp_path):
    before = hashes(complete)
    publish(adapter, complete, repo_id="someone/name", chat_style="user", dry_run=True)
    shown = capsys.readouterr().out
    assert '+    "chat_style": "user"' in shown and "~ config.json" in shown and "~ model.safetensors" not in shown
    assert hashes(complete) == before
    publish(adapter, tmp_path / "new", dry_run=True)
    assert "+ model.safetensors" in capsys.readouterr().out and not (tmp_path / "new").exists()


def test_a_failure_leaves_the_old_repository(complete, adapter, tmp_path):
    """The damaged ranker is met when everything else is written."""
    shutil.copytree(complete, tmp_path / "out")
    shutil.copytree(complete, tmp_path / "parts")
    (tmp_path / "parts" / "ranker.safetensors").write_bytes(b"half")
    before = hashes(tmp_path / "out")
    with pytest.raises(KoQasError) as caught:
        publish(adapter, tmp_path / "out", parts=str(tmp_path / "parts"))
    assert caught.value.field == "ranker.safetensors"
    assert hashes(tmp_path / "out") == before and len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_known_before_writing(adapter, base, tmp_path):
    """A sparse file stands for weights that no disk here holds."""
    shutil.copytree(base, tmp_path / "large")
    with (tmp_path / "large" / "model-00002-of-00002.safetensors").open("wb") as sparse:
        sparse.truncate(shutil.disk_usage(tmp_path).free + 2**30)
    with pytest.raises(KoQasError, match="MB") as caught:
        publish(adapter, tmp_path / "out", base=str(tmp_path / "large"))
    assert caught.value.field == "out" and not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_not_replaced(adapter, tmp_path):
    (tmp_path / "notes.txt").write_text("내 글")
    with pytest.raises(KoQasError, match="notes.txt"):
        publish(adapter, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "내 글"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"adapter": "nowhere"}, "adapter"),
        ({"base": "nowhere"}, "base"),
        ({"base_weights": "half"}, "base_weights"),
        ({"base_weights": "none"}, "base_id"),
        ({"base_weights": "none", "base_id": "a/b"}, "base"),
        ({"push": True}, "repo_id"),
        ({"repo_id": "a/b/c"}, "repo_id"),
        ({"settings": "nowhere"}, "settings"),
        ({"dataset": "nowhere"}, "dataset"),
    ],
)
def test_bad_arguments_name_the_field(adapter, tmp_path, changes, field):
    with pytest.raises(KoQasError) as caught:
        publish(**{"adapter": adapter, "out": tmp_path / "out", **changes})
    assert caught.value.field == field and not (tmp_path / "out").exists()


def test_an_adapter_of_another_base_is_refused(adapter, base, tmp_path):
    shutil.copytree(base, tmp_path / "wide")
    edit(tmp_path / "wide" / "config.json", intermediate_size=640)
    with pytest.raises(KoQasError, match="mlp") as caught:
        publish(adapter, tmp_path / "out", base=str(tmp_path / "wide"))
    assert caught.value.field == "adapter"


# ---- from the pipeline -----------------------------------------------------------------------------------------------


def test_a_saved_pipeline_opens_with_the_exact_call(qa, tmp_path):
    before = asked(qa)
    qa.save_pretrained(tmp_path / "saved", repo_id="someone/saved")
    assert asked(qa) == before, "saving changed the pipeline"
    saved = pipeline("ko-qas", model=str(tmp_path / "saved"), trust_remote_code=True, documents=DOCUMENTS)
    assert asked(saved) == before
    own = json.loads((tmp_path / "saved" / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    assert own == "someone/saved"
    assert (tmp_path / "saved" / "model.safetensors").stat().st_size == (ROOT / "model.safetensors").stat().st_size
    saved.save_pretrained(tmp_path / "saved")  # over itself
    assert asked(load(str(tmp_path / "saved"), DOCUMENTS)) == before


@pytest.fixture
def small_files():
    """The system refuses files above a megabyte, as a full disk does in the middle of writing."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_up_leaves_nothing(qa, tmp_path, small_files):
    with pytest.raises(KoQasError) as caught:
        qa.save_pretrained(tmp_path / "saved")
    assert caught.value.field == "save_directory" and not list(tmp_path.iterdir())


def test_saving_keeps_other_files(qa, tmp_path):
    (tmp_path / "thesis.md").write_text("내 글")
    with pytest.raises(KoQasError, match="thesis.md"):
        qa.save_pretrained(tmp_path)
    with pytest.raises(KoQasError):
        qa.save_pretrained(tmp_path / "thesis.md")
    assert (tmp_path / "thesis.md").read_text() == "내 글"


def test_a_base_without_a_name_cannot_be_left_out(qa, tmp_path):
    with pytest.raises(KoQasError) as caught:
        qa.save_pretrained(tmp_path / "thin", complete=False)
    assert caught.value.field == "complete" and not (tmp_path / "thin").exists()


# ---- datasets --------------------------------------------------------------------------------------------------------


def example(number, source="written", license="CC-BY-4.0"):
    text = "한들강은 길이가 42km이다."
    return Example(
        id=f"{source}-{number}",
        source=source,
        license=license,
        domain="지리",
        question="한들강의 길이는?",
        documents=(Document("river", text, "한들강"),),
        useful=(True,),
        summary=text,
        answer="42km",
        evidence=(EvidenceSpan("river", 9, 13),),
        answerable=True,
        meta={"번호": number},
    )


def test_the_sample_becomes_a_dataset(tmp_path):
    main(PublishArguments(dataset=str(ROOT / "data_sample"), out=str(tmp_path / "out"), repo_id="someone/data"))
    cache = str(tmp_path / "cache")
    rows = load_dataset(str(tmp_path / "out"), "long_answer", split="train", cache_dir=cache)
    original = load_dataset(
        "csv", data_files=str(ROOT / "data_sample" / "LongAnswer_100_public.csv"), split="train", cache_dir=cache
    )
    assert rows.to_list() == original.to_list() and len(rows) == 100
    pairs = load_dataset(str(tmp_path / "out"), "preference", split="validation", cache_dir=cache)
    assert pairs.column_names == ["question", "context", "chosen", "rejected"] and len(pairs) == 50
    card = ModelCard.load(tmp_path / "out" / "README.md").data.to_dict()
    assert [c["config_name"] for c in card["configs"]] == ["long_answer", "preference"]
    assert card["license"] == "cc-by-4.0"


def test_prepared_rows_become_a_dataset(tmp_path):
    (tmp_path / "rows").mkdir()
    write_examples(tmp_path / "rows" / "train.parquet", [example(n) for n in range(3)])
    write_examples(tmp_path / "rows" / "validation.jsonl", [example(9)])
    arguments = PublishArguments(dataset=str(tmp_path / "rows"), out=str(tmp_path / "out"), allow_sources=["written"])
    main(arguments)
    rows = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in rows.items()} == {"train": 3, "validation": 1}
    assert Example.from_dict({**rows["validation"][0], "meta": {"번호": 9}}) == example(9)


@pytest.mark.parametrize(("source", "allowed"), [("aihub_news", ["aihub_news"]), ("kocommercial", []), ("mine", [])])
def test_rows_that_may_not_be_passed_on_are_refused(tmp_path, source, allowed):
    write_examples(tmp_path / "rows.jsonl", [example(0, source)])
    arguments = PublishArguments(
        dataset=str(tmp_path / "rows.jsonl"), out=str(tmp_path / "out"), allow_sources=allowed
    )
    with pytest.raises(KoQasError, match=source):
        main(arguments)
    assert not (tmp_path / "out").exists()


def test_a_sample_without_a_column_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "preference_50_public.csv").write_text("question,context,chosen\n질문,문맥,답\n", "utf-8")
    with pytest.raises(KoQasError, match="rejected"):
        main(PublishArguments(dataset=str(tmp_path / "data"), out=str(tmp_path / "out")))
