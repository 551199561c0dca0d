"""Models side by side on the same scans: scores, controls, tables, one page."""
