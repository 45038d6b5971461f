"""An OpenAI-compatible server that judges and answers: real HTTP, log-probabilities and streams that follow from the prompt.

It understands the folded prompts of koqas_prompts.py. A passage is useful as far as it holds the question's words; the
answer is the sentence that holds most of them, and its number.
"""

import json
import math
import re

from chat_server import ChatHandler, ChatServer

from koqas.koqas_prompts import INSTRUCTIONS

TURN = re.compile(r"문서:\n(.*)\n\n질문: (.*?)\n\n(.*)", re.DOTALL)
PASSAGE = re.compile(r"^\[(\d+)\] (?:.*? \| )?(.*)$", re.MULTILINE)


class AnsweringServer(ChatServer):
    """Serves `/v1/models` and `/v1/chat/completions` until the block ends.

    `without_logprobs` leaves the log-probabilities out; `said` replaces what is written; `cut` breaks streams off.
    """

    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = AnsweringHandler
        self.without_logprobs = self.cut = False
        self.said = None


def overlap(question, text):
    """Return the share of the question's words whose first two characters stand in a text."""
    words = [w for w in question.rstrip("?").split() if len(w) > 1]
    return sum(w[:2] in text for w in words) / max(len(words), 1)


def written(passages, question):
    """Return the reply with summary and answer."""
    rows = [
        (overlap(question, s), n, s) for n, text in PASSAGE.findall(passages) for s in re.findall(r"[^.]+\.", text)
    ]
    _, number, sentence = max(rows)
    answer = re.search(r"\d[\d,]*\S*?(?=이|$|[.\s])", sentence)
    return f"요약:\n{sentence.strip()} [{number}]\n\n답변:\n{answer.group() if answer else sentence.split()[0]} [{number}]"


class AnsweringHandler(ChatHandler):
    """One request."""

    def do_GET(self):
        """List the models."""
        self.send(200, json.dumps({"object": "list", "data": [{"id": "local", "object": "model"}]}).encode(), {})

    def answer(self, body, prompt, trouble):
        """Judge or write."""
        if trouble:
            super().answer(body, prompt, trouble)
            return
        passages, question, instruction = TURN.fullmatch(prompt).groups()
        if instruction == INSTRUCTIONS["summary"]:
            self.stream(body, self.server.said or written(passages, question))
        else:
            self.judge(body, overlap(question, passages))

    def judge(self, body, share):
        """Send one token with the log-probabilities of its alternatives."""
        chance = min(max(share, 0.02), 0.98)
        rows = [
            ("예", chance * 0.9),
            (" 예", chance * 0.1),
            ("아니", (1 - chance) * 0.7),
            ("아니오", (1 - chance) * 0.3),
        ]
        top = [{"token": t, "logprob": math.log(p), "bytes": list(t.encode())} for t, p in rows]
        first = max(top, key=lambda t: t["logprob"])
        choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": first["token"]}}
        if not self.server.without_logprobs:
            assert body["logprobs"] and body["top_logprobs"] >= 2
            choice["logprobs"] = {"content": [first | {"top_logprobs": top}]}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
        self.send(200, json.dumps(whole).encode(), {})

    def stream(self, body, text):
        """Send a text three characters at a time."""
        assert body["stream"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        cuts = [text[start : start + 3] for start in range(0, len(text), 3)]
        for number, piece in enumerate([*cuts, None]):
            if self.server.cut and number > len(cuts) // 2:
                return
            reason = "stop" if piece is None else None
            choice = {"index": 0, "delta": {} if piece is None else {"content": piece}, "finish_reason": reason}
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "local", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
