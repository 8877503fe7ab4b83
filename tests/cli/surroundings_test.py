# SPDX-License-Identifier: Apache-2.0
"""What a container, a launcher or a kernel gives a run is recorded, judged and compared: quotas, bound
CPUs, threads, the way of messages."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

GIVEN = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "given.py")]
RUN = ["run", "--workload", "tiny", "--plan", "layers=1,seq=16,micro_batch=1", "--budget", "1s", "--out"]

SUITE = """\
suite: messages
description: messages that are worth a copy
budget: 1s
precision: 50%
cases:
  - family: collective
    collectives: [all_reduce]
    min: 1MiB
    max: 1MiB
    placement: out-of-place
"""


def given(*kind):
    return [*GIVEN, *map(str, kind)]


def need(test, kind):
    """Skips where the machine does not let us make such surroundings."""
    if tool.subprocess.run([*GIVEN, "probe", kind], stderr=tool.subprocess.DEVNULL,
                           check=False).returncode != 0:
        test.skipTest(f"may not make: {kind}")


def without_threads():
    """The tests' own OMP_NUM_THREADS would hide what is chosen."""
    return ["env", "-u", "OMP_NUM_THREADS"]


class Facts(tool.ToolTest):
    def facts(self, journal):
        header = tool.read_lines(journal)[0]
        return {(f["section"], f["name"]): f["value"] for f in header["environment"]}

    def labels(self, journal):
        return {label for record in tool.records(journal) for label in record["labels"]}


class InstructionSets(Facts):
    """The set of host kernels: recorded, chosen by variable, refused where it is not there."""

    def run_with(self, value):
        journal = self.path(f"{value}.smk")
        return journal, stepmark(*RUN, journal, prefix=self.asking_for(value))

    @staticmethod
    def asking_for(value):
        return ["env", "-u", "STEPMARK_INSTRUCTION_SET", *([f"STEPMARK_INSTRUCTION_SET={value}"] if value else [])]

    def test_the_set_that_computes_is_a_fact(self):
        journal, result = self.run_with(None)
        self.assertEqual(result.code, tool.OK, result.err)
        best = self.facts(journal)[("software", "host kernels")]
        engines = {record["texts"]["attention_engine"] for record in tool.records(journal) if "attention_engine" in record["texts"]}
        self.assertTrue(engines and all(engine.startswith(f"own {best} with openblas ") for engine in engines), engines)
        doctor = json.loads(stepmark("doctor", "--json", prefix=self.asking_for(None)).out)
        self.assertIn(("CPU kernels", f"for {best}"), {(f["what"], f["found"]) for f in doctor})
        if best == "baseline":
            self.skipTest("one instruction set on this architecture")
        journal, result = self.run_with("x86-64-v2")
        self.assertEqual(result.code, tool.OK, result.err)
        self.assertEqual(self.facts(journal)[("software", "host kernels")], "x86-64-v2")

    def test_a_set_that_is_not_there_is_refused(self):
        journal, result = self.run_with("avx9000")
        self.assertEqual(result.code, tool.USAGE, result.err)
        self.assertIn("STEPMARK_INSTRUCTION_SET=avx9000: this binary has no host kernels for it; it has ", result.err)
        self.assertFalse(os.path.exists(journal))
        doctor = stepmark("doctor", prefix=self.asking_for("avx9000"))
        self.assertEqual(doctor.code, tool.ENVIRONMENT)
        self.assertRegex(doctor.out, r"BROKEN\s+CPU kernels\s+none")


class Cores(Facts):
    def setUp(self):
        super().setUp()
        self.cpus = len(os.sched_getaffinity(0))
        self.journal = self.path("run.smk")

    def test_quota(self):
        need(self, "quota")
        result = stepmark(*RUN, self.journal, prefix=[*given("quota", 0.5), *without_threads()])
        self.expect(result, tool.OK, "1 compute thread on 0.5 cores", "1 compute threads per rank")
        facts = self.facts(self.journal)
        self.assertEqual(facts["placement", "CPU quota"], "0.5 cores")
        self.assertEqual(facts["placement", "compute threads per rank"], "1")
        self.assertIn("oversubscribed", self.labels(self.journal))
        doctor = stepmark("doctor", prefix=given("quota", 0.5))
        self.assertIn("0.5 cores' worth", doctor.out)

    def test_threads_that_were_asked_for(self):
        result = stepmark(*RUN, self.journal, prefix=["env", "OMP_NUM_THREADS=64,2"])
        if self.cpus >= 64:
            self.skipTest("64 CPUs and more")
        self.expect(result, tool.OK, f"64 compute threads share {self.cpus} CPUs", "OMP_NUM_THREADS=64")
        self.assertIn("oversubscribed", self.labels(self.journal))
        self.assertEqual(self.facts(self.journal)["variables", "OMP_NUM_THREADS"], "64,2")

    def test_all_cores_are_used(self):
        result = stepmark(*RUN, self.journal, prefix=without_threads())
        self.expect(result, tool.OK, f"{self.cpus} compute threads per rank")
        self.assertFalse({label for label in self.labels(self.journal)
                          if "CPUs used" in label or label == "oversubscribed"})

    @tool.needs_mpi
    def test_lone_rank_that_the_launcher_bound(self):
        if self.cpus < 2:
            self.skipTest("one CPU")
        launch = [*without_threads(), tool.MPIEXEC, "--bind-to", "core", "-np", "1"]
        result = stepmark(*RUN, self.journal, prefix=launch)
        self.expect(result, tool.OK, f" of {self.cpus} CPUs used", "--bind-to none")
        self.assertTrue([label for label in self.labels(self.journal) if "CPUs used" in label])
        doctor = stepmark("doctor", prefix=launch)
        self.assertIn("--bind-to none", doctor.out)

    def test_binding_by_a_library_is_not_taken_for_the_launchers(self):
        # OpenMP's library binds the first thread while it is loaded.
        result = stepmark(*RUN, self.journal, "--repeat", "2",
                          prefix=[*without_threads(), "env", "OMP_PROC_BIND=true", "OMP_PLACES=cores"])
        self.expect(result, tool.OK)
        # A repetition, which is a process started anew, must find what the first one found.
        lines = [line for line in tool.read_lines(self.journal) if "environment" in line]
        self.assertEqual(len(lines), 2)
        for line in lines:
            allowed = [f["value"] for f in line["environment"] if f["name"] == "CPUs allowed"]
            self.assertEqual(allowed, [str(self.cpus)])


class Doctor(Facts):
    def findings(self, *options, prefix=()):
        result = stepmark("doctor", "--json", *options, prefix=prefix)
        return result.code, {f["what"]: f for f in json.loads(result.out)}

    def test_host_name_that_the_launcher_refuses(self):
        need(self, "host")
        code, findings = self.findings("--ranks", "2", prefix=given("host", b"node_1".hex()))
        self.assertEqual(code, tool.ENVIRONMENT)
        self.assertEqual(findings["host name"]["health"], "BROKEN")
        self.assertIn("'_'", findings["host name"]["advice"])
        if not tool.MPIEXEC:
            return
        # It is true, and the advice works.
        where = given("host", b"node_1".hex())
        launch = [tool.MPIEXEC, "--oversubscribe", "--bind-to", "none", "-np", "2"]
        journal = self.path("run.smk")
        refused = stepmark(*RUN, journal, prefix=[*where, *launch])
        self.assertNotEqual(refused.code, tool.OK, str(refused))
        self.assertIn("illegal character", refused.err + refused.out)
        two = [word.replace("layers", "dp=2,layers") for word in RUN]
        self.expect(stepmark(*two, journal, prefix=[*where, *launch, "--mca", "regx", "naive"]), tool.OK)

    def test_copies_between_processes(self):
        need(self, "no-attach")
        _, findings = self.findings(prefix=given("no-attach"))
        self.assertEqual(findings["CMA"]["health"], "warning")
        self.assertIn("Operation not permitted", findings["CMA"]["found"])
        self.assertIn("SYS_PTRACE", findings["CMA"]["advice"])

    def test_small_shared_memory(self):
        need(self, "shm")
        _, findings = self.findings(prefix=given("shm", "1m"))
        self.assertEqual(findings["/dev/shm"]["health"], "warning")


@tool.needs_mpi
@tool.once_per_machine
class Messages(Facts):
    """The same run by other ways of its messages: compare must not call that the same environment."""

    @classmethod
    def setUpClass(cls):
        cls.kept = tool.tempfile.TemporaryDirectory(prefix="stepmark-test-")
        cls.addClassCleanup(cls.kept.cleanup)
        suite = os.path.join(cls.kept.name, "messages.yaml")
        with open(suite, "w", encoding="utf-8") as file:
            file.write(SUITE)
        cls.command = ["run", "--suite", suite, "--out"]
        cls.usual = os.path.join(cls.kept.name, "usual.smk")
        cls.usual_result = stepmark(*cls.command, cls.usual, prefix=cls.launch())
        assert cls.usual_result.code == tool.OK, str(cls.usual_result)

    @staticmethod
    def launch(*options):
        return [*tool.mpi_command(2), *options]

    def differences(self, other):
        result = stepmark("compare", self.usual, other, "--json")
        side = json.loads(result.out)["sides"][0]
        self.assertNotIn("Same environment", stepmark("compare", self.usual, other).out)
        return {d["name"]: (d["baseline"], d["candidate"]) for d in side["differences"]
                if d["fingerprint"]}

    def test_usual(self):
        facts = self.facts(self.usual)
        self.assertEqual(facts["mpi", "messages"], "ob1")
        self.assertIn("/dev/shm size", {name for _, name in facts})
        self.assertNotIn(("mpi", "other hosts"), facts)
        self.assertEqual(stepmark("compare", self.usual, self.usual, "--json").code in (0, 2), True)

    def test_copies_switched_off(self):
        journal = self.path("run.smk")
        result = stepmark(*self.command, journal,
                          prefix=self.launch("--mca", "btl_vader_single_copy_mechanism", "none"))
        self.expect(result, tool.OK)
        self.assertEqual(self.facts(journal)["mpi", "same host"], "shared memory (vader), copied in and out")
        if "by cma" in self.facts(self.usual)["mpi", "same host"]:
            self.assertIn("same host", self.differences(journal))

    def test_copies_refused(self):
        need(self, "no-attach")
        journal = self.path("run.smk")
        result = stepmark(*self.command, journal, prefix=[*self.launch(), *given("no-attach")])
        self.expect(result, tool.OK)
        self.assertIn("refused", self.facts(journal)["mpi", "cross-memory attach"])
        if "by cma" in self.facts(self.usual)["mpi", "same host"]:
            self.assertIn("SYS_PTRACE", result.err)
            self.assertIn("cross-memory attach", self.differences(journal))

    def test_complaints_are_shown_once(self):
        need(self, "no-attach")
        if "by cma" not in self.facts(self.usual)["mpi", "same host"]:
            self.skipTest("MPI does not want to attach here")
        launch = [*self.launch(), *given("no-attach")]
        folded = stepmark(*self.command, self.path("a.smk"), prefix=launch)
        self.expect(folded, tool.OK, "shown once")
        complaint = "Read -1, expected"
        shown = [line for line in folded.err.splitlines()
                 if complaint in line and "shown once" not in line]
        as_they_come = stepmark(*self.command, self.path("b.smk"),
                                prefix=[*launch, "env", "STEPMARK_FOLD_STDERR=0"])
        self.assertGreater(as_they_come.err.count(complaint), 3 * len(shown), folded.err)

    def test_small_shared_memory(self):
        need(self, "shm")
        journal = self.path("run.smk")
        result = stepmark(*self.command, journal, prefix=[*given("shm", "1m"), *self.launch()])
        self.expect(result, tool.OK, "do not use shared memory")
        facts = self.facts(journal)
        self.assertEqual(facts["placement", "/dev/shm size"], "1 MiB")
        self.assertEqual(facts["mpi", "same host"], "tcp")
        self.assertIn("same host", self.differences(journal))

    def test_network_by_choice(self):
        journal = self.path("run.smk")
        result = stepmark(*self.command, journal, prefix=self.launch("--mca", "btl", "self,tcp"))
        self.expect(result, tool.OK, "do not use shared memory")
        self.assertEqual(self.facts(journal)["mpi", "same host"], "tcp")


if __name__ == "__main__":
    tool.main()
