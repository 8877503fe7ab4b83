# SPDX-License-Identifier: Apache-2.0
"""Open MPI out of its distribution packages: launcher, daemon, plugins, help files, PMIx."""
import pathlib
import re
import shutil

from bundling.failure import BundleError, output_of

# Not carried: what speaks to a fabric's own driver (the host's version must fit; stepmark's MPI is
# its control plane and the host backend, for which TCP and shared memory do), OpenSHMEM, debuggers.
LEFT_OUT = re.compile(
    r"mca_(.*_(ucx|ofi|openib|psm2?|monitoring|verbs|flux|jsm|gridengine)|s?memheap_.*|scoll_.*"
    r"|spml_.*|sshmem_.*|atomic_.*|.*romio321)\.so$|libompi_dbg_msgq\.so$")


def folders():
    """Open MPI's installation folders by its own names."""
    text = output_of("ompi_info", "--parsable", "--path", "all")
    found = dict(line.split(":", 2)[1:] for line in text.splitlines() if line.startswith("path:"))
    for name in ("pkglibdir", "pkgdatadir", "bindir", "sysconfdir"):
        if name not in found:
            raise BundleError(f"ompi_info tells no {name}: is this Open MPI 4?")
    return {name: pathlib.Path(path) for name, path in found.items()}


def version():
    return output_of("mpirun", "--version").splitlines()[0].split()[-1]


def copy(root):
    """Copies it below root; the paths of what must have its libraries copied too."""
    at = folders()
    binaries = []
    for source, name in (("orterun", "orterun"), ("orted", "orted")):
        target = root / "libexec" / name
        shutil.copy(at["bindir"] / source, target)
        binaries.append(target)
    plugins = root / "lib" / "openmpi"
    plugins.mkdir(parents=True)
    for plugin in sorted(at["pkglibdir"].glob("mca_*.so")):
        if not LEFT_OUT.search(plugin.name):
            shutil.copy(plugin, plugins)
            binaries.append(plugins / plugin.name)
    data = root / "share" / "openmpi"
    data.mkdir(parents=True)
    for text in sorted(at["pkgdatadir"].glob("help-*.txt")):
        shutil.copy(text, data)
    settings = root / "etc" / "openmpi"
    settings.mkdir(parents=True)
    (settings / "openmpi-mca-params.conf").write_text(
        "# The plugins that this bundle has.\nbtl_base_warn_component_unused = 0\n"
        "mca_base_component_show_load_errors = 0\n", encoding="utf-8")
    return binaries + copy_pmix(root, plugins)


def copy_pmix(root, plugins):
    """PMIx's own plugins and help files, when Open MPI uses the distribution's PMIx."""
    bridge = next(iter(sorted(plugins.glob("mca_pmix_ext*.so"))), None)
    if bridge is None:
        return []
    found = re.search(r"libpmix\.so\.\d+ => (\S+)", output_of("ldd", bridge))
    if not found:
        raise BundleError(f"{bridge.name} does not say where libpmix is")
    library = pathlib.Path(found.group(1)).resolve()  # .../pmix2/lib/libpmix.so.2.x
    binaries = []
    target = root / "lib" / "pmix"
    target.mkdir()
    for plugin in sorted((library.parent / "pmix").glob("*.so")):
        shutil.copy(plugin, target)
        binaries.append(target / plugin.name)
    data = root / "share" / "pmix"
    data.mkdir()
    for text in sorted((library.parent.parent / "share" / "pmix").glob("help-*.txt")):
        shutil.copy(text, data)
    return binaries
