"""Quotas as the column of a project holds them: `{"project": {"waiting": 100}, "owner": {}}`, or NULL without any."""

from collections.abc import Mapping

from ketline.domain.access.quotas import UNLIMITED, ProjectQuotas, Quota, Quotas, Scope


def quotas_column(quotas: ProjectQuotas) -> dict[str, dict[str, float]] | None:
    if not quotas:
        return None
    return {Scope.PROJECT.value: _stored(quotas.project), Scope.OWNER.value: _stored(quotas.owner)}


def to_quotas(column: Mapping[str, Mapping[str, float]] | None) -> ProjectQuotas:
    if column is None:
        return UNLIMITED
    return ProjectQuotas(project=_read(column.get(Scope.PROJECT, {})), owner=_read(column.get(Scope.OWNER, {})))


def _stored(quotas: Quotas) -> dict[str, float]:
    return {quota.value: limit for quota, limit in quotas.items()}


def _read(stored: Mapping[str, float]) -> Quotas:
    """Reads quotas, without those that only a later version knows."""
    return {quota: stored[quota] for quota in Quota if quota in stored}
