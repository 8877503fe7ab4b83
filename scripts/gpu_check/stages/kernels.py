# SPDX-License-Identifier: Apache-2.0
"""Every kernel's time against its bound: bytes over the copy bandwidth, or FLOPs over the GEMM
peak, both measured in the same run. Large ones first: they are judged."""
from gpu_check import records as rec, rehearsal
from gpu_check.context import StageError
from gpu_check.stage import Outcome

GOAL, WANTED = "memory-bound", 0.90
WANTED_WORDS = f"each >= {WANTED:.2f} of copy"
# Under this bound a kernel's launch and ramp-up are not small beside its work.
SMALL_S = 100e-6
# Compared with PyTorch or kept in stages of their own, or no kernels of a step.
ELSEWHERE = ("gemm", "attention", "fp8_gemm", "fma", "occupy", "experts_gemm", "experts_wgrad")
REST_S = 20  # without so much time the small ones are left out


def run(context):
    records, code = measured(context, "gpu-kernels", 0.5, set())
    judged = judge(context, records, code)
    if context.left_s() > REST_S or context.site.rehearsal:
        more, more_code = measured(context, "gpu-check", 0.6, {r["case_id"] for r in records})
        return judge(context, records + more, code or more_code)
    return judged


def belongs_here(op):
    return not op.startswith(ELSEWHERE)


def measured(context, name, share, known, belongs=belongs_here):
    """Records of those cases of a suite whose op belongs here and that are not known, and the exit code."""
    suite = rehearsal.suite(context, name)
    listed = context.run([*context.site.stepmark, "list", "cases", "--suite", suite, "--ranks", 1, "--json"])
    wanted = [case for case in rec.case_ids(listed.out)
              if case not in known and belongs(case.split("/")[1])]
    if not wanted:
        return [], 0
    done, records = context.measure("--suite", suite, "--only", *wanted, "--budget",
                                    f"{max(share * context.left_s(), 4):.0f}s")
    if not records:
        raise StageError(f"no kernel measured: {done.last_words()}")
    return [r for r in records if r["case_id"] not in known], done.code


def judge(context, records, code):
    wrong = rec.failures(records) + rec.refused(records)
    rows = [row for row in map(row_of, rec.measured(records)) if row]
    if not rows:
        raise StageError(wrong[0] if wrong else "no kernel measured")
    print_table(rows)
    judged = [row for row in rows if row["bound_by"] == "memory" and row["bound_s"] >= SMALL_S]
    worst = min(judged, key=lambda row: row["roofline"], default=None)
    slow = [row for row in judged if row["roofline"] < WANTED]
    figures = {"kernels": rows, "failed": wrong, "slower_than_wanted": [row["case"] for row in slow]}
    figure = f"{len(judged) - len(slow)} of {len(judged)}"
    if worst:
        figure += f", least {worst['roofline']:.2f} ({worst['op']})"
    if judged or context.site.rehearsal:
        context.reach(GOAL, not slow and bool(judged), figure)
    context.keep(**figures)
    if wrong:
        figure = wrong[0]
    right = not wrong and code == 0
    return Outcome(right and (context.site.rehearsal or (not slow and bool(judged))), figure, figures)


def row_of(record):
    seconds = rec.median_s(record)
    roofline, note = rec.metric(record, "roofline")
    if not seconds:
        return None
    numbers = record["numbers"]
    return {"case": record["case_id"], "op": record["texts"]["op"], "dtype": record["texts"]["dtype"],
            "mode": record["texts"].get("mode", ""), "seconds": seconds, "roofline": roofline or 0.0,
            "bound_by": note.partition(" ")[0], "bound_s": (roofline or 0.0) * seconds,
            "gbps": numbers["bytes"] / seconds / 1e9, "gflops": numbers["flops"] / seconds / 1e9,
            "copy_gbps": numbers.get("copy_gbps"), "peak_gflops": numbers.get("peak_gflops")}


def print_table(rows):
    print(f"{'case':70} {'us':>10} {'bound us':>10} {'GB/s':>9} {'GFLOP/s':>10} {'share':>6} bound by")
    for row in rows:
        print(f"{row['case'][:70]:70} {row['seconds'] * 1e6:10.1f} {row['bound_s'] * 1e6:10.1f} "
              f"{row['gbps']:9.1f} {row['gflops']:10.1f} {row['roofline']:6.2f} {row['bound_by']}")
