"""The competition's rules: each is kept by a fitting adapter and broken by one that is wrong in just that."""

import shutil
import subprocess
import sys

import pytest
import torch
from conftest import ROOT, edit
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoTokenizer, LlamaConfig

from koqas.koqas_types import KoQasError
from koqas.train.admission import BASE_PARAMETERS, check
from koqas.train.publishing.adapters import empty_model
from koqas.train.publishing.weights import find_base
from koqas.train.random_base import shape


def broken(adapter, base, any_base=False):
    return {r.name.split("(")[1].rstrip(")") for r in check(adapter, base, any_base) if not r.kept}


def write_adapter(folder, config, rank):
    """A LoRA adapter of a base that exists as a shape only."""
    with torch.device("meta"):
        settings = LoraConfig(r=rank, target_modules=["q_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
        adapted = get_peft_model(empty_model(config), settings)
    folder.mkdir()
    state = get_peft_model_state_dict(adapted)
    save_file(
        {k: torch.zeros(v.shape, dtype=torch.bfloat16) for k, v in state.items()}, folder / "adapter_model.safetensors"
    )
    adapted.peft_config["default"].save_pretrained(folder)
    return folder


def write_base(folder, config):
    folder.mkdir()
    config.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(ROOT / name, folder)
    return find_base(str(folder), "", with_weights=False)


@pytest.fixture(scope="module")
def llamion(tmp_path_factory):
    """Llamion's shape with the embedded tokenizer, and a small adapter for it."""
    place = tmp_path_factory.mktemp("llamion")
    return write_adapter(place / "adapter", shape(1), rank=1), write_base(place / "base", shape(1))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    place = tmp_path_factory.mktemp("small")
    config = LlamaConfig.from_pretrained(ROOT)
    return write_adapter(place / "adapter", config, rank=2), write_base(place / "base", config)


def test_a_fitting_adapter_of_the_base_is_admitted(llamion):
    assert not broken(*llamion)
    told = next(r.found for r in check(*llamion) if "at most" in r.name)
    assert f"{BASE_PARAMETERS:,}" in told and f"{40 * 3 * 2 * 5120:,}" in told


def test_another_base_breaks_that_rule_alone(small):
    assert broken(*small) == {"base"} and not broken(*small, any_base=True)


def test_a_large_adapter_breaks_the_size(small, tmp_path):
    large = write_adapter(tmp_path / "large", LlamaConfig.from_pretrained(ROOT), rank=64)
    assert broken(large, small[1], any_base=True) == {"at most 5%"}


def test_an_adapter_of_another_shape_does_not_fit(llamion, small):
    assert "fits the base" in broken(llamion[0], small[1], any_base=True)


def test_added_tokens_break_the_tokenizer_rule(small, tmp_path):
    shutil.copytree(small[0], tmp_path / "adapter")
    tokenizer = AutoTokenizer.from_pretrained(ROOT)
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert not broken(tmp_path / "adapter", small[1], any_base=True), "the base's own tokenizer beside it is no harm"
    tokenizer.add_tokens(["<|new|>"])
    tokenizer.save_pretrained(tmp_path / "adapter")
    assert broken(tmp_path / "adapter", small[1], any_base=True) == {"works with the base's own tokenizer"}


def test_a_template_without_roles_breaks_the_prompt(small, tmp_path):
    base = shutil.copytree(small[1].folder, tmp_path / "base")
    (base / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    found = broken(small[0], find_base(str(base), "", with_weights=False), any_base=True)
    assert found == {"roles context, question, answer; ends with eos"}


def test_damaged_files_are_named(small, tmp_path):
    shutil.copytree(small[0], tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"half")
    with pytest.raises(KoQasError, match="adapter_model.safetensors"):
        check(tmp_path / "adapter", small[1])
    edit(tmp_path / "adapter" / "adapter_config.json", peft_type="NOVELTY")
    with pytest.raises(KoQasError, match="adapter_config.json"):
        check(tmp_path / "adapter", small[1])


def test_the_command_says_no_by_its_exit_code(small):
    command = [sys.executable, ROOT / "train" / "admission.py", "--adapter", small[0], "--base", small[1].folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not admitted" in done.stdout and "✘ 기반" in done.stdout
