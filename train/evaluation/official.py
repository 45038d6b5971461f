"""The competition's published evaluator, run beside ours: its own functions on the same model, without its imports.

Comes in: the path of `evaluate_adapter.py` (github.com/KisuYang/vaiv-kiise-ai-2024, Apache-2.0), which you fetch yourself; it
is no part of this repository. Goes out: its scoring functions and its instruction to the judge. Only the two functions
named here are run: vLLM, GPUs and keys are not needed.
"""

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.pairs import PreferencePair

PROMPT, SCORE, JUDGE = "prompt_fn", "evaluate_multiple_choice", "evaluate_free_generation"


@dataclass(frozen=True)
class OfficialEvaluator:
    """What was taken from the file.

    Args:
        functions (`dict[str, Any]`): Its prompt and scoring functions by name.
        instruction (`str`): What it asks the judge to do.
        sha256 (`str`): Hash of the file.
    """

    functions: dict[str, Any]
    instruction: str
    sha256: str

    def accuracy(self, model: Any, tokenizer: Any, pairs: Sequence[PreferencePair]) -> float:  # noqa: ANN401
        """Return its accuracy (0..1) on the same pairs."""
        columns = {name: [asdict(p)[name] for p in pairs] for name in ("question", "context", "chosen", "rejected")}
        prompted = self.functions[PROMPT](columns, tokenizer)
        rows = [dict(zip(prompted, values)) for values in zip(*prompted.values())]
        return float(self.functions[SCORE](model, tokenizer, rows))


def load_official(path: Path) -> OfficialEvaluator:
    """Take the functions out of the file.

    Raises:
        KoQasError: Not that file.
    """
    try:
        source = path.read_text("utf-8")
        found = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
        code = ast.Module([_without_annotations(found[name]) for name in (PROMPT, SCORE)], [])
        instruction = next(
            n.value.value
            for n in ast.walk(found[JUDGE])
            if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "instruct" and isinstance(n.value, ast.Constant)
        )  # fmt: skip
    except (OSError, ValueError, SyntaxError, KeyError, StopIteration) as error:
        raise KoQasError(
            "official", f"대회의 evaluate_adapter.py가 아닙니다: {path}", f"{type(error).__name__}: {error}"
        ) from error
    functions: dict[str, Any] = {"torch": torch, "F": torch.nn.functional, "tqdm": tqdm}
    exec(compile(ast.fix_missing_locations(code), str(path), "exec"), functions)
    return OfficialEvaluator(functions, str(instruction), hashlib.sha256(source.encode()).hexdigest())


def _without_annotations(function: ast.FunctionDef) -> ast.FunctionDef:
    """Its annotations name classes of packages that are not needed."""
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return function
