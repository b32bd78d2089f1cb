"""What responses share: problem documents, content negotiation, compression."""
