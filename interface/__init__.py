"""A browser interface: upload documents, ask, see where the answer stands, say what was better."""
