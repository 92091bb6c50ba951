"""Exported models: files that other runtimes run, that say what they take and give, and that test themselves."""
