# SPDX-License-Identifier: Apache-2.0
"""What a step of making a bundle throws, and how it runs tools."""
import subprocess


class BundleError(Exception):
    """Ends the bundle; the text says what was wanted and what was found."""


def output_of(*command, **options):
    """stdout of a tool; BundleError with its last words when it fails or is missing."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError as error:
        raise BundleError(f"needs the program {words[0]}, which is not installed") from error
    if done.returncode != 0:
        tail = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise BundleError(f"{' '.join(words)}: exit code {done.returncode}: {' | '.join(tail)}")
    return done.stdout
