#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/setup against a package manager of our own: it installs all that the distribution has, and in
CI refuses to go on without what it has not."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
FAKES = {
    # As the real one: the answer first, then much more, which a reader that leaves early turns into SIGPIPE.
    "apt-cache": """
[ "$1" = policy ] || { [ ! -e "$STATE/lists" ] || echo "$2 | 1 | main"; exit 0; }
[ -e "$STATE/lists" ] || exit 0
case " $ABSENT " in *" $2 "*) candidate='(none)' ;; *) candidate=1.0 ;; esac
echo "$2:"
echo "  Installed: (none)"
echo "  Candidate: $candidate"
for ((i = 0; i < 50; ++i)); do printf '%10000s\\n' "$i 500 main amd64 Packages"; done
""",
    "dpkg-query": """
package=${!#}
[ -e "$STATE/installed-$package" ] || exit 1
printf installed
""",
    "apt-get": """
if [ "$1" = update ]; then touch "$STATE/lists"; exit 0; fi
for word in "$@"; do
  case $word in install | -*) ;; *) touch "$STATE/installed-$word" ;; esac
done
""",
    "sudo": 'exec "$@"\n',
    "node": "echo v20.0.0\n",
    "npm": "exit 0\n",
}
OPTIONAL = ("ccache", "clang-format-14", "clang-tidy-15", "shellcheck", "python3-jsonschema", "python3-torch",
            "chromium", "clang-15", "libomp-15-dev")


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("bin", "state", "scripts", "tests"):
            (self.root / name).mkdir()
        for name in ("scripts/setup", "scripts/tally", "tests/allowed-skips.txt"):
            shutil.copy(REPO / name, self.root / name)
        for name, body in FAKES.items():
            file = self.root / "bin" / name
            file.write_text("#!/bin/bash\n" + body, encoding="utf-8")
            file.chmod(0o755)

    def setup(self, *arguments, absent="", ci=""):
        env = dict(os.environ, PATH=f"{self.root / 'bin'}:{os.environ['PATH']}", STATE=str(self.root / "state"),
                   ABSENT=absent, CI=ci)
        return subprocess.run([self.root / "scripts" / "setup", *arguments], env=env, capture_output=True, text=True,
                              timeout=100, check=False)

    def installed(self):
        return {file.name.removeprefix("installed-") for file in (self.root / "state").glob("installed-*")}

    def test_installs_all_that_there_is(self):
        done = self.setup(ci="true")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("no ", done.stdout.replace("setup: complete", ""))
        self.assertLessEqual(set(OPTIONAL) | {"g++", "libgtest-dev"}, self.installed())

    def test_empty_lists_are_not_an_empty_distribution(self):
        self.assertEqual(self.setup().returncode, 0)
        (self.root / "state" / "installed-chromium").unlink()
        (self.root / "state" / "lists").unlink()
        self.assertEqual(self.setup().returncode, 0)
        self.assertIn("chromium", self.installed())

    def test_does_nothing_when_all_is_there(self):
        self.setup()
        (self.root / "bin" / "apt-get").write_text("#!/bin/bash\nexit 9\n", encoding="utf-8")
        done = self.setup()
        self.assertEqual((done.returncode, done.stdout), (0, "setup: complete\n"))

    def test_minimal_has_no_test_tools(self):
        self.assertEqual(self.setup("--minimal").returncode, 0)
        self.assertFalse(self.installed() & {*OPTIONAL[1:], "libgtest-dev"})

    def test_what_a_distribution_lacks_is_named(self):
        done = self.setup(absent="python3-torch")
        self.assertEqual(done.returncode, 0)
        self.assertIn("setup: no python3-torch in this distribution", done.stdout)
        self.assertNotIn("no chromium", done.stdout)

    def test_what_a_distribution_lacks_fails_in_ci(self):
        done = self.setup(absent="python3-torch", ci="true")
        self.assertEqual(done.returncode, 4)
        self.assertIn("setup: no python3-torch in this distribution: an error in CI", done.stderr)
        with open(self.root / "tests" / "allowed-skips.txt", "a", encoding="utf-8") as file:
            file.write("setup/python3-torch | not in this distribution | too old\n")
        self.assertEqual(self.setup(absent="python3-torch", ci="true").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
