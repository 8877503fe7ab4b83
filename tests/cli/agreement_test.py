# SPDX-License-Identifier: Apache-2.0
"""Ranks that were given different things, and launchers that MPI knows nothing of: one message, the
documented exit code, nothing measured, nothing hangs."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402

SUITE = """\
suite: small
description: two collectives
budget: 1s
precision: 20%
cases:
  - family: collective
    collectives: [all_reduce]
    min: 4KiB
    max: 64KiB
    factor: 16
    placement: out-of-place
"""


def run_apart(parts, cwd, environment=None):
    """mpirun with one part per list of (ranks, words, variables): `mpirun -np A ... : -np B ...`."""
    command = []
    for ranks, words, variables in parts:
        command += [":"] if command else [tool.MPIEXEC, "--oversubscribe", "--bind-to", "none"]
        command += ["-np", str(ranks)]
        for name, value in variables.items():
            command += ["-x", f"{name}={value}"]
        command += words
    done = subprocess.run(command, env=environment or tool.environment(), cwd=cwd,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=tool.TIMEOUT_S)
    return tool.Result(done.returncode, done.stdout, done.stderr)


@tool.needs_mpi
class Apart(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.suite = self.write("suite.yaml", SUITE)

    def words(self, *more, suite=None, binary=tool.BINARY):
        return [binary, "run", "--suite", suite or self.suite, "--out", "x.smk", *more]

    def expect_refused(self, first, second, *texts, ranks=(1, 1), variables=({}, {})):
        result = run_apart([(ranks[0], first, variables[0]), (ranks[1], second, variables[1])],
                           self.folder)
        self.expect(result, tool.USAGE, *texts)
        errors = [line for line in result.err.splitlines() if "error: " in line]
        self.assertEqual(len(errors), 1, str(result))
        self.assertFalse(os.path.exists(self.path("x.smk")), "nothing is measured")

    def test_options(self):
        self.expect_refused(self.words("--only", "4KiB"), self.words("--only", "64KiB"),
                            "option --only: '4KiB' on rank 0, '64KiB' on rank 1")
        self.expect_refused(self.words(), self.words("--budget", "5s"), ranks=(3, 5),
                            *["option --budget: '' on ranks 0-2, '5s' on ranks 3-7"])

    def test_files(self):
        other = self.write("other.yaml", SUITE.replace("64KiB", "32KiB"))
        self.expect_refused(self.words(), self.words(suite=other),
                            "suite file: cases[0].max: '64KiB' on ranks 0-2, '32KiB' on rank 3",
                            ranks=(3, 1))
        peaks = "cluster-configs/clusters"
        shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", peaks)
        name = sorted(n for n in os.listdir(shipped) if n.endswith(".yaml"))[0]
        with open(os.path.join(shipped, name), encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"  memory_mib.*\n", "", text)  # which a GPU has, and no CPU
        one = self.write("one.yaml", text)
        two = self.write("two.yaml", text + "# a comment does not count\n")
        result = run_apart([(1, self.words("--cluster", one), {}), (1, self.words("--cluster", two), {})],
                           self.folder)
        self.expect(result, tool.OK)

    def test_a_copy_of_the_same_file_is_no_difference(self):
        copy = self.write("copy.yaml", SUITE)
        self.expect(run_apart([(1, self.words(), {}), (1, self.words(suite=copy), {})], self.folder),
                    tool.OK)

    def test_a_mistake_on_one_rank(self):
        broken = self.write("broken.yaml", SUITE.replace("family", "famly"))
        for first, second, text in (
                (self.words(), self.words(suite=broken), "broken.yaml:6:5"),
                (self.words(suite=broken), self.words(), "broken.yaml:6:5"),
                (self.words(), self.words("--bugdet", "5s"), "did you mean '--budget'"),
                (self.words("--budget", "soon"), self.words(), "soon"),
                (self.words(), self.words(suite=self.path("none.yaml")), "none.yaml")):
            self.expect_refused(first, second, text)

    def test_another_binary(self):
        other = tool.BINARY + "-other"  # beside it, where it finds the same data
        shutil.copy(tool.BINARY, other)
        self.addCleanup(os.remove, other)
        with open(other, "ab") as file:
            file.write(b"x")
        self.expect_refused(self.words(), self.words(binary=other), "binary (SHA-256)")

    def test_variables_that_matter(self):
        self.expect_refused(self.words(), self.words(), "environment variable NCCL_ALGO",
                            "'Ring' on rank 0, 'Tree' on rank 1",
                            variables=({"NCCL_ALGO": "Ring"}, {"NCCL_ALGO": "Tree"}))


class Launchers(tool.ToolTest):
    """Started by hand with a launcher's variables: what a rank sees that MPI leaves alone."""

    def setUp(self):
        super().setUp()
        self.suite = self.write("suite.yaml", SUITE)

    def run_with(self, variables, *more):
        environment = tool.environment()
        environment.update(variables)
        done = subprocess.run([tool.BINARY, "run", "--suite", self.suite, *more], env=environment,
                              cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=tool.TIMEOUT_S)
        return tool.Result(done.returncode, done.stdout, done.stderr)

    def test_disagreement(self):
        for variables in ({"SLURM_NTASKS": "4", "SLURM_PROCID": "3"},
                          {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"},
                          {"PMI_SIZE": "2", "PMI_RANK": "0"}):
            result = self.run_with(variables, "--out", "x.smk")
            self.expect(result, tool.ENVIRONMENT, "--single")
            self.assertFalse(os.path.exists(self.path("x.smk")))
        self.assertIn("built without MPI" if not tool.MPIEXEC else "two MPIs", result.err)

    def test_srun_without_pmi(self):
        # As in a step of Slurm 22.05 with --mpi=none: Open MPI would end the process in MPI_Init.
        step = {"SLURM_STEP_ID": "0", "SLURM_STEPID": "0", "SLURM_JOB_ID": "7", "SLURM_JOBID": "7",
                "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2",
                "SLURM_NODELIST": "n1", "SLURM_NNODES": "1"}
        result = self.run_with(step, "--out", "x.smk")
        self.expect(result, tool.ENVIRONMENT, "srun started this process as number 1 of 2", "--single")
        self.expect(self.run_with(step, "--single", "--out", "x.smk"), tool.NOT_MEASURED, "on 1 ranks")

    def test_override(self):
        result = self.run_with({"SLURM_NTASKS": "4", "SLURM_PROCID": "3"}, "--single", "--out", "x.smk")
        self.expect(result, tool.NOT_MEASURED, "on 1 ranks")  # collectives need two

    def test_what_an_allocation_hands_down(self):
        result = self.run_with({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"},
                               "--out", "x.smk")
        self.expect(result, tool.NOT_MEASURED, "on 1 ranks")

    @tool.needs_mpi
    def test_what_a_daemon_hands_down(self):
        environment = tool.environment()
        environment.update(SLURM_NTASKS="8", SLURM_PROCID="5", SLURM_STEP_NUM_TASKS="8")
        result = run_apart([(2, [tool.BINARY, "run", "--suite", self.suite, "--out", "x.smk"],
                             {})], self.folder, environment)
        self.expect(result, tool.OK, "on 2 ranks")


if __name__ == "__main__":
    tool.main()
