"""How often the verdict itself is wrong: whole tuned pipelines on markets whose truth is known."""
