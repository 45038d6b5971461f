"""The 14B run at a twentieth of its size on the CPU: NF4 weights made piece by piece, training, asking, the record."""

import json
import math

import bitsandbytes as bnb
import pytest
import torch

from koqas.koqas_types import KoQasError
from koqas.train.provenance import record_of
from koqas.train.publishing.adapters import empty_model
from koqas.train.random_base import check_room, random_base, shape
from koqas.train.systems import SystemsArguments, main


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    out = tmp_path_factory.mktemp("systems") / "systems.json"
    main(SystemsArguments(scale=20, tokens=48, accumulation=1, steps=1, questions=1, new_tokens=2, out=str(out)))
    return json.loads(out.read_text("utf-8"))


def test_the_full_shape_is_the_bases():
    assert sum(p.numel() for p in empty_model(shape(1)).parameters()) == 14_498_288_640


def test_linear_layers_are_nf4_and_the_rest_is_not():
    model = random_base(shape(40), torch.device("cpu"), seed=0)
    quantized = [m for m in model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    assert len(quantized) == 7 * model.config.num_hidden_layers
    assert all(m.weight.quant_state.quant_type == "nf4" and m.weight.quant_state.nested for m in quantized)
    assert model.lm_head.weight.dtype == torch.float32 and not any(p.is_meta for p in model.parameters())
    ids = torch.randint(3, 1000, (1, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    assert logits.shape == (1, 16, 84_608) and logits.std() > 0 and torch.isfinite(logits).all()


def test_the_record_describes_itself(record):
    assert record["arguments"]["scale"] == 20 and record["versions"]["torch"] == torch.__version__ and record["device"]


def test_only_the_seeds_adapter_is_trained(record):
    hidden, layers = shape(20).hidden_size, shape(20).num_hidden_layers
    assert record["training"]["trainable_parameters"] == layers * 3 * 16 * 2 * hidden  # r=16 on q, v and o


def test_figures_are_measured_and_agree(record):
    training, asking = record["training"], record["pipeline"]
    assert training["tokens"] == 48
    assert training["tokens_per_second"] == pytest.approx(training["tokens"] / training["seconds"], rel=0.01)
    assert 0 < record["building"]["weights_gb"] < record["building"]["peak_gb"] <= training["peak_gb"]
    # Nothing can be known about random tokens: the loss is that of a guess among the vocabulary.
    assert training["first_loss"] == pytest.approx(math.log(84_608), rel=0.05)
    assert 0 < asking["median_seconds"] <= asking["longest_seconds"]
    assert 0 < asking["generation_seconds"] < asking["longest_seconds"] and 0 < asking["judgement_seconds"]


def test_a_run_that_fails_keeps_the_stages_before(tmp_path):
    out, nowhere = tmp_path / "systems.json", str(tmp_path / "nowhere")
    with pytest.raises(KoQasError, match="documents"):
        main(SystemsArguments(scale=40, tokens=8, accumulation=1, steps=1, documents=nowhere, out=str(out)))
    kept = json.loads(out.read_text("utf-8"))
    assert kept["building"]["parameters"] > 0 and kept["training"]["tokens"] == 8 and "pipeline" not in kept


def test_a_copy_without_git_says_which_commit_it_is_of(monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("KOQAS_COMMIT", "0123abc")
    found = record_of(SystemsArguments())
    assert found["git"] == "0123abc" and found["dirty"] is None


@pytest.mark.parametrize("scale", [0, -1, 3, 41])
def test_a_scale_that_leaves_no_whole_head_is_refused(scale):
    with pytest.raises(KoQasError, match="scale"):
        shape(scale)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU may hold it")
def test_the_full_size_is_refused_without_a_gpu():
    with pytest.raises(KoQasError, match="GB"):
        check_room(shape(1), torch.device("cpu"))
