"""The classes of known data sets: names, colours and ids as published, one data set a file."""
