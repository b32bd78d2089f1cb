"""The scanner against the importer: the same program, the same circuit."""
