"""The conformance suite for adapters of external backends.

    pytest --pyargs ketline.testing.backends --backend module:function

It runs about 35 small jobs. On a device that costs money, read `docs/backends.md` first.
"""
