"""The options of AerSimulator that a run on a service does not have, and why: `options.py` rejects them by name."""

from collections.abc import Mapping

_CORES = "the service decides how many cores its simulators use"
_MEMORY = "the service decides how much memory its simulators have"
_FUSION = "the service fuses gates where that is exact"
_GPU = "the service decides what runs on a GPU"
_EXACT = "the service simulates without approximations"
_SHOTS = "the service decides how shots are simulated"
_PARAMETERS = "`parameter_binds` binds the parameters of each circuit"

_REASONS: Mapping[str, tuple[str, ...]] = {
    _CORES: (
        "executor",
        "max_job_size",
        "max_shot_size",
        "max_parallel_threads",
        "max_parallel_experiments",
        "max_parallel_shots",
        "num_threads_per_device",
        "statevector_parallel_threshold",
        "extended_stabilizer_parallel_threshold",
        "mps_parallel_threshold",
        "mps_omp_threads",
        "mps_lapack",
        "accept_distributed_results",
    ),
    _MEMORY: ("max_memory_mb",),
    _FUSION: ("fusion_enable", "fusion_verbose", "fusion_max_qubit", "fusion_threshold"),
    _GPU: (
        "cuStateVec_enable",
        "blocking_qubits",
        "blocking_enable",
        "chunk_swap_buffer_qubits",
        "batched_shots_gpu",
        "batched_shots_gpu_max_qubits",
        "target_gpus",
        "use_cuTensorNet_autotuning",
    ),
    _EXACT: (
        "enable_truncation",
        "zero_threshold",
        "validation_threshold",
        "chop_threshold",
        "matrix_product_state_truncation_threshold",
        "matrix_product_state_max_bond_dimension",
        "extended_stabilizer_sampling_method",
        "extended_stabilizer_metropolis_mixing_time",
        "extended_stabilizer_approximation_error",
        "extended_stabilizer_norm_estimation_samples",
        "extended_stabilizer_norm_estimation_repetitions",
        "extended_stabilizer_probabilities_snapshot_samples",
        "stabilizer_max_snapshot_probabilities",
    ),
    _SHOTS: (
        "shot_branching_enable",
        "shot_branching_sampling_enable",
        "statevector_sample_measure_opt",
        "mps_sample_measure_algorithm",
        "mps_log_data",
        "mps_swap_direction",
        "tensor_network_num_sampling_qubits",
    ),
    _PARAMETERS: ("runtime_parameter_bind_enable",),
}
# The reason for which each option is rejected, a clause for a message.
REJECTED: Mapping[str, str] = {name: reason for reason, names in _REASONS.items() for name in names}
