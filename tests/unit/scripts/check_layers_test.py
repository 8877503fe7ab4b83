#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/check-layers must pass a clean tree and name each kind of violation in a bad one."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "check-layers"
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
SPDX = LICENCE + "// What this file is for.\n"


def run(files):
    """Exit code and output for a tree of {path: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            target = pathlib.Path(root) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, SCRIPT, "--root", root], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout


class CheckLayers(unittest.TestCase):
    def accepts(self, path, text):
        self.assertEqual(run({path: SPDX + text}), (0, ""))

    def rejects(self, path, text, message):
        code, output = run({path: text})
        self.assertEqual(code, 1, output)
        self.assertIn(message, output)
        self.assertTrue(output.startswith(path + ":"), output)

    def test_allowed_directions(self):
        self.accepts("core/a.cpp", '#include "core/a.h"\n#include <vector>\n')
        self.accepts("kernels/a.cpp", '#include "core/a.h"\n#include "kernels/op_list.h"\n')
        self.accepts("harness/exec/a.cpp", '#include "harness/program/p.h"\n#include "kernels/op.h"\n')
        self.accepts("harness/cli/a.cpp", '#include "harness/measure/m.h"\n#include "results/views/csv/csv.h"\n')
        self.accepts("harness/cases/a.cpp", '#include "harness/exec/executor.h"\n')
        self.accepts("harness/backend/a.cpp", '#include "harness/exec/cuda/d.h"\n#include "collectives/nccl/w.h"\n')
        self.accepts("harness/doctor/a.cpp", '#include "harness/backend/resources.h"\n#include "kernels/host/sets.h"\n')
        self.accepts("harness/run/a.cpp", '#include "harness/cases/case.h"\n#include "harness/backend/job.h"\n')
        self.accepts("harness/cli/b.cpp", '#include "harness/run/run.h"\n#include "harness/doctor/doctor.h"\n')
        self.accepts("tests/unit/core/a.cpp", '#include "fixture.h"\n#include "core/rng.h"\n')
        self.accepts("collectives/mpi/a.cpp", "#include <mpi.h>\n")
        self.accepts("kernels/cuda/a.cu", "#include <cuda_runtime.h>\n")
        self.accepts("kernels/bench/a.cpp", "#include <cuda_runtime_api.h>\n")
        self.accepts("build/junk.cpp", '#include "anything.h"\n')

    def test_axes_are_named_in_their_places_only(self):
        for text in ('f(plan.tp);\n', 'mesh->dp;\n', 'coordinate(rank, "tp");\n', "int dp_rank = 0;\n", "f(plan.pp);\n"):
            self.rejects("harness/cases/a.cpp", SPDX + text, "names an axis")
            self.accepts("harness/spec/a.cpp", text)
            self.accepts("harness/program/lowering/tensor_axis.cpp", text)
        self.accepts("harness/cli/a.cpp", 'help("--plan tp=2,dp=2");  // plan.tp\n')

    def test_upward_and_sideways_includes(self):
        for path, header in [
            ("core/a.cpp", "kernels/op.h"),
            ("kernels/a.cpp", "collectives/comm.h"),
            ("collectives/a.cpp", "kernels/op.h"),
            ("results/record/a.cpp", "harness/spec/plan.h"),
            ("results/families/a.cpp", "collectives/comm.h"),
            ("harness/spec/a.cpp", "results/record/record.h"),
            ("harness/program/a.cpp", "results/record/record.h"),
            ("harness/exec/a.cpp", "results/record/record.h"),
            ("harness/measure/a.cpp", "results/families/derive.h"),
            ("harness/cases/a.cpp", "results/compare/compare.h"),
            ("harness/cases/a.cpp", "results/views/table/text_table.h"),
            ("harness/spec/a.cpp", "harness/program/program.h"),
            ("harness/program/a.cpp", "harness/exec/executor.h"),
            ("harness/exec/a.cpp", "harness/measure/sampler.h"),
            ("harness/measure/a.cpp", "harness/exec/executor.h"),
            ("harness/exec/a.cpp", "harness/cases/case.h"),
            ("harness/cases/a.cpp", "harness/cli/app.h"),
            ("harness/spec/a.cpp", "results/record/record.h"),
            ("harness/program/a.cpp", "results/record/record.h"),
            ("harness/exec/a.cpp", "results/record/record.h"),
            ("harness/exec/host/a.cpp", "results/record/record.h"),
            ("harness/exec/a.cpp", "harness/backend/job.h"),
            ("harness/measure/a.cpp", "harness/backend/job.h"),
            ("harness/measure/a.cpp", "harness/program/program.h"),
            ("harness/measure/a.cpp", "kernels/op.h"),
            ("harness/cases/a.cpp", "harness/backend/machine.h"),
            ("harness/cases/a.cpp", "harness/run/options.h"),
            ("harness/cases/a.cpp", "harness/doctor/finding.h"),
            ("harness/backend/a.cpp", "harness/cases/common.h"),
            ("harness/backend/a.cpp", "harness/run/options.h"),
            ("harness/backend/a.cpp", "harness/doctor/finding.h"),
            ("harness/backend/a.cpp", "harness/program/step.h"),
            ("harness/doctor/a.cpp", "harness/run/launch.h"),
            ("harness/doctor/a.cpp", "harness/cases/case.h"),
            ("harness/run/a.cpp", "harness/doctor/finding.h"),
            ("harness/run/a.cpp", "harness/cli/options.h"),
            ("harness/doctor/a.cpp", "harness/cli/options.h"),
            ("harness/backend/a.cpp", "harness/cli/options.h"),
        ]:
            with self.subTest(path=path, header=header):
                self.rejects(path, f'{SPDX}#include "{header}"\n', f"must not see {header}")

    def test_implementations(self):
        for path, header in [
            ("harness/run/a.cpp", "harness/exec/cuda/cuda_device.h"),
            ("harness/run/a.cpp", "collectives/mpi/mpi_runtime.h"),
            ("harness/cases/a.cpp", "kernels/host/sets.h"),
            ("harness/cli/a.cpp", "kernels/cuda/attention/cudnn_faults.h"),
            ("harness/cli/a.cpp", "harness/exec/cuda/cuda_probe.h"),
            ("harness/doctor/a.cpp", "collectives/nccl/nccl_world.h"),
            ("harness/exec/a.cpp", "harness/exec/cuda/cuda_stream.h"),
            ("collectives/a.cpp", "collectives/mpi/mpi_comm.h"),
            ("collectives/nccl/a.cpp", "collectives/mpi/mpi_comm.h"),
        ]:
            with self.subTest(path=path, header=header):
                self.rejects(path, f'{SPDX}#include "{header}"\n', f"{header} is an implementation")

    # Each pair of folders inside results is either a direction that is meant, or a wall.
    def test_walls_inside_results(self):
        known = ["normalise", "families", "import", "seal"]
        judged = ["compare", "money", "contract", "history", "portfolio"]
        views = ["views/words", "views/table", "views/csv", "views/json", "views/report", "views/any_format"]
        below = {"record": []}
        below.update({name: ["record"] for name in known})
        below["normalise"] = []
        below["families"] = ["record", "normalise"]
        below["import"] = ["record", "families"]
        below.update({name: ["record", *known] for name in judged})
        below["across"] = ["record", *known, "compare", "money"]
        below.update({name: ["record", *known, *judged, "across", "views/words"] for name in views})
        below["views/report"].append("views/json")
        below["views/format"] = ["record"]
        for name in ("views/report", "views/csv", "views/any_format"):
            below[name].append("views/format")
        meant, walls = {}, {}
        for folder, allowed in below.items():
            for other in below:
                place = meant if other == folder or other in allowed else walls
                place[f"results/{folder}/{other.replace('/', '_')}.cpp"] = f'{SPDX}#include "results/{other}/b.h"\n'
        self.assertEqual(run(meant), (0, ""))
        code, output = run(walls)
        found = {line.split(":")[0] for line in output.splitlines() if ": results/" in line and "must not see" in line}
        self.assertEqual((code, found), (1, set(walls)))
        self.rejects("results/a.cpp", SPDX, "without a place in the layers")
        self.rejects("results/views/a.cpp", SPDX, "without a place in the layers")

    def test_views_alone_format(self):
        for line in ("text += format_bytes(size);", 'fmt::format("{:.1f} % slower", x);', 'fmt::format("{} of {:.3g} s", a, b);'):
            for folder in ("record", "compare", "history"):
                self.rejects(f"results/{folder}/a.cpp", f"{SPDX}{line}\n", "only results/views says how a figure looks")
            self.accepts("results/views/table/a.cpp", line + "\n")
        self.accepts("results/compare/a.cpp", 'fmt::format("{}: check failed: {}", side, name);  // not 1.0 %\n')

    def test_families_are_known_to_their_files_alone(self):
        for path, line in [
            ("results/views/table/a.cpp", 'if (record.family == "step") {'),
            ("results/compare/a.cpp", 'const bool one = "kernel" == record.family;'),
            ("harness/cli/a.cpp", 'return one->family() != "groups";'),
            ("results/views/report/web/a.js", 'if (record.family === "step") draw();'),
        ]:
            self.rejects(path, f"{SPDX}{line}\n", "no switch over families here")
        self.accepts("results/families/step.cpp", 'return record.family == "step";\n')
        self.accepts("results/compare/a.cpp", "return a.family != b.family;\n")
        self.rejects("harness/cases/families/a.cpp", SPDX + 'record.numbers.emplace_back("flops", 1);\n', "a fact has its name from")
        self.accepts("harness/cases/families/a.cpp", "record.numbers.emplace_back(facts::kernel::kFlops, 1);\n")

    def test_relative_include(self):
        self.rejects("core/a.cpp", f'{SPDX}#include "a.h"\n', "not a path from the root")

    def test_guarded_headers(self):
        self.rejects("harness/exec/a.cpp", f"{SPDX}#include <mpi.h>\n", "MPI header")
        self.rejects("kernels/host/a.cpp", f"{SPDX}#include <cublasLt.h>\n", "CUDA header")
        self.rejects("collectives/mpi/a.cpp", f"{SPDX}#include <nccl.h>\n", "CUDA header")

    def test_output(self):
        for line in ("std::cout << 1;", "std::ofstream file(path);", "std::fwrite(t, 1, n, stdout);", 'fmt::print("a");',
                     'std::printf("a");'):
            self.rejects("harness/cli/a.cpp", f"{SPDX}{line}\n", "results leave through core/output.h only")
            self.accepts("tests/unit/cli/a.cpp", line + "\n")
        self.accepts("harness/cli/a.cpp", 'fmt::print(stderr, "a");  // not to stdout\nstd::fflush(stderr);\n')

    def test_sources_open_with_what_they_are_for(self):
        openings = {
            "none": "#include <vector>\n",
            "late": "\n// Too late for a reader.\n#include <vector>\n",
            "for_a_tool": "// NOLINTBEGIN(a, b, c) of all that follows\n",
            "brief": "// A source\n",
            "empty": "",
        }
        folders = ["core", "kernels/cuda", "collectives", "harness/run", "results/record"]
        places = [(folder, ending) for folder in folders for ending in ("cpp", "h", "cu", "cuh")]
        bad = {f"{f}/{name}.{e}": LICENCE + text for f, e in places for name, text in openings.items()}
        code, output = run(bad)
        found = {line.split(":")[0] for line in output.splitlines() if ":2: does not open with what it is for" in line}
        self.assertEqual((code, found), (1, set(bad)))
        good = {f"{f}/a.{e}": SPDX + "#include <vector>\n" for f, e in places}
        good["tests/unit/core/a.cpp"] = LICENCE + "int x;\n"
        self.assertEqual(run(good), (0, ""))

    def test_a_type_has_its_name_to_itself(self):
        def named(name, kind="struct"):
            return SPDX + f"namespace stepmark {{\n{kind} {name} {{\n}};\n}}  // namespace stepmark\n"

        code, output = run({"core/a.h": named("Event", "class"), "results/record/b.h": named("Event")})
        self.assertEqual((code, output), (1, "results/record/b.h:4: stepmark::Event is a type of core/a.h too: "
                                             "a linker takes one for the other\n"))
        kinds = named("Side", "enum class").replace("Side {", "Side : std::uint8_t {")
        self.assertEqual(run({"core/a.cpp": kinds, "results/record/b.cpp": named("Side final", "class")})[0], 1)
        inner = named("Event").replace("namespace stepmark", "namespace stepmark::csv")
        hidden = named("Event").replace("struct", "namespace {\nstruct").replace("};", "};\n}  // namespace")
        declared = named("Event").replace(" {\n};", ";")
        self.assertEqual(run({"core/a.h": named("Event"), "core/b.h": inner, "core/c.cpp": hidden, "core/d.h": declared,
                              "core/e.h": named("Events"), "tests/unit/core/f.h": named("Event")}), (0, ""))

    def test_tests_of_the_tool_know_what_a_build_does_not_have(self):
        licence = "# SPDX-License-Identifier: Apache-2.0\n"
        marked = licence + "import stepmark_tool as tool  # noqa: E402\n    tool.main()\n"
        self.assertEqual(run({"tests/cli/a_test.py": marked}), (0, ""))
        self.rejects("tests/cli/a_test.py", marked.replace("tool.main", "unittest.main"), "begin with tool.main()")
        self.assertEqual(run({"tests/cli/a_test.py": licence + "    unittest.main()\n"}), (0, ""))

    def test_house_rules(self):
        self.rejects("core/a.cpp", "int x;\n", "no SPDX")
        self.rejects("core/a.cpp", f"{SPDX}#ifdef NDEBUG\n#endif\n", "conditional compilation")
        self.rejects("core/a.cpp", SPDX + "//\n" * 499, "501 lines")
        self.rejects("misc/a.cpp", SPDX, "without a place in the layers")
        self.rejects("scripts/x", "#!/bin/sh\n", "no SPDX")


if __name__ == "__main__":
    unittest.main(verbosity=2)
