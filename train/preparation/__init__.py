"""The data factory as one line: stages with resumable states, executors for many machines, rows with a card, a report.

    sources → clean → privacy → dedup → generate → verify → rows

settings.py says what may be chosen, stages.py what each stage does, line.py runs and resumes them, distributed.py spreads
a stage over datatrove's executors, output.py writes what is published, report.py shows what became of every row.
"""
