"""Published weights by the name of their network: where they are, and how they get here."""
