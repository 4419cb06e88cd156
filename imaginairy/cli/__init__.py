"""The commands `imagine` and `aimg`: options to prompts, errors to messages."""
