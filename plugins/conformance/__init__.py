"""The rules of the conformance kit; the public interface is `foveate.plugins.testing`."""
