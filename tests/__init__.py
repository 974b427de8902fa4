"""A package, so that no other `tests` on Python's path is taken for this one."""
