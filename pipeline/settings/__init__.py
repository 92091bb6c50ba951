"""Recipes as `foveate config` shows them: resolved, commented, compared."""
