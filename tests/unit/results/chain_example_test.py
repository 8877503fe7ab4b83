#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python of docs/file-formats.md checks journals as the reader does, and writes what it accepts.

Usage: chain_example_test.py DOCUMENT WRITER
"""
import json
import os
import re
import subprocess
import sys
import tempfile


def main():
    document, writer = sys.argv[1:]
    with open(document, encoding="utf-8") as file:
        text = file.read()
    example = {}
    exec(re.search(r"```python\n(import hashlib.*?)```", text, re.S).group(1), example)
    worked = re.search(r'^`(\{"a":1,"chain":"[0-9a-f]{64}"\})`', text, re.M).group(1)
    assert list(example["chained"]([{"a": 1}])) == [worked + "\n"], worked

    def read(path):
        done = subprocess.run([writer, "--read", path], stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([writer, folder], check=True)
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            example["check"](path)
            with open(path, encoding="utf-8", newline="\n") as file:
                lines = file.readlines()
            values = [{k: v for k, v in json.loads(line).items() if k != "chain"} for line in lines]
            copy = os.path.join(folder, "copy-" + name)
            with open(copy, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(example["chained"](values))
            assert read(copy) == read(path) and read(path)[0] == 0, (read(copy), read(path))
            with open(copy, "w", encoding="utf-8", newline="\n") as file:
                file.writelines([lines[0], lines[1].replace("0", "1", 1), *lines[2:]])
            code, said = read(copy)
            assert code == 1 and ":2: damaged" in said, said
            try:
                example["check"](copy)
                raise AssertionError("the example accepts a damaged line")
            except SystemExit as error:
                assert ":2: damaged" in str(error), error
    print("the example and the reader agree")


if __name__ == "__main__":
    main()
