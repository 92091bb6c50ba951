"""A page in the browser on which images and videos are dropped: `foveate demo`."""
