"""Budgets and the learning rate."""

import pytest

from lab.training.schedules import Budget, Schedule


def test_the_rate_rises_holds_and_has_come_down_at_the_end():
    schedule = Schedule(warm_up=10, hold=0.4)
    assert schedule.share(0, 0.0) == pytest.approx(0.1)
    assert schedule.share(50, 0.4) == 1.0
    assert schedule.share(50, 0.7) == pytest.approx(0.5)
    assert schedule.share(50, 1.0) == pytest.approx(0.01)


def test_the_decay_may_end_above_zero():
    schedule = Schedule(warm_up=10, hold=0.5, end=0.2, floor=0.1)
    assert schedule.share(50, 0.75) == pytest.approx(0.6)
    assert schedule.share(50, 1.0) == pytest.approx(0.2)
    assert schedule.share(50, 9.0) == pytest.approx(0.1)


def test_a_budget_of_steps_ignores_the_clock():
    budget = Budget(minutes=0.0, steps=8)
    assert budget.progress(2) == 0.25


def test_a_budget_of_minutes_counts_earlier_parts():
    assert Budget(minutes=1.0, spent=30.0).progress(0) == pytest.approx(0.5, abs=0.05)
