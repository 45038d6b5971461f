"""Deduplication: exact and near copies, paraphrased questions, and rows that overlap a benchmark."""
