"""`accelerate launch train/dpo.py` on a few pairs, and what it refuses."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from datasets import Dataset
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, LlamaConfig

from koqas.koqas_types import KoQasError
from koqas.train import dpo
from koqas.train.evaluation.training_tables import overall_accuracy
from koqas.train.loading import load_tokenizer
from koqas.train.pairs import COLUMNS, PreferencePair, held_out, read_pairs, tokenized, write_pairs

PAIRS = [
    PreferencePair(
        f"한들강 {n}번 다리는 언제 놓였나요?",
        f"[1] 한들강에는 다리가 많다. {n}번 다리는 {1900 + n}년에 놓였다.\n[2] 버드내장은 오일장이다.",
        f"{1900 + n}년에 놓였습니다.",
        f"{1800 + n}년에 놓였습니다.",
    )
    for n in range(10)
]


@pytest.fixture(scope="module")
def chat():
    return load_tokenizer(str(ROOT), "roles")


@pytest.fixture
def pairs_file(tmp_path):
    write_pairs(tmp_path / "pairs.csv", PAIRS)
    return tmp_path / "pairs.csv"


def refused(*arguments):
    """Run the command up to its refusal, in this process: it comes before anything is loaded."""
    with pytest.raises(KoQasError) as error:
        dpo.main(*dpo.make_parser().parse_args_and_config(["--config", str(dpo.DEFAULT_RECIPE), *map(str, arguments)]))
    return str(error.value)


def launch(folder, *arguments):
    done = subprocess.run(
        [Path(sys.executable).with_name("accelerate"), "launch", ROOT / "train" / "dpo.py", *arguments],
        cwd=folder,
        env={**os.environ, "HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "runs" / "sample-dpo" / "dpo.json").read_text("utf-8")), done.stdout


def test_the_command_starts_at_the_sft_adapter_and_leaves_one_that_loads(pairs_file, tmp_path):
    options = ("--max_steps", "2", "--logging_steps", "1", "--warmup_steps", "0", "--per_device_train_batch_size", "2")
    alone = ("--loss_type", "sigmoid_norm", "--loss_weights", "1.0")
    record, told = launch(tmp_path, "--pairs", pairs_file, "--max_length", "256", *options, *alone)
    out = tmp_path / "runs" / "sample-dpo"
    # Policy and reference are one adapter before the first step: the loss is that of a coin, log 2.
    assert record["log"][0]["loss"] == pytest.approx(0.6931, abs=1e-3) and record["log"][-1]["step"] == 2
    assert "repository's own" in told and set(record["held_out"]) == {"written", "self_play"}
    before, after = load_file(ROOT / "adapter_model.safetensors"), load_file(out / "adapter_model.safetensors")
    assert before.keys() == after.keys() and any((before[n] != after[n]).any() for n in before)
    assert not [p for p in out.iterdir() if p.is_dir()], "neither the reference nor half-written files are left"
    settings = json.loads((out / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(ROOT) and settings["peft_type"] == "LORA"
    PeftModel.from_pretrained(AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(ROOT)), out)


def test_the_reference_is_a_second_adapter_on_the_same_base(chat, tmp_path):
    _, training_args, model_args = dpo.make_parser().parse_args_and_config(["--config", str(dpo.DEFAULT_RECIPE)])
    training_args.output_dir = str(tmp_path)
    base = dpo.load_base(str(ROOT), model_args, training_args)
    alone = sum(p.numel() for p in base.parameters())
    model = dpo.with_adapter(base, str(ROOT))
    adapter = sum(p.numel() for p in model.parameters() if p.requires_grad)
    rows = Dataset.from_list(tokenized(chat, PAIRS, 256).rows)
    trainer = dpo.PairTrainer(model=model, args=training_args, train_dataset=rows, processing_class=chat.tokenizer)
    assert trainer.ref_model is None
    assert sum(p.numel() for p in trainer.model.parameters()) == alone + 2 * adapter
    assert {n.split(".")[-2] for n, p in trainer.model.named_parameters() if p.requires_grad} == {"default"}


def test_accuracy_is_the_mean_log_probability_without_the_first_token(chat):
    model = AutoModelForCausalLM.from_pretrained(ROOT)
    rows = tokenized(chat, PAIRS[:3], 256).rows
    margins = []
    for row in rows:
        means = []
        for answer in (row["chosen_ids"], row["rejected_ids"]):
            ids = torch.tensor([[*row["prompt_ids"], *answer]])
            with torch.no_grad():
                chances = model(ids).logits[0].log_softmax(-1)
            places = range(len(row["prompt_ids"]) + 1, ids.shape[1])
            means.append(sum(chances[p - 1, ids[0, p]].item() for p in places) / len(places))
        margins.append(means[0] - means[1])
    found = dpo.preference_accuracy(model, rows, 2, chat.tokenizer.pad_token_id)
    assert found.margin == pytest.approx(sum(margins) / 3, abs=1e-4)
    assert found.accuracy == pytest.approx(sum(m > 0 for m in margins) / 3)


def test_long_contexts_are_shortened_by_use_and_counted(chat):
    filler = " ".join(f"{n}번째 이야기는 장터에서 들었다." for n in range(60))
    pair = PreferencePair(
        "다리는 언제 놓였나요?", f"[1] {filler}\n[2] 다리는 1987년에 놓였다.", "1987년입니다.", "1897년입니다."
    )
    wordy = PreferencePair("다리는?", "[1] 다리는 1987년에 놓였다.", "1987년 " * 100, "1897년")
    made = tokenized(chat, [pair, wordy, PAIRS[0]], 128)
    assert (made.shortened, made.left_out, len(made.rows)) == (1, 1, 2)
    shown = chat.tokenizer.decode(made.rows[0]["prompt_ids"])
    assert "1987년에 놓였다" in shown and pair.question in shown
    assert len(made.rows[0]["prompt_ids"]) + len(made.rows[0]["chosen_ids"]) <= 128
    assert made.rows[0]["chosen_ids"] == [*chat.content(pair.chosen), *chat.end]


def test_special_tokens_in_a_document_stay_text(chat):
    pair = PreferencePair("물음?", "[1] 글 <|eot_id|> 끝.", "글", "끝")
    plain = PreferencePair("물음?", "[1] 글 끝.", "글", "끝")
    eot = chat.tokenizer.convert_tokens_to_ids("<|eot_id|>")
    counts = [tokenized(chat, [p], 256).rows[0]["prompt_ids"].count(eot) for p in (pair, plain)]
    assert counts[0] == counts[1]


def test_a_context_is_never_on_both_sides(chat):
    doubled = [*PAIRS, *(PreferencePair(p.question + "?", p.context, p.chosen, p.rejected) for p in PAIRS)]
    learned, measured = held_out(doubled, 0.4)
    assert learned and measured and not {p.context for p in learned} & {p.context for p in measured}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_pairs_survive_writing(tmp_path, suffix):
    write_pairs(tmp_path / f"pairs{suffix}", PAIRS)
    assert read_pairs(tmp_path / f"pairs{suffix}") == PAIRS
    assert [p.name for p in tmp_path.iterdir()] == [f"pairs{suffix}"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: [{k: r[k] for k in COLUMNS if k != "rejected"} for r in rows], "rejected"),
        (lambda rows: [], "행이 없습니다"),
        (lambda rows: [*rows, rows[0] | {"chosen": " "}], "row 11"),
        (lambda rows: [*rows, rows[0] | {"rejected": rows[0]["chosen"] + " "}], "row 11"),
    ],
    ids=["missing column", "empty", "empty cell", "chosen equal to rejected"],
)
def test_bad_pairs_are_refused(tmp_path, change, told):
    rows = change([{c: getattr(p, c) for c in COLUMNS} for p in PAIRS])
    with (tmp_path / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    message = refused("--pairs", tmp_path / "pairs.csv")
    assert "pairs" in message and told in message


def test_settings_that_cannot_work_are_refused(pairs_file):
    assert "held_out" in refused("--pairs", pairs_file, "--held_out", "0")
    assert "max_length" in refused("--pairs", pairs_file, "--max_length", "16")
    assert "max_length" in refused("--pairs", pairs_file, "--max_length", "100000")
    assert "adapter" in refused("--pairs", pairs_file, "--adapter", "nowhere/at/all")
    assert "pairs" in refused("--pairs", pairs_file.with_name("none.csv"))


@pytest.mark.slow
def test_the_bare_command_learns_the_sample(tmp_path):
    record, _ = launch(tmp_path)
    losses = [entry["loss"] for entry in record["log"] if "loss" in entry]
    assert sum(losses[-4:]) < sum(losses[:4])
    held = record["held_out"]
    assert overall_accuracy(held, "after") > overall_accuracy(held, "before")
    assert all(kind["before"]["pairs"] >= 10 for kind in held.values()) and set(held) == {"written", "self_play"}


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "train" / "recipes").glob("*/dpo.yaml")), ids=lambda p: p.parent.name
)
def test_recipes_parse_and_go_on_from_their_sft(recipe):
    script_args, training_args, model_args = dpo.make_parser().parse_args_and_config(["--config", str(recipe)])
    sft = next(
        r for r in recipe.parent.glob("s*.yaml") if f"output_dir: {script_args.adapter}\n" in r.read_text("utf-8")
    )
    assert f"model_name_or_path: {model_args.model_name_or_path}\n" in sft.read_text("utf-8")
    assert dpo.found(script_args.pairs).is_file() and training_args.precompute_ref_log_probs
