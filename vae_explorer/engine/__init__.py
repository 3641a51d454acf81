"""The engine: the one thread that owns the model, its mailbox and its outbox (no Qt)."""
