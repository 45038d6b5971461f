"""A small hub on 127.0.0.1 that speaks the hub's HTTP protocol: repositories in memory, real requests.

    with running_hub() as hub:
        subprocess.run([...], env=os.environ | hub.environment)

What huggingface_hub 2.4 asks when it creates repositories, uploads (preupload, LFS batch, commit as ndjson), lists and
downloads. Private repositories need the token. Xet, branches and pull requests are left out. `python tests/hub_server.py`
runs it until it is interrupted.
"""

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_local_token"
LFS_SUFFIXES = (".safetensors", ".parquet", ".bin")
DATE = "2026-01-01T00:00:00.000Z"
REPO = r"(?P<name>[\w.-]+/[\w.-]+)"
TYPE = r"(?P<type>models|datasets)"


@dataclass(frozen=True)
class Blob:
    """A stored file: its bytes, and whether it is a large one (addressed by sha256) or a git one."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        """Id of a large file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        """Id as a download's ETag has it."""
        return self.sha256 if self.large else hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()


@dataclass
class Repository:
    """A repository: its commits, newest last."""

    private: bool
    commits: list[tuple[str, dict[str, Blob]]] = field(default_factory=list)

    def commit(self, files: dict[str, Blob]) -> str:
        """Add a commit and return its id."""
        listed = json.dumps({name: blob.etag for name, blob in sorted(files.items())})
        sha = hashlib.sha1(f"{len(self.commits)} {listed}".encode()).hexdigest()
        self.commits.append((sha, files))
        return sha

    def at(self, revision: str) -> tuple[str, dict[str, Blob]] | None:
        """Return the commit of a revision: `main` or an id."""
        if revision == "main":
            return self.commits[-1]
        return next((c for c in self.commits if c[0] == revision), None)


class Hub:
    """All repositories by `models/org/name` or `datasets/org/name`, and large files by sha256."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point huggingface_hub here."""
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}

    def files(self, key: str) -> dict[str, Blob]:
        """Return the newest files of a repository."""
        return self.repositories[key].commits[-1][1]


class Refusal(Exception):
    """An HTTP error with the hub's error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    ROUTES = (
        ("POST", r"/api/repos/create", "create"),
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/validate-yaml", "validate_yaml"),
        ("POST", rf"/api/{TYPE}/{REPO}/preupload/(?P<revision>[^/]+)", "preupload"),
        ("POST", rf"/api/{TYPE}/{REPO}/commit/(?P<revision>[^/]+)", "commit"),
        ("POST", rf"/api/{TYPE}/{REPO}/paths-info/(?P<revision>[^/]+)", "paths_info"),
        ("GET", rf"/api/{TYPE}/{REPO}/tree/(?P<revision>[^/]+)/?(?P<path>.*)", "tree"),
        ("GET", rf"/api/{TYPE}/{REPO}(/revision/(?P<revision>[^/]+))?", "info"),
        ("POST", rf"/((?P<prefix>datasets)/)?{REPO}\.git/info/lfs/objects/batch", "lfs_batch"),
        ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "lfs_put"),
        ("GET|HEAD", rf"/((?P<prefix>datasets)/)?{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
    )

    def handle_request(self) -> None:
        """Find the route and answer."""
        path = unquote(urlsplit(self.path).path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append(f"{self.command} {path}")
        try:
            for methods, pattern, name in self.ROUTES:
                found = re.fullmatch(pattern, path)
                if found and self.command in methods.split("|"):
                    getattr(self, name)(**{k: v for k, v in found.groupdict().items() if v is not None})
                    return
            raise Refusal(404, "", f"no such page: {path}")
        except Refusal as refusal:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
            self.answer({"error": refusal.message}, refusal.status, headers)

    do_GET = do_POST = do_PUT = do_HEAD = handle_request

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def answer(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send bytes or JSON."""
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # ---- what is asked for -------------------------------------------------------------------------------------------

    @property
    def known(self) -> bool:
        """Whether the request carries the token."""
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def repository(self, type: str, name: str) -> Repository:
        """Return a repository that the caller may see."""
        found = self.hub.repositories.get(f"{type}/{name}")
        if found is None or (found.private and not self.known):
            raise Refusal(404 if self.known else 401, "RepoNotFound", "Repository not found")
        return found

    def state(self, type: str, name: str, revision: str) -> tuple[str, dict[str, Blob]]:
        """Return a commit's id and files."""
        found = self.repository(type, name).at(revision)
        if found is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def needs_token(self) -> None:
        """Refuse strangers."""
        if not self.known:
            raise Refusal(401, "", "Invalid username or password.")

    # ---- writing -----------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Create a repository; 409 where it exists."""
        self.needs_token()
        asked = json.loads(self.body)
        name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
        if asked.get("organization") == "forbidden":
            raise Refusal(403, "", "You don't have the rights to create a model under this namespace")
        key = f"{asked.get('type', 'model')}s/{name}"
        url = f"{self.hub.url}/{'datasets/' if key.startswith('datasets') else ''}{name}"
        if key in self.hub.repositories:
            self.answer({"error": "You already created this repo", "url": url}, 409)
            return
        self.hub.repositories[key] = Repository(asked.get("visibility") == "private" or bool(asked.get("private")))
        self.hub.repositories[key].commit({".gitattributes": Blob(b"*.safetensors filter=lfs\n", False)})
        self.answer({"url": url, "name": name, "id": name})

    def whoami(self) -> None:
        """Say whose token it is."""
        self.needs_token()
        self.answer({"type": "user", "name": "someone", "orgs": []})

    def validate_yaml(self) -> None:
        """Refuse metadata that the hub refuses: not YAML, capitals in a licence, a metric without type or value."""
        content = json.loads(self.body)["content"]
        errors = []
        try:
            data = yaml.safe_load(content.split("---")[1])
            if (data.get("license") or "").lower() != (data.get("license") or ""):
                errors.append('"license" must be one of the known ids')
            results = [r for model in data.get("model-index", []) for r in model["results"]]
            if any(not {"type", "value"} <= m.keys() for r in results for m in r["metrics"]):
                errors.append('"model-index[0].results[0].metrics[0].value" is required')
        except (yaml.YAMLError, IndexError, AttributeError, KeyError) as error:
            errors.append(str(error))
        self.answer({"errors": [{"message": e} for e in errors], "warnings": []}, 400 if errors else 200)

    def preupload(self, type: str, name: str, revision: str) -> None:
        """Say for each file whether it goes through LFS."""
        _, files = self.state(type, name, revision)
        answers = []
        for asked in json.loads(self.body)["files"]:
            path, there = asked["path"], files.get(asked["path"])
            mode = "lfs" if path.endswith(LFS_SUFFIXES) else "regular"
            answers.append(
                {"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": there.etag if there else None}
            )
        self.answer({"files": answers})

    def lfs_batch(self, name: str, prefix: str = "models") -> None:
        """Say where the large files go that are not there yet."""
        self.needs_token()
        self.repository(prefix, name)
        objects = []
        for asked in json.loads(self.body)["objects"]:
            entry: dict[str, Any] = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.large:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{asked['oid']}"}}
            objects.append(entry)
        self.answer({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        """Take a large file."""
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refusal(400, "", "content and oid differ")
        self.hub.large[oid] = self.body
        self.answer({})

    def commit(self, type: str, name: str, revision: str) -> None:
        """Take a commit of ndjson lines."""
        self.needs_token()
        files = dict(self.state(type, name, revision)[1])
        for line in self.body.splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif row["key"] == "lfsFile":
                if value["oid"] not in self.hub.large:
                    raise Refusal(400, "", f"{value['path']} was not uploaded")
                files[value["path"]] = Blob(self.hub.large[value["oid"]], True)
            elif row["key"] == "deletedFile":
                files.pop(value["path"], None)
        sha = self.repository(type, name).commit(files)
        self.answer({"success": True, "commitOid": sha, "commitUrl": f"{self.hub.url}/{name}/commit/{sha}"})

    # ---- reading -----------------------------------------------------------------------------------------------------

    def info(self, type: str, name: str, revision: str = "main") -> None:
        """Describe a repository."""
        sha, files = self.state(type, name, revision)
        private = self.repository(type, name).private
        told = {"_id": sha, "id": name, "sha": sha, "private": private, "tags": [], "downloads": 0, "likes": 0}
        told |= {"lastModified": DATE, "createdAt": DATE, "siblings": [{"rfilename": n} for n in sorted(files)]}
        self.answer(told)

    def entries(self, files: dict[str, Blob], wanted: Any) -> list[dict[str, Any]]:
        """List files as `tree` and `paths-info` do."""
        rows = []
        for path in sorted(p for p in files if wanted(p)):
            blob = files[path]
            row = {"type": "file", "path": path, "size": len(blob.content), "oid": blob.etag}
            if blob.large:
                row["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 130}
            rows.append(row)
        return rows

    def tree(self, type: str, name: str, revision: str, path: str = "") -> None:
        """List a folder, all below it with `recursive`."""
        _, files = self.state(type, name, revision)
        inside = f"{path.rstrip('/')}/" if path else ""
        deep = "recursive=true" in urlsplit(self.path).query.lower()
        below = [p for p in files if p.startswith(inside)]
        if path and not below:
            raise Refusal(404, "EntryNotFound", f"no such folder: {path}")
        folders = {inside + p[len(inside) :].split("/")[0] for p in below if "/" in p[len(inside) :]}
        rows: list[dict[str, Any]] = [
            {"type": "directory", "path": f, "size": 0, "oid": "0" * 40} for f in sorted(folders)
        ]
        shown = below if deep else [p for p in below if "/" not in p[len(inside) :]]
        self.answer(rows + self.entries(files, shown.__contains__))

    def paths_info(self, type: str, name: str, revision: str) -> None:
        """Describe the named files and folders."""
        _, files = self.state(type, name, revision)
        asked = self.body.decode()
        is_json = "json" in (self.headers.get("Content-Type") or "")
        paths = json.loads(asked)["paths"] if is_json else [unquote(p) for p in re.findall(r"paths=([^&]+)", asked)]
        folders = {"/".join(f.split("/")[:n]) for f in files for n in range(1, f.count("/") + 1)}
        rows = [{"type": "directory", "path": p, "size": 0, "oid": "0" * 40} for p in paths if p in folders]
        self.answer(rows + self.entries(files, paths.__contains__))

    def resolve(self, name: str, revision: str, path: str, prefix: str = "models") -> None:
        """Send a file or a range of it."""
        sha, files = self.state(prefix, name, revision)
        if path not in files:
            raise Refusal(404, "EntryNotFound", f"no such file: {path}")
        blob = files[path]
        headers = {"X-Repo-Commit": sha, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
        if blob.large:
            headers |= {"X-Linked-ETag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.content))}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            self.answer(blob.content, 200, headers)
            return
        start, end = int(asked[1]), min(int(asked[2] or len(blob.content)), len(blob.content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(blob.content)}"
        self.answer(blob.content[start : end + 1], 206, headers)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a hub on a free port until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with running_hub() as running:
        sys.stdout.write("".join(f"{k}={v}\n" for k, v in running.environment.items()))
        sys.stdout.flush()
        threading.Event().wait()
