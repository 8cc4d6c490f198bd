"""Drawn workflows: entities, trees, versions, and the plan that is made of them."""
