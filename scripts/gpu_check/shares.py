# SPDX-License-Identifier: Apache-2.0
"""Who gets how much of the time. The limits of all stages that take part add up to it, so that none
can take what another was promised."""


def chosen(stages, seconds):
    """The stages that fit with the least that they need, the earlier ones first."""
    kept, needed = [], 0.0
    for stage in stages:
        if needed + stage.least_s <= seconds:
            kept.append(stage)
            needed += stage.least_s
    return kept


def limits(stages, seconds):
    """Seconds of each stage, in their order: what it needs at least and its share of the rest. Where
    less is left than all need, each gets less in proportion."""
    least = sum(stage.least_s for stage in stages)
    spare = seconds - least
    if spare < 0:
        return [seconds * stage.least_s / least for stage in stages]
    shares = sum(stage.share for stage in stages)
    return [stage.least_s + spare * stage.share / shares for stage in stages]
