"""Give free memory back to the operating system."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def trim() -> None:
    """Give back what was freed by work on many images.

    The C library keeps freed memory for the thread that freed it, about 100 MB after a report on all test images; and
    the page has forty threads. Other C libraries than GNU's have no such function, and are left alone.
    """
    with suppress(OSError, AttributeError, TypeError):  # TypeError: Windows has no CDLL(None)
        ctypes.CDLL(None).malloc_trim(0)
