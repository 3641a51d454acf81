"""Panels of the window: one a file, each built from the controller alone."""
