"""Verification: a row leaves with a certificate of machine-checked facts, or with the reason why it does not.

    rows → paired (each question with a passage that is likely but wrong) → checked → row with `meta["certificate"]`

What each fact means and its threshold stand in certificate.py, support.py and answerability.py.
"""
