# SPDX-License-Identifier: Apache-2.0
"""Sealed evidence as its two parties meet it, checked with tools that are not ours: tar, openssl, sha256sum's hash."""

import base64
import glob
import hashlib
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
import tarfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "samples", "import")


class Seal(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.path("a.smk"), self.path("b.smk")
        log = os.path.join(SAMPLES, "nccl-tests-2.17-all_reduce.log")
        self.expect(stepmark("import", log, "--out", self.a), tool.OK)
        with open(log, encoding="utf-8") as file:
            text = file.read().replace("  22.56   46.48   87.15", "  45.12   23.24   43.57")
        self.expect(stepmark("import", self.write("other.log", text), "--out", self.b), tool.OK)

    def key(self, name, *options):
        path = self.path(name)
        self.expect(stepmark("seal", "--new-key", path, *options), tool.OK)
        return path

    def sealed(self, *arguments, code=tool.OK, texts=()):
        out = self.path(f"{len(os.listdir(self.folder))}.tar")
        self.expect(stepmark("seal", *arguments, "--out", out), code, *texts)
        return out

    def test_two_parties(self):
        buyer, provider = self.key("buyer"), self.key("provider")
        bundle = self.sealed(self.a, self.b, "--key", buyer, "--keep-names", self.path("names.json"))
        result = stepmark("verify", bundle)
        self.expect(result, tool.NOT_MEASURED)
        self.assertIn("intact, signer unknown", result.out)
        self.assertIn("whose key you did not name", result.out)
        self.expect(stepmark("verify", bundle, "--min-signers", "0"), tool.OK)
        self.expect(stepmark("verify", bundle, "--trust", provider + ".pub"), tool.CHECK_FAILED)
        self.expect(stepmark("seal", bundle, "--add-signature", "--key", provider), tool.OK)
        result = stepmark("verify", bundle, "--trust", buyer + ".pub", "--trust", provider + ".pub", "--min-signers", "2")
        self.expect(result, tool.OK)
        self.assertIn(": verified\n", result.out)
        self.assertIn("6 verdicts", result.out)
        self.expect(stepmark("seal", bundle, "--add-signature", "--key", provider), tool.USAGE, "has signed already")
        # No name of the log is left, and its owner alone knows which it was.
        with open(bundle, "rb") as file:
            content = file.read()
        self.assertNotIn(b"node-00", content)
        self.assertIn(b"host-1", content)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("names.json")).st_mode), 0o600)
        with open(self.path("names.json"), encoding="utf-8") as file:
            self.assertIn({"original": "node-00", "replacement": "host-1"}, json.load(file)["replaced"])
        again = self.sealed(self.a, self.b, "--key", buyer)
        self.expect(stepmark("seal", again, "--add-signature", "--key", provider), tool.OK)
        with open(again, "rb") as file:
            self.assertEqual(file.read(), content, "the same bytes for the same journals and keys")

    def test_a_changed_byte_is_named(self):
        bundle = self.sealed(self.a, "--key", self.key("me"))
        with open(bundle, "rb") as file:
            content = bytearray(file.read())
        at = content.index(b'"busbw"')
        content[at + 1] ^= 1
        with open(bundle, "wb") as file:
            file.write(content)
        result = stepmark("verify", bundle, "--trust", self.path("me.pub"), "--json")
        self.expect(result, tool.CHECK_FAILED)
        said = json.loads(result.out)
        self.assertFalse(said["verified"])
        found = [one for one in said["problems"] if one["begin"] <= at + 1 < one["end"]]
        self.assertTrue(found, result.out)
        result = stepmark("verify", bundle)
        self.assertIn("not verified", result.out)
        self.assertIn("of the bundle): damaged", result.out)

    def test_tar_and_openssl_agree(self):
        for program in ("tar", "openssl"):
            if not shutil.which(program):
                raise unittest.SkipTest(f"no {program}")
        key = self.key("me")
        bundle = self.sealed(self.a, self.b, "--key", key)
        folder = self.path("opened")
        os.mkdir(folder)
        done = subprocess.run(["tar", "-xf", bundle, "-C", folder], capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            manifest = file.read()
        files = json.loads(manifest)["files"]
        found = {os.path.relpath(path, folder) for path in glob.glob(folder + "/**", recursive=True) if os.path.isfile(path)}
        unsigned = {name for name in found if name in ("manifest.json", "signatures.json") or name.startswith("keys/")}
        self.assertEqual({one["name"] for one in files}, found - unsigned)
        self.assertEqual([one["name"] for one in files], sorted(one["name"] for one in files))
        for one in files:
            with open(os.path.join(folder, one["name"]), "rb") as file:
                content = file.read()
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (one["bytes"], one["sha256"]))
        with tarfile.open(bundle) as archive:
            self.assertEqual({(one.mtime, one.uid, one.mode) for one in archive}, {(0, 0, 0o644)})
        # The journals are journals, with hashes that fit.
        self.expect(stepmark("report", os.path.join(folder, "journals", "a.smk")), tool.OK)
        # DSSE: openssl finds the signature good for the encoded manifest, and for nothing else.
        with open(os.path.join(folder, "signatures.json"), encoding="utf-8") as file:
            envelope = json.load(file)
        self.assertEqual(base64.b64decode(envelope["payload"]), manifest)
        kind = envelope["payloadType"].encode()
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(manifest), manifest)
        signature, = envelope["signatures"]
        with open(self.path("sig"), "wb") as file:
            file.write(base64.b64decode(signature["sig"]))
        public = os.path.join(folder, "keys", signature["keyid"] + ".pub")
        der = subprocess.run(["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"],
                             capture_output=True, check=True).stdout
        self.assertEqual(hashlib.sha256(der).hexdigest(), signature["keyid"])
        for text, good in ((message, True), (message + b" ", False)):
            with open(self.path("pae"), "wb") as file:
                file.write(text)
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in",
                                   self.path("pae"), "-sigfile", self.path("sig")], capture_output=True, check=False)
            self.assertEqual(done.returncode == 0, good, done)

    def test_keys(self):
        key = self.key("me")
        self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
        self.expect(stepmark("seal", "--new-key", key), tool.USAGE, "exists already and is not replaced")
        os.chmod(key, 0o644)
        self.sealed(self.a, "--key", key, code=tool.USAGE, texts=["others may read this key"])
        # A passphrase from a file that others cannot read.
        words = self.write("words", "correct horse\n")
        self.expect(stepmark("seal", "--new-key", self.path("k2"), "--passphrase-file", words), tool.USAGE, "chmod 600")
        os.chmod(words, 0o600)
        locked = self.key("locked", "--passphrase-file", words)
        with open(locked, encoding="utf-8") as file:
            self.assertNotIn('"seed"', file.read())
        self.sealed(self.a, "--key", locked, "--passphrase-file", words)
        wrong = self.write("wrong", "battery\n")
        os.chmod(wrong, 0o600)
        self.sealed(self.a, "--key", locked, "--passphrase-file", wrong, code=tool.USAGE, texts=["the passphrase is wrong"])
        # The two halves are not to be mixed up.
        self.sealed(self.a, "--key", locked + ".pub", code=tool.USAGE)
        os.chmod(key, 0o600)
        bundle = self.sealed(self.a, "--key", key)
        self.expect(stepmark("verify", bundle, "--trust", key), tool.USAGE, "this is a signing key")

    def test_a_passphrase_is_typed_on_the_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(tool.BINARY, ["stepmark", "seal", "--new-key", self.path("typed"), "--passphrase"], tool.environment())
        shown = b""
        for question in (b"passphrase of the new key: ", b"the same again: "):
            deadline = time.monotonic() + 60
            while not shown.endswith(question) and time.monotonic() < deadline:
                shown += os.read(terminal, 1000)
            os.write(terminal, b"open sesame\n")
        try:
            while chunk := os.read(terminal, 1000):
                shown += chunk
        except OSError:
            pass  # the terminal is closed when the program ends
        self.assertEqual(os.waitpid(pid, 0)[1], 0, shown)
        self.assertNotIn(b"sesame", shown)
        words = self.write("words", "open sesame\n")
        os.chmod(words, 0o600)
        self.sealed(self.a, "--key", self.path("typed"), "--passphrase-file", words)

    def test_mistakes_are_said_and_leave_nothing(self):
        key = self.key("me")
        with open(self.a, encoding="utf-8") as file:
            lines = file.read().splitlines(keepends=True)
        for name, text, expected in (("cut", "".join(lines)[:-20], f"cut.smk:{len(lines)}: "),
                                     ("short", "".join(lines[:-1]), f"short.smk:{len(lines) - 1}: no end line"),
                                     ("twice", "".join(lines[:2] + lines[1:]), "twice.smk:3: damaged"),
                                     ("moved", "".join([lines[0], lines[2], lines[1], *lines[3:]]), "moved.smk:2: damaged")):
            path = self.write(name + ".smk", text)
            out = self.sealed(path, "--key", key, code=tool.USAGE, texts=[expected])
            self.assertFalse(os.path.exists(out))
        self.sealed(self.path("short.smk"), "--accept-unfinished", "--key", key)
        self.sealed(self.a, self.a, "--key", key, code=tool.USAGE, texts=["are the same run"])
        self.sealed(self.a, code=tool.USAGE, texts=["--key is missing"])
        self.sealed("--key", key, code=tool.USAGE, texts=["no journal is named"])
        self.sealed(self.path("none.smk"), "--key", key, code=tool.USAGE, texts=["cannot open"])
        bundle = self.sealed(self.a, "--key", key)
        self.expect(stepmark("seal", self.a, "--key", key, "--out", bundle), tool.USAGE, "is not replaced")
        self.expect(stepmark("verify", bundle, "--trust", key + ".pub", "--min-signers", "2"), tool.USAGE,
                    "--min-signers 2, but 1 key named")
        self.expect(stepmark("verify", self.path("none.tar")), tool.USAGE, "cannot open")
        self.expect(stepmark("verify", self.a), tool.CHECK_FAILED)


if __name__ == "__main__":
    tool.main()
