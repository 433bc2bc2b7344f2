"""DuckDB, embedded: a hot file that can be rebuilt from the journal, and Parquet segments."""
