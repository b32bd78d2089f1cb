"""Use cases that read a program without running it: validate it, and draw its circuit."""
