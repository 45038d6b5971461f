"""Ask the running service from several clients at once, and record how long they wait and whether memory grows.

    python -m koqas.service.load_test                  # 8 clients, 2 minutes, results/service_load.json

Starts the real service as a process of its own over the sample documents. Clients ask the sample questions in turn, one
request in four as a stream and one with documents of its own. Memory is the service's resident set, from /proc.
"""

import dataclasses
import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from transformers import HfArgumentParser

from koqas.koqas_demo import ROOT, SAMPLE
from koqas.train.provenance import record_of

STARTING = 180.0  # seconds for the model to load
SAMPLING = 2.0  # seconds between two looks at memory


@dataclass
class LoadArguments:
    """What `python -m koqas.service.load_test` needs to know.

    Args:
        clients (`int`): Clients, each with one request at a time.
        seconds (`float`): How long they ask.
        warm_up (`float`): Seconds before, not counted.
        concurrency (`int`): Questions the service works on at the same time.
        out (`str`): Record.
    """

    clients: int = 8
    seconds: float = 120.0
    warm_up: float = 60.0
    concurrency: int = 2
    out: str = "results/service_load.json"


@dataclass
class Observed:
    """What the clients saw: seconds of each answered request and what went wrong; what the service took (MB)."""

    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)


def questions() -> list[str]:
    """Return the sample questions."""
    lines = (SAMPLE / "questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines if line.strip()]


def keep_asking(client: httpx.Client, number: int, until: float, asked: list[str], seen: Observed) -> None:
    """Ask one question after the other until the time is over."""
    turn = number
    while time.monotonic() < until:
        body: dict[str, Any] = {"question": asked[turn % len(asked)], "stream": turn % 4 == 0}
        if turn % 4 == 1:
            text = f"{number}번 손님의 표는 {turn}호이다. 표는 입구에서 보여 준다."
            body |= {"question": "표는 몇 호인가?", "documents": [{"id": "ticket", "text": text}]}
        begun = time.monotonic()
        try:
            reply = client.post("/v1/answers", json=body)
            whole = "event: done" in reply.text if body["stream"] else "answer" in reply.json()
            if reply.status_code != 200 or not whole:
                seen.problems.append(f"status {reply.status_code}")
        except (httpx.HTTPError, ValueError) as error:
            seen.problems.append(type(error).__name__)
        seen.seconds.append(time.monotonic() - begun)
        turn += 1


def watch(pid: int, until: float, seen: Observed) -> None:
    """Look at the memory of a process until the time is over."""
    begun = time.monotonic()
    while time.monotonic() < until:
        status = Path(f"/proc/{pid}/status").read_text()
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        seen.memory.append((time.monotonic() - begun, kilobytes / 1024))
        time.sleep(SAMPLING)


def load(client: httpx.Client, pid: int, args: LoadArguments, seconds: float) -> Observed:
    """Let all clients ask for some time."""
    seen, asked = Observed(), questions()
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=keep_asking, args=(client, n, until, asked, seen)) for n in range(args.clients)]
    threads.append(threading.Thread(target=watch, args=(pid, until, seen)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def summarized(seen: Observed, args: LoadArguments) -> dict[str, Any]:
    """Return the figures of a run."""
    waited = np.array(seen.seconds)
    times, memory = np.array(seen.memory).T
    slope = float(np.polyfit(times, memory, 1)[0]) * 60
    p50, p95, p99 = (round(float(v), 3) for v in np.percentile(waited, [50, 95, 99]))
    return {
        "requests": len(waited),
        "problems": len(seen.problems),
        "problem_kinds": sorted(set(seen.problems)),
        "requests_per_second": round(len(waited) / args.seconds, 2),
        "latency_s": {"p50": p50, "p95": p95, "p99": p99, "longest": round(float(waited.max()), 3)},
        "memory_mb": {"first": round(memory[0], 1), "last": round(memory[-1], 1), "most": round(memory.max(), 1)},
        "memory_slope_mb_per_minute": round(slope, 2),
    }


def main(args: LoadArguments) -> None:
    """Start the service, load it, stop it, write the record."""
    record = record_of(args)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "koqas.service", "--documents", str(SAMPLE / "documents"), "--port", str(port)]
    command += ["--concurrency", str(args.concurrency)]
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            wait_for(client, service)
            load(client, service.pid, args, args.warm_up)
            seen = load(client, service.pid, args, args.seconds)
    finally:
        service.terminate()
        left = service.wait(60)
    figures = summarized(seen, args) | {"exit_code": left}
    out = ROOT / args.out
    out.write_text(json.dumps(record | figures, ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stdout.write(json.dumps({**dataclasses.asdict(args), **figures}, indent=2) + "\n")


def wait_for(client: httpx.Client, service: "subprocess.Popen[bytes]") -> None:
    """Wait until the service is up.

    Raises:
        RuntimeError: It ended, or takes too long.
    """
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and service.poll() is None:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise RuntimeError("the service did not start")


if __name__ == "__main__":
    main(*HfArgumentParser(LoadArguments).parse_args_into_dataclasses())
