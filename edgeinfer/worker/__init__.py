"""The process boundary: one supervised child process a loaded model."""
