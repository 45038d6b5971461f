"""Train the embedded tokenizer: a Unigram vocabulary that separates particles from nouns.

    python train/tokenizer.py --data DIR --out runs/tokenizer

The vocabulary is the most frequent morphemes as Kiwi cuts them, so it holds stems and particles but no joined
forms; applied to raw text, without Kiwi, `1999년에` therefore still splits before the particle and a copied span is exact.
Digits stand alone. Unknown characters fall back to bytes. Unigram: Kudo 2018, https://arxiv.org/abs/1804.10959.
"""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tqdm import tqdm
from transformers import HfArgumentParser, PreTrainedTokenizerFast

from koqas.koqas_prompts import NO, SECTIONS, YES
from koqas.koqas_text import kiwi
from koqas.train.corpora import plain_texts

SPECIALS = (
    "<|pad|> <|begin_of_text|> <|end_of_text|> <|unk|> <|match|> <|eot_id|> <|start_header_id|> <|end_header_id|>"
).split()
# Whole pieces for what every prompt repeats: role names, labels and the blank line after a header.
FIXED_PIECES = ["▁context", "▁question", *(f"▁{s}" for s in SECTIONS), f"▁{YES}", f"▁{NO}", "▁\n\n", "\n\n", "\n"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ bos_token if loop.first else '' }}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim }}"
    "{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>summary<|end_header_id|>\\n\\n' }}{% endif %}"
)


@dataclass
class TokenizerArguments:
    """What `train/tokenizer.py` needs to know.

    Args:
        data (`str`): Folder of the training corpora (see `corpora.py`).
        out (`str`): Folder for tokenizer.json, tokenizer_config.json, special_tokens_map.json, chat_template.jinja.
        vocab_size (`int`): Learned pieces; bytes and special tokens come on top.
        texts (`int`): Paragraphs to learn from.
        seed (`int`): Seed of the paragraph sample.
    """

    data: str = field(metadata={"help": "folder of the training corpora"})
    out: str = "runs/tokenizer"
    vocab_size: int = 20000
    texts: int = 20000
    seed: int = 0


def morpheme_pieces(texts: list[str]) -> Iterator[str]:
    """Yield Metaspace-marked surface pieces: a word's first morpheme carries `▁`, the others do not."""
    for tokens, text in zip(kiwi().tokenize(tqdm(texts, desc="kiwi")), texts, strict=True):
        starts = sorted({t.start for t in tokens} | {i + 1 for i, c in enumerate(text) if c.isspace()})
        for begin, end in zip(starts, [*starts[1:], len(text)], strict=True):
            piece = text[begin:end].strip()
            if piece:
                yield ("▁" if begin == 0 or text[begin - 1].isspace() else "") + piece


def learn(pieces: Iterator[str], vocab_size: int) -> list[tuple[str, float]]:
    """Count pieces and return the most frequent ones with their log-probabilities.

    Morphemes are already the units, so nothing is left for an EM over substrings to find (tried: it keeps mostly
    single syllables). Single characters are always kept as the fallback for morphemes outside the vocabulary, at
    the frequency they have inside those.
    """
    counts: Counter[str] = Counter()
    for piece in pieces:
        for part in re.findall(r"\d|▁?[^\W\d_]+|▁?[^\w\s]|_", piece):
            counts[part] += 1
    characters: Counter[str] = Counter()
    for piece, count in counts.items():
        if count < 3:
            for at, character in enumerate(piece.removeprefix("▁")):
                characters[("▁" if piece.startswith("▁") and at == 0 else "") + character] += count
    frequent = [c for c, n in characters.most_common() if n >= 5][: vocab_size // 5]
    chosen = dict(counts.most_common(vocab_size - len(frequent)))
    for character in frequent:
        chosen[character] = max(chosen.get(character, 0), characters[character] // 10)
    total = sum(counts.values())
    return [(piece, math.log(max(count, 1) / total)) for piece, count in chosen.items()]


def assemble(learned: list[tuple[str, float]]) -> PreTrainedTokenizerFast:
    """Add special tokens, bytes and fixed pieces, and wrap the result for transformers."""
    # Alone `▁` stands only where digits or unknown characters follow: it is dear, or it would win against `▁있`.
    best = max(score for _, score in learned)
    learned = [*((p, s) for p, s in learned if p != "▁"), ("▁", -14.0)]
    fixed = [(p, best) for p in FIXED_PIECES]
    known = {p for p, _ in fixed}
    bytes_ = [(f"<0x{b:02X}>", -30.0) for b in range(256)]
    vocab = [(t, 0.0) for t in SPECIALS] + bytes_ + fixed + [(p, s) for p, s in learned if p not in known]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=SPECIALS.index("<|unk|>"), byte_fallback=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|end_of_text|>",
        pad_token="<|pad|>",
        unk_token="<|unk|>",
        model_max_length=2048,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def save(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the tokenizer so that transformers 4.57 and 5 both load it, with special_tokens_map.json."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", "utf-8")
    names = {n: getattr(tokenizer, n) for n in ("bos_token", "eos_token", "pad_token", "unk_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(names, indent=2) + "\n", "utf-8")


def main(args: TokenizerArguments) -> None:
    """Sample paragraphs, learn, assemble, save."""
    texts = plain_texts(Path(args.data))
    random.Random(args.seed).shuffle(texts)
    tokenizer = assemble(learn(morpheme_pieces(texts[: args.texts]), args.vocab_size))
    save(tokenizer, Path(args.out))
    print(f"{len(tokenizer)} tokens -> {args.out}")


if __name__ == "__main__":
    main(HfArgumentParser(TokenizerArguments).parse_args_into_dataclasses()[0])
