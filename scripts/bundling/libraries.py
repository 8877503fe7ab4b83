# SPDX-License-Identifier: Apache-2.0
"""Which shared libraries programs need, and which of them a bundle carries."""
import os
import pathlib
import re
import subprocess

from bundling.failure import BundleError, output_of

# The machine's own: they must fit its kernel, loader and driver.
HOST = re.compile(
    r"^(ld-linux[\w-]*|linux-vdso|linux-gate|lib(c|m|mvec|dl|rt|pthread|resolv|util|nsl|anl"
    r"|BrokenLocale|thread_db|nss_\w+"
    r"|cuda|nvidia-[\w-]+|cudart|cublas|cublasLt|cudnn\w*|nccl|nvrtc[\w-]*|nvJitLink"
    r"|nvToolsExt|cupti))\.so(\.|$)")
GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)")


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def resolve(text, of="it"):
    """Name -> path out of ldd's output, without the host's. BundleError for a library not found."""
    needed = {}
    for line in text.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if not arrow or HOST.match(name):
            continue
        if rest.startswith("not found"):
            raise BundleError(f"{of} needs {name}, which is not installed")
        needed[name] = pathlib.Path(rest.split(" (")[0])
    return needed


def needed_by(files, first=None):
    """Name -> path of every library that the files need, however indirectly; out of the folder
    `first` where that has them."""
    environment = dict(os.environ, LD_LIBRARY_PATH=str(first)) if first else None
    needed = {}
    for file in files:
        done = subprocess.run(["ldd", file], capture_output=True, text=True, check=False,
                              env=environment)
        needed.update(resolve(done.stdout, of=file.name))  # a static program: nothing
    return needed


def strip(path):
    # A bare program name may be missing: sizes grow then, nothing breaks.
    subprocess.run(["strip", "--strip-unneeded", path], capture_output=True, check=False)


def newest_glibc(files):
    """The newest version of glibc's symbols that any of the files asks for, as (2, 36)."""
    newest = (0, 0)
    for file in files:
        text = output_of("readelf", "-W", "--version-info", file)
        newest = max([newest, *((int(a), int(b)) for a, b in GLIBC.findall(text))])
    return newest


# Processors with the instructions of x86-64-v3, as OpenBLAS names its sets of kernels.
V3_KERNELS = {"HASWELL", "ZEN", "SKYLAKEX", "COOPERLAKE", "SAPPHIRERAPIDS"}
# Which of OpenBLAS's sets runs on every processor with an instruction set.
COMMON_KERNELS = {"x86-64-v2": "NEHALEM", "x86-64-v3": "HASWELL", "x86-64-v4": "SKYLAKEX"}


def kernels_left_out(static, instruction_sets):
    """Linker options that keep out kernels for processors on which the programs do not start, and
    those tuned for processors without x86-64-v3. What would choose one of them gets the set that
    every processor with the weakest instruction set can run."""
    common = COMMON_KERNELS.get(instruction_sets[0] if instruction_sets else "")
    tables = set(re.findall(r" [DBR] gotoblas_([A-Z][A-Z0-9_]*)$", output_of("nm", static), re.MULTILINE))
    if common not in tables:
        return []
    return [f"-Wl,--defsym=gotoblas_{name}=gotoblas_{common}" for name in sorted(tables - V3_KERNELS - {common})]


def slim_openblas(library, programs, target, instruction_sets):
    """Links the functions of OpenBLAS that the programs call into a library of the same name: the
    whole one is half of the bundle. False where the distribution has no static OpenBLAS."""
    static = library.parent / "libopenblas.a"
    if not static.is_file():
        static = library.resolve().parent / "libopenblas.a"
    called = set()
    for program in programs:
        symbols = output_of("nm", "-D", "--undefined-only", program)
        called.update(re.findall(r"\bU (cblas_\w+|openblas_\w+|\w+_)$", symbols, re.MULTILINE))
    if not static.is_file() or not called:
        return False
    keep = [f"-Wl,-u,{name}" for name in sorted(called)]
    done = subprocess.run(
        ["gcc", "-shared", "-o", target, f"-Wl,-soname,{library.name}", "-Wl,--gc-sections", *keep,
         *kernels_left_out(static, instruction_sets), static, "-fopenmp", "-lm", "-Wl,-z,defs"], capture_output=True, check=False)
    return done.returncode == 0
