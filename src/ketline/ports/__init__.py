"""What the services need from the outside, as promises that adapters keep."""
