# SPDX-License-Identifier: Apache-2.0
"""What a stage is and what comes out of one. A stage is a function of a Context; it returns an
Outcome, or throws."""
import dataclasses
import json
import typing

PASS, FAIL, SKIPPED, TIMEOUT, NOT_RUN = "pass", "FAIL", "skipped", "timeout", "not run"


@dataclasses.dataclass
class Outcome:
    passed: typing.Optional[bool]  # None: cannot be judged here, `figure` says why
    figure: str  # the one figure, or the reason, for the table
    figures: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Stage:
    name: str
    title: str
    wanted: str  # what passes, for the table
    limit_s: float
    run: typing.Callable
    # What it needs on a good day: kept free for it whatever earlier stages take. Not begun with
    # less than half of it.
    least_s: float = 5


@dataclasses.dataclass
class Result:
    name: str
    result: str
    figure: str
    wanted: str
    seconds: float
    figures: dict

    def as_json(self):
        return dataclasses.asdict(self)


def outcome_to_file(outcome, path):
    path.write_text(json.dumps(dataclasses.asdict(outcome)), encoding="utf-8")


def outcome_from_file(path):
    """None when the stage left none, or half of one."""
    try:
        return Outcome(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
