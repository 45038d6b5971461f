"""Generation through an endpoint: retries, limits, what a failure costs, and that nothing is paid twice."""

import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import ChatServer, Trouble

from koqas.koqas_types import Document, KoQasError
from koqas.train.examples import EvidenceSpan, Example, read_examples, write_examples
from koqas.train.generation.cache import ReplyCache
from koqas.train.generation.chat import Reply, request_of
from koqas.train.generation.client import retry_after
from koqas.train.generation.settings import GenerationSettings
from koqas.train.generation.stage import TRANSIENT, generate
from koqas.train.generation.writing import enrich
from koqas.train.rejections import RejectionLog

ROWS_OF_THE_KILL_TEST = 2000


@pytest.fixture
def server():
    with ChatServer() as running:
        yield running


@pytest.fixture
def settings(server, tmp_path):
    return GenerationSettings(
        strategy="summary",
        backend="openai",
        model="tiny",
        base_url=server.url,
        cache=str(tmp_path / "cache"),
        max_retries=2,
        backoff=0.01,
        timeout=5.0,
    )


def row(number, word="평범"):
    text = f"{word}한 마을 {number}호에는 사과나무가 {number + 3}그루 있다. 강은 없다."
    answer = f"{number + 3}그루"
    start = text.index(answer)
    return Example(
        id=f"r{number}",
        source="documents",
        license="CC0-1.0",
        domain="생활",
        question=f"{number}호에는 사과나무가 몇 그루 있나?",
        documents=(Document(f"d{number}", text, "마을"),),
        useful=(True,),
        answer=answer,
        evidence=(EvidenceSpan(f"d{number}", start, start + len(answer)),),
        answerable=True,
        meta={"file": "rows.jsonl", "row": f"line {number}"},
    )


def run(rows, settings):
    log = Kept()
    return list(generate(rows, settings, log, progress=False)), log


class Kept(RejectionLog):
    """A log that also keeps what it counts."""

    def __init__(self):
        super().__init__()
        self.rejections = []

    def add(self, rejection):
        """Keep the rejection for the test as well."""
        super().add(rejection)
        self.rejections.append(rejection)


def test_rows_come_enriched_in_order_and_a_second_run_pays_nothing(server, settings):
    rows = [row(n) for n in range(30)]
    made, log = run(rows, settings)
    assert [m.id for m in made] == [r.id for r in rows] and not log.counts
    for before, after in zip(rows, made):
        assert before.answer in after.summary and after.summary in after.documents[0].text
        assert after.quotes() == (before.answer, after.summary)
        assert after.meta["generated"] == "tiny" and after.meta["row"] == before.meta["row"]
        assert not after.problems()
    assert sum(server.calls.values()) == 30
    again, _ = run(rows, settings)
    assert again == made and sum(server.calls.values()) == 30


@pytest.mark.parametrize("kind", ["429", "500", "503", "garbage", "broken", "empty", "half", "die"])
def test_a_failure_is_retried(server, settings, kind):
    server.troubles = [Trouble("고약", kind, times=2)]
    made, log = run([row(0), row(1, "고약"), row(2)], settings)
    assert len(made) == 3 and not log.counts
    assert sorted(server.calls.values()) == [1, 1, 3]


@pytest.mark.parametrize("kind", ["429", "500", "garbage", "broken", "half", "die"])
def test_a_lasting_failure_costs_its_row_and_no_other(server, settings, kind):
    server.troubles = [Trouble("고약", kind, times=None)]
    made, log = run([row(0), row(1, "고약"), row(2)], settings)
    assert [m.id for m in made] == ["r0", "r2"]
    (rejection,) = log.rejections
    assert rejection.reason == "endpoint_failed" and rejection.reason in TRANSIENT and "3 attempts" in rejection.detail
    assert (rejection.file, rejection.row, rejection.id) == ("rows.jsonl", "line 1", "r1")
    server.troubles = []
    made, log = run([row(0), row(1, "고약"), row(2)], settings)
    assert len(made) == 3 and sorted(server.calls.values()) == [1, 1, 4]


def test_an_endpoint_that_hangs_times_out(server, settings):
    server.troubles = [Trouble("고약", "hang", times=1)]
    began = time.monotonic()
    made, log = run([row(0), row(1, "고약")], replace(settings, timeout=0.5))
    assert len(made) == 2 and not log.counts and 0.5 <= time.monotonic() - began < 4


def test_retry_after_holds_back_all_requests(server, settings):
    server.troubles = [Trouble("고약", "429", headers={"Retry-After": "1"})]
    rows = [row(0, "고약"), *(row(n) for n in range(1, 6))]
    made, log = run(rows, replace(settings, concurrency=1))
    assert len(made) == 6 and not log.counts
    assert server.times[1] - server.times[0] >= 1.0  # the other rows waited as well


def test_a_request_that_is_refused_is_not_repeated(server, settings):
    server.troubles = [Trouble("고약", "400", times=None)]
    made, log = run([row(0), row(1, "고약")], settings)
    assert len(made) == 1 and log.counts == {"request_refused": 1} and max(server.calls.values()) == 1


@pytest.mark.parametrize(("kind", "field"), [("401", "api_key_env"), ("404", "model"), ("quota", "api_key_env")])
def test_what_would_fail_every_row_stops_the_run_and_keeps_what_was_paid(server, settings, kind, field):
    server.troubles = [Trouble("고약", kind, times=None)]
    rows = [*(row(n) for n in range(5)), row(5, "고약"), row(6)]
    with pytest.raises(KoQasError) as told:
        run(rows, replace(settings, concurrency=1))
    assert told.value.field == field and max(server.calls.values()) == 1
    server.troubles = []
    made, _ = run(rows, settings)
    assert len(made) == 7 and sum(server.calls.values()) == 8  # only the refused call came twice


def test_a_dead_endpoint_is_given_up_quickly(server, settings):
    settings = replace(settings, concurrency=2)
    run([row(0)], settings)
    server.shutdown()
    server.server_close()
    began = time.monotonic()
    made, log = run([row(n) for n in range(200)], settings)
    assert [m.id for m in made] == ["r0"] and sum(log.counts.values()) == 199  # each counted, the paid one kept
    assert log.counts["endpoint_down"] > 150 and time.monotonic() - began < 15
    assert set(log.counts) <= TRANSIENT


def test_an_unusable_reply_is_repaired_once(server, settings):
    server.troubles = [Trouble("고약", "prose", times=1), Trouble("뒤틀", "cut", times=None)]
    made, log = run([row(0), row(1, "고약"), row(2, "뒤틀")], settings)
    assert [m.id for m in made] == ["r0", "r1"] and log.counts == {"cut_reply": 1}
    repair = next(b["messages"] for b in server.bodies if len(b["messages"]) == 4)
    assert "JSON" in repair[-1]["content"] and repair[-2]["role"] == "assistant"
    calls = sum(server.calls.values())
    run([row(0), row(1, "고약"), row(2, "뒤틀")], settings)
    assert sum(server.calls.values()) == calls == 5  # what was bad and paid for is not paid for again


def test_equal_rows_share_a_call(server, settings):
    server.delay = 0.05
    made, _ = run([row(1) for _ in range(10)], settings)
    assert len(made) == 10 and sum(server.calls.values()) == 1


def test_no_more_requests_are_under_way_than_allowed(server, settings):
    server.delay = 0.05
    run([row(n) for n in range(20)], replace(settings, concurrency=3))
    assert server.most_busy == 3


def test_requests_per_minute_are_kept(server, settings):
    run([row(n) for n in range(9)], replace(settings, requests_per_minute=240))  # four a second
    assert server.times[-1] - server.times[0] >= 1.0
    for first, fifth in zip(server.times, server.times[5:]):
        assert fifth - first > 0.2


def test_tokens_per_minute_are_kept(server, settings):
    prompt = request_of([{"role": "user", "content": "가" * 1000}], settings).assumed_tokens
    assert 1000 <= prompt <= 1010
    run([row(n) for n in range(4)], replace(settings, tokens_per_minute=240_000, max_tokens=2_500))  # 4,000 a second
    assert server.times[-1] - server.times[0] > 1.5  # 4 times about 3,000, less the first second's


def test_the_key_goes_to_the_endpoint_and_nowhere_else(server, settings, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "sk-secret")
    run([row(0)], replace(settings, api_key_env="TEST_KEY"))
    assert server.keys == {"Bearer sk-secret"}
    assert b"sk-secret" not in b"".join(p.read_bytes() for p in Path(settings.cache).iterdir())


def test_a_broken_off_consumer_leaves_a_usable_cache(server, settings):
    for made in generate((row(n) for n in range(100)), settings, RejectionLog(), progress=False):
        if made.id == "r5":
            break
    assert not [t for t in threading.enumerate() if t.name == "generation"]
    answered = sum(server.calls.values())
    assert answered < 100
    made, log = run([row(n) for n in range(100)], settings)
    assert len(made) == 100 and not log.counts


def test_a_file_that_is_no_cache_is_refused_and_left_alone(settings):
    settings.cache_file.parent.mkdir(parents=True)
    settings.cache_file.write_bytes(b"something else" * 100)
    with pytest.raises(KoQasError, match="cache"):
        run([row(0)], settings)
    assert settings.cache_file.read_bytes() == b"something else" * 100


def test_a_torn_write_ahead_log_loses_only_what_was_not_finished(settings, tmp_path):
    requests = [request_of([{"role": "user", "content": str(n)}], settings) for n in range(20)]
    with ReplyCache(tmp_path / "a" / "replies.sqlite3") as cache:
        for number, request in enumerate(requests):
            cache.put(request, Reply(f"답 {number}"))
        log = (tmp_path / "a" / "replies.sqlite3-wal").read_bytes()  # as a killed process leaves it, last frame torn
        main = (tmp_path / "a" / "replies.sqlite3").read_bytes()
    torn = tmp_path / "b" / "replies.sqlite3"
    torn.parent.mkdir()
    torn.write_bytes(main)
    torn.with_name("replies.sqlite3-wal").write_bytes(log[:-2000])
    with ReplyCache(torn) as cache:
        assert [cache.get(r.key) for r in requests[:19]] == [Reply(f"답 {n}") for n in range(19)]
        cache.put(requests[19], Reply("다시"))
        assert cache.get(requests[19].key) == Reply("다시")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-4", 0.0), ("999999", 600.0), ("soon", None), (None, None)],
)
def test_retry_after_headers(value, seconds):
    assert retry_after({"retry-after": value}) == seconds
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


def test_kill_9_loses_no_finished_row_and_repeats_no_finished_call(server, settings, tmp_path):
    rows = [row(n) for n in range(ROWS_OF_THE_KILL_TEST)]
    write_examples(tmp_path / "rows.jsonl", rows)
    command = [sys.executable, __file__, server.url, str(tmp_path)]
    at = random.randint(100, ROWS_OF_THE_KILL_TEST - 100)
    victim = subprocess.Popen(command, start_new_session=True)
    while sum(server.calls.values()) < at and victim.poll() is None:
        time.sleep(0.002)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, f"it ended before it could be killed at call {at}"
    time.sleep(0.2)  # the server ends what it was answering
    before = server.calls.copy()
    finished = (tmp_path / "finished.txt").read_text(encoding="utf-8").splitlines()
    paid = _keys_in(settings.cache_file, rows, settings)
    assert len(paid) >= len(finished) > 0 and sum(before.values()) - len(paid) <= settings.concurrency

    assert subprocess.run(command, check=False).returncode == 0
    everything = (tmp_path / "finished.txt").read_text(encoding="utf-8").splitlines()
    assert everything[len(finished) :] == [f"{m.id} {m.summary}" for m in run(rows, settings)[0]]
    assert set(finished) <= set(everything[len(finished) :])
    repeated = [key for key, count in server.calls.items() if count > 1]
    assert len(repeated) <= settings.concurrency  # those under way when it was killed
    assert sum(server.calls.values()) == len(rows) + len(repeated)
    assert sum(server.calls.values()) - sum(before.values()) == len(rows) - len(paid)


def _keys_in(cache_file, rows, settings):
    """Return the requests of the rows whose reply is in the cache."""
    found = []

    async def note(request):
        found.append(request.key)
        return Reply("{}")

    for item in rows:
        work = enrich(item, settings, note)
        with pytest.raises(StopIteration):
            work.send(None)
    with ReplyCache(cache_file) as cache:
        return {key for key in found if cache.get(key)}


def _main(url, folder):
    settings = GenerationSettings(
        strategy="summary", backend="openai", model="tiny", base_url=url, cache=f"{folder}/cache", max_retries=2,
        backoff=0.01, timeout=5.0,
    )  # fmt: skip
    with Path(folder, "finished.txt").open("a", encoding="utf-8") as finished:
        for made in generate(read_examples(Path(folder, "rows.jsonl")), settings, RejectionLog(), progress=False):
            finished.write(f"{made.id} {made.summary}\n")
            finished.flush()


if __name__ == "__main__":
    _main(*sys.argv[1:])
