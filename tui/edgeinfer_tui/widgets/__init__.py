"""The parts of the screen, one panel a module."""
