# SPDX-License-Identifier: Apache-2.0
"""What a stage is and what comes out of one. A stage is a function of a Context; it returns an
Outcome, or throws. What it is for is said by its goals, and each has a state of its own."""
import dataclasses
import json
import typing

PASS, FAIL, SKIPPED, TIMEOUT, NOT_RUN = "pass", "FAIL", "skipped", "timeout", "not run"
MET, NOT_MET, GOAL_NOT_RUN, REHEARSED = "met", "NOT MET", "not run", "rehearsed"


@dataclasses.dataclass
class Goal:
    key: str
    what: str
    wanted: str
    state: str = GOAL_NOT_RUN
    figure: str = ""  # what was seen, or why nothing was


@dataclasses.dataclass
class Outcome:
    passed: typing.Optional[bool]  # None: cannot be judged here, `figure` says why
    figure: str  # the one figure, or the reason, for the table
    figures: dict = dataclasses.field(default_factory=dict)
    # key -> [met or None, figure]: of the stage's goals, those that it came to.
    goals: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Stage:
    name: str
    title: str
    wanted: str  # what passes, for the table
    share: float  # of the time that is left when every stage has its least
    run: typing.Callable
    least_s: float = 5  # without so much time it is left out
    goals: tuple = ()  # of (key, what, wanted); none: the stage itself is the goal

    def declared_goals(self):
        return [Goal(*words) for words in self.goals] or [Goal(self.name, self.title, self.wanted)]


@dataclasses.dataclass
class Result:
    name: str
    result: str
    figure: str
    wanted: str
    seconds: float
    figures: dict
    limit_s: float = 0.0
    goals: list = dataclasses.field(default_factory=list)

    def as_json(self):
        return dataclasses.asdict(self)


def judged_goals(stage, result, figure, reached, rehearsal):
    """The stage's goals with their states. What it did not come to is not run, with its reason; a
    stage that has no goals of its own is met when it passed."""
    goals = stage.declared_goals()
    if not stage.goals:
        state = {PASS: MET, FAIL: NOT_MET, TIMEOUT: NOT_MET}.get(result, GOAL_NOT_RUN)
        goals[0].state, goals[0].figure = state, figure
        return goals
    for goal in goals:
        met, seen = reached.get(goal.key, (None, figure))
        goal.figure = seen
        if goal.key in reached and rehearsal:
            goal.state = REHEARSED
        elif met is not None:
            goal.state = MET if met else NOT_MET
    return goals


def outcome_to_file(outcome, path):
    path.write_text(json.dumps(dataclasses.asdict(outcome)), encoding="utf-8")


def outcome_from_file(path):
    """None when the stage left none, or half of one."""
    try:
        return Outcome(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
