"""Privacy: what identifies a person is found, masked the same way throughout a row, and can be restored."""
