# SPDX-License-Identifier: Apache-2.0
"""Where gpu-check finds itself: in the repository or in a bundle, and what the machine offers."""
import dataclasses
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing


@dataclasses.dataclass
class Site:
    root: pathlib.Path  # repository or bundle
    bundle: typing.Optional[dict]  # its manifest
    build: pathlib.Path  # the repository's build folder
    backend: str  # "cuda", or "host" in a rehearsal without the emulated GPU
    rehearsal: bool
    env: dict  # what commands get on top of this process's environment
    python: typing.Optional[str] = None  # a Python with PyTorch

    def program(self, name):
        """Path of a program that the build or the bundle has, whether or not it is there yet."""
        if self.bundle:
            return self.root / "bin" / name
        if name == "stepmark":
            emulated = self.build / EMULATED
            return emulated if self.rehearsal and emulated.exists() else self.build / "bin" / "stepmark"
        found = sorted(path for path in self.build.rglob(name) if os.access(path, os.X_OK))
        return found[0] if found else self.build / name

    def direct(self, name):
        """The program itself and what it needs in its environment, for tools that want no launcher
        script between them and it."""
        if not self.bundle:
            return self.program(name), {}
        folders = [str(self.root / "lib"), *cuda_folders(self.python)]
        return self.root / "libexec" / name, {"LD_LIBRARY_PATH": ":".join(folders),
                                              "STEPMARK_LIBRARY_PATH": ":".join(folders[1:])}

    @property
    def stepmark(self):
        return [self.program("stepmark")]

    @property
    def mpirun(self):
        return [self.root / "bin" / "mpirun"] if self.bundle else ["mpirun"]

    def shares_gpu(self, ranks):
        """Several ranks have one GPU here, emulated or not."""
        return self.backend == "cuda" and ranks > 1

    def script(self, name):
        return self.root / "scripts" / "reference" / name

    def _data(self):
        return self.root / ("share/stepmark" if self.bundle else "cluster-configs")

    def suite(self, name):
        return self._data() / "suites" / f"{name}.yaml"

    def workload_file(self, name):
        return self._data() / "workloads" / f"{name}.yaml"

    def gpu_tests(self):
        """Name, command, environment and seconds of each test of label gpu."""
        if self.bundle:
            def here(text):
                return text.replace("{root}", str(self.root))
            return [{**test, "command": [here(word) for word in test["command"]],
                     "environment": [here(item) for item in test["environment"]]}
                    for test in self.bundle["gpu_tests"]]
        return self.tests_of("gpu")

    def tests_of(self, label):
        """Those that the build has, built or not."""
        done = subprocess.run(["ctest", "--test-dir", self.build, "-L", f"^{label}$",
                               "--show-only=json-v1"], capture_output=True, text=True, check=False)
        tests = []
        for test in json.loads(done.stdout or "{}").get("tests", []):
            properties = {p["name"]: p["value"] for p in test.get("properties", [])}
            tests.append({"name": test["name"], "command": test.get("command", []),
                          "environment": properties.get("ENVIRONMENT", []),
                          "timeout_s": properties.get("TIMEOUT", 180)})
        return tests


# Of a build with CUDA: the command line on an emulated GPU, and the libraries of one.
EMULATED = pathlib.Path("tests", "emulation", "stepmark_emulated")
EMULATED_LIBRARIES = {"STEPMARK_CUBLASLT_LIBRARY": "libcublasLt_emulated.so",
                      "STEPMARK_NCCL_LIBRARY": "libnccl_emulated.so",
                      "STEPMARK_NVML_LIBRARY": "libnvidia-ml_emulated.so"}


def find(root, rehearsal):
    manifest = root / "bundle.json"
    bundle = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else None
    as_root = os.geteuid() == 0
    env = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if as_root else {}
    site = Site(root=root, bundle=bundle, build=root / "build" / "cuda", backend="cuda",
                rehearsal=rehearsal, env=env)
    if rehearsal:
        rehearse_on(site)
        return site
    site.python = python_with_torch()
    if not bundle:
        # As the bundle's launchers do: the toolkit first, then the packages beside PyTorch.
        folders = cuda_folders(site.python)
        if folders and "STEPMARK_LIBRARY_PATH" not in os.environ:
            env["STEPMARK_LIBRARY_PATH"] = ":".join(folders)
            env["LD_LIBRARY_PATH"] = ":".join(
                folders + [p for p in [os.environ.get("LD_LIBRARY_PATH")] if p])
    return site


def rehearse_on(site):
    """The emulated GPU of a build with CUDA, where there is one; else the host backend.
    STEPMARK_BUILD names the build."""
    site.python = python_with_torch()
    builds = [pathlib.Path(os.environ["STEPMARK_BUILD"])] if "STEPMARK_BUILD" in os.environ else [
        site.root / "build" / "cuda", site.root / "build" / "host-release"]
    emulated = next((build for build in builds if (build / EMULATED).exists()), None)
    site.build = emulated or builds[-1]
    site.backend = "cuda" if emulated else "host"
    site.env["OMP_NUM_THREADS"] = "1"
    if not emulated:
        return
    # One GPU, which has a name that is known.
    site.env.update(STEPMARK_EMULATED_DEVICES="1", STEPMARK_EMULATED_GPU="NVIDIA H100 80GB HBM3",
                    STEPMARK_EMULATED_GPU_MIB="81559", STEPMARK_ATTENTION="own")
    for variable, pattern in EMULATED_LIBRARIES.items():
        found = sorted((emulated / "tests").rglob(pattern))
        site.env[variable] = str(found[0]) if found else "/nonexistent"


def python_with_torch():
    """The first Python that imports torch; None without one. STEPMARK_PYTHON names another."""
    chosen = os.environ.get("STEPMARK_PYTHON")
    candidates = [chosen] if chosen else [sys.executable, "python3", "/usr/bin/python3",
                                          "/opt/conda/bin/python3", "/usr/local/bin/python3"]
    for candidate in dict.fromkeys(candidates):
        path = shutil.which(candidate)
        if path and subprocess.run([path, "-c", "import importlib.util as u, sys; "
                                    "sys.exit(u.find_spec('torch') is None)"],
                                   capture_output=True, check=False).returncode == 0:
            return path
    return None


def cuda_folders(python):
    homes = [os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    folders = [f"{home}/lib64" for home in homes if home and os.path.isdir(f"{home}/lib64")]
    if python:
        code = "import sys; print('\\n'.join(p for p in sys.path if p))"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        for site in done.stdout.splitlines():
            folders += sorted(glob.glob(f"{site}/nvidia/*/lib"))
    return list(dict.fromkeys(folders))


def why_no_gpu():
    """Empty when nvidia-smi shows a GPU."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "no nvidia-smi on PATH"
    try:
        done = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return "nvidia-smi -L does not end"
    if done.returncode == 0 and "GPU 0" in done.stdout:
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1] if lines else "nvidia-smi shows none"
