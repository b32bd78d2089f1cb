"""Counts: each bit of the program's registers is at its place in the bitstring, with bit 0 rightmost."""

from collections.abc import Sequence

import pytest

from ketline.testing.backends.programs import BELL, BELL_OUTCOMES, FIXED, Program, random_programs
from ketline.testing.backends.subject import Session, Subject

# The least part of a noisy device's shots that must have the right outcome.
_NOISY = 0.5


@pytest.mark.parametrize("programs", [FIXED, random_programs(6)], ids=["fixed", "random"])
def test_bits_are_in_the_order_of_the_registers(subject: Subject, programs: Sequence[Program]) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        least = _NOISY if description.noisy or not description.simulator else 1
        wrong: list[str] = []
        for program in programs:
            job = await session.job(program)
            counts = await session.counts(job)
            if counts.get(program.expected, 0) < least * job.shots:
                wrong.append(f"{program.name}: {program.expected!r} is expected, not {dict(counts)}")
        assert not wrong, "\n".join(wrong)

    subject.run(test)


def test_each_format_gives_the_same_outcome(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        program = FIXED[1]
        for program_format in description.formats[1:]:
            counts = await session.counts(program.job(program_format, subject.shots))
            assert max(counts, key=lambda key: counts[key]) == program.expected, program_format

    subject.run(test)


def test_entangled_qubits_agree(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        job = await session.job(BELL, shots=max(200, subject.shots))
        counts = await session.counts(job)
        for outcome in BELL_OUTCOMES:
            # One in 10^12 of runs without noise is below a quarter of 200 shots.
            assert counts.get(outcome, 0) > job.shots / 4, f"{outcome!r} is too rare in {dict(counts)}"
        if description.simulator and not description.noisy:
            assert set(counts) == set(BELL_OUTCOMES)

    subject.run(test)


def test_the_same_seed_gives_the_same_counts(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        if not description.takes_seed:
            pytest.skip("the backend takes no seed")
        job = await session.job(BELL, seed=7)
        assert await session.counts(job) == await session.counts(job)

    subject.run(test)
