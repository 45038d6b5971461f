"""Measuring a repository: the parts that `train/evaluate.py` runs.

Metrics know nothing of models (answers, overlap, ranking, reliability, intervals); parts ask a model and keep every row
(reading, usefulness, claim, preference, judge, options, grounding); `ledger` makes them resumable, `bench` holds what
they share, `plots` draws the records.
"""
