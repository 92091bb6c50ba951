"""Data sets of Hugging Face: tables in Parquet and Arrow files, their columns and splits, and where they come from."""
