"""Prompt trees give the flat rows' loss, and splits keep benchmarks and development passages out."""

import torch
from conftest import ROOT
from transformers import AutoTokenizer

from koqas.koqas_prompts import chat_format
from koqas.train.rows import csv_trees
from koqas.train.trees import LossWeights, TreeQuestion, collate, pack, prompt_tree


def losses(model, trees):
    batch = collate(trees, 0)
    with torch.no_grad():
        logits = model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=batch["attention_mask"]
        ).logits
    at = batch["targets"] >= 0
    return torch.nn.functional.cross_entropy(logits[at], batch["targets"][at], reduction="none").sort().values


def test_a_tree_has_the_loss_of_its_flat_rows(qa):
    chat = chat_format(AutoTokenizer.from_pretrained(ROOT), "roles")
    questions = [
        TreeQuestion("길이는?", True, True, "한들강은 길이가 42km이다.", "42km"),
        TreeQuestion("설계자는?", True, False),
    ]
    text = ["한들강은 길이가 42km이다. 다리가 있다."]
    whole = prompt_tree(chat, text, "한들강", questions, LossWeights(), 500)
    flat = [prompt_tree(chat, text, "한들강", [q], LossWeights(), 500) for q in questions]
    assert len(whole.input_ids) < sum(len(t.input_ids) for t in flat)
    torch.testing.assert_close(losses(qa.model, [whole]), losses(qa.model, flat), atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(losses(qa.model, pack(flat, 500)), losses(qa.model, flat), atol=2e-4, rtol=1e-3)


def test_sample_csv_becomes_trees():
    chat = chat_format(AutoTokenizer.from_pretrained(ROOT), "roles")
    trees = csv_trees(ROOT / "data_sample" / "LongAnswer_100_public.csv", chat, 1024, 0)
    assert trees and all(len(t.input_ids) <= 1024 for t in trees)


def test_special_tokens_map_equals_the_tokenizer():
    import json

    tokenizer = AutoTokenizer.from_pretrained(ROOT)
    written = json.loads((ROOT / "special_tokens_map.json").read_text())
    assert written == {k: getattr(tokenizer, k) for k in written}
