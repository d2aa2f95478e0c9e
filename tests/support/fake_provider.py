"""A model provider on loopback that answers as OpenAI's chat API does: the real LiteLLM calls it over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920},
    "completion_tokens_details": {"reasoning_tokens": 128},
}
MODEL = "gpt-4o-2024-08-06"


class _Handler(BaseHTTPRequestHandler):
    answer_text = "the answer"

    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] == "gpt-forbidden":
            self._send(401, json.dumps({"error": {"message": self.answer_text, "type": "auth"}}).encode())
        elif asked.get("stream"):
            self._send(200, self._stream(), "text/event-stream")
        else:
            choice = {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": self.answer_text},
            }
            self._send(200, json.dumps({**_reply("chat.completion"), "choices": [choice], "usage": USAGE}).encode())

    def _stream(self) -> bytes:
        delta = {"index": 0, "delta": {"role": "assistant", "content": self.answer_text}, "finish_reason": None}
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        chunks = [
            {**_reply("chat.completion.chunk"), "choices": [delta]},
            {**_reply("chat.completion.chunk"), "choices": [end]},
            {**_reply("chat.completion.chunk"), "choices": [], "usage": USAGE},
        ]
        return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The test's output is not for requests."""


def _reply(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_795_374_000, "model": MODEL}


@contextmanager
def fake_provider(answer_text: str) -> Iterator[str]:
    """Serve until the end of the block; gives the address that stands for the provider's API."""
    handler = type("Handler", (_Handler,), {"answer_text": answer_text})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
