"""Google Trends: read, stored, and offered only relative to their own past."""
