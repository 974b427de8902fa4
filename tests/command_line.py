"""`python -m training` within this process, which spares the seconds that a new one takes to import torch."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

from training.cli import main


def run(*arguments: object) -> CompletedProcess[str]:
    """What a process with these arguments would print, and its exit code. (A traceback is raised.)"""
    command = ["training", *map(str, arguments)]
    stdout, stderr = io.StringIO(), io.StringIO()
    code: object = 0
    with patch.object(sys, "argv", command), redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            main()
        except SystemExit as done:
            code = done.code or 0
    if isinstance(code, str):  # as the interpreter does
        stderr.write(f"{code}\n")
        code = 1
    return CompletedProcess(command, code, stdout.getvalue(), stderr.getvalue())


def succeeded(*arguments: object) -> CompletedProcess[str]:
    """The same of a command that ends well."""
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done


def assert_refused(done: CompletedProcess[str], words: str) -> None:
    """It ended in an error message of one line, and printed nothing else."""
    assert done.returncode != 0
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().isprintable()
    assert len(done.stderr.strip()) < 310  # "Error: " and a message of under 300
