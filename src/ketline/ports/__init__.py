"""Ports: protocols that the services call and that adapters implement. Each method states what an adapter promises."""
