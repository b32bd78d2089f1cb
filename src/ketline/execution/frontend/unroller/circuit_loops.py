"""Writes loops whose end depends on measurements as loops of the circuit, with their variables in bits.

`statements.py` calls it.

Such a loop may have any number of iterations, but its variables usually take few values at the start of one: a counter
up to a bound, some flags. The unroller finds these joint states by running one iteration from each of them without
writing it, and numbers them; bits of the circuit hold the number. If registers and single bits would cause too many
states, they have bits of their own instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ketline.domain.errors import ProgramUnsupported
from ketline.execution.frontend.unroller.budget import Budget
from ketline.execution.frontend.unroller.kinds import BIT
from ketline.execution.frontend.unroller.memory import Memory, Variable
from ketline.execution.frontend.unroller.values import Measured, assuming, atom, flattened, lift, rebuilt
from ketline.execution.frontend.unroller.writer import CircuitWriter

State = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Whether variables of bits have bits of their own, and how many states the other variables may have."""

    bits_apart: bool
    most_states: int


# The first attempt keeps most correlations of values, the second allows many bits, the third is for loops with both.
_ATTEMPTS = (_Attempt(False, 64), _Attempt(True, 1024), _Attempt(False, 1024))


class EndlessLoop(ProgramUnsupported):
    """The loop has another iteration for every outcome of the measurements."""


class CircuitLoops:
    """Writes loops of the circuit."""

    def __init__(self, memory: Memory, writer: CircuitWriter, budget: Budget) -> None:
        self._memory = memory
        self._writer = writer
        self._budget = budget

    def write(self, condition: Callable[[], Any], iteration: Callable[[], None]) -> None:
        """Write a loop that runs `iteration` while the condition holds; evaluating the condition must not change
        anything.

        Raises:
            EndlessLoop: the loop never ends.
            ProgramUnsupported: its variables take too many values; nothing has been written.
        """
        errors: list[ProgramUnsupported] = []
        for attempt in _ATTEMPTS:
            try:
                with self._writer.dry_run(), self._memory.branch():
                    states = self._find_states(condition, iteration, attempt)
                    self._write_loop(condition, iteration, states)
            except EndlessLoop:
                raise
            except ProgramUnsupported as error:
                errors.append(error)
            else:
                self._write_loop(condition, iteration, states)
                return
        raise errors[-1]

    def _find_states(self, condition: Callable[[], Any], iteration: Callable[[], None], attempt: _Attempt) -> "_States":
        """The states of all variables that the loop changes; running iterations reveals these variables one by one."""
        changed: dict[Variable, None] = {}
        while True:
            states = _States(list(changed), attempt.bits_apart)
            more = self._follow(condition, iteration, states, attempt.most_states)
            if not more:
                return states
            changed |= dict.fromkeys(more)

    def _follow(
        self, condition: Callable[[], Any], iteration: Callable[[], None], states: "_States", most: int
    ) -> list[Variable]:
        """Run an iteration from each state until there is no new one; return changed variables that `states` lacks."""
        frontier = states.add(states.current())
        newest = Variable(BIT, False)
        while frontier:
            state = frontier.pop()
            self._budget.step(1 + len(state))
            with self._writer.dry_run(), self._memory.branch() as written:
                self._enter(states, states.apart_cells(self._writer), state)
                holds = condition()
                if holds is not False:
                    with assuming(holds):
                        iteration()
                        frontier += states.add(states.current())
            more = [one for one in written if one.number < newest.number and one not in states.variables]
            if more:
                return more
            if len(states.numbers) > most:
                raise ProgramUnsupported(
                    f"{states.widest()} takes too many values in a loop whose end depends on measurements: "
                    "bound it, or give it a narrow type, such as 'uint[8]'"
                )
        return []

    def _write_loop(self, condition: Callable[[], Any], iteration: Callable[[], None], states: "_States") -> None:
        cells = states.apart_cells(self._writer)
        code_cells = [self._writer.new_bit() for _ in range((len(states.numbers) - 1).bit_length())]
        self._store(states, cells, code_cells)
        self._enter(states, cells, states.decoded(code_cells))
        holds = condition()
        if holds is False:
            return
        if not isinstance(holds, Measured):
            raise EndlessLoop("this loop never ends: no iteration makes its condition false or leaves it")
        with self._writer.repeat_while(holds), assuming(holds), self._memory.branch():
            iteration()
            self._store(states, cells, code_cells)
        with assuming(lift(lambda value: not value, holds)):
            for variable in states.variables:
                leaves = iter([lift(lambda leaf: leaf, leaf) for leaf in flattened(variable.value)])
                self._memory.write(variable, rebuilt(variable.value, leaves))

    def _enter(self, states: "_States", cells: Sequence[int], state: Sequence[Any]) -> None:
        """Set the coded variables to a state, and the variables apart to their cells."""
        leaves = iter(state)
        for variable in states.coded:
            self._memory.put(variable, rebuilt(variable.value, leaves))
        apart = map(atom, cells)
        for variable in states.apart:
            self._memory.put(variable, rebuilt(variable.value, apart))

    def _store(self, states: "_States", cells: Sequence[int], code_cells: Sequence[int]) -> None:
        """Write the current values to the cells, after reading all of them."""
        code = lift(lambda *leaves: states.numbers[leaves], *states.leaves())
        held = {*cells, *code_cells}
        pairs = [(cell, lift(lambda number, k=k: bool(number >> k & 1), code)) for k, cell in enumerate(code_cells)]
        pairs += zip(cells, (leaf for one in states.apart for leaf in flattened(one.value)), strict=True)
        changed = [(cell, value) for cell, value in pairs if value != atom(cell)]
        copied = [(cell, self._copied(value, held)) for cell, value in changed]
        for cell, value in copied:
            self._writer.store(cell, value)

    def _copied(self, value: Any, held: set[int]) -> Any:
        """The value, copied if it depends on the cells `held`, which are about to change."""
        if not isinstance(value, Measured) or held.isdisjoint(value.atoms):
            return value
        copy = self._writer.new_bit()
        self._writer.store(copy, value)
        return atom(copy)


class _States:
    """The numbered states of a loop's variables; a state has the scalars of the `coded` ones.

    The `apart` ones, registers and single bits, have a cell for each of their bits instead: a bit of the circuit.
    """

    def __init__(self, variables: list[Variable], bits_apart: bool) -> None:
        self.variables = variables
        self.apart = [one for one in variables if bits_apart and one.kind.name == "bit"]
        self.coded = [one for one in variables if one not in self.apart]
        self.numbers: dict[State, int] = {}

    def leaves(self) -> list[Any]:
        return [leaf for variable in self.coded for leaf in flattened(variable.value)]

    def widest(self) -> str:
        """The name of the variable that takes the most values."""
        leaves = [variable for variable in self.coded for _ in flattened(variable.value)]
        values = [len(set(column)) for column in zip(*self.numbers, strict=True)]
        name = leaves[values.index(max(values))].name
        return "a variable" if name is None else f"variable '{name}'"

    def current(self) -> Any:
        """The states that the variables may be in now."""
        return lift(lambda *leaves: leaves, *self.leaves())

    def add(self, states: Any) -> list[State]:
        """Number the new states, and return them."""
        table = states.table if isinstance(states, Measured) else [states]
        new = [state for state in dict.fromkeys(table) if state not in self.numbers]
        self.numbers |= {state: len(self.numbers) + index for index, state in enumerate(new)}
        return new

    def decoded(self, cells: Sequence[int]) -> list[Any]:
        """The scalars of the state whose number these bits hold."""
        known = list(self.numbers)
        size = len(known[0])
        if not cells:
            return list(known[0])
        table = [known[min(number, len(known) - 1)] for number in range(1 << len(cells))]
        return [
            lift(lambda state, index=index: state[index], Measured(tuple(cells), tuple(table))) for index in range(size)
        ]

    def apart_cells(self, writer: CircuitWriter) -> list[int]:
        return [writer.new_bit() for variable in self.apart for _ in flattened(variable.value)]
