"""The limits of requests: the API checks them, and clients keep their requests within them.

Limits that operators can change are in `ketline.config`.
"""

MAX_BATCH_TASKS = 1_000
MAX_PAGE_TASKS = 200
DEFAULT_PAGE_TASKS = 50
MAX_KEY_CHARACTERS = 255
MAX_HISTORY_POINTS = 1_000

LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100

MAX_INPUTS = 1_000
MAX_SWEEP_POINTS = 10_000
MAX_ARRAY_ELEMENTS = 10_000
MAX_INPUT_BITS = 4_096
# Source: OpenQASM 3 specification, "Arrays".
MAX_ARRAY_DIMENSIONS = 7
# The observables of one point, and the terms of all observables of a task.
MAX_OBSERVABLES = 1_000
MAX_OBSERVABLE_TERMS = 100_000
MAX_GRADIENT_INPUTS = 1_000
# The strengths of noise of a zero-noise extrapolation, and the largest of them.
MAX_SCALE_FACTORS = 10
MAX_SCALE_FACTOR = 99
MAX_CALIBRATION_SHOTS = 1_000_000
MAX_CORRECTED_OUTCOMES = 2_048
MAX_OUTPUTS = 32
MAX_OUTPUT_QUBITS = 4_096
# The labels of the observables of all outputs of a task, and their letters: a task is always read with them.
MAX_OUTPUT_TERMS = 1_000
MAX_OUTPUT_LETTERS = 64 * 1024

# The models that the noise of a task combines, the errors of a model, and the terms and Kraus operators of an error.
MAX_NOISE_MODELS = 8
MAX_NOISE_ERRORS = 10_000
MAX_NOISE_TERMS = 1_024
MAX_NOISE_OPERATORS = 16
MAX_NOISE_QUBITS = 4_096

# The devices of a project, and what one has.
MAX_DEVICES = 100
MAX_DEVICE_BYTES = 4 * 1024 * 1024
MAX_DEVICE_QUBITS = 2_000
MAX_DEVICE_GATES = 20_000
MAX_DEVICE_NAME_CHARACTERS = 63
MAX_DEVICE_DESCRIPTION_CHARACTERS = 500

MAX_NAME_CHARACTERS = 200
MAX_TAGS = 20
MAX_TAG_CHARACTERS = 64
MAX_METADATA_BYTES = 8 * 1024
MAX_METADATA_DEPTH = 16
MAX_SCHEDULE_DAYS = 366
MAX_CALLBACK_CHARACTERS = 2_048
# The longest time limit of a job at an external backend, where jobs wait for hours: 30 days.
MAX_JOB_SECONDS = 2_592_000
