"""Videos whose frames are labelled one after the other."""
