"""Check an adapter against the rules of the VAIV × KIISE 2024 open-book QA competition.

    python train/admission.py --adapter runs/gem2-14b --base vaiv/GeM2-Llamion-14B-Chat
    python train/admission.py --adapter runs/sample --base . --any_base      # the same rules for another base

The rules, from the organizers' evaluator (github.com/KisuYang/vaiv-kiise-ai-2024): a LoRA, IA3, BOFT or VeRA adapter of
one of the three GeM2-Llamion-14B models, at most 5 % of its parameters; the evaluator uses the base's own tokenizer, so
added tokens are lost; answers end with the end-of-sequence token. Exit code 1 where a rule is broken. No weights are
loaded: shapes come from file headers and the base's config.json.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, HfArgumentParser, PreTrainedTokenizerBase

from koqas.koqas_prompts import chat_format
from koqas.koqas_types import KoQasError
from koqas.train.publishing.adapters import adapter_settings, fit
from koqas.train.publishing.weights import Base, find_base

LARGEST_SHARE = 0.05
KINDS = ("LORA", "IA3", "BOFT", "VERA")
BASES = tuple(f"vaiv/GeM2-Llamion-14B-{kind}" for kind in ("Base", "Chat", "LongChat"))
BASE_PARAMETERS = 14_498_288_640
# Every character that a question about anything might hold need not be tried: one sentence shows another merge table.
PROBE = "한들강은 길이가 42km이다. [1] The river, 河川; 1987년!"


@dataclass
class AdmissionArguments:
    """What to check.

    Args:
        adapter (`str`): Folder of the adapter.
        base (`str`): Folder or hub id of the base; only its small files are read.
        any_base (`bool`): Check the other rules for a base that the competition did not name.
    """

    adapter: str = "runs/sft"
    base: str = BASES[1]
    any_base: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule, whether it is kept, and what was found."""

    name: str
    kept: bool
    found: str


def check(adapter: Path, base: Base, any_base: bool = False) -> list[Rule]:
    """Return every rule with its outcome.

    Raises:
        KoQasError: A file is missing or damaged, so nothing can be said.
    """
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    rules = [*_size_rules(adapter, base, any_base), *_tokenizer_rules(adapter, tokenizer)]
    return [*rules, _prompt_rule(tokenizer)]


def _size_rules(adapter: Path, base: Base, any_base: bool) -> Iterator[Rule]:
    kind = str(getattr(adapter_settings(adapter).peft_type, "value", adapter_settings(adapter).peft_type))
    yield Rule("종류 (adapter type)", kind in KINDS, f"{kind}; allowed: {', '.join(KINDS)}")
    found = fit(adapter, base.config)
    if not any_base:
        same = found.base_parameters == BASE_PARAMETERS and base.config.model_type == "llama"
        told = f"{base.id or base.folder}: {found.base_parameters:,}; GeM2-Llamion-14B has {BASE_PARAMETERS:,}"
        yield Rule("기반 (base)", same and base.id in ("", *BASES), told)
    told = f"{found.adapter_parameters:,} of {found.base_parameters:,} parameters: {found.share:.2%}"
    yield Rule(f"크기 (at most {LARGEST_SHARE:.0%})", found.share <= LARGEST_SHARE, told)
    problems = [*found.missing, *found.unexpected, *found.misshapen]
    told = f"{len(problems)} tensors: {problems[0]}" if problems else "every tensor has its place"
    yield Rule("맞음 (fits the base)", not problems, told)


def _tokenizer_rules(adapter: Path, tokenizer: PreTrainedTokenizerBase) -> Iterator[Rule]:
    name = "토크나이저 (works with the base's own tokenizer)"
    if not (adapter / "tokenizer_config.json").is_file():
        yield Rule(name, True, "the adapter brings none")
        return
    own = AutoTokenizer.from_pretrained(adapter)
    ours, theirs = own.get_vocab(), tokenizer.get_vocab()
    if added := sorted(t for t in ours if ours[t] != theirs.get(t)):
        yield Rule(name, False, f"{len(added)} tokens the base does not have or numbers otherwise: {added[:3]}")
        return
    same = own(PROBE)["input_ids"] == tokenizer(PROBE)["input_ids"]
    yield Rule(name, same, "same tokens, same text pieces" if same else "same tokens, but text is cut otherwise")


def _prompt_rule(tokenizer: PreTrainedTokenizerBase) -> Rule:
    name = "프롬프트 (roles context, question, answer; ends with eos)"
    try:
        chat = chat_format(tokenizer, "roles")
    except KoQasError as error:
        return Rule(name, False, str(error))
    if None in chat.end:
        return Rule(name, False, "the tokenizer has no end-of-sequence token")
    return Rule(name, True, f"answers end with {tokenizer.convert_ids_to_tokens(list(chat.end))}")


def main(args: AdmissionArguments) -> bool:
    """Print every rule; return whether all are kept."""
    base = find_base(args.base, "", with_weights=False)
    rules = check(Path(args.adapter), base, args.any_base)
    for rule in rules:
        print(f"{'✔' if rule.kept else '✘'} {rule.name}: {rule.found}")
    admitted = all(rule.kept for rule in rules)
    print("참가할 수 있습니다 (admitted)" if admitted else "참가할 수 없습니다 (not admitted)")
    return admitted


if __name__ == "__main__":
    try:
        sys.exit(0 if main(HfArgumentParser(AdmissionArguments).parse_args_into_dataclasses()[0]) else 1)
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
