"""A small OpenAI-compatible server for the tests of generation: real HTTP, replies that follow from the prompt alone.

It answers the prompts of train/generation/prompts.py by quoting the document they show, counts calls by request, and
misbehaves on demand: `Trouble` says how, for the requests that hold a word.
"""

import hashlib
import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DOCUMENT = re.compile(r"--- (\w+) 시작\n(.*?)\n--- \1 끝", re.DOTALL)
SENTENCE = re.compile(r"[^\n]+?[.]")


@dataclass
class Trouble:
    """What happens to requests that hold `word`: the next `times` of them (None: always)."""

    word: str
    kind: str  # a status, quota, garbage, broken, half, empty, hang, die; prose and cut spoil the reply itself
    times: int | None = 1
    headers: dict = field(default_factory=dict)


def reply_to(prompt):
    """Write the JSON that a prompt asks for, from its document."""
    text = DOCUMENT.search(prompt).group(2)
    sentences = SENTENCE.findall(text)
    if '"claims"' in prompt:
        claims = re.findall(r"^(\d+)\. (.+)$", prompt, re.MULTILINE)
        verdicts = []
        for number, claim in claims:
            quote = claim.rstrip(".") if claim.rstrip(".") in text else ""
            verdicts.append({"number": int(number), "supported": bool(quote), "quote": quote})
        return {"claims": verdicts, "trust": 0.2 if "소문" in text else 0.9}
    if '"items"' in prompt:
        name = sentences[0].split()[0].rstrip("은는이가")
        stated = [{"sentence": sentences[0], "quote": sentences[0]}]
        if "거짓" in text:
            stated.append({"sentence": f"{name} 이야기는 널리 알려졌다.", "quote": sentences[-1]})
        return {
            "items": [{"question": "처음 나오는 것은 무엇인가?", "answer": name, "summary": stated}],
            "problem": "",
        }
    answer = re.search(r"^정답: (.+)$", prompt, re.MULTILINE).group(1)
    chosen = next(s.strip() for s in sentences if answer in s)
    return {"summary": [{"sentence": chosen, "quote": chosen}], "problem": ""}


class ChatServer(ThreadingHTTPServer):
    """Serves `/v1/chat/completions` on a free port until the block ends."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), ChatHandler)
        self.calls = Counter()
        self.bodies = []
        self.times = []
        self.keys = set()
        self.troubles = []
        self.delay = 0.0
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self):
        """Return the base URL."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def trouble_for(self, prompt):
        """Return the trouble a prompt meets, if any."""
        with self.lock:
            for trouble in self.troubles:
                if trouble.word in prompt and trouble.times != 0:
                    if trouble.times:
                        trouble.times -= 1
                    return trouble
        return None

    def handle_error(self, request, client_address):
        """A client that was killed hangs up; that is what the tests are about."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.released.set()
        self.shutdown()
        self.server_close()


class ChatHandler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        """Keep the test output clean."""
        pass

    def do_POST(self):
        """Answer a chat completion, or misbehave."""
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"] if len(body["messages"]) < 3 else body["messages"][1]["content"]
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with server.lock:
            server.calls[key] += 1
            server.bodies.append(body)
            server.times.append(time.monotonic())
            server.keys.add(self.headers.get("Authorization"))
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        try:
            self.answer(body, prompt, server.trouble_for(prompt))
        finally:
            with server.lock:
                server.busy -= 1

    def answer(self, body, prompt, trouble):
        """Send the reply of a prompt as its trouble has it."""
        time.sleep(self.server.delay)
        kind = trouble.kind if trouble else ""
        if kind == "hang":
            self.server.released.wait(20)
        if kind in ("hang", "die"):
            self.close_connection = True
        elif kind.isdigit() or kind == "quota":
            code = "insufficient_quota" if kind == "quota" else "test"
            error = {"error": {"message": f"trouble {kind}", "type": code, "code": code}}
            self.send(429 if kind == "quota" else int(kind), json.dumps(error).encode(), trouble.headers)
        else:
            payload = self.payload(body, prompt, kind)
            self.send(200, payload, {}, len(payload) // 2 if kind == "half" else None)

    def payload(self, body, prompt, kind):
        """Return the body of a reply."""
        content = json.dumps(reply_to(prompt), ensure_ascii=False)
        content = {"prose": "네, 알겠습니다! " + content, "cut": content[:20]}.get(kind, content)
        whole = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length" if kind == "cut" else "stop",
                    "message": {"role": "assistant", "content": content},
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
        if kind == "empty":
            whole["choices"] = []
        payload = json.dumps(whole).encode()
        return {"garbage": b"<html>busy</html>", "broken": payload[: len(payload) // 2]}.get(kind, payload)

    def send(self, status, payload, headers, only=None):
        """Write status, headers and body."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload[:only])
        if only is not None:
            self.close_connection = True
