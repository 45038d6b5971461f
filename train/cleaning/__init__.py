"""Cleaning: markup to Markdown, characters, boilerplate, white space, quality; offsets follow every edit."""
