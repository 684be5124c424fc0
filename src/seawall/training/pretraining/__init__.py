"""Self-supervised pre-training of an encoder: lessons from training bars, judged beside baselines, kept with what it has seen."""
