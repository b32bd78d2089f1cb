"""Programs on devices: read by the front ends, transpiled, and lowered for the simulators."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ketline.domain.access import ProjectName
from ketline.domain.device import Device, device_from_json
from ketline.domain.device_run import DeviceRun
from ketline.domain.errors import DeviceMismatch
from ketline.domain.spec import InputValue, ProgramFormat, TaskSpec
from ketline.domain.sweep import first_point
from ketline.execution.circuit.idling import with_idling
from ketline.execution.circuit.lowering import AER_GATES, NO_GATES, lower, rewritten
from ketline.execution.circuit.operations import NO_EFFECT
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend import qpy
from ketline.execution.frontend.program import QPY, ParsedProgram, Program, written_reader
from ketline.execution.frontend.text import names_physical_qubits
from ketline.execution.limits import ExecutionLimits
from ketline.execution.transpiling.transpiler import Transpiled, Transpiler

Values = Mapping[str, InputValue]
_KEPT_DEVICES = 8
_KEPT_PROGRAMS = 32
_LONGEST_KEPT_CHARACTERS = 1 << 14
# What the transpiler gets: gates that no program can define otherwise, and what keeps them apart.
_KEPT_OPERATIONS = AER_GATES | NO_GATES | NO_EFFECT | {"id"}


class PlacedProgram(NamedTuple):
    """A program as the front end reads it, and its circuit on a device."""

    parsed: ParsedProgram
    transpiled: Transpiled


class DevicePrograms:
    """Reads programs for devices; what it keeps of devices and programs makes only calls for their project faster."""

    def __init__(self, limits: ExecutionLimits) -> None:
        self._limits = limits
        self._devices = lru_cache(_KEPT_DEVICES)(_device)
        self._transpilers = lru_cache(_KEPT_DEVICES)(self._new_transpiler)
        self._kept = lru_cache(_KEPT_PROGRAMS)(self._read)

    def device(self, run: DeviceRun, project: ProjectName) -> Device:
        """The device of a task of a project."""
        return self._devices(project, _content_of(run))

    def load(self, spec: TaskSpec, project: ProjectName) -> Program:
        """The program of a task on its device, with the inputs of its first point.

        Raises:
            ProgramInvalid, ProgramUnsupported, ProgramTooLarge: it cannot run.
            DeviceMismatch: it does not fit the device.
        """
        if spec.inputs or len(spec.circuit) > _LONGEST_KEPT_CHARACTERS:
            return self.reader(spec, project)(first_point(spec.inputs))
        return self._kept(
            project,  # guard: project.devices
            spec.circuit,
            spec.options.format,
            run_of(spec),
            noisy=has_errors(spec),
        )

    def reader(self, spec: TaskSpec, project: ProjectName) -> Callable[[Values], Program]:
        """Parse a program; the function gives it for values of its inputs, and raises as `load` does."""
        placed, noisy = self.placer(spec, project), has_errors(spec)
        return lambda values: self._lowered(placed(values), noisy=noisy)

    def placer(self, spec: TaskSpec, project: ProjectName) -> Callable[[Values], PlacedProgram]:
        """As `reader`, of programs that are not lowered for the simulators."""
        run = run_of(spec)
        return self._placer(project, spec.circuit, spec.options.format, run)

    def _read(self, project: ProjectName, text: str, form: ProgramFormat, run: DeviceRun, *, noisy: bool) -> Program:
        return self._lowered(self._placer(project, text, form, run)({}), noisy=noisy)

    def _placer(
        self, project: ProjectName, text: str, form: ProgramFormat, run: DeviceRun
    ) -> Callable[[Values], PlacedProgram]:
        read = written_reader(text, self._limits, form)
        transpiler = self._transpilers(project, _content_of(run))
        physical = form is not ProgramFormat.QPY and names_physical_qubits(text)

        def placed(values: Values) -> PlacedProgram:
            parsed = read(values)
            placed_run = _on_its_own_qubits(parsed, run) if physical else run
            return PlacedProgram(parsed, transpiler.transpiled(self._standard(parsed), placed_run, pinned=physical))

        return placed

    def _standard(self, parsed: ParsedProgram) -> object:
        """The circuit of a program in standard gates."""
        files = parsed.front_end in (QPY, ProgramFormat.OPENQASM2)
        with qpy.library_errors_as_invalid("the circuit cannot be rewritten") if files else nullcontext():
            return rewritten(parsed.circuit, _KEPT_OPERATIONS, self._limits.max_operations, parsed.genuine).circuit

    def _lowered(self, placed: PlacedProgram, *, noisy: bool) -> Program:
        parsed, transpiled = placed
        circuit = with_idling(transpiled.circuit, transpiled.dt_ns) if noisy else transpiled.circuit
        lowered = lower(plain_of(circuit), self._limits.max_operations, noisy=noisy)
        return Program(
            lowered,
            parsed.groups,
            parsed.names,
            parsed.front_end,
            parsed.plain.num_qubits,
            parsed.outcome,
            kept_qubits=lowered.kept_qubits,
            warnings=parsed.warnings,
            placement=transpiled.placement,
        )

    def _new_transpiler(self, project: ProjectName, content: DeviceRun) -> Transpiler:
        return Transpiler(self._devices(project, content))


def run_of(spec: TaskSpec) -> DeviceRun:
    """The device of a task that has one."""
    run = spec.options.device
    assert run is not None, "only tasks with a device are run on one"
    return run


def has_errors(spec: TaskSpec) -> bool:
    """Whether the task's circuit has errors: those of its device, or of its noise."""
    return run_of(spec).noise or spec.options.noise is not None


def _on_its_own_qubits(parsed: ParsedProgram, run: DeviceRun) -> DeviceRun:
    """How a program whose qubits are physical is transpiled: `$3` is qubit 3 of the device.

    Raises:
        DeviceMismatch: it declares qubits as well, or another layout is requested.
    """
    where = f"for the device '{run.name}' this program"
    if parsed.declared.qubits:
        raise DeviceMismatch(f"{where} has declared qubits beside physical ones: use one kind, physical ones to choose")
    layout = tuple(range(parsed.plain.num_qubits))
    if run.initial_layout not in (None, layout):
        raise DeviceMismatch(f"{where} names physical qubits, which are those of the device: leave initial_layout out")
    return replace(run, initial_layout=layout)


def _content_of(run: DeviceRun) -> DeviceRun:
    """What a device is, by its name and digest, without how the program is transpiled."""
    return DeviceRun(name=run.name, digest=run.digest, text=run.text)


def _device(_project: ProjectName, content: DeviceRun) -> Device:
    return device_from_json(json.loads(content.text))
