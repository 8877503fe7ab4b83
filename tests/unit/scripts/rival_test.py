# SPDX-License-Identifier: Apache-2.0
"""Which form of PyTorch's step is the rival: scripts/reference/rival.py."""
import os
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts", "reference"))

from rival import best_of, described  # noqa: E402


class Clock:
    """A clock that only steps move."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def step(self, seconds, first=None):
        taken = [first] if first is not None else []

        def run():
            self.now += taken.pop() if taken else seconds
        return run


def refuses(words):
    def make():
        raise AttributeError(words)
    return make


class Rival(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()

    def best(self, forms):
        return best_of(forms, clock=self.clock)

    def test_is_the_fastest(self):
        name, tried = self.best({"eager": lambda: self.clock.step(3.0),
                                 "compiled": lambda: self.clock.step(2.0)})
        self.assertEqual(name, "compiled")
        self.assertEqual(tried, {"eager": 3.0, "compiled": 2.0})

    def test_the_first_step_is_not_timed(self):
        name, _ = self.best({"eager": lambda: self.clock.step(3.0),
                             "compiled": lambda: self.clock.step(2.0, first=60.0)})
        self.assertEqual(name, "compiled")

    def test_what_this_version_lacks_is_said(self):
        name, tried = self.best({"eager": lambda: self.clock.step(3.0),
                                 "compiled": refuses("no attribute 'compile'")})
        self.assertEqual(name, "eager")
        self.assertEqual(tried["compiled"], "no attribute 'compile'")
        self.assertIn("PyTorch 1.13, eager", described("1.13", name, tried))
        self.assertIn("compiled not (no attribute 'compile')", described("1.13", name, tried))

    def test_none_that_runs_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "no form"):
            self.best({"eager": refuses("no memory")})


if __name__ == "__main__":
    unittest.main()
