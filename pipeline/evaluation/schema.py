"""Version of report.json."""

SCHEMA_VERSION = 2
