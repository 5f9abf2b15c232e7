"""The methods: each composes prompts, an engine, a selector and an artifact."""
