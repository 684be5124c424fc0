"""The store of series on disk: one writer each, a manifest beside every table."""
