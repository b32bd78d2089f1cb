"""OpenID Connect: verifies tokens of an issuer, and says of which projects their users are members."""
