"""The options of classes: names, types, defaults and what they do, for the help and for recipes to start from."""
