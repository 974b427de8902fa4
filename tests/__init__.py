"""The tests: a folder for each package, the tests of the whole project beside them, and a Hub on this machine.

It is a package, so that no other `tests` on Python's path is taken for this one.
"""
