"""The HTTP service over a real socket with the real embedded model, asked by OpenAI's own client and by hand."""

import base64
import contextlib
import json
import socket
import threading
import time
from pathlib import Path

import httpx
import openai
import pytest
import uvicorn
from answering_server import AnsweringServer
from conftest import DOCUMENTS

from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_verification import verify
from koqas.service.desk import Desk
from koqas.service.server import Service

QUESTION = "열람실은 몇 석인가?"
FILES = Path(__file__).parent / "documents"


@contextlib.contextmanager
def serving(qa, concurrency=2, waiting=4, largest=20_000, key=""):
    """Run the service on a free port; the desk is given for looking at."""
    desk = Desk(qa, concurrency, waiting)
    config = uvicorn.Config(Service(desk, largest, key).app(), log_level="error", timeout_graceful_shutdown=20)
    server = uvicorn.Server(config)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    client = httpx.Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=30)
    client.desk, client.server = desk, server
    with client:
        yield client
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def service(qa):
    with serving(qa) as client:
        yield client


def chat(client):
    return openai.OpenAI(base_url=f"{str(client.base_url).rstrip('/')}/v1", api_key="none", max_retries=0)


def ask(question=QUESTION, **more):
    return {"messages": [{"role": "system", "content": "무시"}, {"role": "user", "content": question}], **more}


def test_openais_client_gets_the_answer_and_the_evidence(service, qa):
    reply = chat(service).chat.completions.create(model="any", **ask())
    assert reply.choices[0].message.content == "200석" and reply.model == "any"
    assert verify(reply.koqas, DOCUMENTS) and reply.koqas["summary"] == qa(QUESTION)["summary"]


def test_openais_client_reads_the_stream(service):
    chunks = list(chat(service).chat.completions.create(model="any", stream=True, **ask()))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "200석"
    assert [c.choices[0].finish_reason for c in chunks][-1] == "stop"
    told = [c.koqas["event"] for c in chunks if getattr(c, "koqas", None)]
    assert told[:2] == ["retrieved", "scored"] and told[-1] == "done" and "summary" in told


def test_an_abstention_is_content_too(service):
    body = ask("달의 지름은?", stream=True, extra_body={"koqas": {"threshold": 1.0}})
    chunks = list(chat(service).chat.completions.create(model="any", **body))
    assert "찾을 수 없습니다" in "".join(c.choices[0].delta.content or "" for c in chunks)


def test_documents_of_a_request_are_asked_instead(service):
    documents = [{"id": "new", "text": "달콩분식의 떡볶이는 4,500원이다. 매주 화요일에 쉰다."}]
    body = {"question": "떡볶이는 얼마인가?", "documents": documents}
    result = service.post("/v1/answers", json=body).json()
    assert verify(result, documents) and result["answer"] == "4,500원"
    assert service.post("/v1/answers", json={"question": QUESTION}).json()["answer"] == "200석"


def test_files_of_a_request_are_read(qa):
    with serving(qa, largest=200_000) as client:
        for name in ("library.hwpx", "library.pdf"):
            sent = {"file": f"../../{name}", "data": base64.b64encode((FILES / name).read_bytes()).decode()}
            body = {"question": "책을 빌리는 기간은 며칠인가?", "documents": [sent], "threshold": 0.0}
            result = client.post("/v1/answers", json=body).json()
            assert result["answer"] == "14일" and result["evidence"][0]["document"] == f"../../{name}"
            assert result["evidence"][0]["location"]["label"].startswith("제3조 2항")
        for sent, param in (
            ({"file": "a.exe", "data": ""}, "documents[0].file"),
            ({"file": "a.pdf", "data": "%"}, "documents[0].data"),
            ({"file": "a.pdf", "data": "AAAA"}, "documents[0].data"),
        ):
            reply = client.post("/v1/answers", json={"question": QUESTION, "documents": [sent]})
            assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_answers_are_streamed_as_named_events(service):
    with service.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as reply:
        lines = [line for line in reply.iter_lines() if line]
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert [line for line in lines if line.startswith("event")][-1] == "event: done"
    assert json.loads(lines[-1].removeprefix("data: "))["result"]["answer"] == "200석"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("answers", b"{", "body"),
        ("answers", b"[" * 100_000, "body"),
        ("answers", {"question": ""}, "question"),
        ("answers", {"question": QUESTION, "top_k": 10_000}, "top_k"),
        ("answers", {"question": QUESTION, "batch_size": 2}, "batch_size"),
        ("answers", {"question": QUESTION, "documents": "/etc/passwd"}, "documents"),
        ("answers", {"question": QUESTION, "documents": [{"text": ""}]}, "documents[0].text"),
        ("answers", {"question": QUESTION, "stream": "yes"}, "stream"),
        ("answers", {"question": "", "stream": True}, "question"),
        ("chat/completions", {"messages": []}, "messages"),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
        ),
        ("chat/completions", {"messages": [{"role": "user", "content": "뭐?"}], "koqas": {"x": 1}}, "x"),
    ],
)
def test_bad_requests_name_the_field(qa, path, body, param):
    with serving(qa, largest=200_000) as client:
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        reply = client.post(f"/v1/{path}", **sent)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
        assert client.desk.present == 0


def test_a_file_of_the_server_cannot_be_read(service, tmp_path):
    (tmp_path / "secret.txt").write_text("비밀번호는 1234이다.")
    body = {"question": "비밀번호는?", "documents": [str(tmp_path / "secret.txt"), str(tmp_path)], "threshold": 0.0}
    assert "1234" not in service.post("/v1/answers", json=body).text


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused(service, declared):
    whole = json.dumps({"question": QUESTION, "documents": ["가" * 20_000]}).encode()
    parts = (whole[n : n + 1000] for n in range(0, len(whole), 1000))
    assert service.post("/v1/answers", content=whole if declared else parts).status_code == 413


def test_a_key_is_asked_for_where_one_is_set(qa):
    with serving(qa, key="열쇠") as client:
        assert client.post("/v1/answers", json={"question": QUESTION}).status_code == 401
        headers = {"Authorization": "Bearer 열쇠".encode()}
        assert client.post("/v1/answers", json={"question": QUESTION}, headers=headers).status_code == 200


def test_who_finds_no_room_is_sent_away_and_the_others_are_served(qa):
    with serving(qa, concurrency=1, waiting=1) as client:
        statuses = []
        body = {"question": QUESTION}
        threads = [
            threading.Thread(target=lambda: statuses.append(client.post("/v1/answers", json=body).status_code))
            for _ in range(6)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert statuses.count(200) >= 2 and statuses.count(429) >= 1 and set(statuses) == {200, 429}
        assert client.get("/health").json()["present"] == 0


def test_a_client_that_leaves_mid_answer_frees_its_turn(qa):
    with serving(qa, concurrency=1) as client:
        body = {"question": QUESTION, "stream": True, "grounding": "cited", "max_new_tokens": 1024}
        for _ in range(3):
            with client.stream("POST", "/v1/answers", json=body) as reply:
                next(reply.iter_lines())
        assert client.post("/v1/answers", json={"question": QUESTION}).json()["answer"] == "200석"
        assert client.desk.present == 0
        assert not [t for t in threading.enumerate() if t.name == "koqas-writing"]


def test_shutting_down_finishes_what_is_under_way(qa):
    with serving(qa) as client:
        with client.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as reply:
            lines = reply.iter_lines()
            next(lines)
            client.server.should_exit = True
            assert any("done" in line for line in lines)


def test_a_model_behind_an_endpoint_answers_and_its_trouble_is_told(qa):
    with AnsweringServer() as model:
        endpoint = {"base_url": model.url, "retries": 0}
        remote = KoQasPipeline(qa.model, qa.tokenizer, documents=qa.index, endpoint=endpoint)
        with serving(remote) as client:
            chunks = list(chat(client).chat.completions.create(model="any", stream=True, **ask()))
            assert len([c for c in chunks if c.choices[0].delta.content]) > 1
            assert chunks[-1].koqas["result"]["answer"] == "200석"
            model.cut = True
            assert client.post("/v1/answers", json={"question": QUESTION}).status_code == 502
            streamed = client.post("/v1/answers", json={"question": QUESTION, "stream": True})
            assert streamed.status_code == 200 and '"param": "endpoint"' in streamed.text.splitlines()[-2]
            assert "event: done" not in streamed.text and client.desk.present == 0


def test_health_models_and_unknown_places(service):
    assert service.get("/health").json()["documents"] == len(DOCUMENTS)
    assert [m.id for m in chat(service).models.list()] == ["ko-qas"]
    assert service.get("/nowhere").status_code == 404 and service.get("/v1/answers").status_code == 405
