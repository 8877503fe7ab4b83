# SPDX-License-Identifier: Apache-2.0
"""Every kernel's time against its floor: bytes over the copy bandwidth, or FLOPs over the GEMM
peak, both measured in the same run."""
from gpu_check import records as rec
from gpu_check.context import StageError
from gpu_check.stage import Outcome

WANTED = 0.90
# Under this floor a kernel's launch and ramp-up are as long as its work.
SMALL_S = 20e-6


def run(context):
    suite = "quick" if context.site.rehearsal else "gpu-check"
    done, records = context.measure("--suite", context.site.suite(suite), "--only", "kernel/",
                                    "--budget", f"{max(0.6 * context.left_s(), 5):.0f}s")
    wrong = rec.failures(records) + rec.refused(records)
    rows = [row for row in map(row_of, rec.measured(records)) if row]
    if not rows:
        raise StageError(wrong[0] if wrong else f"no kernel measured: {done.last_words()}")
    print_table(rows)
    judged = [row for row in rows if row["bound"] == "memory" and row["floor_s"] >= SMALL_S]
    worst = min(judged, key=lambda row: row["roofline"], default=None)
    slow = [row for row in judged if row["roofline"] < WANTED]
    figures = {"kernels": rows, "failed": wrong, "slower_than_wanted": [row["case"] for row in slow]}
    figure = f"{len(judged) - len(slow)} of {len(judged)} memory-bound"
    if worst:
        figure += f", least {worst['roofline']:.2f} ({worst['op']})"
    if wrong:
        figure = wrong[0]
    if context.site.rehearsal:
        return Outcome(not wrong and done.code == 0, figure, figures)
    return Outcome(not wrong and not slow and bool(judged) and done.code == 0, figure, figures)


def row_of(record):
    seconds = rec.median_s(record)
    roofline, note = rec.metric(record, "roofline")
    if not seconds:
        return None
    numbers = record["numbers"]
    return {"case": record["case_id"], "op": record["texts"]["op"], "dtype": record["texts"]["dtype"],
            "mode": record["texts"].get("mode", ""), "seconds": seconds, "roofline": roofline or 0.0,
            "bound": note.partition(" ")[0], "floor_s": (roofline or 0.0) * seconds,
            "gbps": numbers["bytes"] / seconds / 1e9, "gflops": numbers["flops"] / seconds / 1e9,
            "copy_gbps": numbers.get("copy_gbps"), "peak_gflops": numbers.get("peak_gflops")}


def print_table(rows):
    print(f"{'case':70} {'us':>10} {'floor us':>10} {'GB/s':>9} {'GFLOP/s':>10} {'share':>6} bound")
    for row in rows:
        print(f"{row['case'][:70]:70} {row['seconds'] * 1e6:10.1f} {row['floor_s'] * 1e6:10.1f} "
              f"{row['gbps']:9.1f} {row['gflops']:10.1f} {row['roofline']:6.2f} {row['bound']}")
