"""Webhooks: deliveries to callbacks, and the URLs that callbacks may have."""
