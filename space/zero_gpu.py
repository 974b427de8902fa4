"""ZeroGPU: it lends a GPU to functions decorated with `spaces.GPU`, and stops an app that has none."""

from __future__ import annotations

try:
    from spaces import GPU as on_gpu  # noqa: N811 (it decorates functions)
except ImportError:  # not on such a machine

    def on_gpu(function):  # noqa: ANN001, ANN201 (any function, returned unchanged)
        return function
