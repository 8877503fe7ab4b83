# SPDX-License-Identifier: Apache-2.0
"""ctest's GPU tests as commands that run from a bundle."""
import pathlib
import shutil

from bundling.failure import BundleError


def relocated(repo, build, root, tests, programs):
    """The tests with paths relative to the bundle ("{root}/..."); scripts and data of the
    repository that they name are copied below tests/."""
    moved = []
    for test in tests:
        moved.append({**test,
                      "command": [word(w, i, repo, build, root, programs)
                                  for i, w in enumerate(test["command"])],
                      "environment": [setting(s, repo, build, root, programs)
                                      for s in test["environment"]]})
    return moved


def setting(text, repo, build, root, programs):
    name, _, value = text.partition("=")
    return f"{name}={word(value, 1, repo, build, root, programs)}"


def word(text, index, repo, build, root, programs):
    path = pathlib.Path(text)
    if path.name in ("mpirun", "mpiexec", "orterun") and path.is_absolute():
        return "{root}/bin/mpirun"
    if index == 0 and path.name.startswith("python3"):
        return "python3"
    if not path.is_absolute():
        return text
    if build in path.parents:
        if path.name not in programs:
            raise BundleError(f"a GPU test names {path}, which the bundle does not carry")
        return "{root}/bin/" + path.name
    if repo in path.parents and path.exists():
        relative = path.relative_to(repo)
        target = root / "tests" / relative
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:  # scripts import their neighbours
            target.parent.mkdir(parents=True, exist_ok=True)
            for neighbour in [path, *path.parent.glob("*.py")]:
                shutil.copy(neighbour, target.parent)
        return "{root}/tests/" + str(relative)
    return text
