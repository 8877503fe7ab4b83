# SPDX-License-Identifier: Apache-2.0
"""Evidence of a decision: terms, prices and a mix in a bundle, with the verdicts that follow from them."""

import json
import os
import pathlib
import sys
import tarfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, str(ROOT / "scripts"))
import stepmark_tool as tool  # noqa: E402
from demo_renewal import journals, truth  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

OUTAGE = """\
fee: {monthly: 1000, currency: USD, per: order}
availability:
  objective: 99%
  unit: order
  maintenance: {mode: counts}
  outages:
    # node-17 lost its fabric; node-18 did not
    - {from: 2026-12-06T05:00:00Z, to: 2026-12-06T11:00:00Z, nodes: [node-17], cause: node-17 lost NVLink}
credits:
  tiers: [{uptime_at_least: 0%, credit: 10%}]
  cap: 50%
  rounding: {to: 0.01, mode: half-up}
"""


class SealAgreed(tool.ToolTest):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.folder)
        self.files = journals.write_all(folder, 1)
        self.labels = [word for name, paths in self.files.items()
                       for word in ("--label", f"{name}={','.join(map(str, paths))}")]
        self.prices, self.mix = self.write("prices.yaml", truth.prices()), self.write("mix.yaml", truth.mix())
        self.terms = self.path("terms.yaml")
        incumbent = list(self.files)[0]
        self.expect(stepmark("contract", "propose", *self.files[incumbent], "--gpus-per-node", "8", "-o", self.terms), tool.OK)
        with open(self.terms, encoding="utf-8") as file:
            text = file.read().replace("PROVIDER", incumbent).replace("CUSTOMER", "Example Labs")
        self.write("terms.yaml", text + OUTAGE)
        for key in ("buyer", "provider"):
            self.expect(stepmark("seal", "--new-key", self.path(key)), tool.OK)

    def seal(self, *words, code=tool.OK, texts=()):
        out = self.path("choice.tar")
        self.expect(stepmark("seal", *words, "--key", self.path("buyer"), "--out", out), code, *texts)
        return out

    def choice(self):
        return self.seal(*self.labels, "--terms", self.terms, "--prices", self.prices, "--portfolio", self.mix,
                         "--as-of", "2026-11-29")

    def test_both_parties_compute_every_verdict_again(self):
        bundle = self.choice()
        self.expect(stepmark("seal", bundle, "--add-signature", "--key", self.path("provider")), tool.OK)
        page = self.path("page.html")
        result = stepmark("verify", bundle, "--trust", self.path("buyer.pub"), "--trust", self.path("provider.pub"),
                          "--min-signers", "2", "--html", page)
        self.expect(result, tool.OK, "report:")
        for text in (": verified\n", "  across.json: ", "  comparison.json: ", "  contract.json: 6 met\n",
                     "  portfolio.json: 2 workloads allocated\n"):
            self.assertIn(text, result.out)
        with tarfile.open(bundle) as archive:
            inside = {one.name: archive.extractfile(one).read() for one in archive}
        with open(page, "rb") as file:
            self.assertEqual(file.read(), inside["report.html"])
        # What the commands say of the same files.
        said = stepmark("compare", "--across", *self.labels, "--prices", self.prices, "--portfolio", self.mix, "--json")
        said, sealed = json.loads(said.out), json.loads(inside["across.json"])
        self.assertEqual(sealed["works"], said["works"])
        self.assertEqual(sealed["prices"]["today"], "2026-11-29")
        self.assertEqual(json.loads(inside["portfolio.json"]), said["portfolio"])
        said = json.loads(stepmark("contract", "check", self.terms, *self.files["north"], "--json").out)
        sealed = json.loads(inside["contract.json"])
        self.assertEqual([one["verdict"] for one in sealed["floors"]], [one["verdict"] for one in said["floors"]])
        self.assertEqual(sealed["floors"][0]["cells"][0]["lower"], said["floors"][0]["cells"][0]["lower"])
        # Hosts are replaced alike, parties and keys stay.
        terms = inside["agreed/terms.yaml"].decode()
        self.assertNotIn("node-1", terms)
        self.assertIn("provider: north, customer: Example Labs", terms)
        self.assertRegex(terms, r"nodes: \[(host-\d+)\], cause: \1 lost NVLink")
        again = self.path("again.tar")
        os.rename(bundle, again)
        self.choice()
        self.expect(stepmark("seal", bundle, "--add-signature", "--key", self.path("provider")), tool.OK)
        with open(bundle, "rb") as one, open(again, "rb") as other:
            self.assertEqual(one.read(), other.read(), "the same bytes for the same files, keys and day")

    def test_a_changed_byte_is_found_in_its_line(self):
        bundle = self.choice()
        with open(bundle, "rb") as file:
            content = file.read()
        for word, name in ((b"at_least", "agreed/terms.yaml"), (b"per_gpu_hour", "agreed/prices.yaml"),
                           (b"deadline_days", "agreed/mix.yaml")):
            with tarfile.open(bundle) as archive:
                member = archive.getmember(name)
            at = content.index(word, member.offset_data)
            self.assertLess(at, member.offset_data + member.size)
            changed = bytearray(content)
            changed[at] ^= 4
            path = self.path("changed.tar")
            with open(path, "wb") as file:
                file.write(changed)
            result = stepmark("verify", path, "--json")
            self.expect(result, tool.CHECK_FAILED)
            line = content[member.offset_data:at].count(b"\n") + 1
            problem, = json.loads(result.out)["problems"]
            self.assertEqual((problem["file"], problem["line"]), (name, line))
            self.assertTrue(problem["begin"] <= at < problem["end"])

    def test_terms_alone_and_mistakes(self):
        north = [str(path) for path in self.files["north"]]
        bundle = self.seal(*north, "--terms", self.terms)
        self.assertIn("contract.json: 6 met", stepmark("verify", bundle, "--min-signers", "0").out)
        os.remove(bundle)
        for words, texts in (
                ((*north, "--prices", self.prices), ["--across or --label"]),
                ((*self.labels, "--portfolio", self.mix), ["--prices"]),
                ((*self.labels, "--prices", self.prices, "--as-of", "soon"), ["--as-of 'soon'"]),
                ((*self.labels, "--prices", self.terms), ["terms.yaml:"]),
                ((*self.labels[2:], "--terms", self.terms), ["'north' of the terms is none of those", "east, west"]),
                ((*north, "--terms", self.terms, "--redact", "Example Labs"), ["a party of"]),
                (("--label", "north"), ["expected NAME=FILE.smk"])):
            self.seal(*words, code=tool.USAGE, texts=texts)
            self.assertFalse(os.path.exists(bundle))


if __name__ == "__main__":
    tool.main()
