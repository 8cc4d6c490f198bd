"""The plans that there are from the beginning (platform.md 8, Dashboard); an operator may change what they allow."""

from pulse.billing.records import Plan

PLANS: tuple[Plan, ...] = (
    Plan("free", "Free", 0, 100, max_members=1),
    Plan("individual", "Individual", 4_900, None, max_members=1),
    Plan("team", "Team", 9_900, None, max_members=3),
)
BY_KEY = {plan.key: plan for plan in PLANS}
