"""The base classes of a task, one idea each; `foveate.pipeline.task` puts them together."""
