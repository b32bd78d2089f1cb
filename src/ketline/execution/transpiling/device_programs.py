"""Reads programs with the front ends, transpiles them for a device, and lowers them for the simulators."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ketline.domain.access.principals import ProjectName
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.errors import DeviceMismatch
from ketline.domain.results.outputs import states_of
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.sweep import first_point
from ketline.execution.circuit.derivatives.slopes import StepFormulas, expression_formula
from ketline.execution.circuit.idling import with_idling
from ketline.execution.circuit.located import LocatedQubits
from ketline.execution.circuit.observables.aer_instructions import Support
from ketline.execution.circuit.observables.final_state import FinalState, final_state_of
from ketline.execution.circuit.operations import NO_EFFECT
from ketline.execution.circuit.passes.inlining import rewritten, rewritten_with_places
from ketline.execution.circuit.passes.lowered import AER_GATES, NO_GATES
from ketline.execution.circuit.passes.lowering import lower, lower_observed, lower_state, places_of
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend import qpy
from ketline.execution.frontend.parsed_program import QPY, ParsedProgram
from ketline.execution.frontend.program import Observed, Program, on_device
from ketline.execution.frontend.sloped_programs import SlopedProgram, SlopedReader
from ketline.execution.frontend.text import names_physical_qubits
from ketline.execution.frontend.unroller.differentiated_inputs import DifferentiatedInputs
from ketline.execution.frontend.written_circuits import open_reader, written_reader
from ketline.execution.limits import ExecutionLimits
from ketline.execution.transpiling.marking import marked, states_on, unmarked
from ketline.execution.transpiling.transpiler import Transpiled, Transpiler

Values = Mapping[str, InputValue]
_KEPT_DEVICES = 8
_KEPT_PROGRAMS = 32
_MAX_KEPT_CHARACTERS = 1 << 14
# The operations passed to the transpiler: gates that no program can redefine, and operations that separate gates.
_KEPT_OPERATIONS = AER_GATES | NO_GATES | NO_EFFECT | {"id"}


class PlacedProgram(NamedTuple):
    """A program as the front end reads it, and its circuit on a device."""

    parsed: ParsedProgram
    transpiled: Transpiled


class _Reading(NamedTuple):
    """The key of a program that was read: its text, its device, and whether it is for observables or for `states`."""

    text: str
    form: ProgramFormat
    run: DeviceRun
    noisy: bool
    states: FinalState | None
    observes: bool


class DevicePrograms:
    """Reads programs for devices; caches devices, transpilers and programs separately for each project."""

    def __init__(self, limits: ExecutionLimits) -> None:
        self._limits = limits
        self._devices = lru_cache(_KEPT_DEVICES)(_device)
        self._transpilers = lru_cache(_KEPT_DEVICES)(self._new_transpiler)
        self._kept = lru_cache(_KEPT_PROGRAMS)(self._read)

    def device(self, run: DeviceRun, project: ProjectName) -> Device:
        """The device of a task; projects share no cached devices."""
        return self._devices(project, _content_of(run))

    def load(self, spec: TaskSpec, project: ProjectName, observed: Observed = None) -> Program:
        """The program of a task on its device, with the inputs of its first point.

        With `observed`, the program is read for the observables or outputs of the task.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: the program cannot run.
            DeviceMismatch: the program does not fit the device.
            ObservablesInvalid, OutputsInvalid: the program does not have a state for the observables or outputs.
        """
        if spec.inputs or len(spec.circuit) > _MAX_KEPT_CHARACTERS:
            return self.reader(spec, project, observed)(first_point(spec.inputs))
        return self._kept(
            project,  # guard: project.devices
            _reading_of(spec),
            observed,
        )

    def reader(self, spec: TaskSpec, project: ProjectName, observed: Observed = None) -> Callable[[Values], Program]:
        """Parse a program; the returned function reads it for given input values, and raises as `load` does."""
        placed, reading = self.placer(spec, project), _reading_of(spec)
        return lambda values: self._lowered(placed(values), reading, observed)

    def sloped(self, spec: TaskSpec, project: ProjectName, observed: Support) -> SlopedReader:
        """Parse the program of a task with a gradient; the function returns it with the slopes of its angles.

        The program is transpiled with open angles, so that values and derivatives belong to the same circuit.

        Raises:
            The exceptions of `load`.
            GradientInvalid: the program lacks an input of the gradient, or an input decides more than angles; the
                function raises it too.
        """
        reading = _reading_of(spec)
        read = open_reader(reading.text, self._limits, reading.form)
        transpiler = self._transpilers(project, _content_of(reading.run))
        physical = reading.form is not ProgramFormat.QPY and names_physical_qubits(reading.text)
        gradient = spec.options.gradient
        names = None if gradient is None else gradient.inputs

        def sloped(values: Values) -> SlopedProgram:
            chosen = DifferentiatedInputs(names)
            parsed, numbers = read(values, chosen)
            chosen.require_found()
            run = _on_its_own_qubits(parsed, reading.run) if physical else reading.run
            circuit = self._standard(parsed, None)
            placed = PlacedProgram(parsed, transpiler.transpiled(circuit, run, pinned=physical))
            program = self._lowered(placed, reading._replace(noisy=True), observed)
            formulas = StepFormulas(program.lowered.steps, expression_formula)
            return SlopedProgram(program, formulas.at(numbers), chosen.variables)

        return sloped

    def placer(self, spec: TaskSpec, project: ProjectName) -> Callable[[Values], PlacedProgram]:
        """As `reader`, but the function returns a program that is not lowered for the simulators."""
        return self._placer(project, _reading_of(spec))

    def _read(self, project: ProjectName, reading: _Reading, observed: Observed) -> Program:
        return self._lowered(self._placer(project, reading)({}), reading, observed)

    def _placer(self, project: ProjectName, reading: _Reading) -> Callable[[Values], PlacedProgram]:
        read = written_reader(reading.text, self._limits, reading.form, measured=not reading.observes)
        transpiler = self._transpilers(project, _content_of(reading.run))
        physical = reading.form is not ProgramFormat.QPY and names_physical_qubits(reading.text)

        def placed(values: Values) -> PlacedProgram:
            parsed = read(values)
            run = _on_its_own_qubits(parsed, reading.run) if physical else reading.run
            circuit = self._standard(parsed, reading.states)
            return PlacedProgram(parsed, transpiler.transpiled(circuit, run, pinned=physical))

        return placed

    def _standard(self, parsed: ParsedProgram, states: FinalState | None) -> object:
        """The circuit of a program in standard gates."""
        files = parsed.front_end in (QPY, ProgramFormat.OPENQASM2)
        most = self._limits.max_operations
        with qpy.library_errors_as_invalid("the circuit cannot be rewritten") if files else nullcontext():
            if states is None:
                return rewritten(parsed.circuit, _KEPT_OPERATIONS, most, parsed.genuine).circuit
            places = places_of(parsed.plain, states)
            found = rewritten_with_places(parsed.circuit, _KEPT_OPERATIONS, most, parsed.genuine, places)
            circuit = marked(found.lowered.circuit)
            circuit.global_phase = found.phase
            return circuit

    def _lowered(self, placed: PlacedProgram, reading: _Reading, observed: Observed) -> Program:
        parsed, transpiled = placed
        noisy, most = reading.noisy, self._limits.max_operations
        # Only the noise of a device has errors for delays; the noise of a task has none.
        circuit = with_idling(transpiled.circuit, transpiled.dt_ns) if reading.run.noise else transpiled.circuit
        qubits: Mapping[str | None, Sequence[int]] = {None: transpiled.placement.final_layout}
        bits, dephased = parsed.checked_bits, frozenset[int]()
        if isinstance(observed, Support):
            observed.require_fit(parsed.plain.num_qubits)
            physical = {qubits[None][qubit] for qubit in observed.qubits}
            lowered, dephased = lower_observed(plain_of(circuit), most, physical, bits=bits, noisy=noisy)
        elif observed is not None:
            found = unmarked(circuit, observed)
            plain, states, qubits = plain_of(found.circuit), states_on(observed, found), found.qubits
            lowered = lower_state(plain, most, states, bits=bits, noisy=noisy, unmeasured=True)
        else:
            lowered = lower(plain_of(circuit), most, noisy=noisy)
        located = LocatedQubits(qubits=qubits, native=transpiled.gates.native, has_gate=transpiled.gates.has_gate)
        return on_device(parsed, lowered, located, transpiled.placement, observed, dephased)

    def _new_transpiler(self, project: ProjectName, content: DeviceRun) -> Transpiler:
        return Transpiler(self._devices(project, content))


def _reading_of(spec: TaskSpec) -> _Reading:
    outputs = states_of(spec.options.outputs)
    return _Reading(
        text=spec.circuit,
        form=spec.options.format,
        run=run_of(spec),
        noisy=has_errors(spec),
        states=final_state_of(outputs) if outputs else None,
        observes=bool(spec.options.observables),
    )


def run_of(spec: TaskSpec) -> DeviceRun:
    """The device of a task that has one."""
    run = spec.options.device
    assert run is not None, "only tasks with a device are run on one"
    return run


def has_errors(spec: TaskSpec) -> bool:
    """Whether operations of the task's circuit have errors, from its device or from its noise."""
    return run_of(spec).noise or spec.options.noise is not None


def _on_its_own_qubits(parsed: ParsedProgram, run: DeviceRun) -> DeviceRun:
    """The run with the layout of a program that names physical qubits: `$3` is qubit 3 of the device.

    Raises:
        DeviceMismatch: the program also declares qubits, or another layout is requested.
    """
    where = f"for the device '{run.name}' this program"
    if parsed.declared.qubits:
        raise DeviceMismatch(f"{where} has declared qubits beside physical ones: use one kind, physical ones to choose")
    layout = tuple(range(parsed.plain.num_qubits))
    if run.initial_layout not in (None, layout):
        raise DeviceMismatch(f"{where} names physical qubits, which are those of the device: leave initial_layout out")
    return replace(run, initial_layout=layout)


def _content_of(run: DeviceRun) -> DeviceRun:
    """The device alone, by its name and digest, without the options of transpilation."""
    return DeviceRun(name=run.name, digest=run.digest, text=run.text)


def _device(_project: ProjectName, content: DeviceRun) -> Device:
    return device_from_json(json.loads(content.text))
