"""Scripts with which a shell completes commands, options and their values without starting Python."""
