"""A download over a bad line: what stalls or breaks off is gone on with, what came wrong is fetched again."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ltcourse.data import mirrors

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


@pytest.fixture
def serve(monkeypatch):
    """Serve CONTENT, each request in the way that comes next; return the address and the ranges that were asked for."""
    monkeypatch.setattr(mirrors, "STALL", 2)
    over = threading.Event()
    servers = []

    def begin(*ways):
        left, asked = list(ways), []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.headers["Range"])
                way = left.pop(0) if left else "well"
                start = 0 if way == "from the start" else int((asked[-1] or "bytes=0-")[6:-1])
                if way == "not there":
                    return self.send_error(404)
                if start >= len(CONTENT):
                    return self.send_error(416)
                content = (bytes(len(CONTENT)) if way == "wrong" else CONTENT)[start:]
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if way in ("breaks off", "stalls"):
                    content = content[: len(content) // 2]
                if way != "says nothing":
                    self.wfile.write(content)
                if way in ("stalls", "says nothing"):
                    over.wait()
                return None

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/name.gz", asked

    yield begin
    over.set()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("ways", "ranges"),
    [
        ([], [None]),
        (["breaks off"], [None, f"bytes={HALF}-"]),
        (["stalls"], [None, f"bytes={HALF}-"]),
        (["breaks off", "not there"], [None, f"bytes={HALF}-", f"bytes={HALF}-"]),
        (["breaks off"] * 9, 10),
        (["breaks off", "from the start"], [None, f"bytes={HALF}-"]),
        (["wrong"], [None, None]),
        (["wrong", "breaks off"], [None, None, f"bytes={HALF}-"]),
    ],
    ids=lambda given: "-".join(map(str, given)) if isinstance(given, list) else str(given),
)
def test_what_did_not_arrive_whole_is_gone_on_with_or_fetched_again(serve, tmp_path, ways, ranges):
    url, asked = serve(*ways)
    (tmp_path / "download").write_bytes(b"left by another address")
    mirrors.fetch(url, tmp_path / "download", MD5)
    assert (tmp_path / "download").read_bytes() == CONTENT
    assert len(asked) == ranges if isinstance(ranges, int) else asked == ranges


@pytest.mark.parametrize(
    ("ways", "reason", "requests"),
    [
        (["not there"], "404", 1),
        (["says nothing"], "timed out", 1),
        (["wrong"] * 99, "another checksum", 1),
        (["breaks off", *["not there"] * 99], "404", 1 + mirrors.TRIES),
    ],
    ids=["not there", "silence", "always wrong", "gone in the midst"],
)
def test_what_never_comes_is_given_up(serve, tmp_path, ways, reason, requests):
    url, asked = serve(*ways)
    with pytest.raises(mirrors.Unavailable, match=reason):
        mirrors.fetch(url, tmp_path / "download", MD5)
    assert len(asked) >= requests and len(asked) <= 1 + mirrors.TRIES
    assert list(tmp_path.iterdir()) == []
