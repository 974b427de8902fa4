"""What the Hub on loopback holds: users, repos with their commits and refs, collections."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

TOKEN = "hf_loopback_ada_writes"
READ_TOKEN = "hf_loopback_ada_reads"
STRANGER_TOKEN = "hf_loopback_bob_writes"

DATE = "2026-01-01T00:00:00.000Z"
GITATTRIBUTES = "".join(f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in ("bin", "pt", "safetensors"))


@dataclass(frozen=True)
class User:
    """Who a token belongs to: the namespaces that it may read privately, and whether it may write there."""

    name: str
    orgs: tuple[str, ...] = ()
    writes: bool = True

    def belongs_to(self, namespace: str) -> bool:
        return namespace in (self.name, *self.orgs)


USERS = {
    TOKEN: User("ada", ("lab",)),
    READ_TOKEN: User("ada", ("lab",), writes=False),
    STRANGER_TOKEN: User("bob"),
}


@dataclass(frozen=True)
class File:
    content: bytes = field(repr=False)
    lfs: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_oid(self) -> str:
        """As git names it: the hash of the content, or of the pointer that stands for an LFS file."""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        blob = pointer.encode() if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    @property
    def oid(self) -> str:
        """What the client compares with, to see whether a file has changed."""
        return self.sha256 if self.lfs else self.git_oid

    def described(self, path: str) -> dict[str, Any]:
        """As in the Hub's listings of a tree."""
        entry = {"type": "file", "path": path, "oid": self.git_oid, "size": len(self.content)}
        lfs = {"oid": self.sha256, "size": len(self.content), "pointerSize": 134}
        return entry | ({"lfs": lfs} if self.lfs else {})


@dataclass(frozen=True)
class Commit:
    sha: str
    title: str
    description: str
    parent: str | None
    files: dict[str, File]
    sent: tuple[str, ...]
    """The paths that the client sent with this commit; unchanged files are not among them."""


@dataclass
class Repo:
    """A model, a data set or a Space: commits, and the refs that name them."""

    id: str
    type: str
    private: bool = False
    sdk: str | None = None
    hardware: str = "cpu-basic"
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[str, str] = field(default_factory=dict)  # "refs/pr/1" -> sha
    lfs_objects: dict[str, bytes] = field(default_factory=dict)  # sha256 -> uploaded bytes

    def __post_init__(self) -> None:
        start = {".gitattributes": File(GITATTRIBUTES.encode())}
        self.branches["main"] = self.add_commit("initial commit", "", None, start, tuple(start)).sha

    @property
    def namespace(self) -> str:
        return self.id.partition("/")[0]

    @property
    def path(self) -> str:
        """Where its page is: `owner/name` or `spaces/owner/name`."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def add_commit(
        self, title: str, description: str, parent: str | None, files: dict[str, File], sent: tuple[str, ...]
    ) -> Commit:
        commit = Commit(secrets.token_hex(20), title, description, parent, files, sent)
        self.commits[commit.sha] = commit
        return commit

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, tag, pull request ("refs/pr/1") or sha."""
        for refs in (self.branches, self.tags, self.pull_requests):
            if revision in refs:
                return self.commits[refs[revision]]
        return self.commits.get(revision)

    def history(self, revision: str) -> list[Commit]:
        """The commits of a revision, newest first."""
        commits, commit = [], self.find(revision)
        while commit is not None:
            commits.append(commit)
            commit = self.commits[commit.parent] if commit.parent else None
        return commits


@dataclass
class CollectionItem:
    id: str
    type: str
    object_id: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass
class Collection:
    slug: str
    title: str
    owner: str
    description: str | None
    items: list[CollectionItem] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        items = [
            {"_id": item.object_id, "id": item.id, "type": item.type, "position": position}
            for position, item in enumerate(self.items)
        ]
        about = {"slug": self.slug, "title": self.title, "owner": self.owner, "description": self.description}
        about |= {"private": False, "lastUpdated": DATE, "theme": "blue", "upvotes": 0}
        return about | {"items": items, "position": 0}
