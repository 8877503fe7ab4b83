# SPDX-License-Identifier: Apache-2.0
"""Sizes of a folder, and its archive: the same folder gives the same bytes."""
import gzip
import pathlib
import tarfile


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def folder_bytes(folder):
    return sum(path.stat().st_size for path in files(folder))


def largest(folder, count):
    sizes = [(str(path.relative_to(folder)), path.stat().st_size) for path in files(folder)]
    return sorted(sizes, key=lambda item: -item[1])[:count]


def pack(folder):
    """FOLDER.tar.gz beside the folder. gzip, because every machine has it."""
    target = pathlib.Path(f"{folder}.tar.gz")
    with open(target, "wb") as raw, gzip.GzipFile(
        filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0
    ) as packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = tar.gettarinfo(path, arcname=str(path.relative_to(folder.parent)))
            entry.mtime = entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            if entry.isfile():
                with open(path, "rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    return target
