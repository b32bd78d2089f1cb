"""Commands that talk to a service over HTTP: programs, tasks, devices and deliveries."""
