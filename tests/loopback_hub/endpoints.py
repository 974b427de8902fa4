"""What the Hub on loopback holds and answers: each endpoint that the client uses, with what it looks at."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from tests.loopback_hub.server import LoopbackHub

TOKEN = "hf_loopback_ada_writes"
READ_TOKEN = "hf_loopback_ada_reads"
STRANGER_TOKEN = "hf_loopback_bob_writes"


class User(NamedTuple):
    """Who a token belongs to: the namespaces that it may read privately, and whether it may write there."""

    name: str
    namespaces: tuple[str, ...]
    writes: bool = True


USERS = {
    TOKEN: User("ada", ("ada", "lab")),
    READ_TOKEN: User("ada", ("ada", "lab"), writes=False),
    STRANGER_TOKEN: User("bob", ("bob",)),
}


@dataclass(frozen=True)
class File:
    content: bytes = field(repr=False)
    lfs: bool = False

    @property
    def oid(self) -> str:
        """What the client compares with, to see whether a file has changed: SHA-256 of large files, else git's."""
        if self.lfs:
            return hashlib.sha256(self.content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    def described(self, path: str) -> dict[str, Any]:
        """As in the Hub's listings of a tree."""
        about = {"oid": self.oid, "size": len(self.content)}
        return about | {"type": "file", "path": path} | ({"lfs": about | {"pointerSize": 134}} if self.lfs else {})


@dataclass(frozen=True)
class Commit:
    sha: str
    title: str
    parent: Commit | None
    files: dict[str, File]
    sent: tuple[str, ...]
    """The paths that the client sent with this commit; unchanged files are not among them."""


@dataclass
class Repo:
    """A model, a data set or a Space."""

    id: str
    type: str
    private: bool = False
    sdk: str | None = None
    hardware: str = "cpu-basic"
    revisions: dict[str, Commit] = field(default_factory=dict)
    """By branch, tag, pull request ("refs/pr/1") and sha."""

    def __post_init__(self) -> None:
        self.add("main", "initial commit", None, {}, ())

    @property
    def namespace(self) -> str:
        return self.id.partition("/")[0]

    @property
    def path(self) -> str:
        """Where its page is: `owner/name` or `spaces/owner/name`."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def add(self, revision: str, *commit: Any) -> Commit:
        made = Commit(secrets.token_hex(20), *commit)
        self.revisions |= {revision: made, made.sha: made}
        return made


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str | None] = field(default_factory=dict)
    """None leaves out one that is sent by default."""


class RefusalError(Exception):
    """An answer that is an error, in the Hub's form: the client looks at X-Error-Code before it looks at the status."""

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None, **fields: Any
    ) -> None:
        super().__init__(message)
        one_line = " ".join(message.split()).encode("ascii", "replace").decode()
        about = {"X-Error-Message": one_line} | ({"X-Error-Code": code} if code else {})
        self.reply = json_reply({"error": message, **fields}, status, about | (headers or {}))


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | (headers or {}))


class Call:
    """One request, and who makes it."""

    def __init__(self, hub: LoopbackHub, method: str, url: str, headers: Any, body: bytes) -> None:
        parts = urlsplit(url)
        self.hub, self.method, self.body = hub, method, body
        self.path = [unquote(part) for part in parts.path.strip("/").split("/")]
        self.query = parse_qs(parts.query)
        self.token = headers.get("Authorization", "").removeprefix("Bearer ")
        self.user = USERS.get(self.token)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def answer(self) -> Reply:
        match [self.method, *self.path]:
            case ["PUT", "storage", oid]:
                self.hub.stored[oid] = self.body
                return Reply()
            case ["POST", "api", "validate-yaml"]:
                return json_reply({"errors": [], "warnings": []})
        if self.token and self.user is None:
            raise RefusalError(401, "Invalid credentials in Authorization header")
        if self.user is None and self.method not in ("GET", "HEAD"):
            # The client takes any 401 about a repo of an https Hub for "not found"; over http it wants this code.
            in_a_repo = self.path[:2] in (["api", "models"], ["api", "datasets"], ["api", "spaces"])
            raise RefusalError(401, "Invalid username or password.", "RepoNotFound" if in_a_repo else None)
        match [self.method, *self.path]:
            case ["GET", "api", "whoami-v2"]:
                return json_reply({"type": "user", "name": self.user.name, "orgs": []})
            case ["POST", "api", "repos", "create"]:
                return self.create_repo(**self.json)
            case ["GET", "api", "models"]:
                return self.list_models()
            case ["POST", "api", "collections"]:
                return self.create_collection(**self.json)
            case [_, "api", "collections", owner, name, *rest]:
                return self.collection(self.hub.collections[f"{owner}/{name}"], rest)
            case [_, "api", "models" | "datasets" | "spaces" as kind, owner, name, *rest]:
                return self.repo_api(self.repo(kind[:-1], owner, name), rest)
            case [_, "datasets" | "spaces" as kind, owner, name, *rest]:
                return self.git(self.repo(kind[:-1], owner, name.removesuffix(".git")), rest)
            case [_, owner, name, *rest] if owner != "api":
                return self.git(self.repo("model", owner, name.removesuffix(".git")), rest)
        raise self.unknown()

    def unknown(self) -> RefusalError:
        return RefusalError(501, f"The loopback Hub does not know {self.method} /{'/'.join(self.path)}")

    # Who may do what

    def repo(self, repo_type: str, owner: str, name: str) -> Repo:
        """The repo, if there is one and the user may see it; the Hub does not tell these two apart."""
        user, repo = self.user, self.hub.repos.get((repo_type, f"{owner}/{name}"))
        if repo is not None and (not repo.private or (user is not None and owner in user.namespaces)):
            return repo
        if user is None:
            raise RefusalError(401, "Invalid username or password.", "RepoNotFound")
        raise RefusalError(404, "Repository not found", "RepoNotFound")

    def require_write(self, namespace: str) -> None:
        if not (self.user and self.user.writes and namespace in self.user.namespaces):
            raise RefusalError(403, f"You don't have the rights to write to {namespace}.")

    def commit_at(self, repo: Repo, revision: str) -> Commit:
        if revision not in repo.revisions:
            raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo.revisions[revision]

    # Repos

    def create_repo(self, name: str, organization: str | None, type: str = "model", **asked: Any) -> Reply:
        owner = organization or self.user.name
        self.require_write(owner)
        settings = {key: asked[key] for key in ("sdk", "hardware") if asked.get(key)}
        repo = Repo(f"{owner}/{name}", type, asked.get("visibility") == "private", **settings)
        url = f"{self.hub.url}/{repo.path}"
        if (type, repo.id) in self.hub.repos:
            raise RefusalError(409, f"You already created this {type} repo", url=url)
        self.hub.repos[type, repo.id] = repo
        return json_reply({"url": url, "name": repo.id, "id": repo.id})

    def list_models(self) -> Reply:
        """The models that anyone may see of an author, with one tag in the front matter of their cards."""
        (author,), (tag,) = self.query["author"], self.query["filter"]
        found = []
        for repo in self.hub.repos.values():
            card = repo.revisions["main"].files.get("README.md")
            tagged = card is not None and f"\n- {tag}\n" in card.content.decode()
            if repo.type == "model" and repo.namespace == author and tagged and not repo.private:
                found.append({"id": repo.id})
        return json_reply(found)

    def repo_api(self, repo: Repo, rest: list[str]) -> Reply:
        match [self.method, *rest]:
            case ["GET"] | ["GET", "revision", _]:
                sha = self.commit_at(repo, rest[1] if rest else "main").sha
                return json_reply({"id": repo.id, "sha": sha, "private": repo.private})
            case ["GET", "tree", revision] if self.query.get("recursive") == ["true"]:
                files = self.commit_at(repo, revision).files
                return json_reply([file.described(path) for path, file in sorted(files.items())])
            case ["POST", "preupload", revision]:
                return self.preupload(repo, revision)
            case ["POST", "commit", revision]:
                return self.commit(repo, revision)
            case ["POST", "branch" | "tag", last]:
                name, revision = (last, "main") if rest[0] == "branch" else (self.json["tag"], last)
                self.require_write(repo.namespace)
                if name in repo.revisions:
                    raise RefusalError(409, f"Reference {name} already exists")
                repo.revisions[name] = self.commit_at(repo, revision)
                return json_reply({})
            case ["GET", "runtime"] | ["POST", "hardware"]:
                if self.method == "POST":
                    self.require_write(repo.namespace)
                    repo.hardware = self.json["flavor"]
                return json_reply({"stage": "BUILDING", "hardware": {"current": None, "requested": repo.hardware}})
        raise self.unknown()

    # Pushing

    def preupload(self, repo: Repo, revision: str) -> Reply:
        """How each file is to be sent: weights and archives by LFS."""
        if "create_pr" not in self.query:
            self.require_write(repo.namespace)
        known, files = self.commit_at(repo, revision).files, []
        for path in (file["path"] for file in self.json["files"]):
            mode = "lfs" if path.endswith((".safetensors", ".gz")) else "regular"
            oid = {"oid": known[path].oid} if path in known else {}
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **oid})
        return json_reply({"files": files})

    def commit(self, repo: Repo, revision: str) -> Reply:
        head, asks_for_pr = self.commit_at(repo, revision), "create_pr" in self.query
        if not asks_for_pr:
            self.require_write(repo.namespace)
        header, *operations = (json.loads(line) for line in self.body.splitlines())
        about = header["value"]
        if not head.sha.startswith(about.get("parentCommit") or ""):
            raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for operation in operations:
            path, value = operation["value"]["path"], operation["value"]
            match operation["key"]:
                case "file":
                    files[path] = File(base64.b64decode(value["content"]))
                case "lfsFile":
                    files[path] = File(self.hub.stored[value["oid"]], lfs=True)
                case _:
                    del files[path]
        sent = tuple(operation["value"]["path"] for operation in operations)
        number = 1 + sum(name.startswith("refs/pr/") for name in repo.revisions)
        name = f"refs/pr/{number}" if asks_for_pr else revision
        sha = repo.add(name, about["summary"], head, files, sent).sha
        page = f"{self.hub.url}/{repo.path}"
        pull_request = {"pullRequestUrl": f"{page}/discussions/{number}"} if asks_for_pr else {}
        return json_reply({"commitOid": sha, "commitUrl": f"{page}/commit/{sha}", **pull_request})

    # Bytes

    def git(self, repo: Repo, rest: list[str]) -> Reply:
        match [self.method, *rest]:
            case ["GET" | "HEAD", "resolve", revision, *path]:
                return self.resolve(repo, revision, "/".join(path))
            case ["POST", "info", "lfs", "objects", "batch"]:
                stored, place = self.hub.stored, f"{self.hub.url}/storage"
                upload = [
                    wanted | {"actions": {"upload": {"href": f"{place}/{wanted['oid']}"}}}
                    for wanted in self.json["objects"]
                    if wanted["oid"] not in stored
                ]
                return json_reply({"transfer": "basic", "objects": upload})
        raise self.unknown()

    def resolve(self, repo: Repo, revision: str, path: str) -> Reply:
        commit = self.commit_at(repo, revision)
        headers = {"X-Repo-Commit": commit.sha}
        if path not in commit.files:
            raise RefusalError(404, "Entry not found", "EntryNotFound", headers)
        file = commit.files[path]
        return Reply(body=file.content, headers=headers | {"ETag": f'"{file.oid}"'})

    # Collections

    def create_collection(self, title: str, namespace: str, description: str | None = None, **_: Any) -> Reply:
        self.require_write(namespace)
        if len(description or "") > 150:
            raise RefusalError(400, "The description of a collection has at most 150 characters")
        slug = f"{namespace}/{title.lower().replace(' ', '-')}-{secrets.token_hex(12)}"
        for known in self.hub.collections.values():
            if (known["owner"], known["title"]) == (namespace, title):
                raise RefusalError(409, "This collection already exists", slug=known["slug"])
        about = {"private": False, "lastUpdated": "2026-01-01T00:00:00.000Z", "theme": "blue", "upvotes": 0}
        about |= {"slug": slug, "title": title, "owner": namespace, "position": 0, "items": []}
        self.hub.collections[slug] = about
        return json_reply(about)

    def collection(self, collection: dict[str, Any], rest: list[str]) -> Reply:
        match [self.method, *rest]:
            case ["GET"]:
                return json_reply(collection)
            case ["POST", "items"]:
                self.require_write(collection["owner"])
                item = self.json["item"]
                self.repo(item["type"], *item["id"].split("/", 1))
                if any(item["id"] == known["id"] for known in collection["items"]):
                    raise RefusalError(409, "This item is already in the collection")
                position = len(collection["items"])
                collection["items"].append(item | {"_id": secrets.token_hex(12), "position": position})
                return json_reply(collection)
        raise self.unknown()
