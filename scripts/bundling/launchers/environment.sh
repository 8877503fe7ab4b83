# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# Sourced by the scripts of bin/, which have set $root to the bundle's folder. The first of a chain
# (mpirun, then its ranks) does the work; the others inherit it.

# Folders of CUDA libraries on this machine, the first wins: the toolkit, then the packages that
# PyTorch brings (nvidia/<library>/lib in a folder of Python's path).
cuda_folders() {
  for toolkit in "${CUDA_HOME:-}" /usr/local/cuda; do
    if [ -z "$toolkit" ]; then continue; fi
    for folder in "$toolkit/lib64" "$toolkit/lib"; do
      if [ -d "$folder" ]; then echo "$folder"; fi
    done
  done
  {
    if command -v python3 >/dev/null 2>&1; then
      python3 -c 'import sys; print("\n".join(p for p in sys.path if p))' 2>/dev/null
    fi
    for site in ${VIRTUAL_ENV:+"$VIRTUAL_ENV"/lib/python3*/site-packages} \
      ${CONDA_PREFIX:+"$CONDA_PREFIX"/lib/python3*/site-packages} \
      /opt/conda/lib/python3*/site-packages /usr/local/lib/python3*/dist-packages; do
      echo "$site"
    done
  } | while read -r site; do
    for folder in "$site"/nvidia/*/lib; do
      if [ -d "$folder" ]; then echo "$folder"; fi
    done
  done
}

if [ "${STEPMARK_BUNDLE:-}" != "$root" ]; then
  read -r needed <"$root/libexec/glibc"
  found=$(getconf GNU_LIBC_VERSION 2>/dev/null || true) # "glibc 2.36"; nothing where there is no getconf
  found=${found#glibc }
  if [ -n "$found" ] && [ "${found%%.*}" = 2 ] && [ "${found#2.}" -lt "${needed#2.}" ] 2>/dev/null; then
    echo "stepmark: this bundle needs glibc $needed or newer, this machine has $found:" \
      "make the bundle on a distribution as old as this one" >&2
    exit 4
  fi
  if [ -z "${STEPMARK_LIBRARY_PATH:-}" ]; then
    STEPMARK_LIBRARY_PATH=
    for folder in $(cuda_folders); do
      case ":$STEPMARK_LIBRARY_PATH:" in
        *":$folder:"*) ;;
        *) STEPMARK_LIBRARY_PATH=${STEPMARK_LIBRARY_PATH:+$STEPMARK_LIBRARY_PATH:}$folder ;;
      esac
    done
  fi
  export STEPMARK_LIBRARY_PATH
  # cuDNN and NCCL open further libraries themselves, which only the loader's path can answer.
  LD_LIBRARY_PATH=$root/lib${STEPMARK_LIBRARY_PATH:+:$STEPMARK_LIBRARY_PATH}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export LD_LIBRARY_PATH
  # Open MPI and PMIx have their folders compiled in; these replace them one by one.
  export OPAL_PREFIX="$root" OPAL_BINDIR="$root/bin" OPAL_LIBDIR="$root/lib" \
    OPAL_PKGLIBDIR="$root/lib/openmpi" OPAL_DATADIR="$root/share" \
    OPAL_PKGDATADIR="$root/share/openmpi" OPAL_SYSCONFDIR="$root/etc/openmpi"
  export PMIX_PREFIX="$root" PMIX_INSTALL_PREFIX="$root" PMIX_LIBDIR="$root/lib" \
    PMIX_PKGLIBDIR="$root/lib/pmix" PMIX_PKGDATADIR="$root/share/pmix" \
    PMIX_SYSCONFDIR="$root/etc/openmpi"
  export STEPMARK_BUNDLE="$root" PATH="$PATH:$root/bin" # mpirun, where the machine has none
fi
