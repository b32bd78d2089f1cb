"""The composition root: opens the embedded and the distributed service with an adapter behind each port.

`embedded.py` opens the one, `api.py` and `worker.py` the two roles of the other; `administration.py`, `backup.py` and
`doctor.py` open what commands of operators need. A command imports no more than that, and starts the sooner.
"""
