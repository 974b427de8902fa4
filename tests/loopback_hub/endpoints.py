"""What the Hub on loopback answers: each endpoint that the client uses, with the statuses and headers it looks at."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.loopback_hub.store import DATE, USERS, Collection, CollectionItem, Commit, File, Repo, User

if TYPE_CHECKING:
    from tests.loopback_hub.server import LoopbackHub


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


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
        self.hub, self.method, self.headers, self.body = hub, method, headers, body
        self.path = [unquote(part) for part in parts.path.strip("/").split("/")]
        self.query = parse_qs(parts.query)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def user(self) -> User | None:
        token = self.headers.get("Authorization")
        if token is None:
            return None
        user = USERS.get(token.removeprefix("Bearer "))
        if user is None:
            raise RefusalError(401, "Invalid credentials in Authorization header")
        return user

    def answer(self) -> Reply:
        if self.path[0] == "storage":
            _, repo_type, owner, name, oid, *_ = self.path
            return self.store(self.hub.repos[repo_type, f"{owner}/{name}"], oid)
        if self.user is None and self.method not in ("GET", "HEAD") and self.path != ["api", "validate-yaml"]:
            # The client takes any 401 about a repo of an https Hub for "not found"; over http it wants this code.
            in_a_repo = self.path[:2] in (["api", "models"], ["api", "datasets"], ["api", "spaces"])
            raise RefusalError(401, "Invalid username or password.", "RepoNotFound" if in_a_repo else None)
        match [self.method, *self.path]:
            case ["GET", "api", "whoami-v2"]:
                return self.whoami()
            case ["POST", "api", "validate-yaml"]:
                return json_reply({"errors": [], "warnings": []})
            case ["POST", "api", "repos", "create"]:
                return self.create_repo(**self.json)
            case ["GET", "api", "models"]:
                return self.list_models()
            case [_, "api", "collections", *rest]:
                return self.collections(rest)
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
        if repo is not None and (not repo.private or (user is not None and user.belongs_to(owner))):
            return repo
        if user is None:
            raise RefusalError(401, "Invalid username or password.", "RepoNotFound")
        raise RefusalError(404, "Repository not found", "RepoNotFound")

    def require_write(self, namespace: str, message: str = "Authorization error.") -> None:
        if not (self.user and self.user.writes and self.user.belongs_to(namespace)):
            raise RefusalError(403, message)

    def commit_at(self, repo: Repo, revision: str) -> Commit:
        commit = repo.find(revision)
        if commit is None:
            raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def whoami(self) -> Reply:
        return json_reply({"type": "user", "name": self.user.name, "orgs": []})

    # Repos

    def create_repo(
        self,
        name: str,
        organization: str | None,
        type: str = "model",
        visibility: str = "public",
        sdk: str = "",
        hardware: str = "cpu-basic",
        **_: Any,
    ) -> Reply:
        owner = organization or self.user.name
        self.require_write(owner, f'You don\'t have the rights to create a {type} under the namespace "{owner}"')
        repo = Repo(f"{owner}/{name}", type, visibility == "private", sdk or None, hardware)
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
            card = self.commit_at(repo, "main").files.get("README.md")
            tagged = card is not None and f"\n- {tag}\n" in card.content.decode()
            if repo.type == "model" and repo.namespace == author and tagged and not repo.private:
                found.append({"id": repo.id, "author": author, "private": False, "tags": [tag]})
        return json_reply(found)

    def repo_api(self, repo: Repo, rest: list[str]) -> Reply:
        match [self.method, *rest]:
            case ["GET"]:
                return self.describe(repo, "main")
            case ["GET", "revision", revision]:
                return self.describe(repo, revision)
            case ["GET", "tree", revision] if self.query.get("recursive") == ["true"]:
                files = self.commit_at(repo, revision).files
                return json_reply([file.described(path) for path, file in sorted(files.items())])
            case ["POST", "preupload", revision]:
                return self.preupload(repo, revision)
            case ["POST", "commit", revision]:
                return self.commit(repo, revision)
            case ["POST", "branch", name]:
                return self.add_ref(repo, repo.branches, name, self.json.get("startingPoint") or "main")
            case ["POST", "tag", revision]:
                return self.add_ref(repo, repo.tags, self.json["tag"], revision)
            case ["GET", "runtime"]:
                return self.runtime(repo)
            case ["POST", "hardware"]:
                self.require_write(repo.namespace)
                repo.hardware = self.json["flavor"]
                return self.runtime(repo)
        raise self.unknown()

    def describe(self, repo: Repo, revision: str) -> Reply:
        commit = self.commit_at(repo, revision)
        about = {"id": repo.id, "author": repo.namespace, "sha": commit.sha, "private": repo.private, "gated": False}
        about |= {"siblings": [{"rfilename": path} for path in sorted(commit.files)], "tags": [], "likes": 0}
        return json_reply(about | {"createdAt": DATE, "lastModified": DATE} | ({"sdk": repo.sdk} if repo.sdk else {}))

    def runtime(self, repo: Repo) -> Reply:
        return json_reply({"stage": "BUILDING", "hardware": {"current": None, "requested": repo.hardware}})

    def add_ref(self, repo: Repo, refs: dict[str, str], name: str, revision: str) -> Reply:
        self.require_write(repo.namespace)
        if name in refs:
            raise RefusalError(409, f"Reference {name} already exists")
        refs[name] = self.commit_at(repo, revision).sha
        return json_reply({})

    # Pushing

    def preupload(self, repo: Repo, revision: str) -> Reply:
        """How each file is to be sent. As on the Hub, all that is binary or large goes to LFS."""
        if "create_pr" not in self.query:
            self.require_write(repo.namespace)
        known = self.commit_at(repo, revision).files
        files = []
        for file in self.json["files"]:
            path, binary = file["path"], b"\0" in base64.b64decode(file["sample"])
            lfs = binary or file["size"] > 10_000_000 or path.endswith((".bin", ".pt", ".safetensors"))
            oid = {"oid": known[path].oid} if path in known else {}
            files.append({"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, **oid})
        return json_reply({"files": files})

    def commit(self, repo: Repo, revision: str) -> Reply:
        head, asks_for_pr = self.commit_at(repo, revision), "create_pr" in self.query
        if not asks_for_pr:
            self.require_write(repo.namespace)
        header, *operations = (json.loads(line) for line in self.body.splitlines())
        expected = header["value"].get("parentCommit")
        if expected and not head.sha.startswith(expected):
            raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for operation in operations:
            self.apply(repo, files, operation["key"], **operation["value"])
        refs, name = (repo.branches, revision) if revision in repo.branches else (repo.pull_requests, revision)
        if asks_for_pr:
            refs, name = repo.pull_requests, f"refs/pr/{len(repo.pull_requests) + 1}"
        elif name not in refs:
            raise RefusalError(400, f"{revision} is neither a branch nor a pull request")
        title, description = header["value"]["summary"], header["value"].get("description", "")
        sent = tuple(operation["value"]["path"] for operation in operations)
        refs[name] = commit = repo.add_commit(title, description, head.sha, files, sent).sha
        page = f"{self.hub.url}/{repo.path}"
        pull_request = {"pullRequestUrl": f"{page}/discussions/{name.rpartition('/')[2]}"} if asks_for_pr else {}
        return json_reply(
            {"success": True, "commitOid": commit, "commitUrl": f"{page}/commit/{commit}", **pull_request}
        )

    def apply(self, repo: Repo, files: dict[str, File], key: str, path: str, **value: Any) -> None:
        """Change `files` as one line of a commit says."""
        if key == "file":
            files[path] = File(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            files[path] = File(repo.lfs_objects[value["oid"]], lfs=True)
        else:
            folder = path.rstrip("/") + "/"
            gone = [name for name in files if name == path or (key == "deletedFolder" and name.startswith(folder))]
            if not gone:
                raise RefusalError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            for name in gone:
                del files[name]

    # Bytes

    def git(self, repo: Repo, rest: list[str]) -> Reply:
        match [self.method, *rest]:
            case ["GET" | "HEAD", "resolve", revision, *path]:
                return self.resolve(repo, revision, "/".join(path))
            case ["POST", "info", "lfs", "objects", "batch"]:
                return json_reply(
                    {"transfer": "basic", "objects": [self.lfs_actions(repo, o) for o in self.json["objects"]]}
                )
        raise self.unknown()

    def lfs_actions(self, repo: Repo, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted["oid"] in repo.lfs_objects:
            return wanted
        upload = {"href": f"{self.hub.storage_url}/{repo.type}/{repo.id}/{wanted['oid']}"}
        return wanted | {"actions": {"upload": upload}}

    def store(self, repo: Repo, oid: str) -> Reply:
        """The other origin, where LFS bytes are. Its URLs are signed: a token must not come here, as with S3."""
        if "Authorization" in self.headers:
            raise RefusalError(400, "Only one auth mechanism allowed: the token of the Hub must not be sent here")
        if self.method == "GET":
            return Reply(body=repo.lfs_objects[oid], headers={"ETag": f'"{oid}"'})
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise RefusalError(400, "The received bytes do not have the promised SHA-256")
        repo.lfs_objects[oid] = self.body
        return Reply()

    def resolve(self, repo: Repo, revision: str, path: str) -> Reply:
        commit = self.commit_at(repo, revision)
        headers = {"X-Repo-Commit": commit.sha}
        file = commit.files.get(path)
        if file is None:
            raise RefusalError(404, "Entry not found", "EntryNotFound", headers)
        if not file.lfs:
            return Reply(body=file.content, headers=headers | {"ETag": f'"{file.oid}"'})
        headers |= {"X-Linked-Etag": f'"{file.oid}"', "X-Linked-Size": str(len(file.content))}
        location = f"{self.hub.storage_url}/{repo.type}/{repo.id}/{file.oid}/{quote(path)}"
        return Reply(302, b"", headers | {"Location": location})

    # Collections

    def collections(self, rest: list[str]) -> Reply:
        match [self.method, *rest]:
            case ["POST"]:
                return self.create_collection(**self.json)
            case [method, owner, name, *rest]:
                return self.collection(self.hub.collections[f"{owner}/{name}"], method, rest)
        raise self.unknown()

    def create_collection(self, title: str, namespace: str, description: str | None = None, **_: Any) -> Reply:
        self.require_write(namespace, f'You don\'t have the rights to create a collection under "{namespace}"')
        if len(description or "") > 150:
            raise RefusalError(400, "The description of a collection has at most 150 characters")
        for known in self.hub.collections.values():
            if (known.owner, known.title) == (namespace, title):
                raise RefusalError(409, "This collection already exists", slug=known.slug)
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        collection = Collection(f"{namespace}/{name}-{secrets.token_hex(12)}", title, namespace, description)
        self.hub.collections[collection.slug] = collection
        return json_reply(collection.described())

    def collection(self, collection: Collection, method: str, rest: list[str]) -> Reply:
        match [method, *rest]:
            case ["GET"]:
                return json_reply(collection.described())
            case ["POST", "items"]:
                self.require_write(collection.owner)
                repo_id, repo_type = self.json["item"]["id"], self.json["item"]["type"]
                self.repo(repo_type, *repo_id.split("/", 1))
                if any((item.id, item.type) == (repo_id, repo_type) for item in collection.items):
                    raise RefusalError(409, "This item is already in the collection")
                collection.items.append(CollectionItem(repo_id, repo_type))
                return json_reply(collection.described())
        raise self.unknown()
