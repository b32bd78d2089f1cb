"""The shared parts of responses: problem documents, content negotiation, compression."""
