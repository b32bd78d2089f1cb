"""Credentials appear nowhere: searches the texts that the other modules recorded, and so runs last.

Its name must sort after theirs.
"""

import logging

import pytest

from ketline.testing.backends.programs import BELL
from ketline.testing.backends.subject import Session, Subject


def test_closing_twice_does_nothing(subject: Subject) -> None:
    async def test(session: Session) -> None:
        await session.counts(await session.job(BELL))
        await session.adapter.close()

    subject.run(test)
    subject.close()


def test_no_text_has_a_credential(subject: Subject, secrets: list[str], caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger(__name__).debug("the texts of %d tests", len(subject.texts))
    for secret in secrets:
        found = [text for text in subject.texts if secret in text]
        assert not found, "a credential appears in " + found[0].replace(secret, "…")[:300]
