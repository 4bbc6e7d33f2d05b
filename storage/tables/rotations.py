"""Rotations of credentials, and the presence monitors that use a secret too."""

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from storage.tables.columns import UtcDateTime, new_id


class Rotation(SQLModel, table=True):
    """A change of credentials, open or finished; each step is stored before the next begins.

    ``kind`` is a ``sync.domain.rotation.RotationKind``, ``credential`` the ``CredentialKind`` that it
    brings, ``step`` a ``RotationStep``. ``fault`` is that of an error
    or, when it is done, why the old secret was left (``OldSecretLeft``).
    ``secret_sealed`` is the new secret while the rotation may have to be resumed; ``due_at`` is when to continue
    or, while a process works on it, when its lease ends; ``attempts`` counts refusals.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    owner_tenant: str
    kind: str
    credential: str = "secret"
    step: str
    secret_sealed: str | None = Field(default=None, repr=False)
    new_key_id: str = ""
    old_key_id: str = ""
    expires_on: date | None = None
    started_by: str = ""
    started_by_name: str = ""
    started_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    attempts: int = 0
    fault: str = ""
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Monitor(SQLModel, table=True):
    """A presence monitor of the other direction that may use the same secret; administrators list it."""

    id: str = Field(default_factory=new_id, primary_key=True)
    owner_tenant: str = Field(index=True)
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    name: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class MonitorTask(SQLModel, table=True):
    """A monitor whose secret must be replaced after a rotation: open while ``done_at`` is None."""

    rotation_id: str = Field(primary_key=True)
    monitor_id: str = Field(primary_key=True, foreign_key="monitor.id", ondelete="CASCADE")
    integration_id: str = Field(foreign_key="integration.id", index=True, ondelete="CASCADE")
    done_by: str = ""
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
