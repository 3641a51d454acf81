"""Training: the session that owns a model, its batches, its checkpoints."""
