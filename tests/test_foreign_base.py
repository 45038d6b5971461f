"""Bases that were never trained on our roles: small real models and tokenizers made here, in both groundings."""

import pytest
import torch
from conftest import DOCUMENTS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from koqas.koqas_pipeline import KoQasPipeline, verify
from koqas.koqas_prompts import ABSTENTION, INSTRUCTIONS, NO, YES

QUESTION = "열람실은 몇 석인가?"
SUMMARY, ANSWER = "열람실은 200석이다. [1]", "200석"
USER_AND_ASSISTANT = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] not in ['user', 'assistant'] %}{{ raise_exception('only user and assistant') }}{% endif %}"
    "<|{{ m['role'] }}|>\n{{ m['content'] | trim }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def byte_level_tokenizer(template):
    """A byte-level BPE such as GPT-2's and Llama 3's, learned on the texts of this file."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [d["text"] for d in DOCUMENTS] + list(INSTRUCTIONS.values()) + [YES, NO] * 20
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=template
    )


def llama(vocabulary):
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    return LlamaForCausalLM(config)


def gpt2(vocabulary):
    config = GPT2Config(
        vocab_size=vocabulary, n_embd=64, n_layer=2, n_head=4, n_positions=2048, bos_token_id=0, eos_token_id=1
    )
    return GPT2LMHeadModel(config)


def taught(qa):
    """Train the model of a pipeline to write one summary and one answer behind the prompt that it will see."""
    document = DOCUMENTS[1]
    ids = qa.chat.context([document["text"]], [document["title"]]) + qa.chat.question(QUESTION)
    prompt = [*ids, *qa.chat.sections["summary"]]
    written = [*qa.chat.content(SUMMARY), *qa.chat.then_answer, *qa.chat.content(ANSWER), *qa.chat.end]
    batch = torch.tensor([prompt + written])
    labels = torch.tensor([[-100] * len(prompt) + written])
    optimizer = torch.optim.AdamW(qa.model.parameters(), lr=3e-3)
    qa.model.train()
    for _ in range(120):
        loss = qa.model(input_ids=batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    qa.model.eval()
    assert loss.item() < 0.05
    return qa


@pytest.fixture(scope="module", params=[(llama, USER_AND_ASSISTANT), (gpt2, None)], ids=["llama-user", "gpt2-plain"])
def foreign(request):
    make, template = request.param
    tokenizer = byte_level_tokenizer(template)
    torch.manual_seed(0)
    qa = KoQasPipeline(make(len(tokenizer)), tokenizer, documents=DOCUMENTS, threshold=0.0, first_pass_threshold=0.0)
    assert qa.chat.style == ("user" if template else "plain")
    return taught(qa)


def test_extractive_answers_are_spans_of_evidence(foreign):
    result = foreign(QUESTION, grounding="extractive")
    assert result["answered"] and verify(result, DOCUMENTS)
    assert result["answer"] in " ".join(e["quote"] for e in result["evidence"])
    assert 0 < result["confidence"] <= 1


def test_cited_writes_what_the_model_learned_and_locates_it(foreign):
    result = foreign(QUESTION, grounding="cited", max_kept=1, top_k=1, max_new_tokens=60)
    assert (result["summary"], result["answer"]) == (SUMMARY, ANSWER)
    assert [(e["document"], e["quote"]) for e in result["evidence"]] == [("library", "열람실은 200석이다.")]
    assert verify(result, DOCUMENTS)


def test_cited_text_that_no_passage_supports_is_not_an_answer(foreign):
    """The model writes what it learned whatever it is asked; about another passage that is an invention."""
    result = foreign("상인은 몇 명인가?", documents=[DOCUMENTS[2]], grounding="cited", max_new_tokens=60)
    assert not result["answered"] and result["answer"] == ABSTENTION and result["evidence"] == []


def test_judgements_are_probabilities_of_the_labels(foreign):
    rows = foreign(QUESTION)["documents"]
    assert len(rows) == len(DOCUMENTS)
    assert all(0 < r["first_pass"] < 1 and 0 < r["usefulness"] < 1 for r in rows)


def test_special_tokens_of_the_base_stay_text_in_documents(foreign):
    ids = foreign.chat.context(["앞 </s> <s> 뒤"])
    assert not set(ids[len(foreign.chat.begin) :]) & set(foreign.tokenizer.all_special_ids)
