"""A run launcher that can tell whether the process of a run is still there.

Dagster's own launcher cannot, so a run whose code location was killed with it would stay "started" for ever
and keep its pool slot. With this one named in dagster.yaml, run monitoring fails such a run.
"""

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from modality_assets.defs.processes import process_lives

_LOOKS = 2
_ANSWER_SECONDS = 10


class WatchfulRunLauncher(DefaultRunLauncher):
    """Dagster's default run launcher, and a look at the process of each run.

    A run is alive when its process is found here, or when the code location says that it works on it; it is
    given up when neither was so at two looks in a row, so that one lost answer costs no run.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return whether the run's process is alive; called by run monitoring for each started run."""
        missed: dict[str, int] = self.__dict__.setdefault("_missed", {})
        if process_lives(self._instance, run) is not False or self._is_known_to_code_location(run):
            missed.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        missed[run.run_id] = missed.get(run.run_id, 0) + 1
        if missed[run.run_id] < _LOOKS:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "not found; it is looked for once more")
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the process of this run is gone")

    def _is_known_to_code_location(self, run: DagsterRun) -> bool:
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return False
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_ANSWER_SECONDS)
        except DagsterUserCodeUnreachableError:
            return False
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel
