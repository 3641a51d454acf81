"""Objectives: from (model, x, live values) to per-image terms in nats."""
