"""A Hugging Face Hub in memory, on 127.0.0.1, for tests: it answers what the real client asks, and fails on demand.

`server` has `LoopbackHub` (start, stop, what it holds, faults) and the HTTP; `endpoints` reads like the Hub's own API.
It does not import the client: the environment that sends the client here must be set before huggingface_hub is
imported.
"""

from tests.loopback_hub.endpoints import READ_TOKEN, STRANGER_TOKEN, TOKEN, Reply
from tests.loopback_hub.server import LoopbackHub

__all__ = ["READ_TOKEN", "STRANGER_TOKEN", "TOKEN", "LoopbackHub", "Reply"]
