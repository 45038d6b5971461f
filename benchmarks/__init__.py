"""Search measured beside what a user might pick instead: a suite of Korean spellings, and other libraries."""
