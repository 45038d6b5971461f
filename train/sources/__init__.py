"""Sources of the data factory: from what a user downloaded to rows with checked offsets.

    path → opening (folder, zip, file) → records or tables (streams) → a reader of the set → reading (checks) → Example

Every row that is not read leaves a `Rejection`. Keys of `Example.meta` that readers set, where they apply:
`file`, `row` (place in it), `native_id`, `document_id`, `split`, `group` (rows of a group belong in one split),
`kind` (of question), `offset` (how the answer was found, see locating.py), `answers` (others that are accepted),
`plausible` (wrong but tempting answers of an unanswerable question), `options`, `markup` ("html"), `published`,
`publisher`, `url`, `issue`, `history`.
"""
