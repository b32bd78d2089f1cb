"""Tests for packages that extend Ketline, such as adapters of backends; they need pytest."""
