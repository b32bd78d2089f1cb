"""The messages between a runner and its simulator process: JSON only, because the process may have run hostile input.

The process sends `ready` once, with a digest of the code that both must share. The parent then sends one `Request` at a
time, and the process replies to each with a `Response`. Before that it may send one admission request for the whole
machine; the parent replies `granted` or `busy`, and on `busy` the process drops the request and sends no response.

`start.py` defines the `ready` message, `requests.py` and `responses.py` define requests and responses, and
`admission.py` defines the admission messages.
"""
