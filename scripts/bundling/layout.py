# SPDX-License-Identifier: Apache-2.0
"""The folder of a bundle.

  bin/       what users call: shell scripts that set the environment (launchers/)
  libexec/   the programs themselves
  lib/       libraries, lib/openmpi and lib/pmix their plugins
  share/     stepmark's data, help files
  scripts/   gpu-check, nightly and the reference scripts, as in the repository
  bundle.json   what is in it and what it needs
"""
import json
import platform
import shutil
import subprocess

from bundling import build as built
from bundling import libraries, openmpi, tests
from bundling.failure import BundleError, output_of

SCRIPTS = ("gpu-check", "gpu_check", "nightly", "reference")


def make(repo, build, out):
    """Makes the folder anew below `out`; it and its manifest."""
    programs = built.programs(build)
    facts = version_facts(programs["stepmark"])
    root = out / f"stepmark-{facts['version']}-{platform.machine()}"
    if root.exists():
        shutil.rmtree(root)
    for name in ("bin", "libexec", "lib", "share"):
        (root / name).mkdir(parents=True)
    elves = []
    for name, path in programs.items():
        elves.append(root / "libexec" / name)
        shutil.copy(path, elves[-1])
    own = list(elves)
    elves += openmpi.copy(root)
    elves += copy_libraries(root, own, elves, built.instruction_sets(build))
    for elf in elves:
        libraries.strip(elf)
    copy_data(repo, root)
    launchers(repo, root, programs)
    glibc = libraries.newest_glibc(elves)
    (root / "libexec" / "glibc").write_text("%d.%d\n" % glibc, encoding="utf-8")
    manifest = {
        "name": "stepmark", **facts, "machine": platform.machine(), "glibc": "%d.%d" % glibc,
        "openmpi": openmpi.version(), "programs": sorted(programs),
        "gpu_tests": tests.relocated(repo, build, root, built.gpu_tests(build), programs),
    }
    (root / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return root, manifest


def version_facts(stepmark):
    findings = subprocess.run([stepmark, "doctor", "--json"], capture_output=True, text=True, check=False)
    try:
        described = next(f["found"] for f in json.loads(findings.stdout) if f["what"] == "build")
    except (ValueError, StopIteration) as error:
        raise BundleError(f"{stepmark} doctor --json does not run here: {findings.stderr}") from error
    return {"version": output_of(stepmark, "--version").strip(), "build": described}


def copy_libraries(root, own, elves, instruction_sets):
    copied = []
    for name, path in sorted(libraries.needed_by(elves).items()):
        target = root / "lib" / name
        openblas = name.startswith("libopenblas")
        if not (openblas and libraries.slim_openblas(path, own, target, instruction_sets)):
            shutil.copy(path, target)  # follows the link: the real file under the name asked for
        copied.append(target)
    # What the slim OpenBLAS no longer asks for goes again.
    still = libraries.needed_by(elves, first=root / "lib")
    for target in copied:
        if target.name not in still:
            target.unlink()
    return [target for target in copied if target.name in still]


def copy_data(repo, root):
    share = root / "share" / "stepmark"
    for kind in ("workloads", "suites", "clusters", "gpus", "prices", "sla"):
        shutil.copytree(repo / "cluster-configs" / kind, share / kind)
    shutil.copytree(repo / "results" / "published", share / "published")
    (root / "scripts").mkdir()
    for name in SCRIPTS:
        source = repo / "scripts" / name
        if source.is_dir():
            shutil.copytree(source, root / "scripts" / name,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / "scripts" / name)
    for name in ("LICENSE", "CHANGELOG.md"):
        shutil.copy(repo / name, root / name)
    shutil.copy(repo / "docs" / "air-gapped.md", root / "README.md")


def launchers(repo, root, programs):
    source = repo / "scripts" / "bundling" / "launchers"
    for name in ("environment.sh", "no-ssh"):
        shutil.copy(source / name, root / "libexec" / name)
    (root / "libexec" / "no-ssh").chmod(0o755)
    for name in ("mpirun", "orted", "gpu-check"):
        shutil.copy(source / name, root / "bin" / name)
    for name in programs:
        shutil.copy(source / "program", root / "bin" / name)
    for launcher in (root / "bin").iterdir():
        launcher.chmod(0o755)
