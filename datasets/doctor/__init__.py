"""The doctor of data sets: reads every file once, and says what would spoil a training."""
