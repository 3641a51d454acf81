"""The commands of `vae-explorer`, one a module, imported only when it is asked for: each has `run(args) -> int`."""
