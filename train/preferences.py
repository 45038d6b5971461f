"""Make preference pairs: sample several answers to each question, then choose the better and the worse one.

    python train/preferences.py sample --out runs/candidates.jsonl                                   # data_sample
    python train/preferences.py choose --by person --out runs/pairs.csv                              # in the terminal
    python train/preferences.py choose --by sheet --sheet runs/sheet.csv --out runs/pairs.csv        # in a spreadsheet
    python train/preferences.py choose --by judge --model NAME --base_url http://localhost:8000/v1 --out runs/pairs.csv
    python train/preferences.py choose --by measure --out runs/pairs.csv                             # no one to ask
    python train/preferences.py merge --feedback feedback --out runs/pairs.csv                       # what users said

The first two commands go on where they stopped: run them again. Pairs have the columns question, context, chosen, rejected (with
`--summaries true` also chosen_summary and rejected_summary); train/dpo.py learns from them.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import HfArgumentParser
from trl import ModelConfig, SFTConfig

from koqas.koqas_types import KoQasError
from koqas.train.candidates import Candidates, Sampler, Sampling, read_candidates, sample_to
from koqas.train.choices import ChoiceLog, ask_person, pairs_of, sheet_choices, write_sheet
from koqas.train.feedback import merged, read_opinions
from koqas.train.generation.settings import GenerationSettings
from koqas.train.judging import choose_by_judge, choose_by_measure
from koqas.train.loading import check_hardware, check_vocabulary, load_base, load_tokenizer
from koqas.train.long_answers import read_long_answers
from koqas.train.pairs import read_pairs, write_pairs

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("person", "sheet", "judge", "measure")


@dataclass
class SampleArguments:
    """What to sample.

    Args:
        rows (`str`): Questions with passages: a CSV with Context, Question, Summary, Answer, or rows of the data factory.
        out (`str`): Candidates, JSON lines; a file that is there already is gone on with.
        adapter (`str`): SFT adapter, a folder or hub id; `.` is the repository's own.
        limit (`int`): First so many rows; 0 for all.
        answers (`int`): Draws for each question.
        summaries (`bool`): Draw a summary first, as serving does; else the answer alone.
        temperature (`float`): Above 0: equal answers cannot be compared.
        top_p (`float`): Nucleus.
        max_new_tokens (`int`): Longest answer, and longest summary.
        with_reference (`bool`): The known answer is one of the candidates.
        batch_size (`int`): Questions in one batch.
        longest (`int`): Tokens of a sequence; longer passages are shortened.
        seed (`int`): Seed.
        chat_style (`str`): `roles`, `user`, `plain` or `auto`.
    """

    rows: str = "data_sample/LongAnswer_100_public.csv"
    out: str = "runs/candidates.jsonl"
    adapter: str = "."
    limit: int = 0
    answers: int = 4
    summaries: bool = False
    temperature: float = 0.9
    top_p: float = 0.95
    max_new_tokens: int = 96
    with_reference: bool = False
    batch_size: int = 8
    longest: int = 1024
    seed: int = 0
    chat_style: str = "roles"


@dataclass
class ChooseArguments:
    """How to choose.

    Args:
        by (`str`): `person`, `sheet` (a CSV to fill in), `judge` or `measure`.
        candidates (`str`): File of `sample`.
        out (`str`): Pairs, .csv or .jsonl; choices are kept beside it in NAME.choices.jsonl.
        sheet (`str`): CSV for `sheet`: written first, read when run again.
        summaries (`bool`): Pairs carry the sampled summaries in two more columns.
        least_gap (`float`): `measure`: least difference of the scores (0..1) of a pair.
        least_score (`float`): `measure`: least score of the better answer.
        third_party (`bool`): `judge`: the texts may go to an endpoint that is not your own.
        order_seed (`int`): Seed of the order in which a person sees answers.
    """

    by: str = field(default="person", metadata={"choices": list(WAYS)})
    candidates: str = "runs/candidates.jsonl"
    out: str = "runs/pairs.csv"
    sheet: str = "runs/sheet.csv"
    summaries: bool = False
    least_gap: float = 0.1
    least_score: float = 0.3
    third_party: bool = False
    order_seed: int = 0


@dataclass
class MergeArguments:
    """What to merge.

    Args:
        feedback (`str`): Folder that the app writes to, or a download of the dataset it is pushed to.
        pairs (`str`): Pairs to add it to (.csv, .jsonl, .parquet); empty for none.
        out (`str`): Pairs, .csv or .jsonl.
    """

    feedback: str = "feedback"
    pairs: str = ""
    out: str = "runs/pairs.csv"


def merge(args: MergeArguments) -> None:
    """Write the pairs that feedback makes, behind those that are there already.

    Raises:
        KoQasError: No feedback, a bad line, bad pairs, or nothing to write.
    """
    others = read_pairs(Path(args.pairs)) if args.pairs else []
    found = merged(read_opinions(Path(args.feedback)), others)
    print(
        f"{found.opinions} opinions: {found.waiting} without a counterpart yet, {len(found.pairs)} pairs in {args.out}"
    )
    if found.pairs:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        write_pairs(Path(args.out), found.pairs)


def sample(args: SampleArguments, model_args: ModelConfig) -> None:
    """Load the model and sample.

    Raises:
        KoQasError: Bad rows, settings, base or adapter.
    """
    for name, fits, fix in (
        ("answers", args.answers >= 2, "2 or more"),
        ("temperature", args.temperature > 0, "a number above 0"),
        ("batch_size", args.batch_size >= 1, "1 or more"),
        ("max_new_tokens", 1 <= args.max_new_tokens < args.longest // 2, "less than half of --longest"),
    ):
        if not fits:
            raise KoQasError(name, f"쓸 수 없는 값입니다: {getattr(args, name)}", f"pass {fix}")
    path = Path(args.rows) if Path(args.rows).exists() else ROOT / args.rows
    rows = read_long_answers(path)[: args.limit or None]
    own = str(ROOT)
    name = model_args.model_name_or_path or own
    on_cpu = SFTConfig(
        use_cpu=not torch.cuda.is_available(), report_to="none", bf16=False, gradient_checkpointing=False
    )
    check_hardware("any", on_cpu, model_args)
    chat = load_tokenizer(name, args.chat_style)
    base = load_base(name, model_args, on_cpu)
    check_vocabulary(base, chat.tokenizer)
    try:
        model: Any = PeftModel.from_pretrained(base, own if args.adapter == "." else args.adapter)
    except (ValueError, RuntimeError, OSError) as error:
        raise KoQasError(
            "adapter", f"어댑터를 기반 모델에 얹을 수 없습니다: {args.adapter}", str(error)[:200]
        ) from error
    if torch.cuda.is_available() and not getattr(base, "is_quantized", False):
        model.to("cuda")
    sampling = Sampling(
        args.answers,
        args.summaries,
        args.temperature,
        args.top_p,
        args.max_new_tokens,
        args.with_reference,
        args.batch_size,
        args.longest,
        args.seed,
    )
    counts = sample_to(Path(args.out), rows, Sampler(model, chat, sampling))
    print(
        f"{counts.sampled} questions sampled, {counts.done} done before, {counts.shortened} with shortened passages, "
        f"{counts.left_out} too long to ask: {args.out}"
    )


def choose(args: ChooseArguments, settings: GenerationSettings) -> None:
    """Choose and write the pairs of all choices made so far.

    Raises:
        KoQasError: Bad candidates, sheet or endpoint.
    """
    out = Path(args.out)
    if out.suffix not in (".csv", ".jsonl"):
        raise KoQasError("out", f"저장 형식을 알 수 없습니다: {out.name}", "use .csv or .jsonl")
    everything = read_candidates(Path(args.candidates))
    different = [c for c in everything if len(c.answers) > 1]
    if len(different) < len(everything):
        print(
            f"{len(everything) - len(different)} of {len(everything)} questions have no two different answers: left out"
        )
    with ChoiceLog(out.with_name(out.name + ".choices.jsonl")) as log:
        waiting = [c for c in different if c.id not in log.known]
        print(f"{len(different) - len(waiting)} chosen before, {len(waiting)} to choose")
        _decide(args, settings, waiting, log)
        pairs = pairs_of(different, log.known, args.summaries)
        left = sum(c.id not in log.known for c in different)
        undecided = len(different) - left - len(pairs)
    if pairs:
        write_pairs(out, pairs)
    print(f"{len(pairs)} pairs in {out}, {undecided} without a clear difference, {left} still to choose")


def _decide(args: ChooseArguments, settings: GenerationSettings, waiting: list[Candidates], log: ChoiceLog) -> None:
    if args.by == "person":
        ask_person(waiting, log.keep, args.order_seed)
    elif args.by == "measure":
        choose_by_measure(waiting, log.keep, args.least_gap, args.least_score)
    elif args.by == "judge":
        settings.backend = "openai"
        choose_by_judge(waiting, log.keep, settings, args.third_party)
    else:
        sheet = Path(args.sheet)
        if sheet.is_file():
            for choice in sheet_choices(sheet, waiting, args.order_seed):
                log.keep(choice)
        new = write_sheet(sheet, [c for c in waiting if c.id not in log.known], args.order_seed)
        if new:
            print(f"{new} rows added to {sheet}: write numbers of answers into best and worst, then run this again")


def main(arguments: list[str]) -> None:
    """Run the command that the first argument names.

    Raises:
        KoQasError: There is no such command, or it failed.
    """
    kinds: dict[str, tuple[Any, list[Any]]] = {
        "sample": (sample, [SampleArguments, ModelConfig]),
        "choose": (choose, [ChooseArguments, GenerationSettings]),
        "merge": (merge, [MergeArguments]),
    }
    if not arguments or arguments[0] not in kinds:
        raise KoQasError(
            "command", "sample, choose 또는 merge를 앞에 쓰세요.", "preferences.py sample|choose|merge --help"
        )
    command, wanted = kinds[arguments[0]]
    parser = HfArgumentParser(wanted, prog=f"preferences.py {arguments[0]}")
    command(*parser.parse_args_into_dataclasses(arguments[1:]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
