"""What goes over HTTP, in both directions."""
