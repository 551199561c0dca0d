"""Strategies that fit a subject's model, and the folds they are fitted in."""
